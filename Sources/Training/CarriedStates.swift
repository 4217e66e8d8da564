internal import Collectives
internal import Formats
internal import LinearAlgebra
internal import Recurrence

extension Trainer {
  /// The number of steps whose values are kept at this position in the data.
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
      // Each rank gets the part of its own streams.
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
