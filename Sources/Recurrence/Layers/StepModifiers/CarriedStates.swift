internal import LinearAlgebra

/// The states of a layer between windows and streams: each step reads the state before it, the initial
/// state where a stream starts.
///
/// The outermost modifier: everything else reads the past through it.
struct CarriedStates: StepModifier {
  private let states: [CarriedState]
  private let sinceReset: StepsSinceReset?

  init(_ states: [CarriedState], sinceReset: StepsSinceReset?) {
    self.states = states
    self.sinceReset = sinceReset
  }

  func beginWindow(_ pass: Pass) { for state in states { state.beginWindow(pass) } }

  func beforeStep(_ t: Int, _ pass: Pass) {
    sinceReset?.forward(t, pass)
    for state in states { state.beforeStep(t, pass) }
  }

  func beforeBackward(_ t: Int, _ pass: Pass) {
    for state in states { state.beforeBackward(t, pass) }
  }

  func afterBackward(_ t: Int, _ pass: Pass) {
    for state in states { state.afterBackward(t, pass) }
  }

  func endWindow(_ pass: Pass) { for state in states { state.endWindow(pass) } }
}
