internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Datasets
internal import Formats
internal import Optimization

/// The exit codes of the process, after BSD's sysexits.
public enum ExitStatus {
  public static let done: Int32 = 0
  /// The command line or the configuration is wrong.
  public static let usage: Int32 = 64
  /// The data or a checkpoint is wrong.
  public static let data: Int32 = 65
  /// An internal error.
  public static let software: Int32 = 70
  /// A file cannot be written.
  public static let unwritable: Int32 = 74
  /// The run stopped early and can be resumed.
  public static let resumable: Int32 = 75
  /// The loss or the gradient was not finite, or the loss ended above that of guessing.
  public static let diverged: Int32 = 76

  /// Another run trains in the folder.
  public static let inUse: Int32 = 77
  /// A measurement is slower than its baseline.
  public static let slower: Int32 = 78
  /// A rank did not advance any more, and the watchdog ended the job.
  public static let stuck: Int32 = 79
  /// The weights of a rank differ from those of the others.
  public static let drifted: Int32 = 80

  /// Returns the exit code of an outcome.
  public static func of(_ outcome: Outcome) -> Int32 {
    switch outcome {
    case .complete: done
    case .interrupted: resumable
    case .unsaved: unwritable
    case .diverged, .spiked, .worseThanGuessing: diverged
    }
  }

  /// Returns the exit code of an error that ends the process.
  public static func of(_ error: any Error) -> Int32 {
    switch error {
    case is ConfigurationError, is ScheduleError, is UsageError: usage
    case is FolderInUse: inUse
    case is DriftError: drifted
    case let error as FileError: error.exitCode
    case let error as DataError: error.isUnwritable ? unwritable : data
    default: software
    }
  }
}
