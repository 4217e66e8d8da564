internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// Something that belongs to streams, in `hidden.safetensors`: its name, and its shape, of all streams.
struct CarriedTensor {
  enum Content {
    /// What a state is at the place in the data.
    case state(Activation)
    /// What it is before the steps that are kept.
    case stateBeforeKept(Activation)
    /// The values of the steps that are kept, and what was read there.
    case values, read
  }

  let name: String
  let shape: [Int]
  let content: Content

  var isOfIntegers: Bool { if case .read = content { true } else { false } }

  /// The bytes of the tensor in a file.
  /// - Throws: `CheckpointError` where it is not there in this shape, or holds symbols that there are
  ///   not: they become places in a table.
  func read(
    from file: SafetensorsFile, of model: any Model
  ) throws(CheckpointError) -> [UInt8] {
    switch content {
    case .read:
      let symbols = model.interface.input.symbols
      // A symbol and whether a stream began there, step by step.
      return try bytes(from: file) { (number: Int32, place) in
        (0..<(place.isMultiple(of: 2) ? symbols : 2)).contains(Int(number))
      }
    case .state(let state), .stateBeforeKept(let state):
      guard model.plan.holdsTarget(state), case .symbols(let count) = model.interface.output
      else { break }
      // One more than a symbol, and 0 for none.
      return try bytes(from: file) { (number: Float, _) in
        number >= 0 && number <= Float(count) && number == number.rounded()
      }
    case .values: break
    }
    return try bytes(from: file) { (_: Float, _) in true }
  }

  private func bytes<Element: TensorElement & BitwiseCopyable>(
    from file: SafetensorsFile, where isRight: (Element, Int) -> Bool
  ) throws(CheckpointError) -> [UInt8] {
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

extension CarriedTensor {
  /// Those of so many streams.
  static func all(of total: Int, keptSteps: Int, in plan: Plan) -> [CarriedTensor] {
    guard total > 0 else { return [] }
    func shape(_ state: Activation) -> [Int] {
      let (lag, width) = (plan.lag(of: state), plan.width(state))
      return lag == 1 ? [total, width] : [total, lag, width]
    }
    var tensors = plan.states.map {
      CarriedTensor(name: plan.name(of: $0), shape: shape($0), content: .state($0))
    }
    guard keptSteps > 0 else { return tensors }
    tensors += plan.states.map {
      CarriedTensor(
        name: "before_kept." + plan.name(of: $0), shape: shape($0), content: .stateBeforeKept($0))
    }
    let width = plan.numbersPerToken(resets: true).reduce(0) { $0 + $1.values }
    return tensors + [
      CarriedTensor(name: "kept.values", shape: [total, keptSteps, width], content: .values),
      CarriedTensor(name: "kept.read", shape: [total, keptSteps, 2], content: .read),
    ]
  }
}

extension Trainer {
  /// The steps whose values are kept at this place in the data.
  var keptSteps: Int { loader.carried.total > 0 ? kept?.count ?? 0 : 0 }

  /// What the values of a kept step are, in order: a checkpoint of a run with other ones, such as those
  /// that dropout makes, has no values for this run.
  var keptLayout: String { model.plan.keptLayout }

  /// What `hidden.safetensors` holds. The states at the place in the data have the same names whether
  /// windows overlap or not, so that a run may go on either way.
  func carriedTensors(keptSteps: Int) -> [CarriedTensor] {
    CarriedTensor.all(of: loader.carried.total, keptSteps: keptSteps, in: model.plan)
  }

  /// What belongs to the streams of all ranks, on the root. Collective.
  func gatherStates() throws(CommunicationError) -> [Tensor] {
    let share = loader.carried.share
    let told = keptSteps > 0 ? kept?.byStream(share.count) : nil
    var hidden: [Tensor] = []
    for tensor in carriedTensors(keptSteps: keptSteps) {
      var own: [UInt8] = []
      func state(_ state: Activation) -> [UInt8] {
        bytes(of: tape.carriedByStream(state, streams: share.count))
      }
      switch tensor.content {
      case .state(let activation):
        if let kept {
          kept.atEnd { own = state(activation) }
        } else {
          own = state(activation)
        }
      case .stateBeforeKept(let activation): own = state(activation)
      case .values: if let told { own = bytes(of: told.values) }
      case .read: if let told { own = bytes(of: told.read) }
      }
      let parts = try world.gather(own)
      guard world.isRoot else { continue }
      hidden.append(
        tensor.isOfIntegers
          ? Tensor(tensor.name, shape: tensor.shape, joined(parts, of: Int32.self))
          : Tensor(tensor.name, shape: tensor.shape, joined(parts, of: Float.self)))
    }
    return hidden
  }

  /// The streams of each rank, on the root. Collective.
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

  /// Gives every rank's streams what the root has read of `carriedTensors`. Collective.
  func scatterStates(_ hidden: [[UInt8]], keptSteps: Int) throws {
    let share = loader.carried.share
    var (values, read) = (Buffer<Float>(count: 0), Buffer<Int32>(count: 0))
    let takesUp = keptSteps > 0
    let shares = try sharesOfRanks()
    for (index, tensor) in carriedTensors(keptSteps: keptSteps).enumerated() {
      // Each rank gets what belongs to its own streams.
      var parts: [[UInt8]] = []
      if world.isRoot {
        let bytes = hidden[index]
        let size = bytes.count / max(tensor.shape[0], 1)
        parts = shares.map { Array(bytes[$0.lowerBound * size..<$0.upperBound * size]) }
      }
      let own = try world.scatter(parts)
      switch tensor.content {
      case .state(let state):
        tape.carry(state, byStream: joined([own], of: Float.self), streams: share.count)
        if takesUp { kept?.noteEnd() }
      case .stateBeforeKept(let state) where takesUp:
        tape.carry(state, byStream: joined([own], of: Float.self), streams: share.count)
      case .values: values = joined([own], of: Float.self)
      case .read: read = joined([own], of: Int32.self)
      case .stateBeforeKept: break
      }
    }
    if takesUp, !share.isEmpty {
      kept?.restore(values, read, steps: keptSteps, streams: share.count)
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

extension Plan {
  /// The layers and how many numbers a step of each is.
  var keptLayout: String {
    numbersPerToken(resets: true).map { "\($0.layer) \($0.values)" }.joined(separator: ", ")
  }
}

extension TaskSignature.Input {
  /// The number of symbols to read; none where no symbols are read.
  var symbols: Int { if case .symbols(let count) = self { count } else { 0 } }
}
