/// The options of a cell, known before it is built.
public protocol CellOptions: Codable, Hashable, Sendable {
  /// The number of units.
  var hidden: Int { get }
  /// The width of the cell's output; `hidden` unless it says otherwise.
  var output: Int { get }
  /// True if the output is a state: steps read earlier ones of it.
  var hasState: Bool { get }
  /// True if a step is fed the target of the step before.
  var feedsTargets: Bool { get }
}

extension CellOptions {
  public var output: Int { hidden }
  public var hasState: Bool { true }
  public var feedsTargets: Bool { false }
}

/// A recurrence that reads its input through one product for all steps of a window: `a = x W + b`.
///
/// `RecurrentCell` computes one step after the other; `WindowMixer` computes a window at once.
public protocol SequenceMixer: DocumentedCell, InspectedCell, Sendable {
  associatedtype Options: CellOptions

  /// The number of blocks of `hidden` columns in a, unless options change it.
  static var gates: Int { get }
  /// The number of such blocks for some options.
  static func gates(_ options: Options) -> Int
  /// The number of these blocks, the last ones, that have a bias in b: all unless the equations say
  /// otherwise.
  static func biasedGates(_ options: Options) -> Int
  /// The delays of the input in steps, one for each input side by side: `[0]` is x(t).
  static func inputDelays(_ options: Options) -> [Int]
  /// True if a is x itself, as wide as `hidden`, without W and b.
  static func readsInputItself(_ options: Options) -> Bool
  /// PyTorch's distribution of W and b, of a cell that reads so many numbers: that of its recurrent modules,
  /// U(±1/√hidden), unless the paper says otherwise.
  static func inputDistribution(_ options: Options, reading inputs: Int) -> Distribution
  /// The values that parts of b start from, such as a forget bias.
  static func inputBias(_ options: Options) -> [InitialValue.Part]
  /// The number of columns of a, the last ones, whose weights in W start at zero.
  static func rowsFromZero(_ options: Options) -> Int
  /// The constants W and b; nil where they are learnt. A cell with such an input has no learnt parameter.
  static func fixedInput(_ options: Options) -> (weight: ConstantValue, bias: ConstantValue)?

  /// Asks the plan for parameters, activations and states.
  init(_ options: Options, in plan: inout Plan)

  /// a, filled in for every step before the first; in the backward pass its gradient.
  var preactivation: Activation { get }
  var output: Activation { get }
  /// A second bias that is only added to the preactivation.
  var recurrentBias: Parameter? { get }
  /// The matrices through which a state reaches the next one: all that the equations call U, and
  /// their like. Weight dropout drops numbers of them.
  var recurrentWeights: [Parameter] { get }

  /// Accumulates the gradients of the recurrent weights, all steps in one product each.
  func accumulate(_ pass: Pass)
}

extension SequenceMixer {
  public static func gates(_ options: Options) -> Int { gates }
  public static func biasedGates(_ options: Options) -> Int { gates(options) }
  public static func inputDelays(_ options: Options) -> [Int] { [0] }
  public static func readsInputItself(_ options: Options) -> Bool { false }
  public static func inputDistribution(
    _ options: Options, reading inputs: Int
  ) -> Distribution { .uniform(1 / Double(options.hidden).squareRoot()) }
  public static func inputBias(_ options: Options) -> [InitialValue.Part] { [] }
  public static func rowsFromZero(_ options: Options) -> Int { 0 }
  public static func fixedInput(
    _ options: Options
  ) -> (weight: ConstantValue, bias: ConstantValue)? { nil }
  public var recurrentBias: Parameter? { nil }
  public var recurrentWeights: [Parameter] { [] }
}

/// A recurrence of one step after the other: the equations of a step and their derivative.
///
/// `Recurrent` owns time: it takes the input's product of all steps at once, walks forward and backward,
/// and hides resets behind `pass.before`.
public protocol RecurrentCell: SequenceMixer {
  /// Options that between them switch on every term of the equations, for `hidden` units.
  static func variants(hidden: Int) -> [Options]

  /// Computes step t.
  func forward(_ t: Int, _ pass: Pass)
  /// Reads the gradients of the cell's states at step t; adds to those at earlier steps and turns the
  /// preactivation into its gradient.
  func backward(_ t: Int, _ pass: Pass)
}

/// A recurrence that takes a whole window at once, such as a scan without products in its loop.
///
/// Its layer cuts the window into runs, inside which no stream starts anew. The state before a run is
/// `pass.before(output, run.lowerBound)`, the states inside it are `pass[output, t]`.
public protocol WindowMixer: SequenceMixer {
  /// Computes what needs no earlier step, for all steps of a window, before the first run.
  func beginWindow(_ pass: Pass)
  /// Computes the steps of a run.
  func forward(_ run: Range<Int>, _ pass: Pass)
  /// Reads the gradients of the output at the steps of a run; adds to `pass.d.before(output, …)` of its
  /// first step and turns the preactivation into its gradient.
  func backward(_ run: Range<Int>, _ pass: Pass)
  /// Prepares the backward pass, before the last run.
  func beginBackward(_ pass: Pass)
  /// Completes the gradient of the preactivation, for all steps of a window, after the first run.
  func endBackward(_ pass: Pass)
}

extension WindowMixer {
  public func beginWindow(_ pass: Pass) {}
  public func beginBackward(_ pass: Pass) {}
  public func endBackward(_ pass: Pass) {}
}

/// The documentation of a cell, as `unroll networks` prints it.
public protocol DocumentedCell {
  /// The equations in one line.
  static var equations: String { get }
  /// The paper: authors and year.
  static var citation: String { get }
}

/// The parts of a cell that a diagnosis of gradients looks at.
public protocol InspectedCell {
  /// The gates, which are counted where they are closed or wide open.
  var gateBlocks: [GateBlock] { get }
  /// The weights that carry the state from step to step, of stacked gates those of the candidate, of a
  /// block-triangular matrix its diagonal blocks; empty where no weights do.
  var transitions: [Transition] { get }
}
