import Collectives
import Datasets
import Foundation
import Inference
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import TestSupport
import Testing

@Suite struct `Adaptation to a text` {
  /// The numbers that `Oracles/adaptation.py` made with PyTorch.
  struct Reference: Decodable, Sendable {
    struct Dynamic: Decodable, Sendable {
      let rule: DynamicOptions.Rule
      let rate, decay, loss: Double
      let segment, streams: Int
    }
    struct Cache: Decodable, Sendable {
      let window, streams: Int
      let theta, weight, loss: Double
    }
    let training, text: String
    let embedding, hidden, statistics: Int
    let epsilon: Double
    let parameters: [String: [Double]]
    let dynamic: [Dynamic]
    let cache: [Cache]
    let fixed: [String: Double]

    static let kept: Reference = oracle("adaptation")

    func model() throws -> (SequenceModel, ParameterVector, Vocabulary) {
      let vocabulary = Vocabulary(
        CharacterTokenizer(), symbols: "abcdef".map(String.init) + ["<unk>"])
      let layer = try JSONDecoder().decode(
        LayerOptions.self, from: Data("{\"cell\": \"lstm\", \"hidden\": \(hidden)}".utf8))
      let model = SequenceModel(
        SequenceModelOptions(embedding: embedding, layers: [layer]),
        interface: TaskSignature(vocabulary: vocabulary.count), seed: 1)
      let weights = ParameterVector(ParameterLayout(model.plan))
      try weights.update { weights in
        for entry in weights.layout.entries {
          let values = try #require(parameters[entry.name], "\(entry.name)")
          #expect(values.count == entry.count, "\(entry.name)")
          for (k, value) in values.enumerated() { weights.elements(of: entry)[k] = Real(value) }
        }
      }
      return (model, weights, vocabulary)
    }

    /// Scores the text with one adaptation, and says whether the weights are left as they were.
    func score(
      _ adaptation: Adaptation, streams: Int, bptt: Int = 512, _ world: any Communicator,
      _ folder: String
    ) throws -> (score: Score, isUnchanged: Bool) {
      let (model, weights, vocabulary) = try model()
      func open(_ name: String, _ text: String) throws -> Corpus {
        let file = "\(folder)/\(world.rank)-\(name).txt"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return try Corpus(
          TextFiles([file]), vocabulary: vocabulary, cache: "\(folder)/\(world.rank)", writing: true
        )
      }
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(world.rank)", withIntermediateDirectories: true)
      let before = Array(weights.buffer.elements())
      let evaluation = AdaptiveEvaluation(
        model: model, weights: weights, training: try open("training", training),
        batchSize: streams, bptt: bptt, world: world)
      let score = try evaluation.score(try open("text", text), adaptation)
      return (score, Array(weights.buffer.elements()) == before)
    }
  }

  private func expect(_ found: Double, _ wanted: Double, _ name: String) {
    #expect(abs(found - wanted) < 1e-5 * wanted, "\(name): \(found), not \(wanted)")
  }

  @Test(arguments: World.all)
  func `dynamic evaluation has the losses of PyTorch`(_ world: World) throws {
    let reference = Reference.kept
    for one in reference.dynamic {
      let options = DynamicOptions(
        one.rule, rate: one.rate, decay: one.decay, epsilon: reference.epsilon,
        segment: one.segment, statistics: reference.statistics)
      let results = try world.run { world, folder in
        try reference.score(.dynamic(options), streams: one.streams, world, folder)
      }
      for (score, isUnchanged) in results {
        expect(score.lossSum, one.loss, "\(options)")
        #expect(isUnchanged)
        #expect(score.targets == one.streams * (reference.text.count / one.streams - 1))
      }
    }
  }

  @Test(arguments: World.all, [3, 512])
  func `a cache has the losses of PyTorch for any window`(_ world: World, _ bptt: Int) throws {
    let reference = Reference.kept
    for one in reference.cache {
      let options = CacheOptions(window: one.window, theta: one.theta, weight: one.weight)
      let results = try world.run { world, folder in
        try reference.score(.cache(options), streams: one.streams, bptt: bptt, world, folder)
      }
      for (score, _) in results { expect(score.lossSum, one.loss, "\(options)") }
    }
  }

  @Test func `a rate of zero and a cache without weight change nothing`() throws {
    let reference = Reference.kept
    let folder = TemporaryFolder()
    for (streams, wanted) in reference.fixed {
      for adaptation in [
        Adaptation.dynamic(DynamicOptions(.sgd, rate: 0, decay: 0.5)),
        .cache(CacheOptions(weight: 0)),
      ] {
        let found = try reference.score(
          adaptation, streams: Int(streams)!, SingleProcess(), folder.path)
        expect(found.score.lossSum, wanted, adaptation.words)
      }
    }
  }

  @Test func `the search takes the best settings`() throws {
    let reference = Reference.kept
    let folder = TemporaryFolder()
    let (model, weights, vocabulary) = try reference.model()
    let corpus = try Corpus(
      TextFiles([folder.write("text.txt", reference.text)]), vocabulary: vocabulary,
      cache: folder.cache, writing: true)
    let evaluation = AdaptiveEvaluation(
      model: model, weights: weights, training: corpus, batchSize: 1, bptt: 20,
      world: SingleProcess())
    for adaptation in [
      Adaptation.dynamic(DynamicOptions(.sgd)), .dynamic(DynamicOptions()), .cache(CacheOptions()),
    ] {
      var tried: [(Adaptation, Double)] = []
      let best = try evaluation.best(of: adaptation, on: corpus) { tried.append(($0, $1.loss)) }
      let least = try #require(tried.min { $0.1 < $1.1 })
      #expect(best == least.0)
      #expect(tried.count > 5)
      // The score of the search is that of the settings by themselves.
      #expect(abs(try evaluation.score(corpus, best).loss - least.1) < 1e-9)
    }
  }

  @Test func `a model that still has dropout is refused`() throws {
    let reference = Reference.kept
    let folder = TemporaryFolder()
    let corpus = try Corpus(
      TextFiles([folder.write("text.txt", reference.text)]), vocabulary: try reference.model().2,
      cache: folder.cache, writing: true)
    let layer = try JSONDecoder().decode(
      LayerOptions.self, from: Data("{\"cell\": \"lstm\", \"hidden\": 5}".utf8))
    let options = SequenceModelOptions(embedding: 4, layers: [layer], dropout: 0.5)
    for (options, isRefused) in [(options, true), (options.withoutNoise, false)] {
      let model = SequenceModel(options, vocabulary: 7, seed: 1)
      let weights = ParameterVector(ParameterLayout(model.plan))
      weights.initialize(seed: 1)
      let evaluation = AdaptiveEvaluation(
        model: model, weights: weights, training: nil, batchSize: 1, bptt: 9,
        world: SingleProcess())
      let result = Result { try evaluation.score(corpus, .dynamic(DynamicOptions(.sgd))) }
      #expect(((try? result.get()) == nil) == isRefused)
    }
  }

  /// Regularised models; gradients of `withoutNoise` are those of the loss in evaluation.
  @Test func `without noise a model has the loss of evaluation in training too`() throws {
    for (layer, recurrent) in [
      ("{\"cell\": \"lstm\", \"hidden\": 6, \"zoneout\": 0.3, \"dropout\": 0.4}", false),
      ("{\"cell\": \"gru\", \"hidden\": 6, \"dropout\": 0.5}", true),
    ] {
      let layers = try [layer, layer].map {
        try JSONDecoder().decode(LayerOptions.self, from: Data($0.utf8))
      }
      let options = SequenceModelOptions(
        embedding: 6, layers: layers, tied: true, dropout: 0.5, inputDropout: 0.2,
        variational: recurrent, recurrent: recurrent)
      func losses(_ options: SequenceModelOptions) -> (training: Double, evaluation: Double) {
        let model = SequenceModel(options, vocabulary: 9, seed: 3)
        let weights = ParameterVector(ParameterLayout(model.plan))
        weights.initialize(seed: 5)
        let gradient = ParameterVector(weights.layout)
        let tape = Tape(model.plan, steps: 8, streams: 2, derivatives: true)
        let batch = Batch(rows: 16)
        batch.begin(steps: 8, streams: 2)
        for row in 0..<16 {
          batch.inputs.start[row] = Int32(row % 9)
          batch.targets.start[row] = Int32(row * 5 % 9)
        }
        model.forward(tape.begin(batch, weights: weights, gradient: gradient))
        let training = tape.loss.sum
        model.forward(tape.begin(batch, weights: weights))
        return (training, tape.loss.sum)
      }
      let (noisy, quiet) = (losses(options), losses(options.withoutNoise))
      #expect(abs(noisy.training - noisy.evaluation) > 1e-3)
      #expect(abs(quiet.training - quiet.evaluation) < 1e-5)
      #expect(abs(quiet.evaluation - noisy.evaluation) < 1e-5)
    }
  }
}
