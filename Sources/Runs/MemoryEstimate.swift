package import Collectives
package import Configuration
package import Datasets
internal import Formats
internal import Glibc
internal import LinearAlgebra
internal import Recurrence
internal import Sequences
internal import Training

/// The memory that the ranks of one machine need, so that a run too large for it is refused with a
/// message, not killed by the kernel.
package struct MemoryEstimate {
  /// The bytes of one rank: weights, gradient, moments, an average, packed copies of weights, and
  /// the tapes of training, validation and test.
  package let ofRank: Double
  /// The part of these bytes for one window.
  package let ofTape: Double
  /// The part of these bytes for evaluations: their tapes, and the weights that are tested.
  package let ofEvaluations: Double
  /// The part of these bytes for copies of weights.
  package let ofCopies: Double
  /// The bytes that the first rank needs besides, while a checkpoint is written from a copy in memory: weights,
  /// moments and an average. Carried states are not counted.
  package let ofSnapshot: Double
  /// The bytes that the first rank needs besides, to write samples. Those of decoded sources are not counted.
  package let ofSamples: Double
  let ranks: Int
  /// A description of recomputation; nil if all activations are stored.
  private var recomputed: String?
  private let layers: [(layer: String, values: Int, derivatives: Int)]

  package init(_ options: RunOptions, _ dataset: Dataset, _ world: any Communicator) {
    let model = options.model.makeModel(dataset.interface, seed: options.seed)
    let plan = model.plan
    let layout = ParameterLayout(plan)
    // A run that cannot be shared evenly is refused elsewhere.
    let parts = (try? options.microBatches(ranks: world.size)) ?? 1
    let shares = Self.shares(options, world)
    let real = Double(MemoryLayout<Float>.stride)
    let parameters = Double(layout.count) * real
    let training = options.training
    var resets = true
    let sizes: [WindowSize]
    switch dataset.train {
    case .text, .mixture:
      let shares = world.size * parts
      let streams = (training.batchSize + shares - 1) / shares
      let steps =
        min(training.mostSteps, dataset.train.count / training.batchSize) - training.keptSteps
      resets = dataset.train.corpora.contains { $0.hasDocuments }
      sizes = [WindowSize(steps: max(steps, 1), streams: streams)]
    case .examples:
      let request = training.loaderRequest(seed: options.seed, in: world)
      sizes = (try? dataset.train.loaders(request, microBatches: parts))?.windowSizes ?? []
    }
    let method = training.gradientMethod(for: sizes, plan)
    resets = resets || method.needsResets
    ofTape =
      sizes.isEmpty
      ? 0
      : Double(parts) * method.bytes(plan) + Self.bytesOfTurns(plan, method.windows, parts)
        + Tape.bytes(
          method.needsEveryStep ? plan.keepingEveryStep : plan, fitting: method.windows,
          atMost: method.stepsAtOnce,
          derivatives: training.readout == nil, resets: resets)
    recomputed = method.recomputation
    let measured = Self.tapesOfEvaluations(options, dataset, plan, world)
    ofEvaluations =
      measured.reduce(0, +) + (dataset.test == nil ? 0 : parameters)
    ofCopies = Self.bytesOfCopies(
      layout, method.windows, training.precision,
      isEvaluated: !measured.isEmpty || options.evaluation.sample != nil,
      share: shares.weights)
    let ofGradients =
      ParameterSample.isShown(options, dataset) ? ParameterSample.bytes(layout) : 0
    ofRank =
      real * Self.vectors(options, model, layout, method.windows, world)
      + Double(layout.constantCount) * real + layout.bytesOfDroppedWeights + ofTape
      + ofEvaluations
      + ofCopies + ofGradients
    ofSnapshot = Self.bytesOfSnapshot(options, layout)
    ofSamples =
      options.evaluation.sample == nil || model.interface.encoded != nil
      ? 0 : Generator.bytes(plan)
    ranks = world.nodeSize
    layers = plan.numbersPerToken(resets: resets)
  }

  /// Returns the bytes of the tapes of validation and test: each has one of its own until the end.
  private static func tapesOfEvaluations(
    _ options: RunOptions, _ dataset: Dataset, _ plan: Plan, _ world: any Communicator
  ) -> [Double] {
    return [dataset.valid, dataset.test].compactMap { part -> Double? in
      guard let part, let loader = try? part.loader(options.evaluation.loaderRequest(in: world)),
        !loader.windowSizes.isEmpty
      else { return nil }
      let tape = Tape.bytes(
        plan, fitting: loader.windowSizes, derivatives: false, resets: loader.mayReset)
      return plan.feedsTargets && !part.readsItsTargets ? 2 * tape : tape
    }
  }

  /// Returns the bytes of the carried states of micro-batches that take turns on a tape: before a window, and
  /// at its end.
  private static func bytesOfTurns(
    _ plan: Plan, _ windows: [WindowSize], _ parts: Int
  ) -> Double {
    let streams = windows.map(\.streams).max() ?? 0
    let states = plan.carriedNumbers * streams * MemoryLayout<Float>.stride
    return parts == 1 ? 0 : Double((2 * parts - 1) * states)
  }

  /// Returns the bytes of the copies from which a checkpoint is written while training goes on.
  private static func bytesOfSnapshot(_ options: RunOptions, _ layout: ParameterLayout) -> Double {
    guard options.checkpoint.isAsynchronous, options.training.readout == nil else { return 0 }
    let vectors = 1 + moments(options) + (options.training.isAveraged ? 1 : 0)
    return Double(vectors * layout.count * MemoryLayout<Float>.stride)
  }

  /// Returns the share of the weights, and that of the moments, that a rank has memory for.
  private static func shares(
    _ options: RunOptions, _ world: any Communicator
  ) -> (weights: Double, moments: Double) {
    if options.training.readout != nil { return (1, 1) }
    return options.exchange.shares(ranks: world.size, perHost: world.nodeSize)
  }

  /// Returns the count of numbers of a rank in vectors with one number for each parameter: weights,
  /// gradient, moments, an average, and what the exchange of gradients needs.
  private static func vectors(
    _ options: RunOptions, _ model: any Model, _ layout: ParameterLayout, _ windows: [WindowSize],
    _ world: any Communicator
  ) -> Double {
    let shares = shares(options, world)
    let parts = (try? options.microBatches(ranks: world.size)) ?? 1
    let inTree =
      options.communication.reproducible == nil ? 0 : Double(parts.trailingZeroBitCount)
    let vectors =
      shares.weights * (options.training.isAveraged ? 2 : 1)
      + inTree + shares.moments * Double(moments(options))
      + options.exchange.vectors(ranks: world.size, perHost: world.nodeSize)
    let rows = windows.map { $0.steps * $0.streams }.max() ?? 0
    let gradient =
      shares.weights == 1
      ? layout.count
      : layout.gradientNumbers(model.gradientStages, ranks: world.nodeSize, rows: rows)
    return vectors * Double(layout.count) + Double(gradient)
  }

  /// Returns the number of moments of the optimizer.
  private static func moments(_ options: RunOptions) -> Int {
    options.training.optimizer.makeOptimizer(for: ParameterLayout(Plan())).moments.count
  }

  /// Returns the bytes of packed copies of weights and rounded factors. In training, layers share
  /// the memory for large copies, unless ranks share all copies; in evaluations each copy has its own.
  /// - Parameter share: The share of a rank in copies that all ranks of a host use; 1 for its own.
  private static func bytesOfCopies(
    _ layout: ParameterLayout, _ sizes: [WindowSize], _ precision: Precision, isEvaluated: Bool,
    share: Double
  ) -> Double {
    let streams = sizes.map(\.streams).max() ?? 0
    var (small, evaluated) = (0.0, 0.0)
    var large: [String: Double] = [:]
    var widest = 0
    for entry in layout.entries + layout.constants where !entry.isVector && !entry.isRowSparse {
      let copies = WeightProducts.bytesOfCopies(
        rows: entry.rows, columns: entry.columns, rowsOfStep: streams, precision: precision)
      if share < 1 {
        let own = layout.isDropped(entry) ? 1 : 0.0
        small += (share + own) * (copies.forward + copies.backward)
      } else if copies.forward >= Double(WeightProducts.leastOfTurns) {
        large[entry.layer, default: 0] += max(copies.forward, copies.backward)
      } else {
        small += copies.forward + copies.backward
      }
      if isEvaluated { evaluated += copies.forward }
      widest = max(widest, entry.rows, entry.columns)
    }
    let rows = sizes.map { Double($0.steps) * Double($0.streams) }.max() ?? 0
    let rounded = 2 * Double(WeightProducts.bytesOfRounded(precision)) * rows * Double(widest)
    return small + (large.values.max() ?? 0) + evaluated + rounded
  }

  /// - Parameters:
  ///   - present: The bytes that this process uses already: the program, and data in memory.
  /// - Throws: `UsageError` if the ranks need more than they may have.
  package func check(_ limits: MemoryLimits? = nil, present: Double? = nil) throws {
    let limits = limits ?? .current
    let present = present ?? Double(System.residentBytes)
    let remedy =
      "lower hidden, the vocabulary's size, batch_size or bptt, or use more machines"
    let ofFirst = ofSnapshot + ofSamples
    let needed = (ofRank + present) * Double(ranks) + ofFirst
    guard needed <= limits.ofMachine.bytes else {
      throw UsageError(
        "the run needs about \(gibibytes(needed)) of memory on \(limits.ofMachine.source) "
          + "\(gibibytes(limits.ofMachine.bytes)): \(remedy)")
    }
    if let limit = limits.ofProcess, ofRank + ofFirst + present > limit.bytes {
      throw UsageError(
        "a rank needs about \(gibibytes(ofRank + present)) of memory under \(limit.source) "
          + "\(gibibytes(limit.bytes)): raise the limit, \(remedy)")
    }
    // If the system would refuse the memory anyway, it is better to find out now than after the
    // first hour.
    guard ofRank < 0x1p46, ofRank >= 1 else { return }
    let length = Int(ofRank)
    let protection = PROT_READ | PROT_WRITE
    guard let trial = mmap(nil, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      trial != MAP_FAILED
    else {
      throw UsageError(
        "the system refuses a rank the \(gibibytes(ofRank)) of memory that it needs: \(remedy)")
    }
    munmap(trial, length)
  }

  private func gibibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p30, 1) + " GiB" }

  /// The memory of a rank, and the numbers that each layer stores per token from the forward to the
  /// backward pass.
  var table: String {
    func blank(_ count: Int) -> String { String(repeating: " ", count: max(count, 1)) }
    func row(_ name: String, _ values: String, _ derivatives: String) -> String {
      name + blank(20 - name.count) + blank(10 - values.count) + values
        + blank(13 - derivatives.count) + derivatives
    }
    let table =
      [row("layer", "values", "derivatives")]
      + layers.map { row($0.layer, "\($0.values)", "\($0.derivatives)") }
    return """
      A rank needs about \(mebibytes(ofRank)) of memory, of which a window takes \(mebibytes(ofTape)).
      \(snapshotSentence)\
      \(recomputed.map { $0 + "\n" } ?? "")\
      Numbers of 4 bytes that each layer stores per token (a step of one stream or sequence):
      values for the backward pass, and derivatives of the loss.
      \(table.joined(separator: "\n"))
      """
  }
  private var snapshotSentence: String {
    guard ofSnapshot > 0 else { return "" }
    return "The first rank needs \(mebibytes(ofSnapshot)) more from the first checkpoint on "
      + "(checkpoint.asynchronous).\n"
  }
  private func mebibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p20, 0) + " MiB" }
}
