public import LinearAlgebra

/// What a model ends in: an output layer, what becomes of its numbers, and the loss.
public protocol Head: Sendable {
  /// The output matrix; of a tied model, the embedding's.
  var weight: Parameter { get }
  /// The output vector that is added; nil for none.
  var bias: Parameter? { get }
  /// Takes the loss of every row with a target, and in training adds to the derivatives of what it
  /// reads and to the gradient.
  func forward(_ pass: Pass)
  /// What is predicted for every stream at step t, without a loss, in memory that the next call
  /// overwrites: logits of symbols or of labels, or numbers.
  func outputs(at t: Int, _ pass: Pass) -> Matrix
}
