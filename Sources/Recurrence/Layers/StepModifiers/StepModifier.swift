/// A part of a recurrent layer that surrounds the step of its cell: carried states, feedback, attention
/// before the step, zoneout.
///
/// The modifiers of a layer nest like the skins of an onion around its cell. The hooks *before* run from
/// the outermost modifier inwards and the hooks *after* from the innermost outwards, in the forward pass
/// and in the backward pass alike:
///
///     before(1), before(2), cell, after(2), after(1)
///
/// Every hook does nothing unless a modifier says otherwise. None may allocate.
protocol StepModifier: Sendable {
  /// Prepares the window before the first step of the forward pass.
  func beginWindow(_ pass: Pass)
  /// Adds to the cell's preactivation at step t, or fills in what the step reads.
  func beforeStep(_ t: Int, _ pass: Pass)
  /// Computes from the cell's states at step t.
  func afterStep(_ t: Int, _ pass: Pass)
  /// Adds to the gradients that the cell's backward step t reads.
  func beforeBackward(_ t: Int, _ pass: Pass)
  /// Passes on the gradients that the cell's backward step t has left.
  func afterBackward(_ t: Int, _ pass: Pass)
  /// Finishes the gradients of the initial states after the last step of the backward pass.
  func endWindow(_ pass: Pass)
  /// Accumulates the gradients of the modifier's weights, all steps in one product each.
  func accumulate(_ pass: Pass)
}

extension StepModifier {
  func beginWindow(_ pass: Pass) {}
  func beforeStep(_ t: Int, _ pass: Pass) {}
  func afterStep(_ t: Int, _ pass: Pass) {}
  func beforeBackward(_ t: Int, _ pass: Pass) {}
  func afterBackward(_ t: Int, _ pass: Pass) {}
  func endWindow(_ pass: Pass) {}
  func accumulate(_ pass: Pass) {}
}

/// The innermost skin: the cell alone.
struct NoStepModifier: StepModifier {}

/// Two modifiers, one around the other.
///
/// A nest is a type of its own, so a layer looks its modifiers up once a window and not at every step.
struct NestedStepModifiers<Outer: StepModifier, Inner: StepModifier>: StepModifier {
  let outer: Outer
  let inner: Inner

  func beginWindow(_ pass: Pass) {
    outer.beginWindow(pass)
    inner.beginWindow(pass)
  }
  func beforeStep(_ t: Int, _ pass: Pass) {
    outer.beforeStep(t, pass)
    inner.beforeStep(t, pass)
  }
  func afterStep(_ t: Int, _ pass: Pass) {
    inner.afterStep(t, pass)
    outer.afterStep(t, pass)
  }
  func beforeBackward(_ t: Int, _ pass: Pass) {
    outer.beforeBackward(t, pass)
    inner.beforeBackward(t, pass)
  }
  func afterBackward(_ t: Int, _ pass: Pass) {
    inner.afterBackward(t, pass)
    outer.afterBackward(t, pass)
  }
  func endWindow(_ pass: Pass) {
    inner.endWindow(pass)
    outer.endWindow(pass)
  }
  func accumulate(_ pass: Pass) {
    outer.accumulate(pass)
    inner.accumulate(pass)
  }
}

extension StepModifier {
  /// Returns this modifier around the others, the next one innermost but one.
  func around(_ others: ArraySlice<any StepModifier>) -> any StepModifier {
    func nest(_ inner: some StepModifier) -> any StepModifier {
      NestedStepModifiers(outer: self, inner: inner)
    }
    guard let next = others.first else { return self }
    return nest(next.around(others.dropFirst()))
  }
}
