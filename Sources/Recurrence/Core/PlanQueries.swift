// Properties of a complete plan.
extension Plan {
  /// The largest number of steps back that a state is read.
  public var longestLag: Int { activations.reduce(1) { max($0, $1.carriedSteps) } }

  /// The axis of an activation.
  public func axis(of x: Activation) -> Axis { activations[x.index].axis }

  /// The width of an activation.
  public func width(_ x: Activation) -> Int { activations[x.index].width }

  /// Returns the numbers that a tape stores per step of every stream, layer by layer. Memory for
  /// one or two steps, and logits, which exist in blocks only, are left out.
  /// - Parameter resets: True if documents may begin inside a window.
  public func numbersPerToken(
    resets: Bool
  ) -> [(layer: String, values: Int, derivatives: Int)] {
    var result: [(layer: String, values: Int, derivatives: Int)] = []
    for shape in activations {
      if shape.kind.isStepTemporary || !shape.kind.takesMemory(resets: resets) { continue }
      if result.last?.layer != shape.layer { result.append((shape.layer, 0, 0)) }
      result[result.count - 1].values += shape.values(of: shape.width)
      if shape.gradient == .added { result[result.count - 1].derivatives += shape.width }
    }
    return result
  }

  /// True if steps read the targets of the steps before.
  public var feedsTargets: Bool { activations.contains { $0.kind.state?.holdsTarget == true } }

  /// Returns true if a state holds the target of each step.
  public func holdsTarget(_ state: Activation) -> Bool {
    activations[state.index].kind.state?.holdsTarget == true
  }

  /// The numbers that the states of one stream carry from window to window.
  public var carriedNumbers: Int { activations.reduce(0) { $0 + $1.carriedSteps * $1.width } }

  /// Returns the number of earlier steps of a state that are carried.
  public func lag(of state: Activation) -> Int { activations[state.index].carriedSteps }

  /// Returns the earlier steps of a state that are read, rising from 1.
  func lags(of state: Activation) -> [Int] {
    (activations[state.index].kind.state?.copies ?? 0..<0).compactMap {
      activations[$0].kind.copiedLag
    }
  }

  /// Returns true if a window keeps the state of every step.
  func keepsEveryStep(of state: Activation) -> Bool { activations[state.index].kind.chunk == 1 }

  /// The same plan for tapes that keep every step of all states.
  package var keepingEveryStep: Plan {
    var plan = self
    plan.keepEveryStep()
    return plan
  }

  /// Returns true if steps read earlier steps of an activation. The activation that replaces a
  /// state is not a state itself.
  func isState(_ x: Activation) -> Bool {
    activations[x.index].kind.state?.copies.isEmpty == false
  }

  /// Returns true if layers besides its cell may read a state.
  func isShown(_ x: Activation) -> Bool { activations[x.index].gradient == .added }

  /// Returns true if the gradient of an activation is computed.
  package func isDifferentiated(_ x: Activation) -> Bool { activations[x.index].gradient != .none }

  /// Returns the name of a state in checkpoints, such as `rnn.c_l0`.
  public func name(of state: Activation) -> String {
    activations[state.index].kind.state?.name ?? ""
  }

  /// The states, in the order in which they were added.
  public var states: [Activation] {
    activations.indices.filter { activations[$0].carriedSteps > 0 }.map { Activation(index: $0) }
  }
}
