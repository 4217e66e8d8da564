internal import Collectives
internal import LinearAlgebra
package import Recurrence
package import Sequences

/// Runs a model forward over the windows of some data, with states carried from one to the next.
///
/// Evaluating, scoring lines and predicting are loops over such windows; each says alone what it does with
/// the pass.
package final class WindowRunner {
  package let tape: Tape

  /// - Parameters:
  ///   - windows: the sizes of the windows, at least one.
  ///   - resets: true if streams may start anew inside a window.
  package init(_ plan: Plan, fitting windows: [WindowSize], resets: Bool = false) {
    tape = Tape(plan, fitting: windows, derivatives: false, resets: resets)
  }

  /// Forgets the carried states: every stream starts anew.
  package func clear() { tape.clearCarried() }

  /// Runs one window, and carries its states into the next.
  /// - Returns: what `body` returns, which runs the model and reads its outputs.
  package func run<Result>(
    _ batch: Batch, weights: ParameterVector, _ body: (Pass) throws -> Result
  ) rethrows -> Result {
    let pass = tape.begin(batch, weights: weights)
    pass.mark(.other)
    defer {
      tape.carryStates()
      RankActivity.current.advance()
    }
    return try body(pass)
  }
}
