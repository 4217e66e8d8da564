import AllocationCounter
import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import Testing

@Suite(.serialized) struct `Blocks` {
  private func outputs(_ trial: WindowTrial) -> [Real] {
    Array(trial.tape.loss.rows.elements(count: trial.batch.rows))
  }

  private func expectClose(_ a: [Real], _ b: [Real], _ what: String) {
    let tolerance = MemoryLayout<Real>.size == 8 ? 1e-11 : 2e-5
    #expect(a.count == b.count, "\(what)")
    let worst = zip(a, b).map { abs(Double($0) - Double($1)) }.max() ?? 0
    #expect(worst < tolerance, "\(what): \(worst)")
  }

  @Test(arguments: [1, 2, 3, 7])
  func `are computed alike however a text is cut into windows, and documents begin anew`(
    length: Int
  ) {
    let (steps, resets) = (13, [(3, 0), (4, 1), (9, 1), (10, 1)])
    for (what, options) in BlockCases.cases {
      let whole = WindowTrial(options, steps: steps)
      whole.fill(window: 0, steps: steps, resets: resets)
      whole.run(training: false)
      let cut = WindowTrial(options, steps: length)
      var losses: [Real] = []
      for start in stride(from: 0, to: steps, by: length) {
        let count = min(length, steps - start)
        cut.fill(
          window: 0, steps: count, from: start,
          resets: resets.filter { $0.0 >= start && $0.0 < start + count }
            .map { ($0.0 - start, $0.1) })
        cut.run(training: false)
        cut.tape.carryStates()
        losses += outputs(cut)
      }
      expectClose(losses, outputs(whole), what)
      // Where documents begin matters.
      whole.fill(window: 0, steps: steps)
      whole.run(training: false)
      #expect(zip(losses, outputs(whole)).contains { abs($0 - $1) > 1e-4 }, "\(what)")
    }
  }

  @Test func `carry their inputs and states from window to window`() {
    for (what, options) in BlockCases.cases {
      let halves = WindowTrial(options)
      var losses: [Real] = []
      for window in 0..<2 {
        halves.fill(window: window)
        halves.run(training: false)
        halves.tape.carryStates()
        losses += outputs(halves)
      }
      let whole = WindowTrial(options, steps: 2 * WindowTrial.steps)
      whole.fill(window: 0, steps: 2 * WindowTrial.steps)
      whole.run(training: false)
      expectClose(losses, outputs(whole), what)
      halves.tape.clearCarried()
      halves.fill(window: 1)
      halves.run(training: false)
      #expect(outputs(halves) != Array(losses[(WindowTrial.steps * WindowTrial.streams)...]))
    }
  }

  @Test func `do not mix streams`() {
    for (what, options) in BlockCases.cases {
      let both = WindowTrial(options)
      both.fill(window: 0)
      both.run(training: false)
      for stream in 0..<WindowTrial.streams {
        let one = WindowTrial(options)
        one.fill(window: 0, streams: 1, firstStream: stream)
        one.run(training: false)
        let rows = (0..<WindowTrial.steps).map { outputs(both)[$0 * WindowTrial.streams + stream] }
        expectClose(outputs(one), rows, "\(what), stream \(stream)")
      }
    }
  }

  @Test(arguments: Precision.allCases) func `allocate nothing in a training window`(
    _ precision: Precision
  ) {
    for (what, options) in BlockCases.cases {
      let trial = WindowTrial(options)
      trial.weights.precision = precision
      trial.fill(window: 0)
      trial.run(training: true)
      func window(resets: Bool) {
        if resets { trial.batch.hasResets = true }
        let pass = trial.tape.begin(trial.batch, weights: trial.weights, gradient: trial.gradient)
        trial.model.forward(pass)
        trial.model.backward(pass)
        trial.tape.carryStates()
      }
      window(resets: false)
      allocation_counter_start()
      for _ in 0..<3 { window(resets: false) }
      window(resets: true)
      let count = allocation_counter_stop()
      #expect(count == 0, "\(what) allocates \(count) times in four windows")
    }
  }

  #if !REAL_IS_DOUBLE
    @Test func `are computed alike however much padding there is`() {
      let interface = TaskSignature(
        input: .symbols(SequenceTrial.symbols), output: .symbols(SequenceTrial.symbols))
      for (what, options) in BlockCases.cases {
        let trial = SequenceTrial(SequenceModel(options, interface: interface, seed: 1))
        let loss = trial.run()
        for (s, length) in SequenceTrial.lengths.enumerated() {
          for t in length..<SequenceTrial.steps {
            trial.batch.inputs.elements()[t * SequenceTrial.streams + s] = 6
          }
        }
        #expect(trial.run() == loss && loss.isFinite, "\(what): padding is seen")
      }
    }
  #endif

  @Test func `of a deep model are planned in less than a second`() {
    let options = SequenceModelOptions(
      embedding: 4096, layers: Array(repeating: deep, count: 48), finalNorm: NormOptions())
    let clock = ContinuousClock()
    var model: SequenceModel?
    // The shortest of some, as other tests run at the same time.
    let time = (0..<4).map { _ in
      clock.measure { model = SequenceModel(options, vocabulary: 32_000, seed: 1) }
    }.min()!
    #expect(time < .seconds(1), "48 blocks take \(time)")
    #expect(ParameterLayout(model!.plan).entries.count > 48 * 15)
  }

  private var deep: LayerOptions {
    BlockCases.block(
      "rg-lru", RGLRU.Options(hidden: 4096, heads: 16, inputWeights: false), inProjection: 4096,
      convolution: ConvolutionOptions(kernel: 4), gate: .geluTanh, outProjection: true,
      mlp: MLPOptions(.gegluTanh, factor: 3))
  }

  @Test func `are refused in one sentence where their widths do not fit`() throws {
    #expect(
      refusal(
        ofModel: #"""
          {"embedding": 6, "layers": [{"block": {"mixer": {"cell": "gru", "hidden": 5,
          "out_projection": false}}}]}
          """#)?.sentence
        == "layer 0 has a mixer of 5 numbers inside a block of 6; set out_projection to true")
    #expect(
      refusal(
        ofModel: #"""
          {"embedding": 6, "layers": [{"cell": "rg-lru", "hidden": 5, "input_weights": false}]}
          """#)?.sentence
        == "layer 0 reads its input itself, so hidden (5) must be the width of that (6); set "
        + "input_weights to true")
    #expect(
      refusal(ofModel: #"{"layers": [{"conv": 9}]}"#)?.sentence
        == "a convolution reads 2 to 8 steps, not 9")
    #expect(
      refusal(
        ofModel: #"{"embedding": 4, "layers": [{"cell": "rg-lru", "hidden": 6, "heads": 4}]}"#)?
        .sentence == "heads must be a divisor of hidden (6), and 4 is none")
    #expect(
      refusal(
        ofModel: #"""
          {"embedding": 4, "layers": [{"residual": true,
          "block": {"mixer": {"cell": "gru", "hidden": 6}}}]}
          """#)?.sentence
        == "a block has residual connections already; remove residual")
    #expect(
      refusal(
        ofModel: #"""
          {"embedding": 4, "layers": [{"bidirectional": "sum",
          "block": {"mixer": {"cell": "gru", "hidden": 6}}}]}
          """#)?.sentence
        == "a block layer cannot be bidirectional; remove bidirectional")
  }

  @Test func `are written once and repeated`() throws {
    let written = try decodeModel(
      #"""
      {"embedding": 6, "layers": [{"repeat": 3, "block": {"mixer": {"cell": "gru", "hidden": 5},
      "mlp": "swiglu"}}, {"cell": "lstm", "hidden": 4}]}
      """#)
    #expect(written.layers.count == 4 && written.layers[0] == written.layers[2])
    #expect(
      written.layers[0]
        == BlockCases.block("gru", GRU.Options(hidden: 5), mlp: MLPOptions(.swiglu)))
    // What is written again is the same model.
    let again = try JSONDecoder().decode(
      ModelOptions.self, from: JSONEncoder().encode(written))
    #expect(again == written)
    for (what, options) in BlockCases.cases {
      let data = try JSONEncoder().encode(ModelOptions.sequence(options))
      let again = try JSONDecoder().decode(ModelOptions.self, from: data)
      #expect(again == .sequence(options), "\(what)")
    }
  }

  @Test(arguments: PointwiseFunction.allCases)
  func `have the functions of their gates`(_ function: PointwiseFunction) {
    // In Double by the C library; far into both tails.
    func exact(_ x: Double) -> Double {
      switch function {
      case .gelu: 0.5 * x * erfc(-x / 2.0.squareRoot())
      case .geluTanh:
        0.5 * x * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
      case .silu: x / (1 + Foundation.exp(-x))
      case .sigmoid: 1 / (1 + Foundation.exp(-x))
      case .squaredRelu: x > 0 ? x * x : 0
      }
    }
    for k in -400...400 {
      let x = Real(Double(k) / 37)
      let (expected, found) = (exact(Double(x)), Double(function.value(x)))
      // The tanh form itself cancels far below zero. In double precision the C library is no more exact
      // than what it is compared with.
      let isDouble = Real.self == Double.self
      let least = isDouble ? 0.1 : 1e-4
      let size = function == .geluTanh ? max(abs(expected), least) : abs(expected)
      #expect(
        abs(found - expected) <= (isDouble ? 400 : 40) * Double(Real.ulpOfOne) * size + 1e-37,
        "\(function) of \(x) is \(expected), not \(found)")
    }
  }
}

@Suite struct `Presets` {
  @Test func `hawk has the blocks and the first weights of the reference`() throws {
    let (width, depth) = (96, 3)
    let options = try #require(
      try decodeModel(#"{"preset": "hawk", "width": 96, "depth": 3}"#).sequence)
    #expect(options.layers.count == depth && options.tied && options.embedding == width)
    let model = SequenceModel(options, vocabulary: 211, seed: 1)
    let layout = ParameterLayout(model.plan)
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    // The standard deviations of `reset_parameters` of recurrentgemma; all means are zero.
    let (read, out) = (1 / Double(width), 2 / Double(depth))
    let spreads: [String: Double] = [
      "encoder.weight": read, "mixer.gate_proj.weight": read, "mixer.in_proj.weight": read,
      "mixer.out_proj.weight": out / Double(width), "mixer.conv.weight": 0.01 / 4,
      "mixer.weight_a_gate_l0": read, "mixer.weight_input_gate_l0": read,
      "mlp.gate_up_proj.weight": read, "mlp.down_proj.weight": out / Double(3 * width),
    ].mapValues { $0.squareRoot() }
    for entry in layout.entries {
      let values = weights.elements(of: entry).map { Double($0) }
      let name = entry.name.replacing(/layers\.\d+\./, with: "")
      let mean = values.reduce(0, +) / Double(values.count)
      let spread = (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(values.count))
        .squareRoot()
      if let expected = spreads[name] {
        #expect(abs(spread / expected - 1) < 0.1, "\(entry.name): \(spread), not \(expected)")
        // Five standard deviations of a mean.
        let most = 5 * expected / Double(values.count).squareRoot()
        #expect(abs(mean) < most, "\(entry.name): \(mean)")
      } else if name.hasSuffix("norm.weight") {
        #expect(values.allSatisfy { $0 == 1 }, "\(entry.name)")
      } else if name == "mixer.a_param_l0" {
        // ρ = e^(−softplus Λ), whose square is uniform.
        let squares = values.map { 1 / ((1 + Foundation.exp($0)) * (1 + Foundation.exp($0))) }
        #expect(squares.allSatisfy { (0.81 - 1e-6...0.998001 + 1e-6).contains($0) })
        #expect(abs(squares.reduce(0, +) / Double(squares.count) - 0.904) < 0.02)
      } else {
        #expect(name.contains("bias") && values.allSatisfy { $0 == 0 }, "\(entry.name)")
      }
    }
  }

  /// The uniform numbers u that values were made of rise evenly from 0 to 1.
  private func expectUniform(_ values: [Double], _ what: String) {
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(values.count)
    // Five standard deviations of a mean, and a tenth of the deviation.
    #expect(abs(mean - 0.5) < 5 / (12 * Double(values.count)).squareRoot(), "\(what): \(mean)")
    #expect(abs((12 * variance).squareRoot() - 1) < 0.15, "\(what): \(variance)")
    #expect(values.allSatisfy { (-1e-5...1 + 1e-5).contains($0) }, "\(what)")
  }

  /// The share of the way from the least to the most time step, on a logarithmic scale.
  private func placeOfStep(_ bias: Double) -> Double {
    let step = Foundation.log1p(Foundation.exp(bias))
    return Foundation.log(step / 1e-3) / Foundation.log(100)
  }

  @Test func `mamba2 has the blocks and the first weights of the reference`() throws {
    let (width, depth) = (2048, 1)
    let options = try #require(
      try decodeModel(#"{"preset": "mamba2", "width": 2048, "depth": 1}"#).sequence)
    #expect(options.layers.count == depth && options.tied && options.embedding == width)
    let model = SequenceModel(options, vocabulary: 211, seed: 1)
    let layout = ParameterLayout(model.plan)
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    // 64 heads of 64 numbers, and a state of 128.
    let inner = 4096
    let entry = try #require(layout.entry(named: "layers.0.mixer.weight_ih_l0"))
    #expect(entry.shape == [2 * inner + 2 * 128 + 64, width])
    // Uniform between −s and s in PyTorch's layers; the others are normal.
    let bounds = [
      "mixer.weight_ih_l0": 1 / Double(width).squareRoot(), "mixer.conv_weight_l0": 0.5,
      "mixer.conv_bias_l0": 0.5,
    ]
    let deviations = [
      "encoder.weight": 0.02, "mixer.out_proj.weight": 1 / Double(3 * depth * inner).squareRoot(),
    ]
    for entry in layout.entries {
      let values = weights.elements(of: entry).map { Double($0) }
      let name = entry.name.replacing(/layers\.\d+\./, with: "")
      if let bound = bounds[name] {
        expectUniform(values.map { ($0 / bound + 1) / 2 }, entry.name)
      } else if let expected = deviations[name] {
        let square = values.map { $0 * $0 }.reduce(0, +) / Double(values.count)
        #expect(abs(square.squareRoot() / expected - 1) < 0.02, "\(entry.name)")
      } else if name == "mixer.A_log_l0" {
        expectUniform(values.map { (Foundation.exp($0) - 1) / 15 }, entry.name)
      } else if name == "mixer.dt_bias_l0" {
        expectUniform(values.map(placeOfStep), entry.name)
      } else {
        #expect(
          (name.contains("norm") || name == "mixer.D_l0") && values.allSatisfy { $0 == 1 },
          "\(entry.name)")
      }
    }
  }

  @Test func `m2rnn has the blocks and the first weights of the reference`() throws {
    let (width, depth) = (192, 3)
    let options = try #require(
      try decodeModel(#"{"preset": "m2rnn", "width": 192, "depth": 3}"#).sequence)
    #expect(options.layers.count == depth && options.tied && options.embedding == width)
    let model = SequenceModel(options, vocabulary: 211, seed: 1)
    let layout = ParameterLayout(model.plan)
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    let (read, inner) = (1 / Double(width), 512.0)
    let spreads: [String: Double] = [
      "encoder.weight": read, "mixer.weight_ih_l0": read, "mixer.conv_weight_l0": 1 / 4.0,
      "mixer.out_proj.weight": read / Double(2 * depth), "mlp.gate_up_proj.weight": read,
      "mlp.down_proj.weight": 1 / (inner * Double(2 * depth)),
    ].mapValues { $0.squareRoot() }
    for entry in layout.entries {
      let values = weights.elements(of: entry).map { Double($0) }
      let name = entry.name.replacing(/^layers\.\d+\./, with: "")
      if let expected = spreads[name] {
        let mean = values.reduce(0, +) / Double(values.count)
        let spread = (values.map { $0 * $0 }.reduce(0, +) / Double(values.count)).squareRoot()
        #expect(abs(spread / expected - 1) < 0.05, "\(entry.name): \(spread), not \(expected)")
        let most = 5 * expected / Double(values.count).squareRoot()
        #expect(abs(mean) < most, "\(entry.name): \(mean)")
      } else if name == "mixer.weight_state_l0" {
        // Three heads of 64 × 64, one below the other.
        #expect(entry.rows == width && entry.columns == 64)
        for (k, value) in values.enumerated() { #expect(value == (k / 64 % 64 == k % 64 ? 1 : 0)) }
      } else if name == "mixer.A_log_l0" {
        #expect(values.count == 3 && values.allSatisfy { $0 <= Foundation.log(16.0) + 1e-6 })
      } else if name == "mixer.dt_bias_l0" {
        // softplus⁻¹ of 0.001 and of 0.1
        #expect(values.count == 3 && values.allSatisfy { (-6.9073 ... -2.2521).contains($0) })
      } else {
        #expect(
          name.hasSuffix("norm.weight") || name == "mixer.norm_weight_l0"
            || name == "mixer.skip_l0",
          "\(entry.name)")
        #expect(values.allSatisfy { $0 == 1 }, "\(entry.name)")
      }
    }
  }

  @Test func `the gates of a cell of many heads start over the whole range of the reference`()
    throws
  {
    let heads = 2000
    let options = SequenceModelOptions(
      embedding: 4,
      layers: [
        LayerOptions(
          .recurrent(
            cell: "m2rnn", M2RNN.Options(hidden: heads, heads: heads, keyWidth: heads)))
      ])
    let weights = ParameterVector(
      ParameterLayout(SequenceModel(options, vocabulary: 5, seed: 1).plan))
    weights.initialize(seed: 3)
    func values(_ name: String) throws -> [Double] {
      let entry = try #require(weights.layout.entry(named: "rnn.\(name)_l0"))
      return weights.elements(of: entry).map { Double($0) }
    }
    /// The mean and the standard deviation of a uniform distribution, and its ends.
    func expectUniform(_ values: [Double], _ low: Double, _ high: Double, _ what: String) {
      let mean = values.reduce(0, +) / Double(values.count)
      let spread = (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(values.count))
        .squareRoot()
      let (width, margin) = (high - low, 1e-5 * (high - low))
      #expect(values.allSatisfy { (low - margin...high + margin).contains($0) }, "\(what)")
      #expect(abs(mean - (low + high) / 2) < 0.04 * width, "\(what): \(mean)")
      #expect(abs(spread - width / 12.0.squareRoot()) < 0.02 * width, "\(what): \(spread)")
    }
    expectUniform(try values("A_log").map { Foundation.exp($0) }, 0, 16, "exp(A)")
    let steps = try values("dt_bias").map { Foundation.log(Foundation.log1p(Foundation.exp($0))) }
    expectUniform(steps, Foundation.log(1e-3), Foundation.log(0.1), "ln softplus(b)")
  }

  @Test func `a gated-deltanet has the first weights of the reference`() throws {
    let options = try #require(
      try decodeModel(
        #"{"embedding": 24, "layers": [{"cell": "gated-deltanet", "hidden": 400, "heads": 100}]}"#
      ).sequence)
    let model = SequenceModel(options, vocabulary: 7, seed: 1)
    let layout = ParameterLayout(model.plan)
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    func values(_ name: String) throws -> [Double] {
      weights.elements(of: try #require(layout.entry(named: name), "\(name)")).map { Double($0) }
    }
    let bound = 1 / 24.0.squareRoot()
    expectUniform(try values("rnn.weight_ih_l0").map { ($0 / bound + 1) / 2 }, "W")
    expectUniform(try values("rnn.conv_weight_l0").map { $0 + 0.5 }, "the convolution")
    expectUniform(
      try values("rnn.A_log_l0").map { (Foundation.exp($0) - 0.01) / 15.99 }, "exp(A)")
    expectUniform(try values("rnn.dt_bias_l0").map(placeOfStep), "b")
    #expect(try values("rnn.norm_weight_l0") == Array(repeating: 1, count: 4))
  }

  /// The first weights that the package xlstm draws, as `xlstm_paper.py` writes them.
  private struct XLSTMFirstWeights: Decodable {
    struct Case: Decodable { let first: First? }
    struct First: Decodable {
      let model: String
      let vocabulary: Int
      /// The mean, the standard deviation, the least and the largest number of each parameter.
      let parameters: [String: [Double]]
    }
    let cases: [Case]
  }

  @Test func `xlstm has the blocks and the distribution of first weights of the package`() throws {
    let oracle: XLSTMFirstWeights = NumericalTestSupport.oracle("xlstm_paper")
    let first = try #require(oracle.cases.compactMap(\.first).first)
    let options = try #require(try decodeModel(first.model).sequence)
    let layout = ParameterLayout(
      SequenceModel(options, vocabulary: first.vocabulary, seed: 1).plan)
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    #expect(Set(layout.entries.map(\.name)) == Set(first.parameters.keys))
    for entry in layout.entries {
      let values = weights.elements(of: entry).map { Double($0) }
      let count = Double(values.count)
      let expected = try #require(first.parameters[entry.name])
      let (mean, spread) = (expected[0], expected[1])
      let ownMean = values.reduce(0, +) / count
      let own = (values.map { ($0 - ownMean) * ($0 - ownMean) }.reduce(0, +) / count).squareRoot()
      if entry.name.contains("bias_gates") || spread == 0 {
        // Fixed numbers, but for the four input biases of a matrix memory, 0.1 wide.
        let margin = values.count == 8 ? 0.2 : 1e-5
        #expect(abs(ownMean - mean) < margin && abs(own - spread) < margin, "\(entry.name)")
        #expect(abs(values.max()! - expected[3]) < 1e-6, "\(entry.name)")
        continue
      }
      // Of two samples of the same distribution: six deviations of the mean, and of the spread.
      #expect(abs(ownMean - mean) < 6 * spread * (2 / count).squareRoot(), "\(entry.name)")
      #expect(
        abs(own / spread - 1) < 6 / count.squareRoot(), "\(entry.name): \(own), not \(spread)")
      #expect(abs(values.max()! / expected[3] - 1) < 0.5, "\(entry.name)")
    }
  }

  @Test func `xlstm has one sLSTM in each run of blocks, seven to one unless it says otherwise`()
    throws
  {
    func kinds(_ depth: Int, _ every: Int?) throws -> String {
      let key = every.map { ", \"slstm_every\": \($0)" } ?? ""
      let model = #"{"preset": "xlstm", "width": 12, "depth": \#(depth)\#(key)}"#
      let options = try #require(try decodeModel(model).sequence)
      #expect(
        options.presetSection == "{preset: xlstm, width: 12, depth: \(depth)"
          + (every.map { ", slstm_every: \($0)}" } ?? "}"))
      return options.layers.map { $0.cell?.name == "xlstm-slstm" ? "s" : "m" }.joined()
    }
    #expect(try kinds(10, nil) == "msmmmmmmms")
    #expect(try kinds(5, 2) == "msmsm")
    #expect(try kinds(5, 3) == "msmms")
    #expect(try kinds(3, 1) == "sss")
    #expect(try kinds(3, 0) == "mmm")
  }

  @Test func `xlstm has the widths of the package, and heads that fit in a cache`() throws {
    func cells(_ width: Int) throws -> [String: any CellOptions] {
      let options = try #require(SequenceModelOptions.preset("xlstm", width: width, depth: 2))
      return Dictionary(
        uniqueKeysWithValues: options.layers.map { ($0.cell!.name, $0.cell!.options) })
    }
    func memory(_ width: Int) throws -> MatrixXLSTM.Options? {
      try cells(width)["xlstm-mlstm"] as? MatrixXLSTM.Options
    }
    #expect(try memory(256) == MatrixXLSTM.Options(hidden: 512, heads: 4))
    #expect(try memory(100) == MatrixXLSTM.Options(hidden: 256, heads: 4))
    #expect(try memory(768) == MatrixXLSTM.Options(hidden: 1536, heads: 12))
    let scalar = try #require(try cells(99)["xlstm-slstm"] as? ScalarXLSTM.Options)
    #expect(scalar.heads == 3 && scalar.hidden == 99 && !scalar.inputWeights)
    // ⌈1.3 · width / 64⌉ · 64, also where 1.3 · width is a little above a multiple.
    for (width, inner) in [(64, 128), (128, 192), (148, 256), (640, 832)] {
      let options = try #require(SequenceModelOptions.preset("xlstm", width: width, depth: 2))
      guard case .block(let block) = options.layers[1].kind else { preconditionFailure("a block") }
      #expect(block.mlp?.width(of: width) == inner)
    }
  }

  @Test func `are refused beside what they make`() {
    #expect(
      refusal(ofModel: #"{"preset": "hawk", "width": 8, "depth": 1, "layers": [{"linear": 8}]}"#)?
        .sentence == "a preset makes the layers; remove model.preset, or what stands beside it")
    #expect(
      refusal(ofModel: #"{"preset": "howk", "width": 8, "depth": 1}"#)?.sentence
        == "no preset is called howk; did you mean \"hawk\"?")
    #expect(
      refusal(ofModel: #"{"width": 8, "layers": [{"linear": 8}]}"#)?.sentence
        == "width is that of a preset; set model.preset, or remove it")
    #expect(
      refusal(ofModel: #"{"preset": "hawk", "width": 8, "depth": 2, "slstm_every": 2}"#)?.sentence
        == "slstm_every is that of the preset xlstm; remove it")
    #expect(
      refusal(ofModel: #"{"preset": "xlstm", "width": 8, "depth": 1, "slstm_every": 8}"#)?.sentence
        == "slstm_every: 8 makes no slstm of a single block; set it to 0 or 1")
    #expect(
      refusal(ofModel: #"{"preset": "xlstm", "width": 8, "depth": 2, "slstm_every": -1}"#)?.sentence
        == "slstm_every must not be negative")
    #expect(
      refusal(ofModel: #"{"slstm_every": 2, "layers": [{"linear": 8}]}"#)?.sentence
        == "slstm_every is that of a preset; set model.preset, or remove it")
    #expect(
      refusal(
        ofModel: #"{"final_norm": {"kind": "rmsnorm", "bias": false}, "layers": [{"linear": 8}]}"#)?
        .sentence == "bias is that of a layernorm; remove it, or set kind to layernorm")
    #expect(
      refusal(ofModel: #"{"layers": [{"cell": "xlstm-mlstm", "hidden": 10}]}"#)?.sentence
        == "hidden must be a multiple of 4, the size of the blocks of its weights")
  }
}
