/// The part that an activation plays in time, which says how many of its steps a tape holds.
enum ActivationKind: Sendable {
  /// A value of every step.
  case value
  /// A value of one step, replaced by that of the next step.
  case stepTemporary
  /// A value of every step that later steps read; its last steps are carried into the next window.
  case state(StateShape)
  /// A copy of what a step reads of a state so many steps earlier. Where no stream starts anew inside a
  /// window, the state itself is read and the copy takes no memory, unless it is `permanent`.
  case stateCopy(lag: Int, permanent: Bool)
}

/// The record of a state.
struct StateShape: Sendable {
  /// The steps of a chunk of a state that is kept once for each: with 16, states that are computed again fit
  /// in the cache.
  static let chunkSteps = 16

  /// The name in checkpoints.
  let name: String
  /// The number of last steps that are carried into the next window.
  let carriedSteps: Int
  /// The steps of a chunk, of which a window keeps the state at the end; 1 to keep that of every step.
  var chunk = 1
  /// The copies that steps read in place of earlier steps, one for each lag, with rising lags; none for a
  /// state that stands in for another, whose copies are read.
  let copies: Range<Int>
  /// The copies that products read where earlier steps are masked by dropout; nil where they are not.
  var maskedCopies: Range<Int>?
  /// True if the state holds the target of each step.
  var holdsTarget = false
}

extension ActivationKind {
  /// The record of a state; nil of everything else.
  var state: StateShape? { if case .state(let state) = self { state } else { nil } }

  /// The number of last steps that are carried into the next window; 0 for what is no state.
  var carriedSteps: Int { state?.carriedSteps ?? 0 }

  /// The steps of a chunk of which one state is kept; 1 of everything else.
  var chunk: Int { state?.chunk ?? 1 }

  /// True of a value that lasts for one step.
  var isStepTemporary: Bool { if case .stepTemporary = self { true } else { false } }

  /// The earlier step that a copy holds; nil of everything else.
  var copiedLag: Int? { if case .stateCopy(let lag, _) = self { lag } else { nil } }

  /// True if a tape needs memory for it where streams start anew inside windows, or else where they do
  /// not.
  func takesMemory(resets: Bool) -> Bool {
    if case .stateCopy(_, let isPermanent) = self { resets || isPermanent } else { true }
  }
}
