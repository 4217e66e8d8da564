internal import ArgumentParser
internal import Checkpointing
internal import Configuration
internal import Exchange
internal import Training

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Writes a checkpoint's model for PyTorch, transformers, llama.cpp, RWKV's programs or ONNX.",
    discussion: """
      Blocks of rwkv7, mamba2, hawk and xlstm-7b are written with --format gguf, huggingface or rwkv, in \
      float32 and with the vocabulary if the other program has such a tokenizer; a model that the \
      program has no network for is refused with the first option that differs. The rest is about \
      PyTorch.

      The vocabulary is written next to out.safetensors or out.onnx as out.vocabulary.json, and \
      the vocabulary of outputs as out.outputs.json if it differs from that of inputs.

      The file has the names, shapes and order of gates of PyTorch's modules, so that \
      load_state_dict(strict=True) accepts it: encoder, rnn and decoder of the word_language_model \
      example if all layers fit one module, otherwise layers.0, layers.1 and so on. A tied matrix \
      is written under both names, and a bias that the model lacks as zeros. An adaptive softmax has \
      the tensors of AdaptiveLogSoftmaxWithLoss below decoder; decoder.ranks, the rank of each \
      symbol by frequency, is a buffer to add to the module unless model.output.order is index. \
      The author of the modules adds a soft cap, which has no tensors.

      A model for which PyTorch has no module is refused with exit code 65: peepholes, coupled \
      gates and layer normalisation of an lstm layer, sigmoid and identity of an elman layer, and \
      every cell except elman, lstm and gru. With --joined or --update-gate candidate the file is \
      for other programs; then layer normalisation is refused, and every cell except elman, lstm, \
      gru, gru-reset-before, update-gru and leaky. --update-gate is for gru and gru-reset-before. \
      unroll import reads all of these forms.

      The format onnx is a graph for ONNX Runtime, with the states of the layers as inputs and \
      outputs. It represents lstm, gru, gru-reset-before, elman, dense and linear layers; other \
      models are refused with exit code 65.
      """)

  @OptionGroup var from: CheckpointArgument

  @Argument(
    help: ArgumentHelp(
      "The file to write, or a folder for transformers; an old one is replaced.", valueName: "out"),
    completion: .file(extensions: ["safetensors", "onnx", "gguf"]))
  var output: String

  @Option(
    help: ArgumentHelp(
      """
      The form of the file: pytorch, the names of PyTorch's modules; huggingface, a folder for \
      transformers; gguf, a file for llama.cpp; rwkv, a .safetensors file with RWKV-LM's names; onnx, \
      a graph for ONNX Runtime. By default gguf for a name that ends with .gguf, onnx for one that \
      ends with .onnx, and else pytorch.
      """, valueName: "pytorch|huggingface|gguf|rwkv|onnx"))
  var format: ExportFormat?

  @Flag(
    help: """
      Write the weights as trained. Without this flag, and if the run keeps an average of its \
      weights, the average is written, which evaluate and generate use too.
      """)
  var raw = false

  @Flag(
    help: """
      One matrix for each layer instead of two, such as rnn.weight_l0 = [W | U] of [x, h], and \
      one bias rnn.bias_l0 = b + b'; the candidate of a gru keeps its own b' as rnn.bias_hn_l0.
      """)
  var joined = false

  @Option(
    help: ArgumentHelp(
      """
      The factor of the update gates of gru and gru-reset-before layers: past, as in PyTorch, or \
      candidate, as in course notes, where the rows of the gate have the opposite sign.
      """, valueName: "past|candidate"))
  var updateGate = UpdateGate.past

  func run() throws {
    let format = format ?? ExportFormat(of: output)
    if let suffix = format.suffix, !output.hasSuffix(suffix) {
      throw UsageError(
        "\(output) does not end with \(suffix), as a file of the format \(format.rawValue) does: "
          + "give such a name, or another --format")
    }
    if format == .pytorch { return try exportModules() }
    if joined || updateGate != .past {
      throw UsageError(
        "\(joined ? "--joined" : "--update-gate") is for --format pytorch: leave it out")
    }
    guard let container = format.container else { return try exportGraph() }
    let path = try from.locate()
    let export = try ForeignExport(Checkpoint(verifying: path), to: container, raw: raw)
    print("\(output): \(export.network), \(export.weights) weights")
    for line in try export.save(to: output) { print(line) }
    from.tell(path)
  }

  private func exportModules() throws {
    let path = try from.locate()
    let export = try PyTorchExport(
      Checkpoint(verifying: path), raw: raw,
      form: WeightForm(isJoined: joined, updateGate: updateGate))
    try export.save(to: output)
    let count = export.tensors.count
    print("\(output): \(count) tensors, \(export.metadata["weights"] ?? "") weights")
    for (file, symbols) in try export.saveVocabularies(beside: output) {
      print("\(file): \(symbols) symbols")
    }
    from.tell(path)
  }

  private func exportGraph() throws {
    let path = try from.locate()
    let export = try ONNXExport(Checkpoint(verifying: path), raw: raw)
    try export.save(to: output)
    print("\(output): \(export.nodes) nodes, \(export.weights) weights")
    print("inputs \(export.inputs.joined(separator: " "))")
    print("outputs \(export.outputs.joined(separator: " "))")
    for (file, symbols) in try export.saveVocabularies(beside: output) {
      print("\(file): \(symbols) symbols")
    }
    from.tell(path)
  }
}

/// The form of an exported file.
enum ExportFormat: String, CaseIterable, ExpressibleByArgument {
  case pytorch, huggingface, gguf, rwkv, onnx

  /// Finds the form that the name of a file says.
  init(of path: String) {
    self = path.hasSuffix(".gguf") ? .gguf : path.hasSuffix(".onnx") ? .onnx : .pytorch
  }

  /// The end of the file's name; nil for a folder.
  var suffix: String? {
    switch self {
    case .pytorch, .rwkv: ".safetensors"
    case .gguf: ".gguf"
    case .onnx: ".onnx"
    case .huggingface: nil
    }
  }

  /// The container of another program; nil for PyTorch's modules and for a graph.
  var container: ForeignContainer? {
    switch self {
    case .pytorch, .onnx: nil
    case .huggingface: .huggingface
    case .gguf: .gguf
    case .rwkv: .rwkv
    }
  }
}
