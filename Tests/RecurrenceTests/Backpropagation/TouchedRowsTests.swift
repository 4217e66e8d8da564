import AllocationCounter
import LinearAlgebra
import Recurrence
import Testing

@Suite(.serialized) struct `Rows that a window has touched` {
  /// Sets of rows of matrices whose sizes lie around the 64 bits of a word.
  private static let sets: [(rows: Int, members: [Int])] = [
    (1, []), (1, [0]), (63, [62]), (64, [0, 63]), (65, [63, 64]), (130, Array(60..<130)),
    (130, [0, 1, 2, 64, 66, 67, 127, 128]), (200, Array(0..<200)), (200, [100]),
  ]

  @Test func `are visited in longest runs, upwards and downwards`() {
    for (rows, members) in Self.sets {
      let set = RowSet(of: rows)
      for row in members.reversed() + members { set.insert(row) }
      var (runs, backwards): ([Range<Int>], [Range<Int>]) = ([], [])
      set.forEachRun { runs.append($0) }
      set.forEachRunBackwards { backwards.append($0) }
      #expect(runs.flatMap { Array($0) } == members, "\(members) of \(rows)")
      #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
      #expect(backwards == runs.reversed(), "\(members) of \(rows)")
      #expect(set.count == members.count)
      set.removeAll()
      set.forEachRun { Issue.record("\($0) of an empty set") }
      #expect(set.count == 0)
      RowSet(of: rows, isFull: true).forEachRun { #expect($0 == 0..<rows) }
    }
  }

  /// Two tables of different widths behind dense parameters.
  private static let layout: ParameterLayout = {
    var plan = Plan()
    _ = plan.parameter("first", from: 3, to: 130, pytorch: .zero, isRowSparse: true)
    _ = plan.parameter("dense", from: 5, to: 2, pytorch: .zero)
    _ = plan.parameter("second", from: 7, to: 200, pytorch: .zero, isRowSparse: true)
    return ParameterLayout(plan)
  }()

  /// A gradient with different numbers in these rows and in the dense parameter.
  private func gradient(_ first: [Int], _ second: [Int]) -> ParameterVector {
    let gradient = ParameterVector(Self.layout)
    gradient.clear()
    for (name, rows) in [("first", first), ("second", second), ("dense", [0, 1])] {
      let entry = Self.layout.entry(named: name)!
      for row in rows {
        gradient.touchedRows(entry.parameter)?.insert(row)
        for j in 0..<entry.columns {
          let place = entry.offset + row * entry.columns + j
          gradient.buffer.elements()[place] = Real(place + 1)
        }
      }
    }
    return gradient
  }

  private static let pairs: [([Int], [Int])] = [
    ([], []), ([129], [199]), ([0], [0]), ([], [3, 4, 5, 190]), ([0, 1, 2, 64, 66, 67, 128], []),
    (Array(60..<130), Array(100..<200)), (Array(0..<130), Array(0..<200)), ([5], Array(0..<200)),
  ]

  @Test(arguments: pairs.indices)
  func `are packed behind the dense part and come back to the same bits`(index: Int) {
    let (first, second) = Self.pairs[index]
    let gradient = gradient(first, second)
    let before = Array(gradient.buffer.elements())
    let count = Self.layout.dense.count + 3 * first.count + 7 * second.count
    #expect(gradient.touchedCount == count)
    gradient.pack()
    #expect(
      gradient.buffer.elements(count: count).filter { $0 != 0 } == before.filter { $0 != 0 },
      "everything that is not zero, in its order")
    gradient.unpack()
    #expect(Array(gradient.buffer.elements()) == before)
    gradient.clear()
    #expect(gradient.buffer.elements().allSatisfy { $0 == 0 })
    #expect(gradient.touchedCount == Self.layout.dense.count)
  }

  @Test func `are those of the window's symbols, whether or not dropout lies between`() {
    for dropout in [0, 0.5] {
      let trial = WindowTrial(
        SequenceModelOptions(
          embedding: 3, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))],
          dropout: dropout))
      let table = trial.model.plan.table
      let touched = trial.gradient.touchedRows(table)!
      #expect(touched.count == WindowTrial.vocabulary, "everything before it is cleared first")
      for window in 0..<3 {
        trial.fill(window: window, steps: 2)
        for row in 0..<4 { trial.batch.inputs.start[row] = Int32(row % 2 + 2 * window) }
        trial.gradient.clear()
        trial.accumulate()
        var rows: [Int] = []
        touched.forEachRun { rows += Array($0) }
        #expect(rows == [2 * window, 2 * window + 1])
        // The rows of the window before are zero again.
        let expected = ParameterVector(trial.gradient.layout)
        let other = trial.gradient(into: expected)
        #expect(other.elements().elementsEqual(trial.gradient.buffer.elements()))
      }
    }
  }

  @Test func `are cleared, packed and unpacked without an allocation`() {
    let gradient = gradient([3, 77], [5, 6])
    let rows = gradient.touchedRows(Self.layout.entry(named: "first")!.parameter)!
    allocation_counter_start()
    gradient.pack()
    gradient.unpack()
    gradient.clear()
    rows.insert(9)
    let count = allocation_counter_stop()
    #expect(count == 0)
  }
}

extension Plan {
  /// The table that symbols are looked up in.
  fileprivate var table: Parameter {
    ParameterLayout(self).entry(named: "encoder.weight")!.parameter
  }
}

extension WindowTrial {
  /// Adds the derivatives of the batch to the gradient, as it is.
  fileprivate func accumulate() { _ = gradient(into: gradient) }

  @discardableResult
  fileprivate func gradient(into vector: ParameterVector) -> Buffer<Real> {
    tape.clearCarried()
    let pass = tape.begin(batch, weights: weights, gradient: vector)
    model.forward(pass)
    model.backward(pass)
    return vector.buffer
  }
}
