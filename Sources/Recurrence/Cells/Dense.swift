internal import LinearAlgebra

/// A cell without recurrence: `y(t) = f(x(t) W₀ + … + x(t−k+1) W_{k−1} + b)`. With k = 1 it maps
/// each input by itself; otherwise it is the time-delay network over the last k inputs (Waibel
/// 1989).
///
/// The inputs lie side by side: [x(t), x(t−1), …]. Earlier inputs are carried from window to window
/// and are zero at the start of a stream.
///
/// - `taps`: the number of inputs k.
public struct Dense: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The nonlinearity f.
    public var nonlinearity: Nonlinearity
    /// The number of inputs k.
    public var taps: Int

    public var hasState: Bool { false }

    public init(hidden: Int, nonlinearity: Nonlinearity = .tanh, taps: Int = 1) {
      self.hidden = hidden
      self.nonlinearity = nonlinearity
      self.taps = taps
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      nonlinearity = try keys.decodeIfPresent(Nonlinearity.self, forKey: .nonlinearity) ?? .tanh
      taps = try keys.checkedWidth(
        try keys.decodeIfPresent(Int.self, forKey: .taps) ?? 1, .taps, largest: 1 << 12)
    }
  }

  public static let equations = """
    y = f(x W + b), f = tanh, relu, sigmoid or identity; \
    taps: k: x is [x(t), …, x(t−k+1)]
    """
  public static let citation = "taps: Waibel 1989"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    Nonlinearity.allCases.map { Options(hidden: hidden, nonlinearity: $0) }
      + [Options(hidden: hidden, taps: 2), Options(hidden: hidden, taps: 4)]
  }

  public static func inputDelays(_ options: Options) -> [Int] { Array(0..<options.taps) }

  public let preactivation, output: Activation
  let nonlinearity: Nonlinearity

  public init(_ options: Options, in plan: inout Plan) {
    preactivation = plan.activation(options.hidden, derivative: .overwrites)
    output = plan.activation(options.hidden)
    nonlinearity = options.nonlinearity
  }

  public func forward(_ t: Int, _ pass: Pass) {
    nonlinearity.respond(pass[preactivation, t], pass[output, t])
  }

  public func backward(_ t: Int, _ pass: Pass) {
    nonlinearity.differentiate(
      pass[output, t], pass.d[output, t], pass.d[preactivation, t])
  }

  /// Does nothing: there are no recurrent weights.
  public func accumulate(_ pass: Pass) {}
}

extension Dense: ONNXCell {
  public static func onnxForm(_ options: Options) -> ONNXForm {
    options.taps == 1
      ? .map(options.nonlinearity) : .unsupported("has taps, for which ONNX has no operator")
  }
}
