// What has no registry: there is one of each.
extension NetworkCatalogue.Network {
  static var layers: [Self] { parts + trees }

  private static var parts: [Self] {
    [
      Self(
        name: "embedding", equations: ["x = E[symbol]"], source: "Bengio 2003",
        options: [
          Option(key: "embedding", standard: nil, others: []),
          Option(
            key: "embedding_initializer", standard: .null, others: [.string("{uniform: 0.1}")]),
        ],
        parameters: [Parameter(name: "encoder.weight", shape: ["symbols", "embedding"])],
        example: "embedding 200 of 65 symbols has \(65 * 200) parameters"),
      Self(
        name: "linear", equations: ["y = x W + b"], source: "{linear: units} in model.layers",
        options: [Option(key: "linear", standard: nil, others: [])],
        parameters: [
          Parameter(name: "weight", shape: ["linear", "input"]),
          Parameter(name: "bias", shape: ["linear"]),
        ],
        example: "linear 100 reading 200 has \(100 * 201) parameters"),
      Self(
        name: "dropout",
        equations: [
          "y = m∘x / (1 − p) in training with m = 0 at the rate p, otherwise y = x",
          "variational: m is the same for all steps of a window",
          "recurrent: also on the states that products read, m the same for all steps of a window",
        ],
        source: "Zaremba 2014; variational and recurrent: Gal 2016",
        options: [
          Option(key: "dropout", standard: .integer(0), others: [.number(0.2)]),
          Option(key: "input_dropout", standard: .null, others: [.number(0.1)]),
          Option(key: "variational", standard: .bool(false), others: [.bool(true)]),
          Option(key: "recurrent", standard: .bool(false), others: [.bool(true)]),
        ],
        parameters: [], example: ""),
      Self(
        name: "residual", equations: ["y = x + layer(x), both of one width"], source: "He 2015",
        options: [Option(key: "residual", standard: .bool(false), others: [.bool(true)])],
        parameters: [], example: ""),
      Self(
        name: "zoneout",
        equations: [
          "s = m∘s̃ + (1 − m)∘s₋ of each state s̃ of a cell, with m = 0 at the rate p, else 1",
          "in evaluation m = 1 − p",
        ],
        source: "Krueger 2017",
        options: [Option(key: "zoneout", standard: .integer(0), others: [.number(0.1)])],
        parameters: [], example: ""),
      Self(
        name: "feedback",
        equations: [
          "y = g(h V + c) of a cell that shows h, which is what the layer shows",
          "y₋ R is added to the cell's x W + b", "g = tanh, relu, sigmoid or identity",
          "target: y₋ is the last target, and the layer shows h",
        ],
        source: "Jordan 1986 beside Elman 1990",
        options: [
          Option(
            key: "feedback", standard: .string("none"),
            others: [.string("output"), .string("target")]),
          Option(key: "feedback_width", standard: .null, others: [.integer(100)]),
          Option(
            key: "feedback_nonlinearity", standard: .null,
            others: [.string("tanh"), .string("relu")]),
        ],
        parameters: [
          Parameter(name: "weight_feedback_hy", shape: ["feedback_width", "h"]),
          Parameter(name: "weight_feedback_yh", shape: ["x W + b", "feedback_width"]),
          Parameter(name: "bias_feedback", shape: ["feedback_width"]),
          Parameter(
            name: "weight_feedback_target", shape: ["symbols", "x W + b"]),
        ], example: ""),
      Self(
        name: "encoder",
        equations: [
          "s₀ = s(L) of each state s of the encoder's layer at the end of the source, or tanh(s(L) B)",
          "every_step: h(L) R is added to the x W + b of the decoder's first layer",
        ],
        source: "Sutskever 2014, Cho 2014",
        options: [
          Option(key: "encoder", standard: .null, others: []),
          Option(
            key: "context", standard: .string("initial_state"),
            others: [.string("every_step"), .string("both")]),
        ],
        parameters: [
          Parameter(name: "bridge_h", shape: ["h", "h of the encoder"]),
          Parameter(name: "weight_ih_context", shape: ["x W + b", "h of the encoder"]),
        ], example: ""),
      Self(
        name: "attention",
        equations: [
          "α = softmax over the source's steps j of v · tanh(h W + e(j) U), or of h · e(j) U",
          "c = Σ α(j) e(j)", "output: y = tanh(c C + h H)",
          "input: c(t) of h(t−1), and c R is added to the x W + b of the decoder's first layer",
        ],
        source: "additive: Bahdanau 2014; multiplicative, and output: Luong 2015; input: Bahdanau",
        options: [
          Option(
            key: "attention", standard: .string("none"),
            others: [.string("additive"), .string("multiplicative")]),
          Option(key: "attention_place", standard: .string("output"), others: [.string("input")]),
        ],
        parameters: [
          Parameter(name: "attention.weight", shape: ["h", "e"]),
          Parameter(name: "attention.weight_context", shape: ["h", "e"]),
          Parameter(name: "attention.weight_output", shape: ["h", "h"]),
        ], example: ""),
      Self(
        name: "condition",
        equations: [
          "every_step, first_input: z R is added to x W + b at every step or the first",
          "initial_state: h₀ = z R",
        ],
        source: "z is known of a whole sequence",
        options: [
          Option(
            key: "condition", standard: .string("every_step"),
            others: [.string("first_input"), .string("initial_state")])
        ],
        parameters: [
          Parameter(name: "weight_ih_condition", shape: ["x W + b", "z"]),
          Parameter(name: "condition_h", shape: ["h", "z"]),
        ], example: ""),
    ]
  }

  /// The cells of `model.tree`.
  private static var trees: [Self] {
    let options = [
      Option(key: "model.tree.cell", standard: nil, others: []),
      Option(key: "model.tree.hidden", standard: nil, others: []),
    ]
    return [
      Self(
        name: "tree plain",
        equations: ["h = tanh([h_l, h_r] W + b) at a node", "h = E[word] at a leaf, as wide as h"],
        source: "Socher 2011, 2013",
        options: options,
        parameters: [
          Parameter(name: "tree.weight_hh", shape: ["hidden", "2·hidden"]),
          Parameter(name: "tree.bias", shape: ["hidden"]),
        ],
        example: "hidden 30 has \(30 * 61) parameters"),
      Self(
        name: "tree lstm",
        equations: [
          "i, o, f_l, f_r = σ(x W + [h_l, h_r] U + b)", "g = tanh(x W + [h_l, h_r] U + b)",
          "c = i∘g + f_l∘c_l + f_r∘c_r", "h = o∘tanh c",
          "a leaf has x = E[word] and no children, any other node children and no x",
        ],
        source: "Tai, Socher & Manning 2015, N-ary with N = 2",
        options: options,
        parameters: [
          Parameter(name: "tree.weight_ih", shape: ["3·hidden", "embedding"]),
          Parameter(name: "tree.weight_hh", shape: ["5·hidden", "2·hidden"]),
          Parameter(name: "tree.bias", shape: ["5·hidden"]),
        ],
        example: "hidden 150 reading 100 has \(450 * 100 + 750 * 301) parameters"),
    ]
  }

  static var heads: [Self] {
    [
      Self(
        name: "softmax",
        equations: [
          "l = h W + b", "p = exp l / Σ exp l", "loss = −ln p(target), in nats",
          "tied: W is the embedding's matrix",
        ],
        source: "tied: Press & Wolf 2016, Inan 2016",
        options: [
          Option(key: "tied", standard: .bool(false), others: [.bool(true)]),
          Option(key: "output_bias", standard: .bool(true), others: [.bool(false)]),
          Option(key: "output_initializer", standard: .null, others: [.string("{uniform: 0.1}")]),
        ],
        parameters: [
          Parameter(name: "decoder.weight", shape: ["symbols", "input"]),
          Parameter(name: "decoder.bias", shape: ["symbols"]),
        ],
        example: "65 symbols reading 200 have \(65 * 201) parameters, tied 65"),
      Self(
        name: "halt",
        equations: [
          "p(end at t) = σ(h(t) w + b), before the output of t",
          "loss = −ln p(end), or −ln(1 − p(end)) beside that of the output",
        ],
        source: "Goodfellow, Bengio & Courville 2016, 10.2.3",
        options: [
          Option(key: "end", standard: .string("symbol"), others: [.string("halt")])
        ],
        parameters: [
          Parameter(name: "halt.weight", shape: ["1", "input"]),
          Parameter(name: "halt.bias", shape: ["1"]),
        ],
        example: "reading 200 has 201 parameters"),
      Self(
        name: "length",
        equations: [
          "p(τ) = softmax(v W + b) of the number of outputs τ = 0 … the most to train on",
          "v: what an encoder has read and a condition, where there are such; loss = −ln p(τ)",
          "ln(1 + τ − t) R, or ln(1 + τ) R, is added to the x W + b of the first layer with a cell",
        ],
        source: "Goodfellow, Bengio & Courville 2016, 10.2.3",
        options: [
          Option(key: "end", standard: .string("symbol"), others: [.string("length")]),
          Option(
            key: "length_input", standard: .string("remaining"),
            others: [.string("total"), .string("none")]),
          Option(key: "longest", standard: .null, others: [.integer(200)]),
        ],
        parameters: [
          Parameter(name: "length.weight", shape: ["lengths", "v"]),
          Parameter(name: "length.bias", shape: ["lengths"]),
          Parameter(name: "weight_ih_length", shape: ["x W + b", "1"]),
        ],
        example: "lengths up to 30 of which nothing is known have 31 parameters"),
    ]
  }
}
