/// A part of a model that computes one activation from others for all time steps of a window.
public protocol Layer: Sendable {
  /// What it computes.
  var output: Activation { get }
  /// Fills in `pass[output]`.
  func forward(_ pass: Pass)
  /// Reads `pass.d[output]`; adds to the derivative of what it read and to the gradient.
  func backward(_ pass: Pass)
  /// What a diagnosis may look at.
  var probes: [Probe] { get }
}

/// What every recurrent cell can be asked before it is built.
public protocol CellOptions: Codable, Hashable, Sendable {
  /// The number of units.
  var hidden: Int { get }
  /// The width of what the cell shows to others; `hidden` unless it says otherwise.
  var output: Int { get }
  /// Whether what the cell shows is a state: steps read earlier ones of it.
  var hasState: Bool { get }
  /// Whether a step is fed the target of the step before.
  var feedsTargets: Bool { get }
}

extension CellOptions {
  public var output: Int { hidden }
  public var hasState: Bool { true }
  public var feedsTargets: Bool { false }
}

/// The computation of one time step and its derivative.
///
/// `Recurrent` owns time: it takes the input projection of all steps in one product, walks forward
/// and backward, and hides resets behind `pass.before`.
public protocol RecurrentCell: Sendable {
  associatedtype Options: CellOptions
  /// The equations, as `unroll networks` prints them.
  static var equations: String { get }
  /// Where the cell was published.
  static var source: String { get }
  /// How many blocks of `hidden` outputs the input projection has, unless options change it.
  static var gates: Int { get }
  /// The same for some options.
  static func gates(_ options: Options) -> Int
  /// How many of these blocks, the last ones, have a bias that `Recurrent` adds: all of them unless
  /// the equations say otherwise.
  static func biasedGates(_ options: Options) -> Int
  /// How many steps late the input is read, one number for each input side by side: `[0]` is x(t).
  static func inputDelays(_ options: Options) -> [Int]
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
  /// What W and b are made from where they are constants; nil where they are learnt. A cell with
  /// such an input has no learnt parameter.
  static func fixedInput(_ options: Options) -> (weight: ConstantValue, bias: ConstantValue)?

  func forward(_ t: Int, _ pass: Pass)
  func backward(_ t: Int, _ pass: Pass)
  /// Gradients of the recurrent weights, all steps in one product each.
  func accumulate(_ pass: Pass)

  /// Which of the things it computes are gates; a diagnosis counts how many are shut or wide open.
  var gateBlocks: [GateBlock] { get }
  /// The weights that carry the state into what the next step takes in, of stacked gates the
  /// candidate's; of a block-triangular matrix, its diagonal blocks. None where no weights do.
  var transitions: [Transition] { get }
}

extension RecurrentCell {
  public var recurrentBias: Parameter? { nil }
  public static func inputBias(_ options: Options) -> [InitialValue.Part] { [] }
  public static func fixedInput(
    _ options: Options
  ) -> (weight: ConstantValue, bias: ConstantValue)? { nil }
  public static func gates(_ options: Options) -> Int { gates }
  public static func biasedGates(_ options: Options) -> Int { gates(options) }
  public static func inputDelays(_ options: Options) -> [Int] { [0] }
}
