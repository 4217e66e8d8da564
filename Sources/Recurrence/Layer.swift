/// A part of a model that computes one activation from others for all time steps of a window.
public protocol Layer: Sendable {
  /// What it computes.
  var output: Activation { get }
  /// Fills in `pass[output]`.
  func forward(_ pass: Pass)
  /// Reads `pass.d[output]`; adds to the derivative of what it read and to the gradient.
  func backward(_ pass: Pass)
}

/// What every recurrent cell can be asked before it is built.
public protocol CellOptions: Codable, Hashable, Sendable {
  /// The number of units.
  var hidden: Int { get }
  /// The width of what the cell shows to others; `hidden` unless it says otherwise.
  var output: Int { get }
}

extension CellOptions {
  public var output: Int { hidden }
}

/// The computation of one time step and its derivative.
///
/// `Recurrent` owns time: it takes the input projection of all steps in one product, walks forward and
/// backward, and hides resets behind `pass.before`.
public protocol RecurrentCell: Sendable {
  associatedtype Options: CellOptions
  /// The equations, as `unroll networks` prints them.
  static var equations: String { get }
  /// Where the cell was published.
  static var source: String { get }
  /// How many square blocks the input projection has.
  static var gates: Int { get }
  /// Options that between them switch on every term of the equations, for `hidden` units.
  static func variants(hidden: Int) -> [Options]

  /// Asks the plan for parameters, activations and states.
  init(_ options: Options, in plan: inout Plan)

  /// x(t) W + b for every step, filled in before the first.
  var preactivation: Activation { get }
  var output: Activation { get }
  /// A second bias that is only added to the preactivation.
  var recurrentBias: Parameter? { get }
  /// Values that parts of the input bias start from, such as a forget bias.
  static func inputBias(_ options: Options) -> [InitialValue.Part]

  func forward(_ t: Int, _ pass: Pass)
  func backward(_ t: Int, _ pass: Pass)
  /// Gradients of the recurrent weights, all steps in one product each.
  func accumulate(_ pass: Pass)
}

extension RecurrentCell {
  public var recurrentBias: Parameter? { nil }
  public static func inputBias(_ options: Options) -> [InitialValue.Part] { [] }
}
