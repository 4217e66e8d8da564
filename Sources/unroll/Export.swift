internal import ArgumentParser
internal import Checkpointing
internal import Configuration
internal import Exchange
internal import Training

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint's weights for PyTorch, or its model for ONNX Runtime.",
    discussion: """
      The vocabulary is written next to the file as out.vocabulary.json, and the vocabulary \
      of outputs as out.outputs.json if it differs from that of inputs.

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

      A name that ends with .onnx asks for an ONNX graph, with the states of the layers as inputs and \
      outputs. It represents lstm, gru, gru-reset-before, elman, dense and linear layers; other models \
      are refused with exit code 65.
      """)

  @OptionGroup var from: CheckpointArgument

  @Argument(
    help: ArgumentHelp(
      "The file to write; an old one is replaced.", valueName: "out.safetensors|out.onnx"),
    completion: .file(extensions: ["safetensors", "onnx"]))
  var output: String

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
    if output.hasSuffix(".onnx") { return try exportGraph() }
    guard output.hasSuffix(".safetensors") else {
      throw UsageError(
        "\(output) ends with neither .safetensors nor .onnx, the formats that export writes: give "
          + "such a name")
    }
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

  /// Writes the model as an ONNX graph.
  private func exportGraph() throws {
    if joined || updateGate != .past {
      throw UsageError(
        "--\(joined ? "joined" : "update-gate") is for .safetensors, and an ONNX graph has one form: "
          + "remove it")
    }
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
