internal import LinearAlgebra

/// A layer that reads a sequence forwards beside another that reads it backwards (Schuster & Paliwal
/// 1997): `y(t) = [→h(t), ←h(t)]`, or their sum.
///
/// The second layer is an ordinary one that reads the sequence turned round within its true length L,
/// x(L−1), …, x(0), so that padding stays behind its end. Its step k belongs to place L−1−k. A *summary*
/// leaves it there: y(L−1) is then the forward state at the last step beside the backward state at the
/// first, each having read everything.
public struct Bidirectional: Layer {
  /// What becomes of the two directions.
  public enum Combination: String, Codable, CaseIterable, Sendable {
    case concat, sum
  }

  public let output: Activation
  private let forwards, backwards: any Layer
  private let input, turned: Activation
  private let combination: Combination
  private let isSummary: Bool

  /// - Parameters:
  ///   - input: what both directions read.
  ///   - isSummary: whether only the last step of each sequence is of interest.
  ///   - make: makes one direction, which reads the activation; told whether it is the second.
  public init(
    _ combination: Combination, reading input: Activation, isSummary: Bool = false,
    in plan: inout Plan, _ make: (Activation, Bool, inout Plan) -> any Layer
  ) {
    self.combination = combination
    self.isSummary = isSummary
    self.input = input
    turned = plan.activation(plan.width(input))
    forwards = make(input, false, &plan)
    backwards = make(turned, true, &plan)
    let width = plan.width(forwards.output)
    output = plan.activation(combination == .concat ? 2 * width : width)
  }

  /// The forward direction alone: of the other, lags would count from the wrong end.
  public var probes: [Probe] { forwards.probes }

  public func forward(_ pass: Pass) {
    precondition(!hasRestarts(pass.batch), "reading backwards what starts anew in the middle")
    forwards.forward(pass)
    pass[turned].fill(0)
    addTurned(pass[input], to: pass[turned], pass)
    backwards.forward(pass)
    let y = pass[output]
    let width = pass[forwards.output].columns
    y.slice(columns: 0..<width).copy(pass[forwards.output])
    let second = combination == .concat ? y.slice(columns: width..<2 * width) : y
    if combination == .concat { second.fill(0) }
    add(pass[backwards.output], to: second, pass)
  }

  public func backward(_ pass: Pass) {
    let dy = pass.d[output]
    let width = pass[forwards.output].columns
    pass.d[forwards.output].add(dy.slice(columns: 0..<width))
    add(
      combination == .concat ? dy.slice(columns: width..<2 * width) : dy,
      to: pass.d[backwards.output], pass)
    backwards.backward(pass)
    addTurned(pass.d[turned], to: pass.d[input], pass)
    forwards.backward(pass)
  }

  /// Between the second layer's steps and the places that they belong to, either way.
  private func add(_ x: Matrix, to y: Matrix, _ pass: Pass) {
    if isSummary { y.add(x) } else { addTurned(x, to: y, pass) }
  }

  /// y(L−1−t) += x(t) within each stream's length, y(t) += x(t) behind it.
  private func addTurned(_ x: Matrix, to y: Matrix, _ pass: Pass) {
    let lengths = pass.batch.lengths.elements(count: pass.streams)
    for t in 0..<pass.steps {
      for s in 0..<pass.streams {
        let length = Int(lengths[s])
        let place = t < length ? length - 1 - t : t
        y[place * pass.streams + s].add(x[t * pass.streams + s])
      }
    }
  }

  /// Whether a stream starts anew before its end.
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
