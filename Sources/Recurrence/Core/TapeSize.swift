internal import LinearAlgebra
public import Sequences

extension WindowSize {
  /// Returns the steps of an axis.
  func steps(on axis: Axis) -> Int {
    axis == .stream ? 1 : axis == .source ? sourceSteps : steps
  }
}

// How much a tape needs, known without making it.
extension Tape {
  /// The sizes of windows of which no more than some steps are there at once; such have no source,
  /// and passing memory is not to have room for one.
  static func sizes(_ windows: [WindowSize], atMost part: Int?) -> [WindowSize] {
    guard let part else { return windows }
    return windows.map {
      WindowSize(
        steps: min($0.steps, part), streams: $0.streams, sourceSteps: min($0.sourceSteps, part))
    }
  }

  /// The numbers that an axis has room for; in Double, because those of a window that somebody asks
  /// for may be too many to count.
  static func size(
    _ plan: Plan, _ axis: Axis, steps: Double, streams: Double, derivatives: Bool, resets: Bool
  ) -> (values: Double, derivatives: Double) {
    var values = 0.0
    var differentiated = 0.0
    for shape in plan.activations
    where shape.axis == axis && shape.kind.takesMemory(resets: resets) {
      let row = Double(shape.width) * streams
      let kept = (steps / Double(shape.kind.chunk)).rounded(.up)
      let size = row * (kept + Double(shape.carriedSteps))
      values += shape.kind.isStepTemporary ? row : size
      guard derivatives else { continue }
      switch shape.gradient {
      case .added: differentiated += size
      case .rolling: differentiated += 2 * row
      case .overwrites, .none: break
      }
    }
    return (values, differentiated)
  }

  /// The numbers that an axis needs room for so that windows of each of some sizes fit.
  static func size(
    _ plan: Plan, _ axis: Axis, _ sizes: [WindowSize], derivatives: Bool, resets: Bool
  ) -> (values: Double, derivatives: Double) {
    sizes.reduce((0, 0)) { most, window in
      let size = size(
        plan, axis, steps: Double(window.steps(on: axis)),
        streams: Double(window.streams), derivatives: derivatives, resets: resets)
      return (max(most.0, size.values), max(most.1, size.derivatives))
    }
  }

  /// The numbers of passing memory that fit windows of each of some sizes.
  static func count(
    _ scratch: (width: Int, rows: ScratchRows), _ sizes: [WindowSize]
  ) -> Double {
    Double(scratch.width) * sizes.map { scratch.rows.count($0) }.max()!
  }

  /// The bytes that a tape for windows of up to `steps` × `streams` would occupy.
  public static func bytes(
    _ plan: Plan, steps: Int, streams: Int, derivatives: Bool, resets: Bool = false
  ) -> Double {
    bytes(
      plan, fitting: [WindowSize(steps: steps, streams: streams)], derivatives: derivatives,
      resets: resets)
  }

  /// The bytes that a tape of this capacity would occupy, nearly all of them known without making
  /// it.
  /// - Parameters:
  ///   - plan: The plan of the model.
  ///   - windows: The sizes of the windows.
  ///   - part: The most steps of windows that there is to be room for at once; nil for all.
  ///   - derivatives: False for evaluation and sampling, which have no backward pass.
  ///   - resets: True if streams may start anew inside a window; costs one more copy of every
  ///     state.
  public static func bytes(
    _ plan: Plan, fitting windows: [WindowSize], atMost part: Int? = nil, derivatives: Bool,
    resets: Bool = false
  ) -> Double {
    let sizes = Self.sizes(windows, atMost: part)
    // In Double, because the numbers of a whole window may be too many to count.
    var numbers = plan.scratches.reduce(0.0) { $0 + count($1, sizes) }
    for axis in plan.axes.indices {
      let size = size(
        plan, Axis(index: axis), sizes,
        derivatives: derivatives, resets: resets)
      numbers += size.values + size.derivatives
    }
    return numbers * Double(MemoryLayout<Real>.stride)
  }
}
