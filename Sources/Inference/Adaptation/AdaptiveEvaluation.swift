package import Collectives
package import Datasets
package import Recurrence

/// Scores texts with a model that adapts to them.
///
/// Streams are those of `Evaluation`. A cache belongs to a stream. Dynamic evaluation has one set of weights:
/// the gradient of a segment is that of all streams, over all ranks.
package struct AdaptiveEvaluation {
  /// A model made without dropout.
  let model: SequenceModel
  /// The weights, which are left as they were.
  let weights: ParameterVector
  /// The data that the scale of gradients is measured on, for a rule that needs it.
  let training: Corpus?
  let batchSize: Int
  /// The steps of a window, where the adaptation does not say.
  let bptt: Int
  let world: any Communicator

  package init(
    model: SequenceModel, weights: ParameterVector, training: Corpus?, batchSize: Int, bptt: Int,
    world: any Communicator
  ) {
    self.model = model
    self.weights = weights
    self.training = training
    self.batchSize = batchSize
    self.bptt = bptt
    self.world = world
  }

  /// Scores a text. Collective.
  package func score(_ text: Corpus, _ adaptation: Adaptation) throws -> Score {
    switch adaptation {
    case .dynamic(let options):
      let scale = try scale(options)
      return try dynamic(text, options).run(options, scale: scale)
    case .cache(let options):
      return try cache(text, options).run(thetas: [options.theta], weights: [options.weight])[0][0]
    }
  }

  /// Returns the settings of a grid with the lowest loss of a text, such as that of validation.
  /// Collective.
  /// - Parameter tried: Called with each of the settings and its score.
  package func best(
    of adaptation: Adaptation, on text: Corpus, tried: (Adaptation, Score) -> Void
  ) throws -> Adaptation {
    var best: (adaptation: Adaptation, loss: Double)?
    func consider(_ adaptation: Adaptation, _ score: Score) {
      tried(adaptation, score)
      if score.loss < best?.loss ?? .infinity { best = (adaptation, score.loss) }
    }
    switch adaptation {
    case .dynamic(let options):
      let (evaluation, scale) = (try dynamic(text, options), try scale(options))
      for options in options.grid {
        consider(.dynamic(options), try evaluation.run(options, scale: scale))
      }
    case .cache(var options):
      let found = try cache(text, options).run(
        thetas: CacheOptions.thetas, weights: CacheOptions.weights)
      for (theta, scores) in zip(CacheOptions.thetas, found) {
        for (weight, score) in zip(CacheOptions.weights, scores) {
          (options.theta, options.weight) = (theta, weight)
          consider(.cache(options), score)
        }
      }
    }
    return best?.adaptation ?? adaptation
  }

  private func scale(_ options: DynamicOptions) throws -> GradientScale? {
    try training.flatMap {
      try options.gradientScale(model, weights, training: $0, world: world)
    }
  }

  private func dynamic(_ text: Corpus, _ options: DynamicOptions) throws -> DynamicEvaluation {
    try world.unanimous {
      let evaluation = try DynamicEvaluation(
        text, model, weights, segment: options.segment, batchSize: batchSize, world: world)
      try evaluation.checkNoise()
      return evaluation
    }
  }

  private func cache(_ text: Corpus, _ options: CacheOptions) throws -> CacheEvaluation {
    try world.unanimous {
      try CacheEvaluation(
        text, model, weights, window: options.window, batchSize: batchSize, bptt: bptt,
        world: world)
    }
  }
}
