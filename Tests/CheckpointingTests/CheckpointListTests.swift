import Checkpointing
import Configuration
import Formats
import Foundation
import Recurrence
import TestSupport
import Testing
import Training

@Suite struct `Checkpoints of a run, seen by people` {
  private static let model = SmallRun.exportable[0]

  @Test func `are listed for the run, its folder of checkpoints, or one of them`() throws {
    try withTemporaryFolder { folder in
      _ = try SmallRun(in: folder, model: Self.model).train()
      let run = folder + "/run"
      for path in [
        run, run + "/", run + "/checkpoints", run + "/checkpoints/step-00000003",
      ] {
        let list = try CheckpointList(path)
        #expect(list.summaries.map(\.step) == [3, 6, 7])
        let lines = list.words.split(separator: "\n").map(String.init)
        #expect(lines.count == 4)
        #expect(lines[3].contains("latest best") && lines[3].hasSuffix("whole"))
        #expect(!lines[1].contains("latest"))
      }
      let data = Data(try CheckpointList(run).json.utf8)
      let json = try #require(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
      #expect(json.map { $0["step"] as? Int } == [3, 6, 7])
      #expect(json.map { $0["latest"] as? Bool } == [false, false, true])
      #expect(json.allSatisfy { $0["whole"] as? Bool == true })
    }
  }

  @Test func `are verified byte by byte, one or all`() throws {
    try withTemporaryFolder { folder in
      _ = try SmallRun(in: folder, model: Self.model).train()
      let checkpoints = folder + "/run/checkpoints"
      func step(_ number: Int) -> String { "\(checkpoints)/step-0000000\(number)" }
      let (whole, problems) = try CheckpointList.verify(folder + "/run")
      #expect(whole == [3, 6, 7].map(step) && problems.isEmpty)

      // A changed byte that sizes do not tell.
      let file = step(6) + "/optimizer.safetensors"
      var content = try bytes(at: file)
      content[content.count - 1] ^= 1
      try put(content, at: file)
      #expect(try CheckpointList(folder + "/run").summaries.allSatisfy(\.isComplete))
      try FileManager.default.removeItem(atPath: step(3) + "/hidden.safetensors")
      try FileManager.default.removeItem(atPath: step(7) + "/state.json")
      let found = try CheckpointList.verify(folder + "/run")
      #expect(found.whole.isEmpty)
      #expect(
        found.problems.map(\.path) == [step(3) + "/hidden.safetensors", file, step(7)])
      #expect(try CheckpointList.verify(step(6) + "/").problems.map(\.path) == [file])
      #expect(try CheckpointList.verify(step(7)).problems.map(\.path) == [step(7)])
      #expect(
        try CheckpointList(folder + "/run").words.split(separator: "\n")[3].contains("not whole"))
    }
  }

  @Test func `a pointer that is gone, or names what is gone, is a problem`() throws {
    try withTemporaryFolder { folder in
      _ = try SmallRun(in: folder, model: Self.model).train()
      let latest = folder + "/run/checkpoints/latest"
      try put(Array("step-00000099\n".utf8), at: latest)
      #expect(try CheckpointList.verify(folder + "/run").problems.map(\.path) == [latest])
      try FileManager.default.removeItem(atPath: latest)
      let (whole, problems) = try CheckpointList.verify(folder + "/run")
      #expect(whole.count == 3 && problems.map(\.path) == [latest])
    }
  }

  @Test func `nothing, a file and an empty folder are said to be that`() throws {
    try withTemporaryFolder { folder in
      try put([1], at: folder + "/file")
      for (path, reason) in [
        (folder + "/none", "there is no"), (folder + "/file", "is not a folder"),
        (folder, "holds no checkpoint"), (folder + "/step-00000003", "there is no"),
      ] {
        for attempt in [
          { _ = try CheckpointList(path) }, { _ = try CheckpointList.verify(path) },
        ] {
          let error = #expect(throws: FileError.self) { try attempt() }
          #expect(error?.exitCode == 65)
          #expect(error?.description.contains(reason) == true)
        }
      }
    }
  }

  @Test func `one is described in words and in JSON`() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(
        in: folder,
        model: "{embedding: 4, layers: [{cell: lstm, hidden: 5, projection: 3, dropout: 0.2}], "
          + "tied: false}")
      let checkpoint = try run.train()
      let inspection = try CheckpointInspection(checkpoint)
      #expect(inspection.step == 7 && inspection.tokens == 7 * 15 && inspection.epoch == 1)
      #expect(
        inspection.model == "embedding 4 → lstm 5, projection 3, dropout 0.2 → softmax")
      let model = SequenceModel(run.options.model.sequence!, vocabulary: 9, seed: 1)
      #expect(inspection.parameters == ParameterLayout(model.plan).learnt)
      let file = try checkpoint.tensors(of: "model.safetensors")
      for tensor in inspection.tensors {
        let values = try file.values(tensor.name, as: Float.self)
        let sum = values.reduce(0.0) { $0 + Double($1 * $1) }
        #expect(abs(tensor.norm - sum.squareRoot()) < 1e-5 && tensor.norm > 0)
        #expect(inspection.words.contains("\(tensor.shape)"))
      }
      #expect(inspection.tensors.count == 8)
      let json = try #require(
        JSONSerialization.jsonObject(with: Data(try inspection.json.utf8)) as? [String: Any])
      #expect(json["step"] as? Int == 7 && json["batch_size"] as? Int == 3)
      let configuration = try #require(json["configuration"] as? [String: Any])
      #expect((configuration["training"] as? [String: Any])?["bptt"] as? Int == 5)
    }
  }
}
