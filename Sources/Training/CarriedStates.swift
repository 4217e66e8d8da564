internal import Collectives
internal import Formats
internal import LinearAlgebra
internal import Recurrence

extension Trainer {
  /// The number of steps whose values are kept at this position in the data.
  var keptSteps: Int { loader.carried.total > 0 ? microBatches.keptSteps : 0 }

  /// The layers of the kept values and their widths, in order: a checkpoint of a run with other ones, such
  /// as those that dropout makes, has no values for this run.
  var keptLayout: String { model.plan.keptLayout }

  /// The tensors of `hidden.safetensors`.
  func streamTensors(keptSteps: Int) -> [StreamTensor] {
    loader.carried.total > 0
      ? microBatches.parts[0].method.streamTensors(model.plan, keptSteps: keptSteps) : []
  }

  /// Gathers the tensors of the streams of all ranks on the root. Collective.
  func gatherStates() throws(CommunicationError) -> [Tensor] {
    let total = loader.carried.total
    let tensors = streamTensors(keptSteps: keptSteps)
    // The streams of a micro-batch lie side by side, those of the first rank first.
    var parts = [[[UInt8]]](repeating: [], count: tensors.count)
    for part in microBatches.parts {
      microBatches.use(part)
      let values = part.method.values(of: tensors, streams: part.loader.carried.share.count)
      for (index, values) in values.enumerated() {
        switch values {
        case .numbers(let own): parts[index] += try world.gather(bytes(of: own))
        case .integers(let own): parts[index] += try world.gather(bytes(of: own))
        }
      }
    }
    guard world.isRoot else { return [] }
    return zip(tensors, parts).map { tensor, parts in
      let shape = [total] + tensor.shape
      return tensor.isOfIntegers
        ? Tensor(tensor.name, shape: shape, joined(parts, of: Int32.self))
        : Tensor(tensor.name, shape: shape, joined(parts, of: Float.self))
    }
  }

  /// Returns the streams of each rank in a micro-batch, on the root. Collective.
  private func shares(
    of part: MicroBatches.Part
  ) throws(CommunicationError) -> [Range<Int>] {
    let share = part.loader.carried.share
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
    let total = loader.carried.total
    let tensors = streamTensors(keptSteps: keptSteps)
    for part in microBatches.parts {
      let shares = try shares(of: part)
      var values: [StreamValues] = []
      for (index, tensor) in tensors.enumerated() {
        // Each rank gets the part of its own streams.
        var pieces: [[UInt8]] = []
        if world.isRoot {
          let bytes = hidden[index]
          let size = bytes.count / max(total, 1)
          pieces = shares.map { Array(bytes[$0.lowerBound * size..<$0.upperBound * size]) }
        }
        let own = try world.scatter(pieces)
        values.append(
          tensor.isOfIntegers
            ? .integers(joined([own], of: Int32.self)) : .numbers(joined([own], of: Float.self)))
      }
      microBatches.use(part)
      part.method.restore(
        tensors, values, keptSteps: keptSteps, streams: part.loader.carried.share.count)
    }
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
