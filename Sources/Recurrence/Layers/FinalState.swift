internal import LinearAlgebra

/// What one state of a layer is at the true end of each sequence, for others to begin from:
/// `v = s(L − 1)`, a row for each stream.
///
/// Its derivative goes back into the last step of each sequence, just before the layer takes that step
/// back: a state may keep the derivatives of two steps only.
struct FinalState: Sendable {
  /// The vectors, on the axis of streams. Where several hypotheses share a source, each has a copy.
  let vectors: Activation
  /// What the layer calls the state, such as `c`.
  let name: String
  /// Whether the layer shows the state.
  let isShown: Bool
  private let state: Activation

  /// - Parameter state: what is carried from step to step.
  init(of state: Activation, named name: String, isShown: Bool, in plan: inout Plan) {
    self.state = state
    self.name = name
    self.isShown = isShown
    vectors = plan.activation(plan.width(state), on: .stream)
  }

  func forward(_ pass: Pass) {
    let (vectors, lengths) = (pass[vectors], pass.batch.lengths.elements(count: pass.streams))
    let copies = vectors.rows / pass.streams
    for s in 0..<vectors.rows {
      let source = s / copies
      vectors[s].copy(pass[state, Int(lengths[source]) - 1][source])
    }
  }

  /// Adds to the derivative of step t for the sequences that end with it.
  func backward(_ t: Int, _ pass: Pass) {
    let (derivatives, lengths) = (pass.d[vectors], pass.batch.lengths.elements(count: pass.streams))
    for s in 0..<pass.streams where Int(lengths[s]) - 1 == t {
      pass.d[state, t][s].add(derivatives[s])
    }
  }
}
