internal import LinearAlgebra

/// The recurrent network with several layers inside one step (Pascanu, Gulcehre, Cho & Bengio 2014,
/// "How to Construct Deep Recurrent Neural Networks", the deep transition RNN, DT-RNN):
///
///     z_1 = f(x(t) W + h(t−1) U_1 + b_1)      z_k = f(z_{k−1} U_k + b_k)
///     h(t) = f(z_{L−1} U_L + b_L)
///
/// Only the first layer reads the input. A gradient that travels one step back passes L functions
/// f. With a shortcut it also has a path through one f alone (DT(S)-RNN of the same paper):
///
///     h(t) = f(z_{L−1} U_L + h(t−1) S + b_L)
///
/// U_1 is `weight_hh`, U_k and b_k for k > 1 are `weight_transition_k` and `bias_transition_k`, S is
/// `weight_shortcut`.
///
/// - `transition`: the widths of z_1 … z_{L−1}; the default is one layer of `hidden` units.
/// - `shortcut`: adds h(t−1) S.
public struct DeepTransition: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The widths of z_1 … z_{L−1}, at least one; `[hidden]` if nil.
    public var transition: [Int]?
    /// The nonlinearity f.
    public var nonlinearity: Nonlinearity
    public var shortcut: Bool

    public var widths: [Int] { transition ?? [hidden] }

    public init(
      hidden: Int, transition: [Int]? = nil, nonlinearity: Nonlinearity = .tanh,
      shortcut: Bool = false
    ) {
      self.hidden = hidden
      self.transition = transition
      self.nonlinearity = nonlinearity
      self.shortcut = shortcut
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      transition = try keys.decodeIfPresent([Int].self, forKey: .transition)
      nonlinearity = try keys.decodeIfPresent(Nonlinearity.self, forKey: .nonlinearity) ?? .tanh
      shortcut = try keys.decodeIfPresent(Bool.self, forKey: .shortcut) ?? false
      guard let transition else { return }
      guard !transition.isEmpty else {
        throw DecodingError.dataCorruptedError(
          forKey: .transition, in: keys,
          debugDescription: "transition needs the width of at least one inner layer, such as [64]; "
            + "without any the cell is elman")
      }
      for width in transition { _ = try keys.checkedWidth(width, .transition) }
    }
  }

  public static let equations = """
    z₁ = f(x W + h₋ U₁ + b₁); zₖ = f(zₖ₋₁ Uₖ + bₖ), one for each width of transition; \
    h = f(z Uₗ + bₗ), z the last of them, f = tanh, relu, sigmoid or identity; \
    shortcut: true: h = f(z Uₗ + h₋ S + bₗ)
    """
  public static let citation = "Pascanu 2014: DT-RNN, with a shortcut DT(S)-RNN"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, shortcut: true),
      Options(hidden: hidden, transition: [2 * hidden], nonlinearity: .sigmoid),
      Options(hidden: hidden, transition: [3 * hidden, 2 * hidden], shortcut: true),
      Options(hidden: hidden, transition: [2 * hidden]),
      Options(hidden: hidden, transition: [2 * hidden, 3 * hidden, hidden]),
      Options(hidden: hidden, transition: [2 * hidden], nonlinearity: .relu, shortcut: true),
      Options(hidden: hidden, nonlinearity: .identity),
    ]
  }

  /// The inner layer z_k and the weights of the layer after it.
  struct Inner: Sendable {
    /// z_k
    let value: Activation
    /// ∂z_k, kept for one step only.
    let derivative: Activation
    /// U_{k+1} and b_{k+1}
    let weight, bias: Parameter
    /// z_k U_{k+1} + …; in the backward pass its gradient replaces it.
    let sum: Activation
  }

  public let preactivation, output: Activation
  /// U_1
  let recurrent: Parameter
  let inner: [Inner]
  /// S
  let shortcut: Parameter?
  let nonlinearity: Nonlinearity

  public init(_ options: Options, in plan: inout Plan) {
    let (n, widths) = (options.hidden, options.widths)
    func spread(_ width: Int) -> Distribution { .uniform(1 / Double(width).squareRoot()) }
    nonlinearity = options.nonlinearity
    preactivation = plan.activation(widths[0], derivative: .overwrites)
    output = plan.state(n)
    recurrent = plan.parameter("weight_hh", from: n, to: widths[0], pytorch: spread(n))
    var inner: [Inner] = []
    for (k, (width, next)) in zip(widths, widths.dropFirst() + [n]).enumerated() {
      inner.append(
        Inner(
          value: plan.activation(width, derivative: .none), derivative: plan.stepTemporary(width),
          weight: plan.parameter(
            "weight_transition_\(k + 2)", from: width, to: next, pytorch: spread(width)),
          bias: plan.vector("bias_transition_\(k + 2)", count: next, pytorch: spread(width)),
          sum: plan.activation(next, derivative: .overwrites)))
    }
    self.inner = inner
    shortcut =
      options.shortcut
      ? plan.parameter("weight_shortcut", from: n, to: n, pytorch: spread(n)) : nil
  }

  public var recurrentWeights: [Parameter] {
    [recurrent] + inner.map(\.weight) + [shortcut].compactMap(\.self)
  }

  public var transitions: [Transition] {
    [
      Transition(
        [WeightBlock(recurrent)] + inner.map { WeightBlock($0.weight) },
        shortcut: shortcut.map { WeightBlock($0) })
    ]
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let past = pass.read(output, t)
    var a = pass[preactivation, t]
    a.addProduct(past, pass[recurrent])
    for layer in inner {
      let z = pass[layer.value, t]
      nonlinearity.respond(a, z)
      a = pass[layer.sum, t]
      a.fillEveryRow(pass[layer.bias].row)
      a.addProduct(z, pass[layer.weight])
    }
    if let shortcut { a.addProduct(past, pass[shortcut]) }
    nonlinearity.respond(a, pass[output, t])
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let dPast = pass.d.read(output, t)
    var (value, derivative) = (pass[output, t], pass.d[output, t])
    for (k, layer) in inner.enumerated().reversed() {
      let da = pass.d[layer.sum, t]
      nonlinearity.differentiate(value, derivative, da)
      if let shortcut, k == inner.count - 1 {
        dPast.addProduct(da, pass[shortcut].transposed)
      }
      (value, derivative) = (pass[layer.value, t], pass[layer.derivative, t])
      derivative.setProduct(da, pass[layer.weight].transposed)
    }
    let da = pass.d[preactivation, t]
    nonlinearity.differentiate(value, derivative, da)
    dPast.addProduct(da, pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let past = pass.read(output, lag: 1)
    pass.d[recurrent].addProduct(pass.d[preactivation].transposed, past)
    for layer in inner {
      let da = pass.d[layer.sum]
      pass.d[layer.weight].addProduct(da.transposed, pass[layer.value])
      pass.d[layer.bias].addColumnSums(da)
    }
    if let shortcut, let last = inner.last {
      pass.d[shortcut].addProduct(pass.d[last.sum].transposed, past)
    }
  }
}
