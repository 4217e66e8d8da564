internal import Collectives
internal import Datasets
internal import Glibc
internal import Recurrence

/// The memory that the ranks of one machine need, so that a run too large for it is refused with a
/// sentence and not ended by the kernel.
struct MemoryNeed {
  /// Bytes of the numbers of one rank: weights, gradient, two moments, an average, and the tape.
  let ofRank: Double
  /// The part of it that one window takes.
  let ofTape: Double
  let ranks: Int
  /// How often windows are computed anew; nil where everything is kept.
  private var recomputed: String?
  private let layers: [(layer: String, values: Int, derivatives: Int)]

  init(_ options: RunOptions, _ dataset: Dataset, _ world: any Communicator) {
    let plan = options.model.makeModel(dataset.interface, seed: options.seed).plan
    let vectors = options.training.average == nil ? 4 : 5
    let parameters = Double(ParameterLayout(plan).count * MemoryLayout<Float>.stride)
    let training = options.training
    var (resets, kept) = (true, 0)
    let sizes: [WindowSize]
    switch dataset.train {
    case .text(let corpus):
      let streams = (training.batchSize + world.size - 1) / world.size
      let steps = min(training.bptt, corpus.count / training.batchSize)
      kept = min(training.keptSteps, max(steps - 1, 0))
      resets = corpus.documentCount > 0 || kept > 0
      sizes = [WindowSize(steps: max(steps, 1), streams: streams)]
    case .examples:
      let feed = try? dataset.train.feed(training.feed(seed: options.seed, in: world))
      sizes = feed?.windowSizes ?? []
    }
    let segments = training.recompute.segments(of: sizes, plan)
    var bytes =
      sizes.isEmpty
      ? 0
      : Tape.bytes(
        plan, fitting: sizes, atMost: segments?.length, derivatives: true, resets: resets)
    if kept > 0 { bytes += KeptSteps.bytes(plan, most: kept, streams: sizes[0].streams) }
    if let (window, length, states) = segments {
      bytes += Segments.bytes(plan, of: window, length: length, states: states)
      recomputed = Segments.words(of: window, length: length, states: states)
    }
    ofTape = bytes
    ofRank = Double(vectors) * parameters + ofTape
    ranks = world.nodeSize
    layers = plan.numbersPerToken(resets: resets)
  }

  /// - Throws: `UsageError` where it is more than the machine has.
  func check() throws {
    let installed = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
    let needed = ofRank * Double(ranks)
    guard installed > 0, needed > installed else { return }
    throw UsageError(
      "the run needs about \(gibibytes(needed)) of memory on this machine, which has "
        + "\(gibibytes(installed)): lower hidden, the vocabulary's size, batch_size or bptt, or use "
        + "more machines")
  }

  private func gibibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p30, 1) + " GiB" }

  /// What a rank needs, and what each layer keeps of a token from the way there for the way back.
  var table: String {
    func blank(_ count: Int) -> String { String(repeating: " ", count: max(count, 1)) }
    func row(_ name: String, _ values: String, _ derivatives: String) -> String {
      name + blank(20 - name.count) + blank(10 - values.count) + values
        + blank(13 - derivatives.count) + derivatives
    }
    let table =
      [row("Numbers per token", "values", "derivatives")]
      + layers.map { row($0.layer, "\($0.values)", "\($0.derivatives)") }
    return """
      A rank needs about \(mebibytes(ofRank)), of which a window takes \(mebibytes(ofTape)).
      \(recomputed.map { $0 + "\n" } ?? "")\(table.joined(separator: "\n"))
      """
  }
  private func mebibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p20, 0) + " MiB" }
}
