import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import Testing

/// Output layers for many symbols: the adaptive softmax, the sampled softmax, and the soft cap.
@Suite struct `Output layers for many symbols` {
  private struct Oracle: Decodable {
    struct Case: Decodable {
      struct Output: Decodable {
        let kind: String
        let cutoffs: [Int]?
        let div_value, soft_cap: Double?
        let head_bias: Bool?
        let samples: Int?
      }
      let output: Output
      let targets: [Int32]
      let loss: Double
      let correct: Int
      let parameters, gradients: [String: [Double]]
      let log_probabilities: [Double]
    }
    let vocabulary, embedding, width, streams, steps, step: Int
    let seed: UInt64
    let inputs: [Int32]
    let cases: [Case]
  }

  private static let oracle: Oracle = NumericalTestSupport.oracle("heads")
  private static let tolerance = MemoryLayout<Real>.size == 8 ? 1e-11 : 1e-5

  /// A model of the oracle with its numbers and its window.
  private struct Measured {
    let model: SequenceModel
    let weights, gradient: ParameterVector
    let tape: Tape
    let batch: Batch

    /// - Parameter ranks: The rank of each symbol; nil for its index. The oracle's symbols are ranks.
    init(_ entry: Oracle.Case, ranks: [Int32]?) {
      let (oracle, output) = (oracle, entry.output)
      var options = SequenceModelOptions(
        embedding: oracle.embedding, layers: [LayerOptions(.linear(oracle.width))])
      switch output.kind {
      case "adaptive":
        options.output.kind = .adaptive(
          AdaptiveOptions(cutoffs: output.cutoffs, divValue: output.div_value!))
        options.output.bias = output.head_bias! ? .learnt() : .none
      case "sampled": options.output.kind = .sampled(output.samples!)
      default: break
      }
      options.output.softCap = output.soft_cap
      options.output.order = ranks == nil ? .index : .frequency
      model = SequenceModel(
        options, vocabulary: oracle.vocabulary, seed: oracle.seed, ranks: ranks)
      let layout = ParameterLayout(model.plan)
      (weights, gradient) = (ParameterVector(layout), ParameterVector(layout))
      weights.initialize(seed: 1)
      gradient.clear()
      weights.update { weights in
        for parameter in layout.entries where parameter.name != "decoder.ranks" {
          for (k, number) in entry.parameters[parameter.name]!.enumerated() {
            weights.elements(of: parameter)[k] = Real(number)
          }
        }
      }
      batch = Batch(rows: oracle.inputs.count)
      batch.begin(steps: oracle.steps, streams: oracle.streams)
      batch.step = oracle.step
      for row in oracle.inputs.indices {
        batch.inputs.start[row] = oracle.inputs[row]
        let target = entry.targets[row]
        batch.targets.start[row] =
          target < 0 ? target : ranks.map { Int32($0.firstIndex(of: target)!) } ?? target
      }
      tape = Tape(model.plan, steps: oracle.steps, streams: oracle.streams, derivatives: true)
    }

    func run(training: Bool) -> Pass {
      let pass = tape.begin(batch, weights: weights, gradient: training ? gradient : nil)
      model.forward(pass)
      if training { model.backward(pass) }
      return pass
    }
  }

  /// A permutation of the symbols.
  private static let ranks = (0..<Int32(oracle.vocabulary)).map { ($0 * 5 + 3) % 23 }
  private static let reversed = (0..<Int32(oracle.vocabulary)).reversed().map { $0 }

  @Test(arguments: [0, 1, 2, 3], [false, true])
  func `have PyTorch's losses, probabilities and gradients`(index: Int, isPermuted: Bool) {
    let (oracle, entry) = (Self.oracle, Self.oracle.cases[index])
    guard entry.output.kind == "adaptive" || !isPermuted else { return }
    let ranks = isPermuted ? Self.ranks : nil
    let measured = Measured(entry, ranks: ranks)
    for isTraining in [false, true] {
      let pass = measured.run(training: isTraining)
      #expect((pass.loss.sum / entry.loss - 1).magnitude < Self.tolerance)
      #expect(pass.loss.targets == entry.targets.count { $0 >= 0 })
      if isTraining {
        #expect(pass.loss.correct <= entry.correct)
      } else {
        #expect(pass.loss.correct == entry.correct)
      }
      let losses = pass.loss.rows.elements(count: entry.targets.count)
      #expect((losses.reduce(0) { $0 + Double($1) } / entry.loss - 1).magnitude < 1e-5)
    }
    expectGradients(entry, measured)
    let pass = measured.run(training: false)
    for t in 0..<oracle.steps {
      let outputs = measured.model.outputs(at: t, pass)
      for s in 0..<oracle.streams {
        let normaliser = outputs[s].logSumExp
        for symbol in 0..<oracle.vocabulary {
          let rank = Int(ranks?[symbol] ?? Int32(symbol))
          let row = t * oracle.streams + s
          let exact = entry.log_probabilities[row * oracle.vocabulary + rank]
          let found = Double(outputs[s, symbol] - normaliser)
          #expect((found - exact).magnitude < 20 * Self.tolerance)
        }
      }
    }
  }

  private func expectGradients(_ entry: Oracle.Case, _ measured: Measured) {
    for parameter in measured.weights.layout.entries where parameter.name != "decoder.ranks" {
      let exact = entry.gradients[parameter.name]!
      let size = max(exact.map(\.magnitude).max()!, 1)
      for (k, number) in exact.enumerated() {
        let found = Double(measured.gradient.elements(of: parameter)[k])
        #expect((found - number).magnitude < Self.tolerance * size, "\(parameter.name)[\(k)]")
      }
    }
  }

  /// With the program's random numbers computed by the script.
  @Test(arguments: [4, 5])
  func `sample symbols as TensorFlow's sampled softmax does`(index: Int) {
    let entry = Self.oracle.cases[index]
    let measured = Measured(entry, ranks: Self.reversed)
    // Symbols of the script are symbols here; their ranks are in reverse.
    for row in entry.targets.indices { measured.batch.targets.start[row] = entry.targets[row] }
    let pass = measured.run(training: true)
    #expect((pass.loss.sum / entry.loss - 1).magnitude < Self.tolerance)
    expectGradients(entry, measured)
    // Another window with the same gradient doubles it; another step has other samples.
    _ = measured.run(training: true)
    let entries = measured.gradient.layout.entries
    let weight = entries.first { $0.name == "decoder.weight" }!
    let size = entry.gradients["decoder.weight"]!.map(\.magnitude).max()!
    for (k, number) in entry.gradients["decoder.weight"]!.enumerated() {
      let found = Double(measured.gradient.elements(of: weight)[k])
      #expect((found - 2 * number).magnitude < 4 * Self.tolerance * size)
    }
    measured.batch.step += 1
    #expect((measured.run(training: true).loss.sum / entry.loss - 1).magnitude > 1e-3)
    // Evaluation computes all logits, and counts what is predicted.
    let whole = measured.run(training: false)
    var loss = 0.0
    for (row, target) in entry.targets.enumerated() where target >= 0 {
      loss -= entry.log_probabilities[row * Self.oracle.vocabulary + Int(target)]
    }
    #expect((whole.loss.sum / loss - 1).magnitude < Self.tolerance)
    #expect(whole.loss.correct == entry.correct)
  }

  @Test(arguments: [0, 1, 2], [1, 2, 3, 6, 23])
  func `keep the likeliest symbols where other clusters are left out`(index: Int, count: Int) {
    let measured = Measured(Self.oracle.cases[index], ranks: Self.ranks)
    let pass = measured.run(training: false)
    var leftOut = 0
    for t in 0..<Self.oracle.steps {
      let outputs = measured.model.head.outputs(at: t, pass)
      let all = (0..<outputs.rows).map { Array(outputs[$0].elements) }
      let some = measured.model.head.outputs(at: t, pass, likeliest: count)
      for (s, row) in all.enumerated() {
        let order = row.indices.sorted { row[$0] > row[$1] }
        for symbol in order.prefix(count) {
          #expect((some[s, symbol] - row[symbol]).magnitude < 1e-5)
        }
        for symbol in row.indices where some[s, symbol] == -.infinity { leftOut += 1 }
      }
    }
    #expect(count == 23 ? leftOut == 0 : count > 3 || leftOut > 0)
  }

  private static let kinds: [OutputOptions] = [
    OutputOptions(.adaptive(AdaptiveOptions(cutoffs: [3, 5], divValue: 2)), bias: .none),
    OutputOptions(.adaptive(AdaptiveOptions(cutoffs: [2], divValue: 1.5)), softCap: 0.8),
    OutputOptions(.sampled(3)), OutputOptions(.sampled(2), softCap: 0.7, bias: .none),
    OutputOptions(softCap: 0.5), OutputOptions(softCap: 2, bias: .none),
  ]

  private static func options(_ output: OutputOptions) -> SequenceModelOptions {
    SequenceModelOptions(
      embedding: 3, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))],
      output: output)
  }

  @Test(arguments: kinds)
  func `give the same sums in several blocks as in parts`(_ output: OutputOptions) {
    func run(_ streams: Range<Int>) -> (loss: Double, gradient: [Double]) {
      let trial = WindowTrial(Self.options(output), streams: streams.count, steps: 1)
      trial.fill(window: 0, streams: streams.count, steps: 1, firstStream: streams.lowerBound)
      trial.batch.step = 3
      for s in streams where s % 7 == 3 {
        trial.batch.targets.start[s - streams.lowerBound] = Batch.noTarget
      }
      let loss = trial.run(training: true)
      return (loss, trial.gradient.buffer.elements().map { Double($0) })
    }
    let whole = run(0..<2900)
    let parts = stride(from: 0, to: 2900, by: 290).map { run($0..<$0 + 290) }
    #expect((whole.loss / parts.reduce(0) { $0 + $1.loss } - 1).magnitude < 1e-4)
    let size = whole.gradient.map(\.magnitude).max()!
    for (k, number) in whole.gradient.enumerated() {
      #expect((number - parts.reduce(0) { $0 + $1.gradient[k] }).magnitude < 1e-4 * size)
    }
  }

  @Test(arguments: kinds)
  func `have no loss and no gradient without targets`(_ output: OutputOptions) {
    let trial = WindowTrial(Self.options(output), streams: 1, steps: 1)
    trial.fill(window: 0, streams: 1, steps: 1)
    trial.batch.targets.start[0] = Batch.noTarget
    #expect(trial.run(training: true) == 0)
    #expect(trial.tape.loss.targets == 0 && trial.tape.loss.correct == 0)
    #expect(trial.gradient.buffer.elements().allSatisfy { $0 == 0 })
    // One row with a target, and none in the other clusters.
    for target in 0..<Int32(WindowTrial.vocabulary) {
      trial.batch.targets.start[0] = target
      let (trained, evaluated) = (trial.run(training: true), trial.run(training: false))
      #expect(trained.isFinite && evaluated > 0)
      if case .sampled = output.kind { continue }
      #expect((trained - evaluated).magnitude < 1e-5)
    }
  }

  @Test func `give an excluded symbol no probability`() {
    for (kind, symbol) in [(Self.kinds[0], 6), (Self.kinds[1], 0), (Self.kinds[2], 4)] {
      for cutoffs in [[3, 5], [3, 6]] {
        var options = Self.options(kind)
        if case .adaptive(var adaptive) = kind.kind {
          adaptive.cutoffs = cutoffs
          options.output.kind = .adaptive(adaptive)
        }
        options.end = .halt
        let model = SequenceModel(
          options,
          interface: TaskSignature(
            input: .symbols(7), output: .symbols(7),
            ends: TaskSignature.Ends(symbol: symbol, longest: 9)), seed: 3)
        let weights = drawWeights(model.plan, spread: 0.8)
        weights.update { weights in
          guard let ranks = weights.layout.entry(named: "decoder.ranks") else { return }
          for k in 0..<7 { weights.elements(of: ranks)[k] = Real(k) }
        }
        let tape = Tape(model.plan, steps: 1, streams: 2, derivatives: true)
        let batch = Batch(rows: 2)
        batch.begin(steps: 1, streams: 2)
        for s in 0..<2 { (batch.inputs.start[s], batch.targets.start[s]) = (1, Int32(s + 1)) }
        let gradient = ParameterVector(weights.layout)
        gradient.clear()
        let pass = tape.begin(batch, weights: weights, gradient: gradient)
        model.forward(pass)
        #expect(pass.loss.sum.isFinite)
        #expect(gradient.buffer.elements().allSatisfy { $0.isFinite })
        // The inner probabilities and that of ending.
        let l = model.outputs(at: 0, pass)
        for s in 0..<2 { #expect((l[s].logSumExp).magnitude < 1e-5) }
      }
    }
  }

  @Test func `choose rising cutoffs below the number of symbols`() {
    for (count, width, cutoffs) in [
      (32_000, 650, [1424, 11_340]), (250_000, 650, [6005, 72_134]), (10_000, 12, [630]),
      (7, 200, [3, 5]), (3, 200, [2]),
    ] {
      let options = SequenceModelOptions(
        embedding: 3, layers: [LayerOptions(.linear(width))],
        output: OutputOptions(.adaptive(AdaptiveOptions())))
      let model = SequenceModel(options, vocabulary: count, seed: 1)
      let layout = ParameterLayout(model.plan)
      let head = layout.entry(named: "decoder.head.weight")!
      #expect(head.rows == cutoffs[0] + cutoffs.count, "\(count)")
      for (index, first) in cutoffs.enumerated() {
        let last = index + 1 < cutoffs.count ? cutoffs[index + 1] : count
        #expect(layout.entry(named: "decoder.tail.\(index).1.weight")?.rows == last - first)
      }
    }
    let one = SequenceModelOptions(
      embedding: 3, layers: [LayerOptions(.linear(4))],
      output: OutputOptions(.adaptive(AdaptiveOptions())))
    #expect(one.incompatibility(with: TaskSignature(vocabulary: 1)) != nil)
  }

  #if REAL_IS_DOUBLE
    @Test(arguments: kinds)
    func `have gradients that agree with central differences`(_ output: OutputOptions) {
      let trial = WindowTrial(Self.options(output))
      trial.fill(window: 0)
      trial.batch.step = 2
      trial.batch.targets.start[3] = Batch.noTarget
      trial.run(training: true)
      let exact = Array(trial.gradient.buffer.elements())
      for entry in trial.weights.layout.entries where !entry.isFrozen {
        for k in entry.range {
          let (w, step) = (trial.weights.buffer.start[k], 1e-5)
          func value(_ x: Double) -> Double {
            trial.weights.update { $0.buffer.start[k] = x }
            return trial.run(training: true)
          }
          let numerical = (value(w + step) - value(w - step)) / (2 * step)
          _ = value(w)
          #expect((numerical - exact[k]).magnitude < 1e-8, "\(entry.name)[\(k - entry.offset)]")
        }
      }
    }
  #endif
}
