import Glibc
import LinearAlgebra
import Recurrence
import Testing

/// How a symbol is drawn from logits.
@Suite struct `Sampling a symbol` {
  static let logits: [Real] = [0.5, -1, 2, 0.25, -3, 1.5, 0.5]

  /// The share of each symbol among draws at evenly spaced uniform numbers.
  private func shares(_ sampling: Sampling, draws: Int = 20_000) -> [Double] {
    var counts = [Int](repeating: 0, count: Self.logits.count)
    let memory = Buffer<Real>(count: counts.count)
    let row = Matrix(memory, rows: 1, columns: counts.count)[0]
    for draw in 0..<draws {
      for (j, logit) in Self.logits.enumerated() { row[j] = logit }
      let uniform = (Double(draw) + 0.5) / Double(draws)
      counts[Int(sampling.draw(row, uniform)!)] += 1
    }
    return counts.map { Double($0) / Double(draws) }
  }

  /// The probabilities by their definition.
  private func expected(_ sampling: Sampling) -> [Double] {
    let weights = Self.logits.indices.map { j in
      sampling.excluded.contains(Int32(j)) ? 0 : exp(Double(Self.logits[j]) / sampling.temperature)
    }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }

  private func exp(_ x: Double) -> Double {
    // A plain series, so that nothing of the program is in the expectation.
    var (term, sum) = (1.0, 1.0)
    for k in 1..<80 {
      term *= x / Double(k)
      sum += term
    }
    return sum
  }

  @Test(arguments: [0.5, 1, 3], [[], [2], [0, 5]] as [Set<Int32>])
  func `symbols come as often as their probability says`(
    _ temperature: Double, _ excluded: Set<Int32>
  ) {
    let sampling = Sampling(temperature: temperature, excluded: excluded)
    for (share, probability) in zip(shares(sampling), expected(sampling)) {
      #expect((share - probability).magnitude < 2e-4)
    }
    // All of them, but sorted: the way of the likeliest ones.
    var sorted = sampling
    sorted.topK = Self.logits.count
    for (share, probability) in zip(shares(sorted), expected(sampling)) {
      #expect((share - probability).magnitude < 2e-4)
    }
  }

  @Test func `only the likeliest are drawn where that is asked`() {
    let two = shares(Sampling(topK: 2))
    #expect(two.indices.filter { two[$0] > 0 } == [2, 5])
    #expect((two[2] - exp(0.5) / (1 + exp(0.5))).magnitude < 2e-4)
    // 2 and 1.5 have 0.459 and 0.278 of the probability.
    let most = shares(Sampling(topP: 0.7))
    #expect(most.indices.filter { most[$0] > 0 } == [2, 5])
    // e^(1.5 − 2) = 0.61 of the likeliest, e^(0.5 − 2) = 0.22, e^(0.25 − 2) = 0.17.
    let near = shares(Sampling(minP: 0.2))
    #expect(near.indices.filter { near[$0] > 0 } == [0, 2, 5, 6])
    let total = exp(2) + exp(1.5) + 2 * exp(0.5)
    #expect((near[2] - exp(2) / total).magnitude < 2e-4)
    let nearest = shares(Sampling(temperature: 2, topK: 3, minP: 0.7))
    #expect(nearest.indices.filter { nearest[$0] > 0 } == [2, 5])
    #expect(shares(Sampling(temperature: 0))[2] == 1)
    #expect(shares(Sampling(temperature: 1e-300))[2] == 1)
    #expect(shares(Sampling(temperature: 1e-300, excluded: [2]))[5] == 1)
  }

  /// The distribution by a sort of everything.
  private func sorted(_ logits: [Real], _ sampling: Sampling) -> [(symbol: Int32, p: Double)] {
    var all = logits.enumerated().map { (symbol: Int32($0), logit: Double($1)) }
    all.removeAll { sampling.excluded.contains($0.symbol) || $0.logit == -.infinity }
    all.sort { ($1.logit, $0.symbol) < ($0.logit, $1.symbol) }
    if let k = sampling.topK { all = Array(all.prefix(k)) }
    let weights = all.map { Glibc.exp(($0.logit - all[0].logit) / sampling.temperature) }
    let total = weights.reduce(0, +)
    var kept: [(symbol: Int32, p: Double)] = []
    var sum = 0.0
    for (candidate, weight) in zip(all, weights) where sum < sampling.topP {
      kept.append((candidate.symbol, weight / total))
      sum += weight / total
    }
    return kept.map { ($0.symbol, $0.p / sum) }
  }

  @Test func `the likeliest are those of a sort of all, whatever their number`() {
    let count = 700
    let random = Philox(seed: 4, name: "logits")
    let memory = Buffer<Real>(count: count)
    let row = Matrix(memory, rows: 1, columns: count)[0]
    let uniforms = (0..<60).map { random.uniform(1_000_000 + UInt64($0)) }
    for (spread, steps) in [(6.0, 1e6), (0.3, 1e6), (4, 1.5), (0, 1)] {
      // Few different logits where there are few steps, so that there are ties.
      let logits = (0..<count).map { j in
        j % 97 == 5
          ? -Real.infinity : Real((random.uniform(UInt64(j)) * steps).rounded() / steps * spread)
      }
      for (k, p) in [
        (nil, 0.01), (nil, 0.5), (nil, 0.9), (nil, 0.9999), (1, 1), (2, 1), (40, 1), (86, 1),
        (88, 1),
        (690, 1), (5000, 1), (50, 0.6), (300, 0.95),
      ] as [(Int?, Double)] {
        for temperature in [0.4, 1, 2.5] {
          let sampling = Sampling(
            temperature: temperature, topK: k, topP: p, excluded: [3, 17, 699, 900])
          let wanted = sorted(logits, sampling)
          for (j, logit) in logits.enumerated() { row[j] = logit }
          let found = sampling.distribution(row)
          #expect(found.map(\.symbol) == wanted.map(\.symbol), "\(String(describing: k)), \(p)")
          #expect(zip(found, wanted).allSatisfy { ($0.probability - $1.p).magnitude < 1e-12 })
          for uniform in uniforms {
            for (j, logit) in logits.enumerated() { row[j] = logit }
            guard k != nil || p < 1 else { continue }
            var rest = uniform
            let symbol = wanted.first {
              rest -= $0.p
              return rest < 0
            }?.symbol
            #expect(sampling.draw(row, uniform) == symbol ?? wanted.last!.symbol)
          }
        }
      }
    }
  }

  /// The sum of so many powers is not what a number in single precision can hold.
  @Test func `rare symbols are drawn as rarely as they should be`() throws {
    let count = 3_000
    let logits = (0..<count).map { Real(-Double(($0 * 7919) % 3_001) / 250) }
    let memory = Buffer<Real>(count: count)
    let row = Matrix(memory, rows: 1, columns: count)[0]
    func fill() { for (j, logit) in logits.enumerated() { row[j] = logit } }
    fill()
    _ = row.exponentiate(minus: 0)
    var bounds: [Double] = []
    var sum = 0.0
    for j in 0..<count {
      sum += Double(row[j])
      bounds.append(sum)
    }
    // On either side of each bound, nearer than single precision tells apart.
    for j in stride(from: 0, to: count - 1, by: 13) + [count - 2] {
      for (offset, symbol) in [(-1e-11, j), (1e-11, j + 1)] {
        fill()
        let drawn = Sampling().draw(row, bounds[j] / sum + offset)
        #expect(drawn == Int32(symbol), "at the bound of symbol \\(j)")
      }
    }
  }

  @Test func `a generator draws with numbers of 53 bits`() throws {
    let trial = WindowTrial(
      SequenceModelOptions(
        embedding: 3, layers: [LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 5)))]),
      spread: 0.5)
    let generator = Generator(trial.model, weights: trial.weights, seed: 3)
    let twin = Generator(trial.model, weights: trial.weights, seed: 9)
    let random = Philox(seed: 3, name: "generate")
    generator.read(1)
    twin.read(1)
    for k in 0..<50 {
      let symbol = try #require(generator.next())
      #expect(twin.logits.map { Sampling().draw($0, random.fineUniform(UInt64(k))) } == symbol)
      twin.read(symbol)
    }
  }

  @Test func `nothing is drawn where everything is excluded`() {
    let memory = Buffer<Real>(count: 3)
    let row = Matrix(memory, rows: 1, columns: 3)[0]
    #expect(Sampling(excluded: [0, 1, 2]).draw(row, 0.5) == nil)
    #expect(Sampling(topK: 2, excluded: [0, 1, 2]).draw(row, 0.5) == nil)
  }
}

@Suite struct `Drawing with targets fed back` {
  @Test func `loaders what was drawn, as a window loaders its targets`() throws {
    let layer = LayerOptions(
      .recurrent(cell: "jordan", Jordan.Options(hidden: 5, teacherForcing: true)))
    let trial = WindowTrial(
      SequenceModelOptions(embedding: 3, layers: [layer], output: OutputOptions(bias: .none)),
      spread: 1.5)
    // So that what is fed back decides.
    trial.weights.update { weights in
      for entry in weights.layout.entries where entry.name.contains("weight_yh") {
        Philox(seed: 8, name: "fed").fillUniform(weights[entry], scale: 4)
      }
    }
    let greedy = Sampling(temperature: 0)
    var told: [[Int32]] = []
    for last in Int32(0)..<Int32(WindowTrial.vocabulary) {
      let generator = Generator(trial.model, weights: trial.weights, seed: 1)
      let prompt = [3, 1, last]
      for symbol in prompt { generator.read(symbol) }
      let drawn = [try #require(generator.next(greedy)), try #require(generator.next(greedy))]

      let text = prompt + drawn
      trial.batch.begin(steps: 4, streams: 1)
      for t in 0..<4 {
        trial.batch.inputs.start[t] = text[t]
        trial.batch.targets.start[t] = text[t + 1]
      }
      trial.tape.clearCarried()
      trial.run(training: false)
      let pass = trial.tape.pass(over: trial.batch, weights: trial.weights)
      for (t, symbol) in [(2, drawn[0]), (3, drawn[1])] {
        let likeliest = try #require(greedy.draw(trial.model.outputs(at: t, pass)[0], 0.5))
        #expect(likeliest == symbol, "after \(prompt), at step \(t)")
      }
      told.append(drawn)
    }
    #expect(Set(told).count > 1)
  }
}
