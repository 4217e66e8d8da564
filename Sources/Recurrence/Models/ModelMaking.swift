extension ModelOptions {
  /// Makes the model of these options for data with the given signature.
  /// - Parameters:
  ///   - seed: The key of dropout; `ParameterVector.initialize` samples initial weights.
  ///   - objective: The terms that training adds to the cross-entropy.
  public func makeModel(
    _ interface: TaskSignature, seed: UInt64, objective: TrainingObjective = TrainingObjective()
  ) -> any Model {
    if tree != nil {
      return TreeModel(self, interface: interface, seed: seed, objective: objective)
    }
    return SequenceModel(self, interface: interface, seed: seed, objective: objective)
  }
}
