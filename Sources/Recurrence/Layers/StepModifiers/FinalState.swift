internal import LinearAlgebra

/// A state of a layer at the true end of each sequence, which other layers begin with:
/// `v = s(L − 1)`, a row for each stream.
///
/// Its gradient enters the last step of each sequence just before the backward pass reaches that step,
/// since a state may keep the gradients of two steps only.
struct FinalState: StepModifier {
  /// The vectors, on the axis of streams. Where several hypotheses share a source, each has a copy.
  let vectors: Activation
  /// The layer's name for the state, such as `c`.
  let name: String
  /// True if the state is the layer's output.
  let isShown: Bool
  private let state: Activation

  /// - Parameter state: the state that is carried from step to step.
  init(of state: Activation, named name: String, isShown: Bool, in plan: inout Plan) {
    self.state = state
    self.name = name
    self.isShown = isShown
    vectors = plan.activation(plan.width(state), on: .stream)
  }

  /// Copies the states once the window's last step is there.
  func afterStep(_ t: Int, _ pass: Pass) { if t == pass.steps - 1 { copy(pass) } }

  /// Copies the state at the true end of each sequence.
  func copy(_ pass: Pass) {
    let (vectors, lengths) = (pass[vectors], pass.batch.lengths.elements(count: pass.streams))
    let copies = vectors.rows / pass.streams
    for s in 0..<vectors.rows {
      let source = s / copies
      vectors[s].copy(pass[state, Int(lengths[source]) - 1][source])
    }
  }

  /// Adds to the gradient of step t for the sequences that end with it.
  func beforeBackward(_ t: Int, _ pass: Pass) {
    let (derivatives, lengths) = (pass.d[vectors], pass.batch.lengths.elements(count: pass.streams))
    for s in 0..<pass.streams where Int(lengths[s]) - 1 == t {
      pass.d[state, t][s].add(derivatives[s])
    }
  }
}
