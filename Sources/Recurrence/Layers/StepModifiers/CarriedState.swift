internal import LinearAlgebra

/// One state of a layer, and the earlier steps of it that a step reads: nothing from before the stream
/// began but the initial state.
///
/// A stream that has had a steps since it began sees at its step t the step t − k if k ≤ a, and the
/// initial state otherwise. The count a is carried like any state; it is zero where a document begins
/// and where carried states were cleared.
struct CarriedState: Sendable {
  let state: Activation
  /// The activation that is carried and that later steps read: the state itself, or with zoneout the
  /// mixture of old and new.
  private let carried: Activation
  private let initial: InitialStateSource
  /// The earlier steps that are read, rising from 1.
  private let lags: [Int]
  /// The steps since each stream began; nil where `Batch.resets` tells enough.
  private let sinceReset: Activation?
  private let isDifferentiated: Bool
  /// Masks the state where products read it; one mask for all steps of a window.
  private let dropout: RecurrentDropout?

  init(
    _ state: Activation, _ initial: InitialStateSource, carriedAs carried: Activation? = nil,
    dropout: RecurrentDropout? = nil, sinceReset: Activation?, in plan: Plan
  ) {
    self.state = state
    self.dropout = dropout
    self.carried = carried ?? state
    self.initial = initial
    self.sinceReset = sinceReset
    lags = plan.lags(of: state)
    isDifferentiated = plan.isDifferentiated(state)
  }

  /// Puts the initial state before the window's first step, as far back as streams had not begun.
  func beginWindow(_ pass: Pass) {
    forEachBeforeStreamStart(pass) { initial.fill($0.value, of: $0.stream, pass) }
  }

  /// Accumulates the gradient of the initial states that `beginWindow` has put there, and clears it, so
  /// that none of it flows further back.
  func endWindow(_ pass: Pass) {
    guard isDifferentiated else { return }
    forEachBeforeStreamStart(pass) {
      initial.add($0.derivative, of: $0.stream, pass)
      $0.derivative.elements.update(repeating: 0)
    }
  }

  /// Fills in the copies of earlier steps that step t reads.
  func beforeStep(_ t: Int, _ pass: Pass) {
    defer {
      if let dropout, pass.masksReads(of: state) {
        for lag in lags {
          let read = pass.read(state, t, lag: lag)
          read.fill(0)
          dropout.addMasked(pass.before(state, t, lag: lag), to: read, pass)
        }
      }
    }
    guard pass.seesCopies(of: state) else { return }
    for lag in lags {
      let past = pass.before(state, t, lag: lag)
      past.copy(pass[carried, t - lag])
      for s in 0..<pass.streams where isBeforeStreamStart(lag, t, s, pass) {
        initial.fill(past[s], of: s, pass)
      }
    }
  }

  /// Clears the gradients of the copies that step t reads.
  func beforeBackward(_ t: Int, _ pass: Pass) {
    if pass.masksReads(of: state) {
      for lag in lags { pass.d.read(state, t, lag: lag).fill(0) }
    }
    guard isDifferentiated, pass.seesCopies(of: state) else { return }
    for lag in lags { pass.d.before(state, t, lag: lag).fill(0) }
  }

  /// Adds the gradients of the copies that step t has read to those of the steps they are copies of.
  func afterBackward(_ t: Int, _ pass: Pass) {
    if let dropout, pass.masksReads(of: state) {
      for lag in lags {
        dropout.addMasked(
          pass.d.read(state, t, lag: lag), to: pass.d.before(state, t, lag: lag), pass)
      }
    }
    guard isDifferentiated, pass.seesCopies(of: state) else { return }
    for lag in lags {
      let seen = pass.d.before(state, t, lag: lag)
      let past = pass.d[carried, t - lag]
      // A rolling gradient is set, and holds that of a later step until then.
      if pass.d.rolls(state) { past.fill(0) }
      for s in 0..<pass.streams {
        if isBeforeStreamStart(lag, t, s, pass) {
          initial.add(seen[s], of: s, pass)
        } else {
          past[s].add(seen[s])
        }
      }
    }
  }

  /// Returns true if stream s had not begun `lag` steps before step t.
  private func isBeforeStreamStart(_ lag: Int, _ t: Int, _ s: Int, _ pass: Pass) -> Bool {
    guard let sinceReset else { return pass.begins(t, s) }
    return pass.before(sinceReset, t)[s, 0] < Real(lag)
  }

  private func forEachBeforeStreamStart(
    _ pass: Pass, _ body: ((stream: Int, value: Row, derivative: Row)) -> Void
  ) {
    guard let sinceReset else { return }
    for lag in 1...lags.last! {
      let (values, derivatives) = (pass[carried, -lag], pass.d[carried, -lag])
      for s in 0..<pass.streams where pass[sinceReset, -1][s, 0] < Real(lag) {
        body((s, values[s], derivatives[s]))
      }
    }
  }
}

/// The number of steps that each stream has had since it began: 0 before its first step.
struct StepsSinceReset: Sendable {
  let steps: Activation
  private let carriedState: CarriedState
  /// The largest count that anybody tells apart.
  private let limit: Real

  init(upTo limit: Int, in plan: inout Plan) {
    steps = plan.state(1, named: "age", derivative: .none)
    carriedState = CarriedState(steps, .zero, sinceReset: nil, in: plan)
    self.limit = Real(limit)
  }

  func forward(_ t: Int, _ pass: Pass) {
    carriedState.beforeStep(t, pass)
    let (past, now) = (pass.before(steps, t), pass[steps, t])
    for s in 0..<pass.streams { now[s, 0] = min(past[s, 0] + 1, limit) }
  }
}
