import Glibc
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Texts that are sampled side by side, after prompts that are read by windows.
@Suite struct `Generating texts` {
  private static let symbols = 7

  private func make(_ options: SequenceModelOptions) -> (SequenceModel, ParameterVector) {
    let model = SequenceModel(options, vocabulary: Self.symbols, seed: 1)
    let weights = drawWeights(model.plan, spread: 0.8)
    return (model, weights)
  }

  private func text(_ seed: UInt64, count: Int) -> [Int32] {
    let random = Philox(seed: seed, name: "text")
    return (0..<count).map { Int32(random.uniform(UInt64($0)) * Double(Self.symbols)) }
  }

  private func expectClose(_ a: [Real], _ b: [Real], _ what: String) {
    let tolerance = MemoryLayout<Real>.size == 8 ? 1e-11 : 1e-4
    let worst = zip(a, b).map { abs(Double($0) - Double($1)) }.max() ?? .infinity
    #expect(a.count == b.count && worst < tolerance, "\(what): \(worst)")
    #expect(Set(a).count > 1, "\(what): all alike")
  }

  /// Models that read their last target, too, and one whose states reach several steps back.
  private static let models: [(name: String, options: SequenceModelOptions)] =
    BlockCases.cases + [
      (
        "a jordan network that is fed its targets",
        SequenceModelOptions(
          embedding: 3,
          layers: [
            LayerOptions(
              .recurrent(cell: "skip", Skip.Options(hidden: 5, delays: [2, 3])),
              surroundings: RecurrentLayerOptions(feedsTargets: true))
          ])
      )
    ]

  @Test func `reads a prompt by windows as it reads it symbol by symbol`() {
    // Two whole windows and a part of one; then another prompt, with the state kept.
    let (first, second) = (text(1, count: 2 * Generator.window + 9), text(2, count: 5))
    for (what, options) in Self.models {
      let (model, weights) = make(options)
      let stepwise = Generator(model, weights: weights, seed: 1)
      for symbol in first { stepwise.read(symbol) }
      let byWindows = Generator(model, weights: weights, seed: 1)
      byWindows.read(first)
      expectClose(Array(byWindows.logits!.elements), Array(stepwise.logits!.elements), what)
      for symbol in second { stepwise.read(symbol) }
      byWindows.read(second)
      expectClose(
        Array(byWindows.logits!.elements), Array(stepwise.logits!.elements), "\(what), again")
    }
  }

  @Test func `samples each of several texts as alone`() {
    let prompts = [text(3, count: 4), text(4, count: 70), text(5, count: 1)]
    let sampling = Sampling(temperature: 0.9)
    for (what, options) in Self.models {
      let (model, weights) = make(options)
      let together = Generator(model, weights: weights, seed: 8, streams: prompts.count)
      together.restart(text: 5)
      for (s, prompt) in prompts.enumerated() { together.read(prompt, in: s) }
      var texts = prompts.map { _ in [Int32]() }
      for _ in 0..<20 {
        let drawn = together.nextOfEach(sampling)
        for s in texts.indices { texts[s].append(drawn[s]!.symbol) }
      }
      let alone = Generator(model, weights: weights, seed: 8)
      for (s, prompt) in prompts.enumerated() {
        alone.restart(text: 5 + s)
        alone.read(prompt)
        #expect((0..<20).map { _ in alone.next(sampling)! } == texts[s], "\(what), text \(s)")
      }
      #expect(Set(texts).count == texts.count, "\(what): the same random numbers")
    }
  }

  @Test func `reads a prompt of all streams once, and samples another text in each`() {
    let (model, weights) = make(BlockCases.cases[0].options)
    let prompt = text(3, count: 30)
    let together = Generator(model, weights: weights, seed: 8, streams: 3)
    together.restart(text: 0)
    together.read(prompt)
    let drawn = (0..<20).map { _ in together.nextOfEach().map { $0!.symbol } }
    let alone = Generator(model, weights: weights, seed: 8)
    for s in 0..<3 {
      alone.restart(text: s)
      alone.read(prompt)
      #expect((0..<20).map { _ in alone.next()! } == drawn.map { $0[s] })
    }
  }

  @Test func `tells the likelihood of a symbol under the model itself`() {
    let (model, weights) = make(BlockCases.cases[0].options)
    let generator = Generator(model, weights: weights, seed: 2)
    generator.read(text(1, count: 9))
    for _ in 0..<10 {
      let logits = generator.logits!.elements.map { Double($0) }
      let drawn = generator.nextOfEach(
        Sampling(temperature: 0.3, topK: 2, repetitionPenalty: 3), withLikelihood: true)[0]!
      let normaliser = Glibc.log(logits.reduce(0) { $0 + Glibc.exp($1) })
      #expect(abs(drawn.logProbability - (logits[Int(drawn.symbol)] - normaliser)) < 1e-4)
    }
  }

  @Test func `makes symbols of the text less likely by the penalty`() {
    let (model, weights) = make(BlockCases.cases[0].options)
    let generator = Generator(model, weights: weights, seed: 2)
    var seen: Set<Int32> = [3, 4]
    generator.read([3, 4])
    var changed = 0
    for _ in 0..<30 {
      let logits = Array(generator.logits!.elements)
      let penalised = logits.enumerated().map { symbol, logit in
        seen.contains(Int32(symbol)) ? (logit > 0 ? logit / 8 : logit * 8) : logit
      }
      func likeliest(_ row: [Real]) -> Int32 { Int32(row.firstIndex(of: row.max()!)!) }
      let symbol = generator.next(Sampling(temperature: 0, repetitionPenalty: 8))!
      #expect(symbol == likeliest(penalised))
      if symbol != likeliest(logits) { changed += 1 }
      seen.insert(symbol)
    }
    #expect(changed > 0)
  }

  @Test func `leaves a stream alone whose text has ended`() {
    let (model, weights) = make(BlockCases.cases[0].options)
    let generator = Generator(model, weights: weights, seed: 8, streams: 2)
    generator.read(text(3, count: 6))
    let drawn = (0..<6).map { n in generator.nextOfEach(isEnded: { $0 == 0 && n > 2 }) }
    #expect(drawn.prefix(3).allSatisfy { $0[0] != nil && $0[1] != nil })
    #expect(drawn.suffix(3).allSatisfy { $0[0] == nil && $0[1] != nil })
    #expect(generator.nextOfEach(isEnded: { _ in true }) == [nil, nil])
  }
}
