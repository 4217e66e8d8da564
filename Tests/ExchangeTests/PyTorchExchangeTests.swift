import Checkpointing
import Configuration
import Exchange
import Formats
import Foundation
import LinearAlgebra
import Recurrence
import TestSupport
import Testing

@Suite struct `Weights to PyTorch and back` {
  @Test(arguments: SmallRun.exportable)
  func `an exported file, imported, is the same weights bit by bit, and the run goes on from there`(
    _ model: String
  ) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: model)
      let trained = try run.train()
      let file = folder + "/exported.safetensors"
      try PyTorchExport(trained).save(to: file)

      try run.open("imported", from: file, resume: .none).save()
      let start = try run.latest("imported")
      #expect(start.state.step == 0)
      #expect(
        contents(of: try start.tensors(of: "model.safetensors").tensors)
          == contents(of: try trained.tensors(of: "model.safetensors").tensors))

      let goesOn = try run.open("imported")
      #expect(goesOn.trainer.coordinator.state.step == 0)
      #expect(try goesOn.train() == .complete)
      #expect(try run.latest("imported").state.step == 7)
    }
  }

  @Test func `one module is called rnn, layers that differ are called by their numbers`()
    throws
  {
    let expected = [
      0: [
        "decoder.bias", "decoder.weight", "encoder.weight", "rnn.bias_hh_l0", "rnn.bias_hh_l1",
        "rnn.bias_ih_l0", "rnn.bias_ih_l1", "rnn.weight_hh_l0", "rnn.weight_hh_l1",
        "rnn.weight_ih_l0", "rnn.weight_ih_l1",
      ],
      3: [
        "decoder.bias", "decoder.weight", "encoder.weight", "rnn.bias_hh_l0", "rnn.bias_ih_l0",
        "rnn.weight_hh_l0", "rnn.weight_ih_l0",
      ],
      4: [
        "decoder.bias", "decoder.weight", "encoder.weight", "layers.0.bias_hh_l0",
        "layers.0.bias_ih_l0", "layers.0.weight_hh_l0", "layers.0.weight_ih_l0", "layers.1.bias",
        "layers.1.weight",
      ],
    ]
    for (index, names) in expected {
      try withTemporaryFolder { folder in
        let run = try SmallRun(in: folder, model: SmallRun.exportable[index], steps: 1)
        #expect(try PyTorchExport(run.train()).tensors.map(\.name).sorted() == names)
      }
    }
  }

  @Test func `a tied matrix has both names, and biases left out are zero`() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: SmallRun.exportable[3])
      let file = folder + "/exported.safetensors"
      try PyTorchExport(run.train()).save(to: file)
      let read = try SafetensorsFile(file)
      let tensors = contents(of: read.tensors)
      #expect(tensors["decoder.weight"] == tensors["encoder.weight"])
      #expect(tensors["decoder.weight"]?.contains { $0 != 0 } == true)
      #expect(try read.values("rnn.bias_hh_l0", as: Float.self) == [Float](repeating: 0, count: 6))
      #expect(read.metadata["format"] == "pt" && read.metadata["step"] == "7")
      #expect(read.metadata["model"]?.contains(#""nonlinearity":"relu""#) == true)
    }
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: SmallRun.exportable[2], steps: 1)
      let bias = try PyTorchExport(run.train()).tensors.first { $0.name == "decoder.bias" }
      #expect(bias?.memory.allSatisfy { $0 == 0 } == true)
      #expect(bias?.shape == [9])
    }
  }

  @Test func `the average is exported where there is one, and what was trained if asked for`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = try SmallRun(
        in: folder, model: SmallRun.exportable[0], training: "average: {decay: 0.5}")
      let checkpoint = try run.train()
      let (averaged, raw) = (
        try PyTorchExport(checkpoint), try PyTorchExport(checkpoint, raw: true)
      )
      #expect(
        contents(of: averaged.tensors)
          == contents(of: try checkpoint.tensors(of: "average.safetensors").tensors))
      #expect(
        contents(of: raw.tensors)
          == contents(of: try checkpoint.tensors(of: "model.safetensors").tensors))
      #expect(contents(of: averaged.tensors) != contents(of: raw.tensors))
      #expect(averaged.metadata["weights"] == "averaged")
      #expect(raw.metadata["weights"] == "as trained")
    }
  }

  @Test(
    arguments: [
      ("{cell: lstm, hidden: 5, peephole: gers}", "layer 1 has peepholes"),
      ("{cell: lstm, hidden: 5, peephole: previous}", "layer 1 has peepholes"),
      ("{cell: lstm, hidden: 5, coupled: true}", "layer 1 has coupled gates"),
      ("{cell: lstm, hidden: 5, layer_norm: true}", "layer 1 has layer normalisation"),
      ("{cell: gru-reset-before, hidden: 5}", "layer 1 is a gru-reset-before"),
      ("{cell: leaky, hidden: 5, alpha: 0.9}", "layer 1 is a leaky"),
      ("{cell: dense, hidden: 5, taps: 3}", "layer 1 is a dense"),
      ("{cell: min-gru, hidden: 5}", "layer 1 is a min-gru"),
      ("{block: {mixer: {cell: lstm, hidden: 5}}}", "layer 1 is a block"),
      ("{conv: 3}", "layer 1 is a conv"), ("{token_shift: true}", "layer 1 is a token_shift"),
      ("{cell: elman, hidden: 5, nonlinearity: sigmoid}", "layer 1 has the nonlinearity sigmoid"),
      ("{cell: elman, hidden: 5, nonlinearity: identity}", "layer 1 has the nonlinearity identity"),
    ])
  func `what PyTorch lacks is refused by the name of the layer`(
    _ layer: String, _ reason: String
  ) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(
        in: folder, model: "{embedding: 4, layers: [{cell: gru, hidden: 5}, \(layer)]}", steps: 1)
      let checkpoint = try run.train()
      let error = #expect(throws: FileError.self) { try PyTorchExport(checkpoint) }
      #expect(error?.exitCode == 65)
      #expect(error?.description.contains(reason) == true)
    }
  }

  @Test func `a file is written where files can be, and nowhere else`() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(in: folder, model: SmallRun.exportable[0], steps: 1)
      let checkpoint = try run.train()
      let export = try PyTorchExport(checkpoint)
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      for path in [
        folder, folder + "/nowhere/x", folder + "/text.txt/x", folder + "/pipe",
        checkpoint.path + "/model.safetensors",
      ] {
        let error = #expect(throws: FileError.self) { try export.save(to: path) }
        #expect(error?.exitCode == 73)
        #expect(error?.description.hasPrefix("cannot create \(path) because") == true)
      }
      #expect(Checkpoint.verify(checkpoint.path).isEmpty)
    }
  }
}
