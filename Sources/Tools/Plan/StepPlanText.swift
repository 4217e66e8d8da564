internal import Formats
internal import Foundation

extension StepPlan {
  /// The plan as text: a table of the modes, the choice, and the section to paste.
  public var words: String {
    var lines = [
      "model    \(model), \(grouped(vocabulary)) symbols, \(grouped(parameters)) parameters",
      "cluster  \(cluster)",
      "window   \(streams) streams × \(bptt) steps on each of \(ranks) rank\(ranks == 1 ? "" : "s"), \(precision)",
      "compute  \(fixed(computeMilliseconds, 1)) ms a step without any exchange",
      "memory   " + nodeWords, "", modeTable, "",
    ]
    if !scaling.isEmpty { lines += [scalingTable, ""] }
    lines += ["Choose \(choice)" + reason + ":", "", yaml]
    return lines.joined(separator: "\n")
  }

  private var nodeWords: String {
    let each =
      "\(fixed(node.bytesOfRank * 1e-6, 1)) MB of recurrent weights a time step and rank, "
      + "\(fixed(node.bytesOfNode * 1e-6, 1)) MB a node of separate copies"
    if node.fitsCaches { return each + ", from its caches" }
    return each + ", from memory unless a cache holds them; a rank needs "
      + "\(Int(node.streamsNeeded.rounded(.up))) streams to compute as long as it reads"
  }

  private var modeTable: String {
    let heading = [
      "mode", "ms a step", "tokens/s", "over one rank", "efficiency", "MB sent", "hidden",
      "MiB a rank", "",
    ]
    let body = rows.map { row in
      [
        row.mode, fixed(row.stepMilliseconds, 1), grouped(Int(row.tokensPerSecond.rounded())),
        fixed(row.overOneRank, 2), fixed(100 * row.efficiency, 0) + " %",
        fixed(row.bytesPerStep * 1e-6, 2), fixed(100 * row.hiddenShare, 0) + " %",
        fixed(row.memory / 0x1p20, 0),
        row.fits ? (row.isExact ? "exact" : "") : "does not fit into the memory of a node",
      ]
    }
    return table([heading] + body, rightAligned: [1, 2, 3, 4, 5, 6, 7])
  }

  /// The efficiency of every mode over the number of ranks.
  private var scalingTable: String {
    let counts = Set(scaling.map(\.ranks)).sorted()
    let heading = ["efficiency on … ranks"] + counts.map { "\($0)" }
    let body = rows.map { row in
      [row.mode]
        + counts.map { count in
          let point = scaling.first { $0.mode == row.mode && $0.ranks == count }
          return point.map { fixed(100 * $0.efficiency, 0) + " %" } ?? ""
        }
    }
    return table([heading] + body, rightAligned: Set(1...max(counts.count, 1)))
  }

  private var reason: String {
    guard let chosen = rows.first(where: { $0.mode == choice }), ranks > 1,
      let fastest = rows.min(by: { $0.stepMilliseconds < $1.stepMilliseconds })
    else { return "" }
    if chosen.mode == fastest.mode {
      return chosen.isExact
        ? ", the fastest"
        : ", the fastest; it is not exact, so compare losses (docs/distributed.md)"
    }
    let more = 100 * (chosen.stepMilliseconds / fastest.stepMilliseconds - 1)
    return ", which is exact and \(fixed(more, 1)) % slower than the fastest"
  }
}
