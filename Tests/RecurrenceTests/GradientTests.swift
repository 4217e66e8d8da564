#if REAL_IS_DOUBLE
  import LinearAlgebra
  import Recurrence
  import Testing

  /// Every derivative against central differences, in double precision.
  @Suite struct `Gradients` {
    @Test func `of every cell and option agree with central differences`() {
      forEveryCell(hidden: Trial.hidden) { name, cell, options in
        let trial = Trial(name, cell, options)
        expectAgreement(trial, "\(name) \(options)")
      }
    }

    @Test func `of every cell and option agree where streams start anew inside the window`() {
      forEveryCell(hidden: Trial.hidden) { name, cell, options in
        let trial = Trial(name, cell, options)
        expectAgreement(trial, "\(name) \(options)", resets: [(0, 1), (2, 0), (3, 1)])
      }
    }

    @Test(arguments: [1, 2, 7])
    func `agree in windows of any length, where derivatives take turns in two places`(steps: Int) {
      forEveryCell(hidden: Trial.hidden) { name, cell, options in
        for resets in [[], [(0, 0)] + (steps > 1 ? [(steps - 1, 1)] : [])] {
          let trial = Trial(name, cell, options, steps: 7)
          expectAgreement(
            trial, "\(name) \(options), \(steps) steps", steps: steps, resets: resets,
            readsLate: !inputDelays(of: cell, options).contains(0))
        }
      }
    }

    @Test func `of stacks of different widths and kinds agree`() {
      let options = ModelOptions(
        embedding: 3,
        layers: [
          LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5))),
          LayerOptions(.linear(4)),
          LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 4)), residual: true),
          LayerOptions(.linear(4), residual: true),
          LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 6))),
        ])
      expectAgreement(Trial(options), "stack", resets: [(1, 1)])
    }

    @Test func `of tied embeddings add both uses`() {
      let options = ModelOptions(
        embedding: 4, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 4)))],
        tied: true)
      expectAgreement(Trial(options), "tied")
    }

    @Test(arguments: [false, true])
    func `with dropout are those of the masked network`(variational: Bool) {
      let options = ModelOptions(
        embedding: 3,
        layers: [
          LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5)), dropout: 0.3),
          LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 6))),
        ], dropout: 0.4, variational: variational)
      expectAgreement(Trial(options), "dropout, variational \(variational)")
    }

    @Test func `leave out rows without a target`() {
      let options = ModelOptions(
        embedding: 3, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))])
      let trial = Trial(options)
      expectAgreement(trial, "missing targets") { batch in
        batch.targets.start[1] = Batch.noTarget
        batch.targets.start[6] = Batch.noTarget
      }
      #expect(trial.tape.loss.targets == Trial.steps * Trial.streams - 2)
    }

    /// Compares the gradient of the second of two windows, whose carried state is a constant.
    /// - Parameter readsLate: the last input of a window is read in the next one only.
    private func expectAgreement(
      _ trial: Trial, _ what: String, steps: Int = Trial.steps, resets: [(Int, Int)] = [],
      readsLate: Bool = false, changing change: (Batch) -> Void = { _ in }
    ) {
      trial.fill(window: 0, steps: steps)
      trial.run(training: true)
      trial.tape.turn()
      trial.fill(window: 1, steps: steps, resets: resets)
      change(trial.batch)
      trial.run(training: true)
      for entry in trial.weights.layout.entries {
        let exact = Array(trial.gradient.elements(of: entry))
        var (distance, size) = (0.0, 0.0)
        for k in 0..<entry.count {
          let w = trial.weights.elements(of: entry)[k]
          // Of fourth order: a step that is large enough for small derivatives to stand out of the
          // rounding of the loss is small enough for the curvature of a normalised row.
          let step = 4e-5
          func difference(_ step: Double) -> Double {
            loss(trial, entry, k, w + step) - loss(trial, entry, k, w - step)
          }
          let numerical = (8 * difference(step) - difference(2 * step)) / (12 * step)
          trial.weights.update { $0.elements(of: entry)[k] = w }
          distance += (numerical - exact[k]) * (numerical - exact[k])
          size += max(numerical * numerical, exact[k] * exact[k])
        }
        let isRead = entry.name != "encoder.weight" || !readsLate || steps > 1
        #expect((size > 0) == isRead, "\(what): the gradient of \(entry.name) has size \(size)")
        let error = (distance / max(size, 1e-300)).squareRoot()
        #expect(error < 1e-6, "\(what): \(entry.name) is off by \(error)")
      }
    }

    /// The loss with one number changed, random numbers of dropout as in training.
    private func loss(
      _ trial: Trial, _ entry: ParameterLayout.Entry, _ k: Int, _ value: Double
    ) -> Double {
      trial.weights.update { $0.elements(of: entry)[k] = value }
      trial.tape.begin(steps: trial.batch.steps, streams: trial.batch.streams)
      let unused = ParameterVector(trial.weights.layout)
      let pass = Pass(trial.batch, on: trial.tape, weights: trial.weights, gradient: unused)
      trial.model.forward(pass)
      return pass.loss.sum
    }
  }
#endif
