internal import LinearAlgebra

/// The layer around the sLSTM in the blocks of xLSTM (Beck 2024): a convolution before the exponential gates, input
/// weights of one block for each head, and a normalised output:
///
///     u = x W + b,   c = SiLU(conv(u))
///     [i, f] = c W_if + b_if + h(t−1) R,   [z, o] = u W_zo + b_zo + h(t−1) R
///     h(t) = the step of `slstm`
///     y(t) = norm(h(t))
///
/// W_if, W_zo and R are block-diagonal, a block for each head, and the norm is the LayerNorm of each head by itself,
/// with a gain for each unit, without a shift, ε = 10⁻⁵. The convolution is causal and depthwise, with a bias.
/// Columns of the gates lie head by head: i, f, z, o of the first head, then those of the second.
///
/// R and the biases start at zero, except with the initializer `uniform`.
///
/// - `heads`: the number of blocks of each matrix.
/// - `kernel`: the steps that an output of the convolution reads.
/// - `forget_exponent`: as in `slstm`.
/// - `input_weights: false`: u = x, as in the paper's block.
public struct ScalarXLSTM: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The number of diagonal blocks of each matrix; a divisor of `hidden`.
    public var heads: Int
    /// The steps that the convolution reads.
    public var kernel: Int
    public var forgetExponent: Double?
    /// False if u is x itself.
    public var inputWeights: Bool

    public init(
      hidden: Int, heads: Int = 1, kernel: Int = 4, forgetExponent: Double? = nil,
      inputWeights: Bool = true
    ) {
      precondition(hidden.isMultiple(of: heads), "\(heads) heads of \(hidden) units")
      self.hidden = hidden
      self.heads = heads
      self.kernel = kernel
      self.forgetExponent = forgetExponent
      self.inputWeights = inputWeights
    }

    public var hasState: Bool { false }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads, kernel
      case forgetExponent = "forget_exponent"
      case inputWeights = "input_weights"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      kernel = try keys.kernel(.kernel) ?? 4
      forgetExponent = try keys.forgetExponent(.forgetExponent)
      inputWeights = try keys.decodeIfPresent(Bool.self, forKey: .inputWeights) ?? true
    }
  }

  public static let equations = """
    u = x W + b; [i,f] = SiLU(conv(u)) W_if + b + h₋R; [z,o] = u W_zo + b + h₋R; h = the step of slstm; \
    y = norm(h); W_if, W_zo, R of heads diagonal blocks; input_weights: false: u = x
    """
  public static let citation = "Beck 2024 (xLSTM)"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: 2 * hidden, heads: 2),
      Options(hidden: hidden, heads: 1, kernel: 2, forgetExponent: 0.7),
    ]
  }

  public static func readsInputItself(_ options: Options) -> Bool { !options.inputWeights }

  /// u, which becomes its gradient.
  public let preactivation: Activation
  /// y
  public let output: Activation
  private let convolution: InnerConvolution
  /// [i, f, z, o] head by head.
  private let gates: Activation
  /// W_if and W_zo, `[2 hidden, hidden / heads]`: one head's block below the other's.
  private let convolved, direct: Parameter
  private let bias: Parameter
  private let recurrence: SLSTMRecurrence
  private let norm: RowNormalization
  private let heads: Int
  /// The units of a head.
  private let units: Int

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    (heads, units) = (options.heads, n / options.heads)
    preactivation = plan.activation(n, derivative: .overwrites)
    convolution = .ofXLSTM(kernel: options.kernel, of: 0..<n, in: preactivation, in: &plan)
    gates = plan.activation(4 * n, derivative: .overwrites)
    let spread = Distribution.normal((2 / (5 * Double(n))).squareRoot())
    (convolved, direct) = (
      plan.parameter("weight_if", from: n / heads, to: 2 * n, gates: 2 * heads, pytorch: spread),
      plan.parameter("weight_zo", from: n / heads, to: 2 * n, gates: 2 * heads, pytorch: spread)
    )
    bias = plan.vector(
      "bias_gates", count: 4 * n, pytorch: .zero,
      parts: SLSTM.forgetBias(heads: heads, exponent: options.forgetExponent))
    recurrence = SLSTMRecurrence(
      hidden: n, heads: heads, zeroRows: plan.scope.initializer.isUniform ? 0 : 4 * n, in: &plan)
    norm = RowNormalization(
      NormOptions(.layernorm, eps: 1e-5, bias: false), width: n, heads: heads, prefix: "norm_",
      in: &plan)
    output = plan.activation(n)
  }

  public var gateBlocks: [GateBlock] { recurrence.gateBlocks(in: gates) }

  public var recurrentWeights: [Parameter] { [recurrence.weight] }

  // MARK: Steps

  public func forward(_ t: Int, _ pass: Pass) {
    convolution.forward(t, pass)
    let a = pass[gates, t]
    forEachHead(a) { head, inner, outer in
      inner.setProduct(
        pass[convolution.output, t].part(head, of: heads),
        pass[convolved].matrix.slice(rows: rows(head)).transposed,
        independentRows: pass.rowsAreIndependent)
      outer.setProduct(
        pass[convolution.input, t].part(head, of: heads),
        pass[direct].matrix.slice(rows: rows(head)).transposed,
        independentRows: pass.rowsAreIndependent)
    }
    a.addToEveryRow(pass[bias].row)
    recurrence.forward(a, t, pass)
    let own = pass.rows(of: t..<t + 1)
    norm.forward(pass[recurrence.output, t], into: pass[output, t], from: own.lowerBound, pass)
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let own = pass.rows(of: t..<t + 1)
    norm.backward(
      pass.d[output, t], reading: pass[recurrence.output, t], into: pass.d[recurrence.output, t],
      from: own.lowerBound, pass)
    let a = pass[gates, t]
    recurrence.backward(a, t, pass)
    forEachHead(a) { head, inner, outer in
      pass.d[convolution.output, t].part(head, of: heads).addProduct(
        inner, pass[convolved].matrix.slice(rows: rows(head)))
      pass.d[convolution.input, t].part(head, of: heads).addProduct(
        outer, pass[direct].matrix.slice(rows: rows(head)))
    }
    convolution.backward(t, pass)
  }

  public func accumulate(_ pass: Pass) {
    let da = pass[gates]
    forEachHead(da) { head, inner, outer in
      pass.d[convolved].slice(rows: rows(head)).addProduct(
        inner.transposed, pass[convolution.output].part(head, of: heads))
      pass.d[direct].slice(rows: rows(head)).addProduct(
        outer.transposed, pass[convolution.input].part(head, of: heads))
    }
    pass.d[bias].addColumnSums(da)
    recurrence.accumulate(da, pass)
  }

  // MARK: Parts

  /// Calls `body` with the columns [i, f] and [z, o] of every head.
  @inline(__always) private func forEachHead(_ a: Matrix, _ body: (Int, Matrix, Matrix) -> Void) {
    for head in 0..<heads {
      let own = a.part(head, of: heads)
      body(head, own.part(0, of: 2), own.part(1, of: 2))
    }
  }

  /// The rows of a head's block of W_if or W_zo.
  private func rows(_ head: Int) -> Range<Int> { 2 * units * head..<2 * units * (head + 1) }
}
