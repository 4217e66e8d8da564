#if !REAL_IS_DOUBLE
  /// A copy of a weight in another layout or precision, made anew at its first use after a change of
  /// the weights.
  struct PackedCopy {
    /// The version of the weights that the copy was made from.
    private var version = -1
    /// The place of the copy: in `own`, or in `PackMemory` during one of its turns.
    private var start: UnsafeMutableRawPointer?
    private var own: Buffer<UInt8>?
    private var turn = -1

    /// Returns the memory of the copy, of so many bytes and aligned to 64, after the weight has written it
    /// where it is missing or out of date.
    /// - Parameter number: The number of the copy among those of its weight.
    @inline(__always)
    mutating func bytes(
      _ count: Int, _ number: Int, of weight: WeightProduct
    ) -> UnsafeMutableRawPointer {
      let model = weight.model
      if let shared = model.sharedPacks, let memory = shared.bytes(count, number, of: weight) {
        return memory
      }
      let memory = place(count, in: model)
      if version != model.version {
        version = model.version
        weight.pack(number, into: memory)
      }
      return memory
    }

    /// The same for a copy that is a matrix of single-precision numbers.
    @inline(__always)
    mutating func matrix(
      rows: Int, columns: Int, _ number: Int, of weight: WeightProduct
    ) -> Matrix {
      let memory = bytes(rows * columns * MemoryLayout<Float>.stride, number, of: weight)
      return Matrix(memory.assumingMemoryBound(to: Float.self), rows: rows, columns: columns)
    }

    /// Returns the place of the copy. A copy that has just got its place has no version yet.
    private mutating func place(_ count: Int, in model: WeightProducts) -> UnsafeMutableRawPointer {
      if model.copiesTakeTurns, count >= WeightProducts.leastOfTurns {
        if turn != model.memory.turn {
          self = PackedCopy()
          start = model.memory.take(count)
          turn = model.memory.turn
        }
      } else if own == nil {
        let own = Buffer<UInt8>(count: count)
        self = PackedCopy()
        self.own = own
        start = UnsafeMutableRawPointer(own.start)
      }
      return start!
    }
  }

  /// Memory that packed copies use in turns: the copies of one layer lie in it side by side, and the
  /// copies of the next layer then use the same place.
  final class PackMemory {
    /// The number of the turn, which rises with every `release`. Memory of an earlier turn is gone.
    private(set) var turn = 0
    private var blocks: [Buffer<UInt8>] = []
    /// The bytes of the last block that are in use.
    private var used = 0
    private var usedInTurn = 0
    private var mostInTurn = 0

    /// Returns so many bytes on a 64-byte boundary, which last until the end of this turn.
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

    /// Begins the next turn. If one block was too small for this turn, the next has a larger one.
    func release() {
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
