internal import LinearAlgebra

/// The sLSTM of xLSTM (Beck 2024): an LSTM with exponential gates, a normaliser, and recurrent weights of one
/// block for each head:
///
///     [i, f, z, o] = x W + b + h(t−1) R,   R block-diagonal, a block for each head
///     m(t) = max(i, m(t−1) + ln σ(f))
///     i′ = exp(i − m(t)),   f′ = exp(m(t−1) + ln σ(f) − m(t))
///     c(t) = f′ ∘ c(t−1) + i′ ∘ tanh(z),   n(t) = f′ ∘ n(t−1) + i′
///     h(t) = σ(o) ∘ c(t) / n(t)
///
/// m keeps the exponents small and cancels from h. At the first step of a stream, where n is zero, m is i.
/// Columns lie head by head: i, f, z, o of the first head, then those of the second.
///
/// - `heads`: the number of blocks of R.
/// - `forget_exponent`: e of the first forget biases, 5 − 12 (j/(n−1))ᵉ for unit j of n units of a head;
///   without it they are those of the initializer. The paper's rises from 0.3 in the first block to 1.6 in
///   the last.
public struct SLSTM: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The number of diagonal blocks of R; a divisor of `hidden`.
    public var heads: Int
    public var forgetExponent: Double?

    public init(hidden: Int, heads: Int = 1, forgetExponent: Double? = nil) {
      precondition(hidden.isMultiple(of: heads), "\(heads) heads of \(hidden) units")
      self.hidden = hidden
      self.heads = heads
      self.forgetExponent = forgetExponent
    }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads
      case forgetExponent = "forget_exponent"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      forgetExponent = try keys.forgetExponent(.forgetExponent)
    }
  }

  public static let equations = """
    [i,f,z,o] = x W + b + h₋ R; m = max(i, m₋+ln σ(f)); i′ = exp(i−m); f′ = exp(m₋+ln σ(f)−m); \
    c = f′∘c₋ + i′∘tanh z; n = f′∘n₋ + i′; h = σ(o)∘c/n; R of heads diagonal blocks
    """
  public static let citation = "Beck 2024 (xLSTM)"
  public static let gates = 4

  public static func variants(hidden: Int) -> [Options] {
    [Options(hidden: hidden), Options(hidden: hidden, heads: hidden, forgetExponent: 0.7)]
  }

  public static func inputBias(_ options: Options) -> [InitialValue.Part] {
    forgetBias(heads: options.heads, exponent: options.forgetExponent)
  }

  /// Returns the parts of the gates' biases that start from fixed numbers: all for an exponent, else none.
  static func forgetBias(heads: Int, exponent: Double?) -> [InitialValue.Part] {
    guard let exponent else { return [] }
    // Column blocks lie head by head, so that head k has its forget gate in part 4k + 1.
    return (0..<4 * heads).map { part in
      let values: InitialValue.Values =
        part % 4 == 1 ? .power(from: 5, by: -12, exponent: exponent) : .constant(0)
      return InitialValue.Part(part, of: 4 * heads, values)
    }
  }

  public let preactivation: Activation
  public var output: Activation { recurrence.output }
  private let recurrence: SLSTMRecurrence

  public init(_ options: Options, in plan: inout Plan) {
    preactivation = plan.activation(4 * options.hidden, derivative: .overwrites)
    recurrence = SLSTMRecurrence(hidden: options.hidden, heads: options.heads, in: &plan)
  }

  public var gateBlocks: [GateBlock] { recurrence.gateBlocks(in: preactivation) }

  public var recurrentWeights: [Parameter] { [recurrence.weight] }

  public func forward(_ t: Int, _ pass: Pass) {
    recurrence.forward(pass[preactivation, t], t, pass)
  }

  public func backward(_ t: Int, _ pass: Pass) {
    recurrence.backward(pass[preactivation, t], t, pass)
  }

  public func accumulate(_ pass: Pass) { recurrence.accumulate(pass[preactivation], pass) }
}
