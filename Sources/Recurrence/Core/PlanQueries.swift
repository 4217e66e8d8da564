// What can be asked of a plan that is filled in.
extension Plan {
  /// The most steps back that a state is read.
  public var longestLag: Int { activations.reduce(1) { max($0, $1.carriedSteps) } }

  /// The axis of an activation.
  public func axis(of x: Activation) -> Axis { activations[x.index].axis }

  /// The width of an activation.
  public func width(_ x: Activation) -> Int { activations[x.index].width }

  /// Numbers that a tape keeps for every step of every stream, layer by layer; what lasts for a
  /// step or two, and logits, of which there are blocks, are left out.
  /// - Parameter resets: whether documents may begin inside a window.
  public func numbersPerToken(
    resets: Bool
  ) -> [(layer: String, values: Int, derivatives: Int)] {
    var result: [(layer: String, values: Int, derivatives: Int)] = []
    for shape in activations {
      if shape.kind.isStepTemporary || !shape.kind.takesMemory(resets: resets) { continue }
      if result.last?.layer != shape.layer { result.append((shape.layer, 0, 0)) }
      result[result.count - 1].values += shape.width
      if shape.gradient == .added { result[result.count - 1].derivatives += shape.width }
    }
    return result
  }

  /// Whether steps are fed the targets of the steps before.
  public var feedsTargets: Bool { activations.contains { $0.kind.state?.holdsTarget == true } }

  /// Returns true if a state holds the target of each step.
  public func holdsTarget(_ state: Activation) -> Bool {
    activations[state.index].kind.state?.holdsTarget == true
  }

  /// Numbers that the states of one stream carry from window to window.
  public var carriedNumbers: Int { activations.reduce(0) { $0 + $1.carriedSteps * $1.width } }

  /// How many earlier steps of a state are carried.
  public func lag(of state: Activation) -> Int { activations[state.index].carriedSteps }

  /// Which earlier steps of a state are read, rising from 1.
  func lags(of state: Activation) -> [Int] {
    (activations[state.index].kind.state?.copies ?? 0..<0).compactMap {
      activations[$0].kind.copiedLag
    }
  }

  /// Whether steps read earlier ones of an activation; what is held in place of a state is none
  /// itself.
  func isState(_ x: Activation) -> Bool {
    activations[x.index].kind.state?.copies.isEmpty == false
  }

  /// Whether others than its cell may read a state.
  func isShown(_ x: Activation) -> Bool { activations[x.index].gradient == .added }

  /// Whether a derivative is taken of an activation.
  package func isDifferentiated(_ x: Activation) -> Bool { activations[x.index].gradient != .none }

  /// What checkpoints call a state, such as `rnn.c_l0`.
  public func name(of state: Activation) -> String {
    activations[state.index].kind.state?.name ?? ""
  }

  /// The states in the order in which they were asked for.
  public var states: [Activation] {
    activations.indices.filter { activations[$0].carriedSteps > 0 }.map { Activation(index: $0) }
  }
}
