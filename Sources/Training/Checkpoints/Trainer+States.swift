internal import Collectives
internal import LinearAlgebra
internal import Recurrence

// The tensors of streams in `hidden.safetensors`: a row of each for every stream of all ranks.
extension StreamTensor {
  /// Returns the bytes of the tensor in a file, of so many streams.
  /// - Throws: `CheckpointError` where it is not there in this shape, or holds symbols that there are
  ///   not: they become places in a table.
  func read(
    from file: SafetensorsFile, of model: any Model, streams: Int
  ) throws(CheckpointError) -> [UInt8] {
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
      // One more than a symbol, and 0 for none.
      return try bytes(from: file, streams) { (number: Float, _) in
        number >= 0 && number <= Float(count) && number == number.rounded()
      }
    case .keptValues: break
    }
    return try bytes(from: file, streams) { (_: Float, _) in true }
  }

  private func bytes<Element: TensorElement & BitwiseCopyable>(
    from file: SafetensorsFile, _ streams: Int, where isRight: (Element, Int) -> Bool
  ) throws(CheckpointError) -> [UInt8] {
    let shape = [streams] + shape
    let values = Buffer<Element>(count: shape.reduce(1, *))
    let elements = values.elements()
    try file.copy(name, shape: shape, into: elements)
    guard elements.indices.allSatisfy({ isRight(elements[$0], $0) }) else {
      throw CheckpointError(
        .damaged, file.path,
        "\(file.path) holds symbols in \(name) that there are not: use another checkpoint")
    }
    return Array(UnsafeRawBufferPointer(elements))
  }
}

extension Trainer {
  /// The steps whose values are kept at this place in the data.
  var keptSteps: Int { loader.carried.total > 0 ? method.keptSteps : 0 }

  /// The layers of the kept values and their widths, in order: a checkpoint of a run with other ones, such
  /// as those that dropout makes, has no values for this run.
  var keptLayout: String { model.plan.keptLayout }

  /// The tensors of `hidden.safetensors`.
  func streamTensors(keptSteps: Int) -> [StreamTensor] {
    loader.carried.total > 0 ? method.streamTensors(model.plan, keptSteps: keptSteps) : []
  }

  /// Gathers the tensors of the streams of all ranks on the root. Collective.
  func gatherStates() throws(CommunicationError) -> [Tensor] {
    let (total, share) = (loader.carried.total, loader.carried.share)
    let tensors = streamTensors(keptSteps: keptSteps)
    var hidden: [Tensor] = []
    for (tensor, values) in zip(tensors, method.values(of: tensors, streams: share.count)) {
      let shape = [total] + tensor.shape
      switch values {
      case .numbers(let own):
        let parts = try world.gather(bytes(of: own))
        if world.isRoot {
          hidden.append(Tensor(tensor.name, shape: shape, joined(parts, of: Float.self)))
        }
      case .integers(let own):
        let parts = try world.gather(bytes(of: own))
        if world.isRoot {
          hidden.append(Tensor(tensor.name, shape: shape, joined(parts, of: Int32.self)))
        }
      }
    }
    return hidden
  }

  /// Returns the streams of each rank, on the root. Collective.
  private func sharesOfRanks() throws(CommunicationError) -> [Range<Int>] {
    let share = loader.carried.share
    let ends = [Int64(share.lowerBound), Int64(share.upperBound)]
    return try world.gather(ends.withUnsafeBytes { Array($0) }).map { bytes in
      bytes.withUnsafeBytes {
        let ends = $0.bindMemory(to: Int64.self)
        return Int(ends[0])..<Int(ends[1])
      }
    }
  }

  /// Gives the streams of every rank what the root has read of `streamTensors`. Collective.
  func scatterStates(_ hidden: [[UInt8]], keptSteps: Int) throws {
    let (total, share) = (loader.carried.total, loader.carried.share)
    let shares = try sharesOfRanks()
    let tensors = streamTensors(keptSteps: keptSteps)
    var values: [StreamValues] = []
    for (index, tensor) in tensors.enumerated() {
      // Each rank gets what belongs to its own streams.
      var parts: [[UInt8]] = []
      if world.isRoot {
        let bytes = hidden[index]
        let size = bytes.count / max(total, 1)
        parts = shares.map { Array(bytes[$0.lowerBound * size..<$0.upperBound * size]) }
      }
      let own = try world.scatter(parts)
      values.append(
        tensor.isOfIntegers
          ? .integers(joined([own], of: Int32.self)) : .numbers(joined([own], of: Float.self)))
    }
    method.restore(tensors, values, keptSteps: keptSteps, streams: share.count)
  }

  private func bytes<Element: BitwiseCopyable>(of buffer: Buffer<Element>) -> [UInt8] {
    Array(UnsafeRawBufferPointer(buffer.elements()))
  }

  private func joined<Element: BitwiseCopyable>(
    _ parts: [[UInt8]], of type: Element.Type
  ) -> Buffer<Element> {
    let count = parts.reduce(0) { $0 + $1.count } / MemoryLayout<Element>.stride
    let all = Buffer<Element>(count: count)
    var rest = UnsafeMutableRawBufferPointer(all.elements())[...]
    for part in parts {
      UnsafeMutableRawBufferPointer(rebasing: rest).copyBytes(from: part)
      rest = rest.dropFirst(part.count)
    }
    return all
  }
}

extension Plan {
  /// The layers with their widths at one step.
  var keptLayout: String {
    numbersPerToken(resets: true).map { "\($0.layer) \($0.values)" }.joined(separator: ", ")
  }
}

extension TaskSignature.Input {
  /// The number of symbols to read; none where no symbols are read.
  var symbols: Int { if case .symbols(let count) = self { count } else { 0 } }
}
