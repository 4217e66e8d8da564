extension NetworkCatalogue.Option {
  /// The keys of a layer, beside those of its cell.
  static var ofEveryLayer: [Self] {
    [
      Self("dropout", .null, 0.2), Self("weight_dropout", 0, 0.5), Self("residual", false, true),
      Self("bidirectional", .null, "concat", "sum"),
      Self(
        "initializer", .null, "pytorch", "orthogonal", "xavier", "lecun", "{uniform: 0.1}",
        "{normal: 0.1}", "{orthogonal: 0.5}"),
      Self("frozen", false, true), Self("rate", 1, 0.5),
      Self("initial_state", "zero", "learnt", "e0"), Self("feedback", "none", "output", "target"),
      Self("feedback_width", .null, 100), Self("feedback_nonlinearity", .null, "tanh", "relu"),
      Self("zoneout", 0, 0.1),
    ]
  }
}

// Networks without a registry: there is one of each.
extension NetworkCatalogue.Network {
  static var layers: [Self] { parts + blocks + surroundings + wholes + trees }

  /// The parts of a stack, beside cells.
  private static var parts: [Self] {
    [
      Self(
        "embedding", "Bengio 2003; embedding_scale: Vaswani 2017",
        [
          "x = E[symbol]; without an embedding, x is one-hot",
          "embedding_scale: x = c E[symbol], sqrt: c = √embedding",
          "embedding_norm: norm(x) for x",
        ],
        options: [
          Option("embedding", .null, 200),
          Option("embedding_initializer", .null, "{uniform: 0.1}"),
          Option("embedding_rate", 1, 0.5), Option("embedding_scale", .null, "sqrt", 22.6),
          Option("embedding_norm", .null, "layernorm"), Option("mup_base", .null, 64),
        ],
        parameters: [Parameter("encoder.weight", "symbols", "embedding")],
        example: "embedding 200 of 65 symbols has \(65 * 200) parameters"),
      Self(
        "linear", "{linear: units} in model.layers", ["y = x W + b"],
        options: [Option("linear", nil)],
        parameters: [Parameter("weight", "linear", "input"), Parameter("bias", "linear")],
        example: "linear 100 reading 200 has \(100 * 201) parameters"),
      Self(
        "dropout", "Zaremba 2014; variational and recurrent: Gal 2016",
        [
          "y = m∘x / (1 − p) in training with m = 0 at the rate p, otherwise y = x",
          "variational: m is the same for all steps of a window of a text, and of a sequence",
          "recurrent: also on the states that are multiplied with weights, m the same for as many "
            + "steps",
        ],
        options: [
          Option("dropout", 0, 0.2), Option("input_dropout", .null, 0.1),
          Option("variational", false, true), Option("recurrent", false, true),
        ]),
      Self(
        "embedding_dropout", "Gal & Ghahramani 2016, Merity 2017",
        [
          "x = m(symbol) E[symbol] / (1 − p) in training, m(symbol) = 0 at the rate p, else 1",
          "m is the same for all steps and streams of a window",
        ],
        options: [Option("embedding_dropout", 0, 0.1)]),
      Self(
        "weight_dropout", "DropConnect: Wan 2013, Merity 2017",
        [
          "m∘U / (1 − p) in place of each U in training, with m = 0 at the rate p, else 1",
          "m is the same for all steps and streams of a window",
        ],
        options: [Option("weight_dropout", 0, 0.5)]),
    ]
  }

  /// Residual blocks and their parts.
  private static var blocks: [Self] {
    [
      Self(
        "block", "{block: {norm, mixer, mlp}} in model.layers: He 2016, Xiong 2020",
        [
          "y = x + mixer(norm(x)), z = y + mlp(norm(y)); dropout before each sum",
          "mixer: u = conv(x W_in), y = (cell(u)∘f(x W_g)) W_out, each part where it is asked for",
          "mlp gelu, gelu_tanh, squared_relu: f(x W_up) W_down",
          "mlp geglu, geglu_tanh, swiglu: (f(x W_gate)∘(x W_up)) W_down (Shazeer 2020)",
          "mlp token_shift: x + μ∘(x₋ − x) for x (Peng 2023)",
          "gelu: x Φ(x) with the error function; gelu_tanh: ½ x (1 + tanh(√(2/π)(x + 0.044715 x³)))",
        ],
        options: [Option("block", .null), Option("repeat", 1, 12)],
        parameters: [
          Parameter("norm.weight", "width"), Parameter("mixer.out_proj.weight", "width", "h"),
          Parameter("mlp_norm.weight", "width"),
          Parameter("mlp.gate_up_proj.weight", "2·factor·width", "width"),
          Parameter("mlp.down_proj.weight", "width", "factor·width"),
        ],
        further: [
          "mixer.in_projection: P": [Parameter("mixer.in_proj.weight", "P", "width")],
          "mixer.gate": [Parameter("mixer.gate_proj.weight", "h", "width")],
        ],
        example: "a swiglu of factor 3 and width 100 has 90,700 parameters"
      ),
      Self(
        "norm", "rmsnorm: Zhang & Sennrich 2019; layernorm: Ba 2016",
        [
          "rmsnorm: y = g∘x / √(mean x² + ε), ε = 1e-6",
          "layernorm: y = g∘(x − mean x) / √(var x + ε) + b, ε = 1e-5",
          "final_norm: the normalisation of what the head reads",
        ],
        options: [Option("final_norm", .null, "rmsnorm", "layernorm")],
        parameters: [Parameter("final_norm.weight", "width")],
        further: ["layernorm": [Parameter("final_norm.bias", "width")]]),
      Self(
        "conv", "{conv: kernel} in model.layers, causal and depthwise",
        [
          "y(t) = f(b + Σ w(K−1−k)∘x(t−k)), k = 0 … K−1; x = 0 before a stream's first step",
          "activation: f = gelu, gelu_tanh, silu, sigmoid or squared_relu; none without it",
        ],
        options: [Option("conv", .null, 4)],
        parameters: [Parameter("weight", "kernel", "input"), Parameter("bias", "input")],
        example: "a kernel of 4 over 200 numbers has \(5 * 200) parameters"),
      Self(
        "token_shift", "{token_shift: true} in model.layers: Peng 2023",
        ["y = x + μ∘(x₋ − x), x₋ the input of the step before; μ = ½ at first"],
        options: [Option("token_shift", .null, true)],
        parameters: [Parameter("mix", "input")],
        example: "of 200 numbers has 200 parameters"),
    ]
  }

  /// The options around one layer.
  private static var surroundings: [Self] {
    [
      Self(
        "residual", "He 2015", ["y = x + layer(x), both of one width"],
        options: [Option("residual", false, true)]),
      Self(
        "bidirectional", "Schuster & Paliwal 1997",
        [
          "→h(t) of x(1), …, x(t); ←h(t) of x(L), …, x(t), L the sequence's true length",
          "concat: y(t) = [→h(t), ←h(t)]", "sum: y(t) = →h(t) + ←h(t)",
          "last layer, if a sequence has a single target: →h(L) and ←h(1)",
          "each direction has the layer's parameters, those of ←h with _reverse after their names",
        ],
        options: [Option("bidirectional", .null, "concat", "sum")],
        example: "lstm 100 reading 200 has \(2 * 400 * 302) parameters"),
      Self(
        "initial_state", "zero is the default; e0: Giles 1992",
        [
          "s₀ is the value of a state s where a stream begins", "zero: s₀ = 0",
          "learnt: s₀ = v, one vector for all streams, initially zero",
          "e0: s₀ = e₀ = (1, 0, …, 0) for the output state, 0 for others",
        ],
        options: [Option("initial_state", "zero", "learnt", "e0")],
        parameters: [Parameter("initial_h", "hidden"), Parameter("initial_c", "hidden")],
        example: "a learnt one of an lstm of 200 has 400 parameters"),
      Self(
        "zoneout", "Krueger 2017",
        [
          "s = m∘s̃ + (1 − m)∘s₋ of each state s̃ of a cell, with m = 0 at the rate p, else 1",
          "in evaluation m = 1 − p",
        ],
        options: [Option("zoneout", 0, 0.1)]),
      Self(
        "feedback", "Jordan 1986 in addition to Elman 1990",
        [
          "y = g(h V + c) for a cell with the output h; y is the layer's output",
          "y₋ R is added to the cell's x W + b", "g = tanh, relu, sigmoid or identity",
          "target: y₋ is the target of the step before, and h is the layer's output",
        ],
        options: [
          Option("feedback", "none", "output", "target"), Option("feedback_width", .null, 100),
          Option("feedback_nonlinearity", .null, "tanh", "relu"),
        ],
        parameters: [
          Parameter("weight_feedback_hy", "feedback_width", "h"),
          Parameter("weight_feedback_yh", "x W + b", "feedback_width"),
          Parameter("bias_feedback", "feedback_width"),
        ],
        further: [
          "feedback: target, symbols": [Parameter("weight_feedback_target", "symbols", "x W + b")],
          "feedback: target, numbers": [Parameter("weight_feedback_target", "x W + b", "numbers")],
        ]),
    ]
  }

  /// The options around a whole stack.
  private static var wholes: [Self] {
    [
      Self(
        "preset",
        "hawk: De 2024; m2rnn: Mishra 2026; mamba2: Dao & Gu 2024; minlm: Feng 2024; rwkv7: Peng 2025; "
          + "xlstm: Beck 2024; xlstm-7b: Beck 2025",
        [
          "hawk: depth blocks of width; in each y = x + (rg-lru(conv(x̂ W_in))∘gelu_tanh(x̂ W_g)) W_out, "
            + "x̂ = rmsnorm(x), then a geglu_tanh of 3·width",
          "lstm: y = x + lstm(x̂) W_out, then a swiglu of 8/3·width",
          "m2rnn: y = x + m2rnn(x̂) W_out with a kernel of 4 and heads of at most 64 units, "
            + "then a swiglu of 8/3·width",
          "mamba2: y = x + mamba2(x̂) W_out, with a mamba2 of 2·width units and no mlp",
          "minlm: y = x + min-gru(conv(x̂)) W_out, with a min-gru of 2·width units, then a gelu of 4·width",
          "rwkv7: y = x + rwkv7(layernorm(x)) W_out, then a squared_relu of 4·width with token_shift",
          "xlstm: y = x + xlstm-mlstm(layernorm(x)) W_out, with 2·width units and no mlp; the second of each "
            + "slstm_every blocks y = x + xlstm-slstm(layernorm(x)), then a geglu of 1.3·width",
          "xlstm-7b: y = x + matrix-lstm(x̂) W_out, then a swiglu of 2.6667·width",
        ],
        options: [
          Option("preset", .null, "hawk", "rwkv7"), Option("width", .null, 512),
          Option("depth", .null, 6), Option("slstm_every", .null, 8, 2),
        ]),
      Self(
        "shortcut", "Elman networks with shortcuts; the [1, u, x] of echo state networks",
        ["the head reads [h, x], the output of the last layer and the input of the first"],
        options: [Option("shortcut", false, true)],
        parameters: [Parameter("decoder.weight", "outputs", "h + input")],
        example: "10 symbols reading 20 numbers have 200 parameters more"),
      Self(
        "encoder", "Sutskever 2014, Cho 2014",
        [
          "s₀ = s(L) of each state s of the encoder's layer at the end of the source, or tanh(s(L) B)",
          "every_step: h(L) R is added to the x W + b of the decoder's first layer",
        ],
        options: [
          Option("encoder", .null), Option("context", "initial_state", "every_step", "both"),
        ],
        parameters: [
          Parameter("bridge_h", "h", "h of the encoder"),
          Parameter("weight_ih_context", "x W + b", "h of the encoder"),
        ]),
      Self(
        "attention",
        "additive: Bahdanau 2014; multiplicative, and output: Luong 2015; input: Bahdanau",
        [
          "α = softmax over the source's steps j of v · tanh(h W + e(j) U), or of h · e(j) U",
          "c = Σ α(j) e(j)", "output: y = tanh(c C + h H)",
          "input: c(t) of h(t−1), and c R is added to the x W + b of the decoder's first layer",
        ],
        options: [
          Option("attention", "none", "additive", "multiplicative"),
          Option("attention_place", "output", "input"),
        ],
        parameters: [
          Parameter("attention.weight", "h", "e"), Parameter("attention.weight_context", "h", "e"),
          Parameter("attention.weight_output", "h", "h"),
        ],
        further: [
          "attention: additive": [
            Parameter("attention.weight_source", "h", "e"),
            Parameter("attention.weight_query", "h", "h"), Parameter("attention.v", "h"),
          ]
        ]),
      Self(
        "condition", "z is the condition of a whole sequence",
        [
          "every_step, first_input: z R is added to x W + b at every step or the first",
          "initial_state: h₀ = z R",
          "z = [E₁[c₁], E₂[c₂], …, x] of classes c and numbers x; E = I without condition_embedding",
        ],
        options: [
          Option("condition", "every_step", "first_input", "initial_state"),
          Option("condition_embedding", nil),
        ],
        parameters: [
          Parameter("weight_ih_condition", "x W + b", "z"), Parameter("condition_h", "h", "z"),
          Parameter("condition.0.weight", "classes", "condition_embedding"),
        ]),
    ]
  }

  /// The cells of `model.tree`.
  private static var trees: [Self] {
    let options = [Option("tree.cell", nil, "plain", "lstm"), Option("tree.hidden", nil)]
    return [
      Self(
        "tree plain", "Socher 2011, 2013",
        ["h = tanh([h_l, h_r] W + b) at a node", "h = E[word] at a leaf, as wide as h"],
        options: options,
        parameters: [
          Parameter("tree.weight_hh", "hidden", "2·hidden"), Parameter("tree.bias", "hidden"),
        ],
        example: "hidden 30 has \(30 * 61) parameters"),
      Self(
        "tree lstm", "Tai, Socher & Manning 2015, N-ary with N = 2",
        [
          "i, o, f_l, f_r = σ(x W + [h_l, h_r] U + b)", "g = tanh(x W + [h_l, h_r] U + b)",
          "c = i∘g + f_l∘c_l + f_r∘c_r", "h = o∘tanh c",
          "a leaf has x = E[word] and no children, any other node children and no x",
        ],
        options: options,
        parameters: [
          Parameter("tree.weight_ih", "3·hidden", "embedding"),
          Parameter("tree.weight_hh", "5·hidden", "2·hidden"),
          Parameter("tree.bias", "5·hidden"),
        ],
        example: "hidden 150 reading 100 has \(450 * 100 + 750 * 301) parameters"),
    ]
  }
}
