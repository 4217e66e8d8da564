extension Dataset {
  /// The vocabularies of a model, to be used in place of those that the data would make.
  public struct Vocabularies: Sendable {
    public var inputs: Vocabulary
    public var outputs, source: Vocabulary?

    public init(inputs: Vocabulary, outputs: Vocabulary? = nil, source: Vocabulary? = nil) {
      self.inputs = inputs
      self.outputs = outputs
      self.source = source
    }
  }
}
