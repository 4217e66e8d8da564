/// An observer of a backward pass, such as a sum of gradients that begins before the pass ends.
///
/// Every gradient pass of a step reports to it, but only in the last one are gradients final:
/// `GradientMethod`s that run several passes report the last alone.
public protocol BackwardObserver: AnyObject {
  /// Called when the gradients of the next stage are final; stages are those of `Model.gradientStages`.
  func finishStage()
  /// Called when the gradients of the next part of a stage are final. A stage without parts may report them
  /// all the same.
  func finishPart()
}

extension Pass {
  /// Reports to the observer, if there is one, that a stage is complete.
  func finishStage() {
    if tape.isLastPass { tape.observer?.finishStage() }
  }

  /// Reports that the next part of a stage is complete.
  func finishPart() {
    if tape.isLastPass { tape.observer?.finishPart() }
  }
}

/// The parameters whose gradients become final together in a backward pass.
public struct GradientStage: Equatable, Sendable {
  /// The parameters of each part of the stage, in the order in which they become final; those of the last
  /// part at its end.
  public var parts: [[Parameter]]
}

/// Returns the parameters whose handles a layer or a cell holds. A layer can reach the gradient of no
/// other one.
func parameterHandles(in value: Any) -> Set<Parameter> {
  if let parameter = value as? Parameter { return [parameter] }
  var found: Set<Parameter> = []
  for child in Mirror(reflecting: value).children {
    found.formUnion(parameterHandles(in: child.value))
  }
  return found
}
