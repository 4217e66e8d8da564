internal import LinearAlgebra
internal import ProtocolBuffers
internal import Recurrence
internal import Sequences

/// The graph of a model, layer by layer.
///
/// Values have the shape time × batch × width, as in PyTorch. A model that reads a running text has its
/// states as inputs and outputs, so that a call goes on where another ended. A model that reads whole
/// sequences has their lengths as an input, and no states.
struct ONNXNetwork {
  private let model: SequenceModel
  private let weights: ParameterVector
  private(set) var graph = ONNXGraph()
  /// The width of the value that was computed last.
  private var width = 0

  private static let lengths = "lengths"
  private static let (time, batch) = (
    ONNXGraph.Dimension.named("time"), ONNXGraph.Dimension.named("batch")
  )

  private var options: SequenceModelOptions { model.options }

  /// - Parameter model: A model without a part outside ONNX.
  init(_ model: SequenceModel, _ weights: ParameterVector) {
    self.model = model
    self.weights = weights
    let input = readInput()
    if model.readsWholeSequences {
      graph.input(
        Self.lengths, .int32, [Self.batch], "the number of steps of each sequence without padding")
    }
    var x = input
    for (index, layer) in options.layers.enumerated() {
      graph.part = "layers.\(index)"
      x = add(layer, index, reading: x)
    }
    if let norm = options.finalNorm {
      graph.part = "final_norm"
      x = normalise(x, norm)
    }
    if model.interface.asksOnce, model.summaryLayer == nil { x = lastStep(x) }
    if options.shortcut {
      graph.part = "shortcut"
      let read = model.interface.asksOnce ? lastStep(input) : input
      x = graph.apply("Concat", [x, read], [ONNXAttributeProto("axis", 2)])
    }
    predict(from: x)
  }

  /// Adds the input and the embedding: x = E[symbol], one-hot rows, or the frames themselves.
  private mutating func readInput() -> String {
    let count: Int
    switch model.interface.input {
    case .nothing: preconditionFailure("a graph without an input")
    case .frames(let frame):
      width = frame
      graph.input("input", .float, [Self.time, Self.batch, .fixed(frame)], "the frames")
      return "input"
    case .symbols(let symbols): count = symbols
    }
    graph.input(
      "input", .int64, [Self.time, Self.batch],
      "the numbers of the symbols in the vocabulary, from 0 to \(count - 1)")
    graph.part = "encoder"
    guard let columns = options.embedding else {
      width = count
      let values = graph.constant("constant/one_hot", shape: [2], [0, 1])
      return graph.apply("OneHot", ["input", graph.constant([count]), values])
    }
    width = columns
    var x = graph.apply("Gather", [parameter("encoder.weight"), "input"])
    if let scale = options.embeddingScale {
      let factor =
        switch scale {
        case .factor(let factor): factor
        case .squareRoot: Double(columns).squareRoot()
        }
      x = graph.apply("Mul", [x, graph.constant(factor)])
    }
    if let norm = options.embeddingNorm {
      graph.part = "embedding_norm"
      x = normalise(x, norm)
    }
    return x
  }

  /// Adds a layer, with its residual connection.
  private mutating func add(_ layer: LayerOptions, _ index: Int, reading x: String) -> String {
    let isSummary = index == model.summaryLayer
    var y: String
    switch layer.onnxForm {
    case .recurrent(let form): y = recur(form, layer, index, reading: x, isSummary: isSummary)
    case .map(let nonlinearity):
      y = map(x, weight: name("weight_ih", index), bias: name("bias_ih", index))
      if let operation = nonlinearity.onnxOperation { y = graph.apply(operation, [y]) }
    case nil: y = map(x, weight: "layers.\(index).weight", bias: "layers.\(index).bias")
    case .unsupported(let reason): preconditionFailure("layer \(index) \(reason)")
    }
    if layer.residual { y = graph.apply("Add", [isSummary ? lastStep(x) : x, y]) }
    return y
  }

  /// Returns the name of a parameter of a cell.
  private func name(_ own: String, _ index: Int) -> String {
    options.fitsOneModule ? "rnn.\(own)_l\(index)" : "layers.\(index).\(own)_l0"
  }

  /// Adds a recurrent operator and its states.
  private mutating func recur(
    _ form: ONNXOperator, _ layer: LayerOptions, _ index: Int, reading x: String, isSummary: Bool
  ) -> String {
    let isBoth = layer.bidirectional != nil
    guard let hidden = layer.cell?.options.hidden else { preconditionFailure("no cell") }
    let own = ONNXWeights(
      form, hidden: hidden, prefix: options.fitsOneModule ? "rnn." : "layers.\(index).",
      suffixes: (isBoth ? ["", "_reverse"] : [""]).map {
        (options.fitsOneModule ? "_l\(index)" : "_l0") + $0
      }, of: weights)
    let (directions, rows) = (isBoth ? 2 : 1, form.blocks.count * hidden)
    let part = graph.part
    var inputs = [
      x, graph.constant(part + ".W", shape: [directions, rows, own.read], own.input),
      graph.constant(part + ".R", shape: [directions, rows, hidden], own.recurrent),
      graph.constant(part + ".B", shape: [directions, 2 * rows], own.bias),
      model.readsWholeSequences ? Self.lengths : "",
    ]
    var outputs = [isSummary ? "" : graph.unused(part + "/" + form.name)]
    if model.readsWholeSequences {
      if isSummary { outputs.append(graph.unused(part + "/last")) }
      if !own.peepholes.isEmpty { inputs += form.states.map { _ in "" } }
    } else {
      let shape = [ONNXGraph.Dimension.fixed(1), Self.batch, .fixed(hidden)]
      for state in form.states {
        inputs.append("\(state)0_\(index)")
        outputs.append("\(state)n_\(index)")
        graph.input(inputs.last!, .float, shape, "\(state) of layer \(index), zeros at first")
        graph.output(outputs.last!, shape, "\(state) of layer \(index) after the last step")
      }
    }
    if !own.peepholes.isEmpty {
      let diagonals = graph.constant(part + ".P", shape: [directions, 3 * hidden], own.peepholes)
      inputs.append(diagonals)
    }
    graph.add(form.name, inputs, outputs: outputs, attributes(of: form, hidden, isBoth))
    width = hidden * (layer.bidirectional == .concat ? 2 : 1)
    return isSummary
      ? joinLast(outputs[1], layer.bidirectional == .concat)
      : join(outputs[0], layer.bidirectional)
  }

  private func attributes(
    of form: ONNXOperator, _ hidden: Int, _ isBoth: Bool
  ) -> [ONNXAttributeProto] {
    var attributes = [
      ONNXAttributeProto("hidden_size", hidden),
      ONNXAttributeProto("direction", isBoth ? "bidirectional" : "forward"),
    ]
    for (name, value) in form.attributes.sorted(by: { $0.key < $1.key }) {
      attributes.append(ONNXAttributeProto(name, value))
    }
    guard let activation = form.activation else { return attributes }
    let count = isBoth ? 2 : 1
    let name = activation.onnxOperation ?? "Affine"
    attributes.append(
      ONNXAttributeProto("activations", [String](repeating: name, count: count)))
    if activation == .identity {
      // y = 1 x + 0
      attributes += [
        ONNXAttributeProto("activation_alpha", [Float](repeating: 1, count: count)),
        ONNXAttributeProto("activation_beta", [Float](repeating: 0, count: count)),
      ]
    }
    return attributes
  }

  /// Turns time × directions × batch × hidden into time × batch × width.
  private mutating func join(_ y: String, _ combination: Bidirectional.Combination?) -> String {
    switch combination {
    case nil: return graph.apply("Squeeze", [y, graph.constant([1])])
    case .sum:
      return graph.apply(
        "ReduceSum", [y, graph.constant([1])], [ONNXAttributeProto("keepdims", 0)])
    case .concat:
      let turned = graph.apply("Transpose", [y], [ONNXAttributeProto("perm", [0, 2, 1, 3])])
      return graph.apply("Reshape", [turned, graph.constant([0, 0, width])])
    }
  }

  /// Turns the last states, directions × batch × hidden, into 1 × batch × width.
  private mutating func joinLast(_ states: String, _ isConcatenated: Bool) -> String {
    guard isConcatenated else {
      return graph.apply(
        "ReduceSum", [states, graph.constant([0])], [ONNXAttributeProto("keepdims", 1)])
    }
    let turned = graph.apply("Transpose", [states], [ONNXAttributeProto("perm", [1, 0, 2])])
    return graph.apply("Reshape", [turned, graph.constant([1, -1, width])])
  }

  /// Returns the last step of each sequence, as 1 × batch × width.
  private mutating func lastStep(_ x: String) -> String {
    let wide = graph.apply("Cast", [Self.lengths], [ONNXAttributeProto("to", 7)])
    let place = graph.apply("Sub", [wide, graph.constant([1])])
    let column = graph.apply("Unsqueeze", [place, graph.constant([1])])
    let turned = graph.apply("Transpose", [x], [ONNXAttributeProto("perm", [1, 0, 2])])
    let last = graph.apply("GatherND", [turned, column], [ONNXAttributeProto("batch_dims", 1)])
    return graph.apply("Unsqueeze", [last, graph.constant([0])])
  }

  /// Adds y = x W + b.
  private mutating func map(_ x: String, weight: String, bias: String) -> String {
    let table = parameter(weight)
    width = weights.layout.entry(named: weight)?.rows ?? width
    let turned = graph.apply("Transpose", [table], [ONNXAttributeProto("perm", [1, 0])])
    let product = graph.apply("MatMul", [x, turned])
    guard weights.layout.entry(named: bias) != nil else { return product }
    return graph.apply("Add", [product, parameter(bias)])
  }

  /// Adds a normalisation of rows with the gain and the shift of the graph's part.
  private mutating func normalise(_ x: String, _ norm: NormOptions) -> String {
    let gain = parameter(graph.part + ".weight")
    if norm.kind == .layernorm {
      let shift = norm.bias ? [parameter(graph.part + ".bias")] : []
      return graph.apply(
        "LayerNormalization", [x, gain] + shift,
        [ONNXAttributeProto("axis", -1), ONNXAttributeProto("epsilon", norm.eps)])
    }
    let squares = graph.apply("Mul", [x, x])
    let mean = graph.apply(
      "ReduceMean", [squares],
      [ONNXAttributeProto("axes", [-1]), ONNXAttributeProto("keepdims", 1)])
    let shifted = graph.apply("Add", [mean, graph.constant(norm.eps)])
    let scaled = graph.apply("Div", [x, graph.apply("Sqrt", [shifted])])
    return graph.apply("Mul", [scaled, gain])
  }

  /// Adds the output layer.
  private mutating func predict(from x: String) {
    graph.part = "decoder"
    let tied = options.tied && weights.layout.entry(named: "decoder.weight") == nil
    var y = map(x, weight: tied ? "encoder.weight" : "decoder.weight", bias: "decoder.bias")
    if let cap = options.output.softCap {
      let bound = graph.constant(cap)
      y = graph.apply("Mul", [graph.apply("Tanh", [graph.apply("Div", [y, bound])]), bound])
    }
    let (name, meaning) =
      switch model.interface.output {
      case .symbols: ("logits", "logits of the symbols")
      case .labels: ("logits", "logits of the labels, each of which may hold")
      case .numbers: ("predictions", "the predicted numbers")
      }
    let columns = ONNXGraph.Dimension.fixed(model.interface.output.width)
    if model.interface.asksOnce {
      graph.add("Squeeze", [y, graph.constant([0])], outputs: [name])
      graph.output(name, [Self.batch, columns], meaning)
    } else {
      graph.add("Identity", [y], outputs: [name])
      graph.output(name, [Self.time, Self.batch, columns], meaning)
    }
  }

  /// Adds a parameter as it is, and returns its name.
  private mutating func parameter(_ name: String) -> String {
    guard let found = weights.values(name) else { preconditionFailure("no parameter \(name)") }
    return graph.constant(name, shape: found.shape, found.values)
  }
}

extension Nonlinearity {
  /// The operator of ONNX, which is also its name as an attribute; nil for the identity.
  fileprivate var onnxOperation: String? {
    switch self {
    case .tanh: "Tanh"
    case .relu: "Relu"
    case .sigmoid: "Sigmoid"
    case .identity: nil
    }
  }
}
