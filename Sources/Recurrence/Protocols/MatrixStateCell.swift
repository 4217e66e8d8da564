public import LinearAlgebra

/// A recurrence over one state of many numbers for each head, such as a matrix, which reads no other head.
///
/// A step has three parts: `mixInput` reads earlier inputs, `project` multiplies with matrices, and `advance`
/// computes the next state of a head and reads it. A layer that takes a window at once calls each of them
/// for all steps before the next, walks through a head's steps in one loop, keeps the state at the end of
/// each chunk of steps only, and computes the others again in the backward pass. Where something happens
/// between two steps, such as feedback, one step follows the other and every state is kept.
public protocol MatrixStateCell: RecurrentCell {
  /// The states of all heads side by side, made by `Plan.chunkedState`.
  var memory: Activation { get }
  var heads: Int { get }
  /// Memory for the states of a head between two kept ones, made by `Plan.chunkScratch`.
  var workspace: Scratch { get }

  /// Computes what reads the input of earlier steps.
  func mixInput(_ t: Int, _ pass: Pass)
  /// Computes what needs no earlier step.
  func project(_ steps: Range<Int>, _ pass: Pass)
  /// Computes the state of a head after step t of stream s from that before it, which may lie in the same
  /// place, and, if `reading`, the head's part of what the step outputs.
  func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass)
  /// Turns the gradient of the state after a step into that of the state before it, and computes the
  /// gradients of what `advance` has read.
  func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass)
  /// Walks through all steps of a window; unless a cell knows better, head by head and step by step.
  func advanceThroughWindow(_ pass: Pass)
  /// Is the backward pass of `advanceThroughWindow`.
  func retreatThroughWindow(_ pass: Pass)
  /// Completes the outputs of some steps from what their heads have read.
  func finish(_ steps: Range<Int>, _ pass: Pass)
  /// Is the backward pass of `finish`.
  func beginBackward(_ steps: Range<Int>, _ pass: Pass)
  /// Is the backward pass of `project`.
  func projectBack(_ steps: Range<Int>, _ pass: Pass)
  /// Is the backward pass of `mixInput`.
  func mixInputBack(_ t: Int, _ pass: Pass)
}

extension MatrixStateCell {
  public func mixInput(_ t: Int, _ pass: Pass) {}
  public func project(_ steps: Range<Int>, _ pass: Pass) {}
  public func finish(_ steps: Range<Int>, _ pass: Pass) {}
  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {}
  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {}
  public func mixInputBack(_ t: Int, _ pass: Pass) {}
  public func advanceThroughWindow(_ pass: Pass) { advanceStepByStep(pass) }
  public func retreatThroughWindow(_ pass: Pass) { retreatStepByStep(pass) }

  // MARK: One step after the other

  public func forward(_ t: Int, _ pass: Pass) {
    mixInput(t, pass)
    project(t..<t + 1, pass)
    let (past, now) = (pass.before(memory, t), pass[memory, t])
    for s in 0..<pass.streams {
      for head in 0..<heads {
        advance(
          past[s].part(head, of: heads), to: now[s].part(head, of: heads), head: head, t, s,
          reading: true, pass)
      }
    }
    finish(t..<t + 1, pass)
  }

  public func backward(_ t: Int, _ pass: Pass) {
    beginBackward(t..<t + 1, pass)
    let (past, now) = (pass.before(memory, t), pass[memory, t])
    let (dPast, dNow) = (pass.d.before(memory, t), pass.d[memory, t])
    for s in 0..<pass.streams {
      dPast[s].copy(dNow[s])
      for head in 0..<heads {
        retreat(
          dPast[s].part(head, of: heads), past: past[s].part(head, of: heads),
          now: now[s].part(head, of: heads), head: head, t, s, pass)
      }
    }
    projectBack(t..<t + 1, pass)
    mixInputBack(t, pass)
  }

  // MARK: A window at once

  /// Walks through all steps of a window, head by head.
  func advanceStepByStep(_ pass: Pass) {
    let chunk = pass.chunk(of: memory)
    for s in 0..<pass.streams {
      for head in 0..<heads {
        for (index, start) in stride(from: 0, to: pass.steps, by: chunk).enumerated() {
          let state = pass[memory, index][s].part(head, of: heads)
          state.copy(pass[memory, index - 1][s].part(head, of: heads))
          for t in start..<min(start + chunk, pass.steps) {
            if pass.begins(t, s) { state.fill(0) }
            advance(state, to: state, head: head, t, s, reading: true, pass)
          }
        }
      }
    }
  }

  /// Walks back through all steps of a window, head by head, and computes the states of a chunk again first.
  func retreatStepByStep(_ pass: Pass) {
    let chunk = pass.chunk(of: memory)
    let chunks = (pass.steps + chunk - 1) / chunk
    let width = pass[memory, -1].columns / heads
    // The states before the chunk's first step and after each of its steps, and one that is zero.
    let zero = min(chunk, pass.steps) + 1
    let states = Matrix(pass.scratch(workspace), rows: zero + 1, columns: width)
    states[zero].fill(0)
    for s in 0..<pass.streams {
      for head in 0..<heads {
        for index in (0..<chunks).reversed() {
          let steps = index * chunk..<min((index + 1) * chunk, pass.steps)
          states[0].copy(pass[memory, index - 1][s].part(head, of: heads))
          if chunk == 1 {
            states[1].copy(pass[memory, index][s].part(head, of: heads))
          } else {
            for t in steps {
              let place = t - steps.lowerBound
              advance(
                states[pass.begins(t, s) ? zero : place], to: states[place + 1], head: head,
                t, s, reading: false, pass)
            }
          }
          let gradient = pass.d[memory, index - 1][s].part(head, of: heads)
          gradient.copy(pass.d[memory, index][s].part(head, of: heads))
          for t in steps.reversed() {
            let place = t - steps.lowerBound
            let begins = pass.begins(t, s)
            retreat(
              gradient, past: states[begins ? zero : place], now: states[place + 1],
              head: head, t, s, pass)
            if begins { gradient.fill(0) }
          }
        }
      }
    }
  }

  // MARK: Chunks as products of matrices

  /// False where every state is kept, and for so few steps that no product is worth its call.
  func takesChunks(of fewest: Int, _ pass: Pass) -> Bool {
    pass.chunk(of: memory) > 1 && pass.steps >= fewest
  }

  /// Calls a function with the number of each chunk, its steps and the stream.
  func forEachChunk(
    _ pass: Pass, backward: Bool, _ body: (Int, Range<Int>, Int) -> Void
  ) {
    let chunk = pass.chunk(of: memory)
    let count = (pass.steps + chunk - 1) / chunk
    for s in 0..<pass.streams {
      for place in 0..<count {
        let index = backward ? count - 1 - place : place
        body(index, index * chunk..<min((index + 1) * chunk, pass.steps), s)
      }
    }
  }

  /// The rows of a stream in some steps.
  func stream(_ s: Int, _ x: Matrix, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    x.slice(rows: pass.rows(of: steps)).every(pass.streams, from: s)
  }
}

extension Plan {
  /// Adds the memory in which a cell computes the states of a chunk again.
  /// - Parameters:
  ///   - width: The numbers of a head's state.
  ///   - steps: The most steps of a chunk that are computed again.
  mutating func chunkScratch(_ width: Int, steps: Int = StateShape.chunkSteps) -> Scratch {
    scratch(width, rows: .fixed(scope.keepsChunks ? steps + 2 : 1))
  }
}
