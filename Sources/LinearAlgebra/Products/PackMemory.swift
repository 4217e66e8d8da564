#if !REAL_IS_DOUBLE
  /// Memory that packed copies take turns in: those of one layer lie in it one behind the other,
  /// and those of the next layer in the same place.
  final class PackMemory {
    /// Rises whenever everything is given back; what was taken at an earlier turn is gone.
    private(set) var turn = 0
    private var blocks: [Buffer<UInt8>] = []
    /// Of the last block.
    private var used = 0
    private var usedInTurn = 0
    private var mostInTurn = 0

    /// So many bytes on a 64-byte boundary, for the rest of this turn.
    func take(_ bytes: Int) -> UnsafeMutableRawPointer {
      let bytes = (bytes + 63) / 64 * 64
      if (blocks.last?.count ?? 0) - used < bytes {
        if used == 0, !blocks.isEmpty { blocks.removeLast() }
        blocks.append(Buffer(count: bytes))
        used = 0
      }
      defer { used += bytes }
      usedInTurn += bytes
      mostInTurn = max(mostInTurn, usedInTurn)
      return UnsafeMutableRawPointer(blocks.last!.start + used)
    }

    /// Begins the next turn. What did not fit into one block does from now on.
    func giveBack() {
      if blocks.count > 1 {
        blocks = []
        blocks = [Buffer(count: mostInTurn)]
      }
      used = 0
      usedInTurn = 0
      turn += 1
    }
  }
#endif
