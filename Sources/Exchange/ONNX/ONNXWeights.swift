internal import LinearAlgebra
internal import Recurrence

/// The weights of one layer with a recurrent operator, stacked as the operator reads them.
struct ONNXWeights {
  /// W: directions × (gates · hidden) × input.
  let input: [Float]
  /// R: directions × (gates · hidden) × hidden.
  let recurrent: [Float]
  /// B = [b, b′]: directions × (2 gates · hidden).
  let bias: [Float]
  /// P: directions × (3 hidden); empty without peepholes.
  let peepholes: [Float]
  /// The width of the layer's input.
  let read: Int

  /// - Parameters:
  ///   - form: The operator, with the places of its gates.
  ///   - prefix: The text before the names of the layer's parameters.
  ///   - suffixes: The text after them, for each direction.
  init(
    _ form: ONNXOperator, hidden: Int, prefix: String, suffixes: [String],
    of weights: ParameterVector
  ) {
    var (w, r, b, p) = ([Float](), [Float](), [Float](), [Float]())
    var read = 0
    for suffix in suffixes {
      func values(_ name: String) -> [Float] {
        weights.values(prefix + name + suffix)?.values ?? []
      }
      func stack(_ values: [Float], _ blocks: [Int?], columns: Int) -> [Float] {
        let size = hidden * columns
        return blocks.flatMap { block in
          block.map { Array(values[$0 * size..<($0 + 1) * size]) }
            ?? [Float](repeating: 0, count: size)
        }
      }
      func stackBias(_ name: String) -> [Float] {
        let bias = values(name)
        return bias.isEmpty
          ? [Float](repeating: 0, count: form.blocks.count * hidden)
          : stack(bias, form.blocks, columns: 1)
      }
      guard let table = weights.values(prefix + "weight_ih" + suffix) else {
        preconditionFailure("no \(prefix)weight_ih\(suffix)")
      }
      read = table.shape[1]
      w += stack(table.values, form.blocks, columns: read)
      r += stack(values("weight_hh") + values("weight_hn"), form.blocks, columns: hidden)
      b += stackBias("bias_ih") + stackBias("bias_hh")
      if !form.peepholes.isEmpty {
        p += stack(values("weight_peephole"), form.peepholes, columns: 1)
      }
    }
    (input, recurrent, bias, peepholes) = (w, r, b, p)
    self.read = read
  }
}

extension ParameterVector {
  /// Returns a parameter's numbers and shape; nil if there is no such parameter.
  func values(_ name: String) -> NamedTensor? {
    layout.entry(named: name).map { NamedTensor($0.shape, Array(elements(of: $0))) }
  }
}
