internal import Sequences

/// The surroundings of a recurrent layer in its model: its input, and what else flows into it or out of it.
struct LayerContext {
  /// x
  var input: LayerInput
  /// True if the symbols of each stream are read from its end to its beginning: the second direction of
  /// a `Bidirectional` layer.
  var isReversed = false
  /// Vectors that enter every step, one for each stream.
  var conditions: [StreamCondition] = []
  /// The part of each sequence's length that enters every step.
  var length = LengthInput.none
  /// Attention before each step.
  var attention: StepAttentionRequest?
  /// The rate of dropout on the states that products read.
  var dropout = 0.0
  /// The rate at which numbers of the recurrent weights are dropped.
  var weightDropout = 0.0
  /// The key of dropout and zoneout.
  var seed: UInt64 = 0
  /// True if other layers begin with the states at the end of each sequence.
  var givesFinalStates = false

  /// True if nothing of it has to happen between two steps.
  var surroundsNoStep: Bool { attention == nil && dropout == 0 && !givesFinalStates }
}

/// Returns the activation that a state begins with, a row for each stream; nil where the layer's own
/// options say what it begins with. Its arguments are the state, the layer's name for it and true if it is
/// the layer's output.
typealias InitialStates = (Activation, String, Bool, inout Plan) -> Activation?
