// Networks without a registry: there is one of each.
extension NetworkCatalogue.Network {
  static var heads: [Self] { outputs + manySymbols + ends }

  /// The heads for the outputs of a step.
  private static var outputs: [Self] {
    let bias = Option("output_bias", true, false)
    let initializer = Option("output_initializer", .null, "{uniform: 0.1}")
    let drawnBias = Option("output_bias_initializer", .null, "{uniform: 0}")
    let rate = Option("output_rate", 1, 0.5)
    return [
      Self(
        "softmax", "tied: Press & Wolf 2016, Inan 2016",
        [
          "l = h W + b", "p = exp l / Σ exp l", "loss = −ln p(target), in nats",
          "tied: W is the embedding's matrix",
          "soft_cap c: l = c tanh((h W + b) / c)",
        ],
        options: [
          Option("tied", false, true), bias, initializer, drawnBias, rate,
          Option("output", "{kind: full}", "{soft_cap: 30}"),
        ],
        parameters: [
          Parameter("decoder.weight", "symbols", "input"), Parameter("decoder.bias", "symbols"),
        ],
        example: "65 symbols reading 200 have \(65 * 201) parameters, tied 65"),
      Self(
        "squared error", "for targets that are numbers",
        ["y = h W + b", "loss = 1/n Σⱼ (yⱼ − vⱼ)² for the n target numbers v of a step"],
        options: [bias, initializer, drawnBias, rate],
        parameters: [
          Parameter("decoder.weight", "numbers", "input"), Parameter("decoder.bias", "numbers"),
        ],
        example: "12 numbers reading 200 have \(12 * 201) parameters"),
      Self(
        "logistic", "for targets of several labels, each of which may hold",
        [
          "p = σ(h W + b), one for each label",
          "loss = −Σⱼ ln pⱼ for labels that hold, ln(1 − pⱼ) for others, in nats",
        ],
        options: [bias, initializer, drawnBias, rate],
        parameters: [
          Parameter("decoder.weight", "labels", "input"), Parameter("decoder.bias", "labels"),
        ],
        example: "88 labels reading 200 have \(88 * 201) parameters"),
    ]
  }

  /// The heads for many symbols, in place of the softmax.
  private static var manySymbols: [Self] {
    [
      Self(
        "adaptive softmax", "Grave, Joulin, Cissé, Grangier & Jégou 2017",
        [
          "a = h A + b: one logit for each of the first k₀ symbols and for each cluster",
          "lᵢ = (h Pᵢ) Wᵢ: the logits of cluster i, Pᵢ of width ⌊input / div_value^(i + 1)⌋",
          "ln p = ln softmax(a)(symbol), or ln softmax(a)(cluster i) + ln softmax(lᵢ)(symbol)",
          "symbols in the order of their frequency; loss = −ln p(target)",
        ],
        options: [Option("output", "{kind: full}", "{kind: adaptive, cutoffs: [2000, 10000]}")],
        parameters: [
          Parameter("decoder.head.weight", "k₀ + clusters", "input"),
          Parameter("decoder.head.bias", "k₀ + clusters"),
          Parameter("decoder.tail.i.0.weight", "width i", "input"),
          Parameter("decoder.tail.i.1.weight", "symbols of cluster i", "width i"),
          Parameter("decoder.ranks", "symbols"),
        ],
        example: "32000 symbols reading 650 have 3490992 parameters, and 20832000 in a softmax"),
      Self(
        "sampled softmax", "Jean, Cho, Memisevic & Bengio 2015",
        [
          "in training: l(j) = h · W(j) + b(j) − ln Q(j) for the target and S sampled symbols j",
          "Q(r) = 1 − (1 − p(r))ⁿ, p(r) = ln((r + 2) / (r + 1)) / ln(V + 1) of rank r, n draws",
          "a sample that is the target does not count; loss = ln Σ exp l − l(target)",
          "in evaluation: the softmax",
        ],
        options: [Option("output", "{kind: full}", "{kind: sampled, samples: 8192}")],
        parameters: [
          Parameter("decoder.weight", "symbols", "input"), Parameter("decoder.bias", "symbols"),
          Parameter("decoder.ranks", "symbols"),
        ],
        example: "32000 symbols reading 650 have \(32000 * 651) parameters"),
    ]
  }

  /// The heads for the end of a sequence, beside one of the others.
  private static var ends: [Self] {
    [
      Self(
        "halt", "Goodfellow, Bengio & Courville 2016, 10.2.3",
        [
          "p(end at t) = σ(h(t) w + b), before the output of t",
          "loss = −ln p(end), or −ln(1 − p(end)) in addition to that of the output",
        ],
        options: [Option("end", "symbol", "halt")],
        parameters: [Parameter("halt.weight", "1", "input"), Parameter("halt.bias", "1")],
        example: "reading 200 has 201 parameters"),
      Self(
        "length", "Goodfellow, Bengio & Courville 2016, 10.2.3",
        [
          "p(τ) = softmax(v W + b), τ = 0 … the largest number of outputs in training",
          "v: the encoder's result and the condition, if there are any; loss = −ln p(τ)",
          "ln(1 + τ − t) R, or ln(1 + τ) R, is added to the x W + b of the first layer with a cell",
        ],
        options: [
          Option("end", "symbol", "length"),
          Option("length_input", "remaining", "total", "none"), Option("longest", .null, 200),
        ],
        parameters: [
          Parameter("length.weight", "lengths", "v"), Parameter("length.bias", "lengths"),
          Parameter("weight_ih_length", "x W + b", "1"),
        ],
        example: "lengths up to 30 without v have 31 parameters"),
    ]
  }
}
