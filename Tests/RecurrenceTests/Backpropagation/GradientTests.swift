import Sequences

#if REAL_IS_DOUBLE
  import LinearAlgebra
  import Recurrence
  import Testing

  /// Every derivative against central differences, in double precision.
  @Suite struct `Gradients` {
    @Test func `of every cell in every setting agree with central differences`() {
      forEveryLayer { what, layer in
        let trial = WindowTrial(layer)
        expectAgreement(trial, what)
      }
    }

    @Test func `of every cell in every setting agree where streams start anew inside the window`() {
      forEveryLayer { what, layer in
        let trial = WindowTrial(layer)
        expectAgreement(trial, "\(what)", resets: [(0, 1), (2, 0), (3, 1)])
      }
    }

    @Test func `of every cell in every setting agree where streams start from nothing`() {
      forEveryLayer { what, layer in
        expectAgreement(WindowTrial(layer), what, afterAnother: false)
        expectAgreement(WindowTrial(layer), what, resets: [(1, 0), (3, 1)], afterAnother: false)
      }
    }

    @Test func `agree where a stream began in an earlier window, nearer than a delay`() {
      forEveryLayer { what, layer in
        expectAgreement(WindowTrial(layer), what, steps: 2, earlier: [(1, 1)])
        expectAgreement(WindowTrial(layer), what, resets: [(1, 0)], earlier: [(2, 1), (3, 0)])
      }
    }

    @Test(arguments: [1, 2, 7])
    func `agree in windows of any length, where derivatives take turns in two places`(steps: Int) {
      forEveryLayer { what, layer in
        for resets in [[], [(0, 0)] + (steps > 1 ? [(steps - 1, 1)] : [])] {
          let trial = WindowTrial(layer, steps: 7)
          expectAgreement(
            trial, "\(what), \(steps) steps", steps: steps, resets: resets,
            readsLate: !inputDelays(of: layer).contains(0))
        }
      }
    }

    @Test func `of stacks of different widths and kinds agree`() {
      let options = SequenceModelOptions(
        embedding: 3,
        layers: [
          LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5))),
          LayerOptions(.linear(4)),
          LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 4)), residual: true),
          LayerOptions(.linear(4), residual: true),
          LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 6))),
        ])
      expectAgreement(WindowTrial(options), "stack", resets: [(1, 1)])
    }

    @Test(arguments: [1, 2, 4, 7])
    func `of blocks, convolutions and token shifts agree, where streams start anew too`(
      steps: Int
    ) {
      for (what, options) in BlockCases.cases {
        let resets = [(0, 1), (2, 0), (3, 1)].filter { $0.0 < steps }
        for resets in [[], resets] {
          expectAgreement(
            WindowTrial(options, steps: 7), "\(what), \(steps) steps", steps: steps,
            resets: resets, earlier: [(0, 0)])
        }
      }
    }

    @Test func `of blocks over padded sequences agree`() {
      let interface = TaskSignature(
        input: .symbols(SequenceTrial.symbols), output: .symbols(SequenceTrial.symbols))
      for (what, options) in BlockCases.cases where options.dropout == 0 {
        let model = SequenceModel(options, interface: interface, seed: 1)
        for (name, error, size) in SequenceTrial(model, spread: 0.7).errors() {
          let isExact = error * size < 1e-6 * max(size, 1e-2)
          #expect(isExact, "\(what): \(name) is off by \(error) of \(size)")
        }
      }
    }

    @Test func `of tied embeddings add both uses`() {
      let options = SequenceModelOptions(
        embedding: 4, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 4)))],
        tied: true)
      expectAgreement(WindowTrial(options), "tied")
    }

    @Test(arguments: [false, true])
    func `with dropout are those of the masked network`(variational: Bool) {
      let options = SequenceModelOptions(
        embedding: 3,
        layers: [
          LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5)), dropout: 0.3),
          LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 6))),
        ], dropout: 0.4, variational: variational)
      expectAgreement(WindowTrial(options), "dropout, variational \(variational)")
    }

    @Test func `of every cell with dropout on the state read are those of the masked network`() {
      forEveryLayer { what, layer in
        let options = SequenceModelOptions(
          embedding: WindowTrial.input, layers: [layer], dropout: 0.2, recurrent: true)
        expectAgreement(WindowTrial(options), what, resets: [(0, 1), (2, 0)])
      }
    }

    @Test func `of every cell with dropped weights and symbols are those of the masked network`() {
      forEveryLayer { what, layer in
        var layer = layer
        layer.weightDropout = 0.3
        let options = SequenceModelOptions(
          embedding: WindowTrial.input, layers: [layer], embeddingDropout: 0.2)
        expectAgreement(WindowTrial(options), what, resets: [(0, 1), (2, 0)])
      }
    }

    @Test func `of every cell with regularised activations are those of the sum of all terms`() {
      let (alpha, beta) = (2.0, 3.0)
      let resets = [(0, 1), (2, 0)]
      // α mean h² and β mean (h(t) − h(t−1))², times the targets; a pair is not across a start anew.
      func penalty(_ trial: WindowTrial, _ pass: Pass) -> Double {
        let h = pass[trial.model.top]
        let streams = trial.batch.streams
        var sum = 0.0
        for row in 0..<h.rows {
          for j in 0..<h.columns { sum += alpha * h[row, j] * h[row, j] / Double(h.columns) }
        }
        for s in 0..<streams {
          let pairs = (1..<trial.batch.steps).filter { t in !resets.contains { $0 == (t, s) } }
          for t in pairs {
            for j in 0..<h.columns {
              let difference = h[t * streams + s, j] - h[(t - 1) * streams + s, j]
              sum +=
                beta * difference * difference / Double(h.columns) * Double(trial.batch.steps)
                / Double(pairs.count)
            }
          }
        }
        return sum
      }
      let objective = TrainingObjective(
        activationRegularization: alpha, temporalRegularization: beta)
      forEveryLayer { what, layer in
        guard layer.hasState else { return }
        let options = SequenceModelOptions(embedding: WindowTrial.input, layers: [layer])
        let trial = WindowTrial(options, objective: objective)
        expectAgreement(trial, what, resets: resets, adding: penalty)
      }
    }

    @Test func `leave out rows without a target`() {
      let options = SequenceModelOptions(
        embedding: 3, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))])
      let trial = WindowTrial(options)
      expectAgreement(trial, "missing targets") { batch in
        batch.targets.start[1] = Batch.noTarget
        batch.targets.start[6] = Batch.noTarget
      }
      #expect(trial.tape.loss.targets == WindowTrial.steps * WindowTrial.streams - 2)
    }

    /// Compares the gradient of the last of some windows, whose carried state is a constant.
    /// - Parameters:
    ///   - afterAnother: false where streams start anew before the last window.
    ///   - earlier: resets in the windows before the last.
    ///   - readsLate: the last input of a window is read in the next one only.
    ///   - term: what the objective adds to the loss.
    private func expectAgreement(
      _ trial: WindowTrial, _ what: String, steps: Int = WindowTrial.steps,
      resets: [(Int, Int)] = [],
      afterAnother: Bool = true, earlier: [(Int, Int)] = [], readsLate: Bool = false,
      changing change: (Batch) -> Void = { _ in },
      adding term: (WindowTrial, Pass) -> Double = { _, _ in 0 }
    ) {
      // As many windows as the longest delay and the slowest clock need, so that every weight has met something.
      for _ in 0..<(steps + 5) / steps {
        trial.fill(window: 0, steps: steps, resets: earlier)
        trial.run(training: true)
        trial.tape.carryStates()
      }
      if !afterAnother { trial.tape.clearCarried() }
      trial.fill(window: 1, steps: steps, resets: resets)
      change(trial.batch)
      trial.run(training: true)
      for entry in trial.weights.layout.entries {
        let exact = Array(trial.gradient.elements(of: entry))
        var (distance, size) = (0.0, 0.0)
        for k in 0..<entry.count {
          let w = trial.weights.elements(of: entry)[k]
          // Of fourth order, so that steps may be long and losses' rounding weighs little.
          func slope(_ step: Double) -> Double {
            func change(_ step: Double) -> Double {
              loss(trial, entry, k, w + step, adding: term)
                - loss(trial, entry, k, w - step, adding: term)
            }
            return (8 * change(step) - change(2 * step)) / (12 * step)
          }
          // A long step may cross a kink of relu, or bend with a normalised row, and a short one is
          // rounded: the longest that agrees with the next to within rounding, whatever the derivative
          // under test says; where none does, the one that agrees best.
          let lengths = [1e-4, 4e-5, 1.6e-5, 6e-6, 2e-6]
          var (before, best) = (slope(lengths[0]), Double.infinity)
          var numerical = before
          for length in lengths.dropFirst() {
            let next = slope(length)
            let difference = abs(before - next)
            let isWithinRounding = difference < 3e-14 / length
            if isWithinRounding || difference < best { (numerical, best) = (before, difference) }
            if isWithinRounding { break }
            before = next
          }
          trial.weights.update { $0.elements(of: entry)[k] = w }
          distance += (numerical - exact[k]) * (numerical - exact[k])
          size += max(numerical * numerical, exact[k] * exact[k])
        }
        // An initial state is seen where a stream starts; there, long delays reach nothing else.
        let isSeen = !entry.name.contains("initial_") || !afterAnother || !resets.isEmpty
        // One step of a stream has a state before it, or none and another input: μ of RWKV's decay needs both.
        // The decay of RWKV-6 is read a step later than that, of what yet another step has written.
        let isLate = what.hasPrefix("rwkv6") && entry.name.contains(#/\.(x_)?w\d/#) && steps < 3
        let needsBoth = entry.name.contains("x_w") && steps == 1 || isLate
        let isRead = (entry.name != "encoder.weight" || !readsLate || steps > 1) && !needsBoth
        if earlier.isEmpty && isRead
          && (afterAnother || entry.name.firstMatch(of: #/hh_\d/#) == nil)
        {
          #expect(isSeen == (size > 0), "\(what): the gradient of \(entry.name) is \(size)")
        }
        let error = (distance / max(size, 1e-300)).squareRoot()
        // An ulp of a loss, 4e-15, is some 5e-11 of a slope, and more than 1e-6 of the least slopes.
        let rounding = max(3e-10, 5e-11 * Double(entry.count).squareRoot())
        let isExact = error < 1e-6 || distance.squareRoot() < rounding
        #expect(isExact, "\(what): \(entry.name) is off by \(error) of \(size.squareRoot())")
      }
    }

    /// The loss with one number changed, random numbers of dropout as in training.
    private func loss(
      _ trial: WindowTrial, _ entry: ParameterLayout.Entry, _ k: Int, _ value: Double,
      adding term: (WindowTrial, Pass) -> Double
    ) -> Double {
      trial.weights.update { $0.elements(of: entry)[k] = value }
      let unused = ParameterVector(trial.weights.layout)
      let pass = trial.tape.begin(trial.batch, weights: trial.weights, gradient: unused)
      trial.model.forward(pass)
      return pass.loss.sum + term(trial, pass)
    }
  }
#endif
