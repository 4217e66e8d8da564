internal import LinearAlgebra

extension HealthReport {
  /// Describes the libraries for matrix products, and whether every rank has the same.
  static func products(_ ranks: [RankFacts]) -> [Finding] {
    let library = ProductLibrary.description.split(separator: " ").prefix(2).joined(separator: " ")
    let kernels = Set(ranks.map(\.kernels)).sorted()
    let threads = Set(ranks.map(\.productThreads)).sorted()
    let found = Set(ranks.compactMap(\.oneDNN)).sorted()
    let value =
      (found + ["\(library), kernels for \(kernels.joined(separator: ", "))"])
      .joined(separator: "; ") + ", " + threads.map(String.init).joined(separator: " to ")
      + (threads == [1] ? " thread a rank" : " threads a rank")
    var findings: [Finding] = []
    if threads != [1] {
      findings.append(
        .warning("products", value, "parallelism is ranks: set OPENBLAS_NUM_THREADS=1"))
    }
    if kernels.count > 1 || found.count > 1 {
      findings.append(
        .warning(
          "products", value,
          "results repeat bit by bit on equal processors only: set OPENBLAS_CORETYPE, and "
            + "ONEDNN_MAX_CPU_ISA, to what all of them have"))
    }
    if let rank = ranks.first(where: { $0.oneDNN == nil }) {
      findings.append(
        .warning(
          "products", value,
          "rank \(rank.rank) multiplies with OpenBLAS alone, which takes up to twice as long: oneDNN is "
            + (rank.oneDNNProblem ?? "missing")))
    }
    return findings.isEmpty ? [.fine("products", value)] : findings
  }

  /// Describes the benefit of `precision: bfloat16`.
  static func bfloat16(_ ranks: [RankFacts]) -> [Finding] {
    let others = ranks.filter { !$0.usesOwnTiles }
    guard let other = others.first else {
      return [.fine("bfloat16", "multiplied by this program's own AMX kernels")]
    }
    if others.count < ranks.count {
      return [
        .warning(
          "bfloat16", "multiplied by this program's own AMX kernels, but not on rank \(other.rank)",
          "results repeat bit by bit with equal kernels only: set UNROLL_AMX=own on all hosts or on "
            + "none")
      ]
    }
    let without = ranks.filter { !$0.hasBFloat16 }
    return [
      .fine(
        "bfloat16",
        without.isEmpty
          ? "multiplied by the processor"
          : "rounded and multiplied in float32, so no faster (rank \(without[0].rank))")
    ]
  }
}
