internal import LinearAlgebra

// What windows that overlap need of a tape.
extension Tape {
  /// The activations of which every step is kept.
  private var whole: [Int] {
    shapes.indices.filter { shapes[$0].axis == .time && !shapes[$0].kind.isStepTemporary }
  }

  /// The numbers of all activations at one step of one stream.
  var numbersPerStep: Int { whole.reduce(0) { $0 + shapes[$1].width } }

  /// Makes step `steps` of the time axis its step 0, so that what was before is found as what is carried
  /// would be, and has windows of so many steps; a negative number goes back.
  func move(by steps: Int, covering count: Int) {
    precondition(
      shapes.allSatisfy { $0.kind.chunk == 1 }, "windows that overlap, of chunked states")
    for index in shapes.indices where shapes[index].axis == .time {
      slots[index].steps = count
      guard !slots[index].isStepTemporary else { continue }
      let size = steps * slots[index].streams * slots[index].width
      slots[index].value += size
      // Of a gradient of two steps there is nothing yet, as only the backward pass writes it.
      if slots[index].gradientSteps == .every { slots[index].derivative += size }
    }
  }

  /// Copies the values of some steps out of the tape, activation by activation.
  func take(_ steps: Range<Int>, into buffer: Buffer<Real>) {
    forEachWhole(steps) { values, place in
      (buffer.start + place).update(from: values.start, count: values.count)
    }
  }

  /// Copies what `take` has taken of so many steps back into the tape.
  func put(_ buffer: Buffer<Real>, at steps: Range<Int>) {
    forEachWhole(steps) { values, place in
      values.start.update(from: buffer.start + place, count: values.count)
    }
  }

  @inline(__always)
  private func forEachWhole(
    _ steps: Range<Int>, _ body: ((start: UnsafeMutablePointer<Real>, count: Int), Int) -> Void
  ) {
    guard !steps.isEmpty else { return }
    var place = 0
    for index in 0..<shapes.count
    where shapes[index].axis == .time && !slots[index].isStepTemporary {
      let slot = slots[index]
      let row = slot.streams * slot.width
      let size = steps.count * row
      body((slot.value + steps.lowerBound * row, size), place)
      place += size
    }
  }

  /// Copies the states before a step of this window, as `StateStore.store` does with carried ones.
  func storeStates(before step: Int, in buffer: Buffer<Real>) {
    for entry in states.entries {
      let slot = slots[entry.index]
      let row = slot.streams * slot.width
      (buffer.start + entry.place).update(
        from: slot.value + (step - entry.steps) * row, count: entry.steps * row)
    }
  }

  /// Pairs the rows of what `take` has taken with those of the same numbers stream by stream, each
  /// steps × numbers.
  func exchange(
    _ taken: Buffer<Real>, _ byStream: Buffer<Real>, steps: Int, streams: Int,
    _ body: (Row, Row) -> Void
  ) {
    let width = numbersPerStep
    var (place, column) = (0, 0)
    for index in whole {
      let own = shapes[index].width
      for t in 0..<steps {
        for s in 0..<streams {
          body(
            Row(taken.start + place, count: own),
            Row(byStream.start + (s * steps + t) * width + column, count: own))
          place += own
        }
      }
      column += own
    }
  }
}
