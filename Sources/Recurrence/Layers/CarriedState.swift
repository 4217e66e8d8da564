internal import LinearAlgebra

/// One state of a layer, and what a step sees of its earlier steps: nothing from before the stream
/// began, but the initial state.
///
/// A stream of age a has had a steps since it began, so its step t sees the step t − k if k ≤ a. The
/// age is carried like any state; it is zero where a document begins and where carried states were
/// cleared.
struct CarriedState: Sendable {
  let state: Activation
  /// What the next steps see of it: the state itself, or what a zoneout makes of it.
  let shown: Activation
  let zoneout: Zoneout?
  let beginning: InitialStateSource
  /// Which earlier steps are read, rising from 1.
  let lags: [Int]
  /// The streams' ages; nil where the steps that begin a document tell enough.
  let age: Activation?
  let isDifferentiated: Bool
  /// Masks what products read; one mask for all steps of a window.
  let dropout: RecurrentDropout?

  init(
    _ state: Activation, _ beginning: InitialStateSource, zoneout: Zoneout? = nil,
    dropout: RecurrentDropout? = nil, age: Activation?, in plan: Plan
  ) {
    self.state = state
    self.zoneout = zoneout
    self.dropout = dropout
    shown = zoneout?.held ?? state
    self.beginning = beginning
    self.age = age
    lags = plan.lags(of: state)
    isDifferentiated = plan.isDifferentiated(state)
  }

  /// Puts the initial state before the window's first step, as far back as streams had not begun.
  func begin(_ pass: Pass) {
    forEachBeforeStreamStart(pass) { beginning.fill($0.value, of: $0.stream, pass) }
  }

  /// Takes up the derivative of what `begin` has put there, so that nothing of it goes further back.
  func finish(_ pass: Pass) {
    guard isDifferentiated else { return }
    forEachBeforeStreamStart(pass) {
      beginning.add($0.derivative, of: $0.stream, pass)
      $0.derivative.elements.update(repeating: 0)
    }
  }

  /// Fills in what step t sees of earlier steps.
  func recall(_ t: Int, _ pass: Pass) {
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
      past.copy(pass[shown, t - lag])
      for s in 0..<pass.streams where isBeforeStreamStart(lag, t, s, pass) {
        beginning.fill(past[s], of: s, pass)
      }
    }
  }

  /// Makes the derivative of what step t sees of earlier steps zero.
  func clear(_ t: Int, _ pass: Pass) {
    if pass.masksReads(of: state) {
      for lag in lags { pass.d.read(state, t, lag: lag).fill(0) }
    }
    guard isDifferentiated, pass.seesCopies(of: state) else { return }
    for lag in lags { pass.d.before(state, t, lag: lag).fill(0) }
  }

  /// Takes the derivative of what step t saw back to where it was from.
  func trace(_ t: Int, _ pass: Pass) {
    if let dropout, pass.masksReads(of: state) {
      for lag in lags {
        dropout.addMasked(
          pass.d.read(state, t, lag: lag), to: pass.d.before(state, t, lag: lag), pass)
      }
    }
    guard isDifferentiated, pass.seesCopies(of: state) else { return }
    for lag in lags {
      let seen = pass.d.before(state, t, lag: lag)
      let source = pass.d[shown, t - lag]
      // What rolls is set, and holds the derivative of the step after until then.
      if pass.d.rolls(state) { source.fill(0) }
      for s in 0..<pass.streams {
        if isBeforeStreamStart(lag, t, s, pass) {
          beginning.add(seen[s], of: s, pass)
        } else {
          source[s].add(seen[s])
        }
      }
    }
  }

  /// Whether stream s had not begun `lag` steps before step t.
  private func isBeforeStreamStart(_ lag: Int, _ t: Int, _ s: Int, _ pass: Pass) -> Bool {
    guard let age else { return pass.begins(t, s) }
    return pass.before(age, t)[s, 0] < Real(lag)
  }

  private func forEachBeforeStreamStart(
    _ pass: Pass, _ body: ((stream: Int, value: Row, derivative: Row)) -> Void
  ) {
    guard let age else { return }
    for lag in 1...lags.last! {
      let (values, derivatives) = (pass[shown, -lag], pass.d[shown, -lag])
      for s in 0..<pass.streams where pass[age, -1][s, 0] < Real(lag) {
        body((s, values[s], derivatives[s]))
      }
    }
  }
}

/// How many steps each stream has had since it began: before its first step, 0.
struct StepsSinceReset: Sendable {
  let steps: Activation
  private let carriedState: CarriedState
  /// Beyond it nobody tells ages apart.
  private let limit: Real

  init(upTo limit: Int, in plan: inout Plan) {
    steps = plan.state(1, named: "age", derivative: .none)
    carriedState = CarriedState(steps, .zero, age: nil, in: plan)
    self.limit = Real(limit)
  }

  func forward(_ t: Int, _ pass: Pass) {
    carriedState.recall(t, pass)
    let (past, now) = (pass.before(steps, t), pass[steps, t])
    for s in 0..<pass.streams { now[s, 0] = min(past[s, 0] + 1, limit) }
  }
}
