internal import LinearAlgebra

/// The states that are carried from window to window: for every state the last steps of each stream.
///
/// Before a window's first step a tape copies them to the steps before it; after a step that counts, the
/// window's last steps are copied here. A window that is skipped leaves them as they were.
package final class StateStore {
  /// One state: its activation, its width, the number of carried steps and their values, `steps · streams ×
  /// width`, the earliest step first.
  struct Entry {
    let index: Int
    let width: Int
    let steps: Int
    let holdsTarget: Bool
    let values: Buffer<Real>
    /// The place of its values where those of all states lie one behind the other.
    let place: Int
  }

  let entries: [Entry]
  /// The numbers of all states.
  let count: Int
  /// The entry of each activation; nil of what is no state.
  private let places: [Int?]

  init(_ activations: [Plan.ActivationShape], streams: Int) {
    var (entries, places, count): ([Entry], [Int?], Int) = ([], [], 0)
    for (index, shape) in activations.enumerated() {
      guard let state = shape.kind.state else {
        places.append(nil)
        continue
      }
      places.append(entries.count)
      let values = Buffer<Real>(count: state.carriedSteps * streams * shape.width)
      entries.append(
        Entry(
          index: index, width: shape.width, steps: state.carriedSteps,
          holdsTarget: state.holdsTarget, values: values, place: count))
      count += values.count
    }
    (self.entries, self.places, self.count) = (entries, places, count)
  }

  /// The entry of an activation; nil of what is no state.
  func entry(_ index: Int) -> Entry? { places[index].map { entries[$0] } }

  /// Forgets all states: every stream starts from zero.
  func clear() { for entry in entries { entry.values.clear() } }

  /// Copies all states into a buffer of `count` numbers.
  func store(in buffer: Buffer<Real>) {
    for entry in entries {
      (buffer.start + entry.place).update(from: entry.values.start, count: entry.values.count)
    }
  }

  /// Copies all states out of a buffer that `store` has filled.
  func restore(from buffer: Buffer<Real>) {
    for entry in entries {
      entry.values.start.update(from: buffer.start + entry.place, count: entry.values.count)
    }
  }

  /// The carried steps of a state, the earliest first: `steps · streams × width`.
  func rows(of state: Activation, streams: Int) -> Matrix {
    guard let entry = entry(state.index) else {
      preconditionFailure("an activation without a state")
    }
    return Matrix(entry.values, rows: entry.steps * streams, columns: entry.width)
  }

  /// Returns the carried steps of a state stream by stream, the earliest step first: a stream's part of a
  /// checkpoint, or its luggage to another rank.
  func byStream(_ state: Activation, streams: Int) -> Buffer<Real> {
    let rows = rows(of: state, streams: streams)
    let buffer = Buffer<Real>(count: rows.rows * rows.columns)
    pair(rows, buffer, streams: streams) { $1.copy($0) }
    return buffer
  }

  /// Carries the steps that `byStream` has returned.
  func carry(_ state: Activation, byStream buffer: Buffer<Real>, streams: Int) {
    pair(rows(of: state, streams: streams), buffer, streams: streams) { $0.copy($1) }
  }

  /// Pairs each carried row with its row in an order of streams.
  private func pair(
    _ rows: Matrix, _ buffer: Buffer<Real>, streams: Int, _ body: (Row, Row) -> Void
  ) {
    // A rank may have no part of a batch.
    guard streams > 0 else { return }
    let steps = rows.rows / streams
    let others = Matrix(buffer, rows: rows.rows, columns: rows.columns)
    for s in 0..<streams {
      for step in 0..<steps { body(rows[step * streams + s], others[s * steps + step]) }
    }
  }

  /// Copies the states of one of `others` streams of another store to one of `streams` here.
  func copyStream(
    _ other: Int, of others: Int, in store: StateStore, to stream: Int, of streams: Int
  ) {
    for (from, to) in zip(store.entries, entries) {
      let source = Matrix(from.values, rows: from.steps * others, columns: from.width)
      let target = Matrix(to.values, rows: to.steps * streams, columns: to.width)
      for step in 0..<to.steps {
        target[step * streams + stream].copy(source[step * others + other])
      }
    }
  }

  /// Notes the target of a stream's last step where it is known only now, as in sampling.
  func note(target: Int32, of stream: Int) {
    for entry in entries where entry.holdsTarget {
      entry.values.elements()[stream] = Real(target + 1)
    }
  }

  /// Notes the numbers or labels of all streams' last step as their targets, one stream after the other.
  func note(values: [Real]) {
    for entry in entries where entry.holdsTarget {
      _ = entry.values.elements().update(fromContentsOf: values)
    }
  }

  /// Notes the numbers or labels of one stream's last step as its targets.
  func note(values: Row, of stream: Int) {
    for entry in entries where entry.holdsTarget {
      let rows = entry.values.count / entry.width
      Matrix(entry.values, rows: rows, columns: entry.width)[stream].copy(values)
    }
  }
}
