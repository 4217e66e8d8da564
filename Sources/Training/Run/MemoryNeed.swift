internal import Collectives
internal import Datasets
internal import Glibc
internal import Recurrence

/// The memory that the ranks of one machine need, so that a run too large for it is refused with a
/// sentence and not ended by the kernel.
struct MemoryNeed {
  /// Bytes of the numbers of one rank: weights, gradient, two moments, an average, and the tape.
  let ofRank: Double
  let ranks: Int

  init(_ options: RunOptions, _ dataset: Dataset, _ world: any Communicator) {
    let plan = LanguageModel(
      options.model, vocabulary: dataset.vocabulary.count, seed: options.seed
    ).plan
    let vectors = options.training.average == nil ? 4 : 5
    let parameters = Double(ParameterLayout(plan).count * MemoryLayout<Float>.stride)
    let streams = (options.training.batchSize + world.size - 1) / world.size
    let steps = min(options.training.bptt, dataset.train.count / options.training.batchSize)
    ofRank =
      Double(vectors) * parameters
      + Tape.bytes(
        plan, steps: max(steps, 1), streams: streams, derivatives: true,
        resets: dataset.train.documentCount > 0)
    ranks = world.nodeSize
  }

  /// - Throws: `UsageError` where it is more than the machine has.
  func check() throws {
    let installed = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
    let needed = ofRank * Double(ranks)
    guard installed > 0, needed > installed else { return }
    func gibibytes(_ bytes: Double) -> String { fixed(bytes / 0x1p30, 1) + " GiB" }
    throw UsageError(
      "the run needs about \(gibibytes(needed)) of memory on this machine, which has "
        + "\(gibibytes(installed)): lower hidden, the vocabulary's size, batch_size or bptt, or use "
        + "more machines")
  }
}
