extension ModelOptions {
  /// The model of these options for data of some kind.
  /// - Parameters:
  ///   - seed: keys dropout; initial weights are drawn by `ParameterVector.initialize`.
  ///   - objective: what training differentiates in place of the plain cross-entropy.
  public func makeModel(
    _ interface: TaskSignature, seed: UInt64, objective: TrainingObjective = TrainingObjective()
  ) -> any Model {
    if tree != nil {
      return TreeModel(self, interface: interface, seed: seed, objective: objective)
    }
    return SequenceModel(self, interface: interface, seed: seed, objective: objective)
  }
}
