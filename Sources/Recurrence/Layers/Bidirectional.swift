internal import LinearAlgebra
internal import Sequences

/// A layer that reads a sequence forwards, beside another one that reads it backwards (Schuster &
/// Paliwal 1997): `y(t) = [→h(t), ←h(t)]`, or their sum.
///
/// The second layer is an ordinary layer that reads the sequence reversed within its true length L,
/// x(L−1), …, x(0), so that padding stays after its end. Its step k belongs to position L−1−k, and
/// aligned outputs have it there. A *summary* differs in its last step only: y(L−1) is the forward
/// state at the last step beside the backward state at the first step, so that both have read the
/// whole sequence.
///
/// Symbols need no activation: both directions use the same distinct symbols of a window, the
/// second one with reversed indices.
public struct Bidirectional: Layer {
  /// The way to combine the two directions.
  public enum Combination: String, Codable, CaseIterable, Sendable {
    case concat, sum
  }

  /// The outputs that other layers read.
  public enum Shown: Sendable {
    /// Every step, with both directions at their positions.
    case aligned
    /// Every step; the last step of each sequence is its summary.
    case summary
    /// Every step as `output`, and the summary separately.
    case both
  }

  /// The aligned output; with `summary`, its last step is the summary.
  public let output: Activation
  /// The summary as a separate output; nil unless `shown` is `both`.
  let summary: Activation?
  private let forwards, backwards: any Layer
  /// The input of the first direction, and the same reversed; nil for symbols.
  private let input, turned: Activation?
  private let combination: Combination
  private let shown: Shown

  /// - Parameters:
  ///   - combination: The way to combine the outputs of the two directions.
  ///   - source: The input of both directions: an activation or symbols.
  ///   - shown: The outputs that other layers read: every step, the summary, or both.
  ///   - plan: The plan that both directions and the output are added to.
  ///   - make: Makes one direction, given its input and true for the second one, which reads
  ///     symbols from the end of each stream to its beginning.
  public init(
    _ combination: Combination, reading source: LayerInput, shown: Shown = .aligned,
    in plan: inout Plan, _ make: (LayerInput, Bool, inout Plan) -> any Layer
  ) {
    self.combination = combination
    self.shown = shown
    switch source {
    case .activation(let x): (input, turned) = (x, plan.activation(plan.width(x)))
    case .lookup, .symbols: (input, turned) = (nil, nil)
    case .frames, .nothing: preconditionFailure("two directions need an activation or symbols")
    }
    forwards = make(source, false, &plan)
    backwards = make(turned.map { .activation($0) } ?? source, true, &plan)
    let width = plan.width(forwards.output) * (combination == .concat ? 2 : 1)
    output = plan.activation(width)
    summary = shown == .both ? plan.activation(width) : nil
  }

  /// The probes of the forward direction only: in the other one, lags would count from the wrong
  /// end.
  public var probes: [Probe] { forwards.probes }

  public func forward(_ pass: Pass) {
    precondition(!hasRestarts(pass.batch), "reading backwards what starts anew in the middle")
    forwards.forward(pass)
    if let input, let turned {
      pass[turned].fill(0)
      addTurned(pass[input], to: pass[turned], pass)
    } else {
      pass.batch.distinct.reverse(
        lengths: pass.batch.lengths, steps: pass.steps, streams: pass.streams)
    }
    backwards.forward(pass)
    join(into: pass[output], isSummary: shown == .summary, pass)
    if let summary { join(into: pass[summary], isSummary: true, pass) }
  }

  public func backward(_ pass: Pass) {
    part(pass.d[output], isSummary: shown == .summary, pass)
    if let summary { part(pass.d[summary], isSummary: true, pass) }
    backwards.backward(pass)
    if let input, let turned { addTurned(pass.d[turned], to: pass.d[input], pass) }
    forwards.backward(pass)
  }

  /// y = [→h, ←h] or →h + ←h
  private func join(into y: Matrix, isSummary: Bool, _ pass: Pass) {
    let width = pass[forwards.output].columns
    y.slice(columns: 0..<width).copy(pass[forwards.output])
    let second = combination == .concat ? y.slice(columns: width..<2 * width) : y
    if combination == .concat { second.fill(0) }
    let x = pass[backwards.output]
    eachPlace(isSummary: isSummary, pass) { place, step in second[place].add(x[step]) }
  }

  /// Adds ∂y to the gradients of both directions.
  private func part(_ dy: Matrix, isSummary: Bool, _ pass: Pass) {
    let width = pass[forwards.output].columns
    pass.d[forwards.output].add(dy.slice(columns: 0..<width))
    let second = combination == .concat ? dy.slice(columns: width..<2 * width) : dy
    let dx = pass.d[backwards.output]
    eachPlace(isSummary: isSummary, pass) { place, step in dx[step].add(second[place]) }
  }

  /// y(L−1−t) += x(t) within each stream's length, y(t) += x(t) after it.
  private func addTurned(_ x: Matrix, to y: Matrix, _ pass: Pass) {
    eachPlace(isSummary: false, pass) { place, step in y[place].add(x[step]) }
  }

  /// Calls `visit` with each row and the second layer's row that belongs there.
  private func eachPlace(isSummary: Bool, _ pass: Pass, _ visit: (Int, Int) -> Void) {
    let lengths = pass.batch.lengths.elements(count: pass.streams)
    for t in 0..<pass.steps {
      for s in 0..<pass.streams {
        let length = Int(lengths[s])
        let isReversed = t < length && !(isSummary && t == length - 1)
        let step = isReversed ? length - 1 - t : t
        visit(t * pass.streams + s, step * pass.streams + s)
      }
    }
  }

  /// Returns true if a stream starts anew before its end.
  private func hasRestarts(_ batch: Batch) -> Bool {
    guard batch.hasResets else { return false }
    let lengths = batch.lengths.elements(count: batch.streams)
    let resets = batch.resets.elements(count: batch.rows)
    for s in 0..<batch.streams {
      for t in 1..<max(Int(lengths[s]), 1) where resets[t * batch.streams + s] != 0 { return true }
    }
    return false
  }
}
