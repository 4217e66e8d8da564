package import Formats
internal import LinearAlgebra
package import Recurrence
internal import Sequences

// The tensors of streams in `hidden.safetensors`: a row of each for every stream of all ranks.
extension StreamTensor {
  /// Returns the bytes of the tensor in a file, of so many streams.
  /// - Throws: `FileError` where it is not there in this shape, or holds symbols that there are
  ///   not: they become places in a table.
  package func read(
    from file: SafetensorsFile, of model: any Model, streams: Int
  ) throws(FileError) -> [UInt8] {
    switch content {
    case .keptInputs:
      let symbols = model.interface.input.symbols
      // A symbol and whether a stream began there, step by step.
      return try bytes(from: file, streams) { (number: Int32, place) in
        (0..<(place.isMultiple(of: 2) ? symbols : 2)).contains(Int(number))
      }
    case .state(let state), .stateBeforeKept(let state):
      guard model.plan.holdsTarget(state), case .symbols(let count) = model.interface.output
      else { break }
      // A symbol plus one, or 0 for none.
      return try bytes(from: file, streams) { (number: Float, _) in
        number >= 0 && number <= Float(count) && number == number.rounded()
      }
    case .keptValues: break
    }
    return try bytes(from: file, streams) { (_: Float, _) in true }
  }

  private func bytes<Element: TensorElement & BitwiseCopyable>(
    from file: SafetensorsFile, _ streams: Int, where isRight: (Element, Int) -> Bool
  ) throws(FileError) -> [UInt8] {
    let shape = [streams] + shape
    let values = Buffer<Element>(count: shape.reduce(1, *))
    let elements = values.elements()
    try file.copy(name, shape: shape, into: elements)
    guard elements.indices.allSatisfy({ isRight(elements[$0], $0) }) else {
      throw FileError(
        .damaged, file.path,
        "\(file.path) holds symbols in \(name) that are not in the vocabulary: use another "
          + "checkpoint")
    }
    return Array(UnsafeRawBufferPointer(elements))
  }
}

extension Plan {
  /// The layers with their widths at one step.
  package var keptLayout: String {
    keepingEveryStep.numbersPerToken(resets: true).map { "\($0.layer) \($0.values)" }.joined(
      separator: ", ")
  }
}

extension TaskSignature.Input {
  /// The number of symbols in the vocabulary of inputs; 0 if inputs are not symbols.
  var symbols: Int { if case .symbols(let count) = self { count } else { 0 } }
}
