public import LinearAlgebra
public import Recurrence

/// The limits of gradient clipping: `clip: {norm: 5}`. All limits apply to the scaled gradient,
/// which is that of the mean loss.
public struct ClipOptions: Codable, Sendable, Equatable {
  /// The largest absolute value of each number.
  public var value: Double?
  /// λ in ‖g‖ ≤ λ · max(‖w‖, 10⁻³), for each row of a matrix and each vector.
  public var adaptive: Double?
  /// The largest norm of each parameter's gradient.
  public var perParameter: Double?
  /// The largest norm over all parameters.
  public var norm: Double?

  private enum CodingKeys: String, CodingKey {
    case value, adaptive, norm
    case perParameter = "per_parameter"
  }

  /// Makes options without clipping, except for the given limits.
  public init(
    value: Double? = nil, adaptive: Double? = nil, perParameter: Double? = nil,
    norm: Double? = nil
  ) {
    self.value = value
    self.adaptive = adaptive
    self.perParameter = perParameter
    self.norm = norm
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func limit(_ key: CodingKeys) throws -> Double? {
      try container.decode(key, "a finite number above 0, or leave it out") {
        0 < $0 && $0.isFinite
      }
    }
    value = try limit(.value)
    adaptive = try limit(.adaptive)
    perParameter = try limit(.perParameter)
    norm = try limit(.norm)
  }
}

/// The result of clipping, which the optimizer needs.
public struct Clipped: Sendable, Equatable {
  /// ‖scale · gradient‖ before clipping, without frozen parameters; not finite if any number is
  /// not.
  public let norm: Double
  /// The scale to pass to the optimizer.
  public let scale: Double
}

/// Clips gradients after the all-reduce.
///
/// The given limits apply one after another, from small to large: each number (`value`), each row
/// (`adaptive`), each parameter (`per_parameter`), all of them (`norm`). Each applies to the result
/// of those before it. A norm limit multiplies by min(1, limit/(‖g‖ + 10⁻⁶)), as PyTorch's
/// `clip_grad_norm_` does. The global norm limit reads the gradient once and changes only the
/// scale; the other limits change the gradient in place.
///
/// Norms are summed in double precision, block by block, and the blocks in the order of the layout, so the
/// same gradient gives the same bits on every rank, and whether one rank measures all blocks or each those
/// of its slice. A tied matrix counts once; frozen parameters and rows that no window has touched do not
/// count.
///
/// Papers: Pascanu et al. 2013 (`norm`), Brock et al. 2021 (`adaptive`, which excludes the output
/// layer).
public struct Clipper: Sendable {
  private let options: ClipOptions
  private let output: Set<Parameter>

  /// - Parameters:
  ///   - options: The limits.
  ///   - output: Parameters of the output layer besides those whose names start with `decoder.`,
  ///     such as a matrix tied to the embedding.
  public init(_ options: ClipOptions, output: Set<Parameter> = []) {
    self.options = options
    self.output = output
  }

  /// Measures and clips the gradient `scale · gradient`.
  ///
  /// Returns a norm that is not finite unchanged, without changing the gradient or the scale.
  public func clip(
    _ gradient: ParameterVector, weights: ParameterVector, scale: Double
  ) -> Clipped {
    clip(gradient, weights: weights, scale: scale) { _ in }
  }

  /// Measures and clips a gradient of which this rank has the sum of one slice, `gradient.slice`.
  /// - Parameters:
  ///   - gradient: The gradient before scaling; limits but the global norm change it in place.
  ///   - weights: The weights, in the same layout, which the adaptive limit compares the gradient
  ///     with.
  ///   - scale: The factor of the gradient, such as 1/(number of targets); finite and above 0.
  ///   - share: Fills in the sums of squares of the other ranks' blocks. Called as often on every
  ///     rank.
  public func clip<Failure: Error>(
    _ gradient: ParameterVector, weights: ParameterVector, scale: Double,
    sharing share: (Buffer<Double>) throws(Failure) -> Void
  ) throws(Failure) -> Clipped {
    precondition(scale > 0 && scale.isFinite, "a gradient times \(scale)")
    precondition(
      gradient.layout.count == weights.layout.count,
      "a gradient of \(gradient.layout.count) numbers for \(weights.layout.count) weights")
    func measure() throws(Failure) {
      gradient.measureBlocks()
      try share(gradient.squares)
    }
    try measure()
    let norm = scale * gradient.measuredNorm
    guard norm.isFinite else { return Clipped(norm: norm, scale: scale) }
    if options.value != nil || options.adaptive != nil {
      gradient.forEachOwn { entry, block in
        if !entry.isFrozen { clip(entry, block, of: gradient, weights: weights, scale: scale) }
      }
      if options.perParameter != nil || options.norm != nil { try measure() }
    }
    if let limit = options.perParameter {
      var measured: (entry: Int, square: Double)?
      gradient.forEachOwn { entry, block in
        if entry.isFrozen { return }
        if measured?.entry != block.entry {
          measured = (block.entry, gradient.measuredSquare(of: block.entry))
        }
        let factor = factor(limit, scale * measured!.square.squareRoot())
        if factor < 1 {
          gradient.forEachTouched(entry, in: block) { multiply(gradient.row($0), Real(factor)) }
        }
      }
      if options.norm != nil { try measure() }
    }
    guard let limit = options.norm else { return Clipped(norm: norm, scale: scale) }
    return Clipped(norm: norm, scale: scale * factor(limit, scale * gradient.measuredNorm))
  }

  /// Applies the limits that concern single numbers and rows.
  private func clip(
    _ entry: ParameterLayout.Entry, _ block: ParameterBlock, of gradient: ParameterVector,
    weights: ParameterVector, scale: Double
  ) {
    if let value = options.value {
      gradient.forEachTouched(entry, in: block) { clamp(gradient.row($0), Real(value / scale)) }
    }
    if let ratio = options.adaptive, !isOutput(entry) {
      gradient.forEachTouchedRow(entry, in: block) { i in
        let limit = ratio * max(norm(weights[entry][i]), 1e-3)
        let found = scale * norm(gradient[entry][i])
        if found > limit { multiply(gradient[entry][i], Real(limit / found)) }
      }
    }
  }

  private func isOutput(_ entry: ParameterLayout.Entry) -> Bool {
    entry.name.hasPrefix("decoder.") || output.contains(entry.parameter)
  }
}

extension ParameterVector {
  /// The Euclidean norm over all parameters that are not frozen, in double precision.
  public var norm: Double {
    measureBlocks(isOwn: nil)
    return measuredNorm
  }

  /// Measures the sum of squares of each of this rank's blocks.
  fileprivate func measureBlocks() { measureBlocks(isOwn: slice?.isOwn) }

  private func measureBlocks(isOwn: [Bool]?) {
    let squares = squares.start
    for (index, block) in layout.blocks.enumerated() where isOwn?[index] ?? true {
      let entry = layout.entries[block.entry]
      if entry.isFrozen { continue }
      if entry.isRowSparse {
        // Row by row, so that skipping rows of zeros does not change a bit.
        var total = 0.0
        forEachTouchedRow(entry, in: block) { total += self[entry][$0].squaredNorm }
        squares[index] = total
      } else {
        squares[index] = row(block.numbers).squaredNorm
      }
    }
  }

  /// The norm over all parameters that are not frozen, from the measured blocks.
  fileprivate var measuredNorm: Double {
    var (total, ofEntry, current) = (0.0, 0.0, 0)
    for (index, block) in layout.blocks.enumerated() where !layout.entries[block.entry].isFrozen {
      if block.entry != current {
        total += ofEntry
        (ofEntry, current) = (0, block.entry)
      }
      ofEntry += squares.start[index]
    }
    return (total + ofEntry).squareRoot()
  }

  /// Returns the sum of squares of one parameter, from the measured blocks.
  fileprivate func measuredSquare(of entry: Int) -> Double {
    var total = 0.0
    for (index, block) in layout.blocks.enumerated() where block.entry == entry {
      total += squares.start[index]
    }
    return total
  }

  /// Calls `body` with each row of a block that may not be zero.
  fileprivate func forEachTouchedRow(
    _ entry: ParameterLayout.Entry, in block: ParameterBlock, _ body: (Int) -> Void
  ) {
    guard let rows = touchedRows(entry.parameter) else { return block.rows.forEach(body) }
    rows.forEachRun(in: block.rows) { $0.forEach(body) }
  }
}

private func norm(_ x: Row) -> Double {
  x.squaredNorm.squareRoot()
}

/// Returns the factor that brings a norm below its limit.
private func factor(_ limit: Double, _ norm: Double) -> Double { min(1, limit / (norm + 1e-6)) }

@inline(never) private func clamp(_ g: Row, _ limit: Real) {
  for j in 0..<g.count {
    let x = g[j]
    g[j] = x > limit ? limit : (x < -limit ? -limit : x)
  }
}

@inline(never) private func multiply(_ g: Row, _ factor: Real) {
  for j in 0..<g.count { g[j] *= factor }
}
