/// A cell that an operator of ONNX computes, or a few of them.
///
/// `unroll export` asks the cell for the operator and its order of gates, and knows no cell by its name. A
/// cell that does not adopt this protocol cannot be exported to ONNX.
public protocol ONNXCell: RecurrentCell {
  /// Returns the form of a cell with these options in ONNX.
  static func onnxForm(_ options: Options) -> ONNXForm
}

/// The form of a cell in ONNX.
public enum ONNXForm: Equatable, Sendable {
  /// One recurrent operator.
  case recurrent(ONNXOperator)
  /// y = f(x W + b), without a state.
  case map(Nonlinearity)
  /// None, for the reason given, which completes "layer 1 …".
  case unsupported(String)
}

/// A recurrent operator of ONNX, and the places of this program's weights in those of the operator.
///
/// ONNX stacks the matrices of the gates as W, R and B = [b, b′], and diagonal weights as P. A block is the
/// `hidden` rows of one gate, counted from 0 in `weight_ih`, in `weight_hh` with `weight_hn` below it, in both
/// biases, or in `weight_peephole`.
public struct ONNXOperator: Equatable, Sendable {
  /// `RNN`, `GRU` or `LSTM`.
  public var name: String
  /// The block of each gate of the operator, in its order; nil for a gate that it does not read, whose
  /// weights are zeros.
  public var blocks: [Int?]
  /// The block of each gate of P, in the order of the operator; empty without peepholes.
  public var peepholes: [Int?]
  /// Attributes that are integers.
  public var attributes: [String: Int]
  /// The nonlinearity, if it is not that of the operator by default.
  public var activation: Nonlinearity?
  /// The names of the states in the order of the operator: `h`, or `h` and `c`.
  public var states: [String]

  public init(
    _ name: String, blocks: [Int?], peepholes: [Int?] = [], attributes: [String: Int] = [:],
    activation: Nonlinearity? = nil, states: [String] = ["h"]
  ) {
    self.name = name
    self.blocks = blocks
    self.peepholes = peepholes
    self.attributes = attributes
    self.activation = activation
    self.states = states
  }
}
