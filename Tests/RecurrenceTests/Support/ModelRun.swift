import LinearAlgebra
import Recurrence
import Sequences

extension Model {
  /// Runs the window of a batch from states of zero, and back where there is a gradient, which is
  /// cleared first; the loss is the tape's.
  @discardableResult
  func run(
    _ batch: Batch, on tape: Tape, weights: ParameterVector, gradient: ParameterVector?
  ) -> Pass {
    gradient?.clear()
    tape.clearCarried()
    let pass = tape.begin(batch, weights: weights, gradient: gradient)
    forward(pass)
    if gradient != nil { backward(pass) }
    return pass
  }
}
