internal import ArgumentParser
internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Exchange
internal import Formats
internal import Logging
internal import Runs
internal import Training

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a run that starts from the weights of a file.",
    discussion: """
      The file is one of llama.cpp (GGUF), a folder of transformers, a .safetensors file with \
      RWKV-LM's names or a file of rwkv.cpp, of RWKV-7, Mamba-2, Hawk or xLSTM: then the model is \
      that of the file, and the configuration needs no section model. Or the file has PyTorch's names, as \
      unroll export or torch's safetensors write them; every name and shape must match. A layer \
      whose two matrices are joined, such as rnn.weight_l0 = [W | U], is recognised and split, and \
      the configuration describes the model. float64, float16 and bfloat16 become float32. The \
      data of the configuration must exist. The run gets a checkpoint of step 0. unroll train with \
      the same configuration and folder continues from it; evaluate and generate can read it too.
      """)

  @Argument(
    help: ArgumentHelp("The file of weights, or a folder of transformers.", valueName: "in"),
    completion: .file(extensions: ["safetensors", "gguf", "bin"]))
  var input: String

  @OptionGroup var arguments: ConfigurationArguments

  @Option(
    name: .customLong("run"), help: "The folder of the new run; it must not hold a run yet.",
    completion: .directory)
  var folder: String

  @Option(
    help: ArgumentHelp(
      """
      The factor of the update gate of gru and gru-reset-before layers in the file: past, as in \
      PyTorch, or candidate, as in course notes. By default the value in the file, or else past.
      """, valueName: "past|candidate"))
  var updateGate: UpdateGate?

  func run() throws {
    // The file is read before anything is created, so that a wrong one leaves nothing behind.
    let foreign = try ForeignFile(input)
    if foreign != nil, updateGate != nil {
      throw UsageError("--update-gate is for files with PyTorch's names: leave it out")
    }
    if foreign == nil {
      if FileKind(input) == .folder {
        throw UsageError(
          "\(input) is a folder without config.json and model.safetensors: give one of these, or a "
            + "file, or start from a checkpoint's weights with unroll train --init-from")
      }
      _ = try SafetensorsFile(input)
    }
    let options = try arguments.load(model: foreign?.modelSection())
    if RunFolder(folder).isUsed {
      throw UsageError("\(folder) holds a run already: choose another --run folder")
    }
    let request = RunRequest(
      options, given: try arguments.text(options, and: foreign.map { _ in input }),
      folder: RunFolder(folder), resume: .none,
      initFrom: input, updateGate: updateGate)
    try inWorld { world in
      let log = Logger(label: "unroll") { _ in ConsoleLog() }
      try Run(request, world: world, log: log).save()
      if world.isRoot, let foreign {
        print("\(input): \(foreign.words), model: \(try foreign.modelSection())")
        print("\(folder): ready for unroll train \(folder)/config.yaml --run \(folder)")
      } else if world.isRoot {
        print("\(folder): ready for unroll train with --run \(folder)")
      }
      return ExitStatus.done
    }
  }
}
