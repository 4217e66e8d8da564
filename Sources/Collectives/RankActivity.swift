internal import Synchronization

/// The work of this process as its watchdog sees it: what it is doing, and a count of what it has done.
///
/// A rank that works calls `advance` or `enter` from time to time; the calls of `MPI` tell by themselves that
/// they wait for other ranks, and that they have returned.
public final class RankActivity: Sendable {
  /// The activity of this process.
  public static let current = RankActivity()

  /// A part of a run.
  public enum Phase: UInt8, Sendable, CaseIterable {
    case starting, training, evaluating, saving, finishing

    /// The phase in a sentence about a rank.
    var words: String {
      switch self {
      case .starting: "starting up and reading the data"
      case .training: "training"
      case .evaluating: "evaluating"
      case .saving: "saving a checkpoint"
      case .finishing: "ending the run"
      }
    }
  }

  /// The state of a rank at one moment.
  package struct State: Equatable, Sendable {
    /// Grows with everything that the rank finishes.
    package var count: UInt64 = 0
    /// True if the rank has last begun to wait for others.
    package var isWaiting = false
    package var phase = Phase.starting
    /// The number of steps that it has taken.
    package var step = 0

    package init(
      count: UInt64 = 0, isWaiting: Bool = false, phase: Phase = .starting, step: Int = 0
    ) {
      (self.count, self.isWaiting, self.phase, self.step) = (count, isWaiting, phase, step)
    }
  }

  private let count = Atomic<UInt64>(0)
  private let isWaiting = Atomic<Bool>(false)
  private let phase = Atomic<UInt8>(Phase.starting.rawValue)
  private let step = Atomic<Int>(0)

  package init() {}

  /// Tells that this rank works, and has finished something.
  public func advance() {
    isWaiting.store(false, ordering: .relaxed)
    count.wrappingAdd(1, ordering: .relaxed)
  }

  /// Tells that this rank begins a part of the run.
  /// - Parameters:
  ///   - phase: The part of the run that begins.
  ///   - step: The number of steps that were taken; nil if it has not changed.
  public func enter(_ phase: Phase, step: Int? = nil) {
    self.phase.store(phase.rawValue, ordering: .relaxed)
    if let step { self.step.store(step, ordering: .relaxed) }
    advance()
  }

  /// Tells that this rank waits for others until it advances.
  package func wait() { isWaiting.store(true, ordering: .relaxed) }

  package var state: State {
    State(
      count: count.load(ordering: .relaxed), isWaiting: isWaiting.load(ordering: .relaxed),
      phase: Phase(rawValue: phase.load(ordering: .relaxed)) ?? .starting,
      step: step.load(ordering: .relaxed))
  }
}
