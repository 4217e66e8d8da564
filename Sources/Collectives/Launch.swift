internal import Glibc

/// The launcher that started this process, as read from the environment before any library is
/// started.
///
/// A command uses it to check its arguments and files first and to print an error once
/// (`launch.rank == 0`) rather than once per rank.
public struct Launch: Equatable, Sendable {
  public enum Launcher: Equatable, Sendable {
    case none
    /// Open MPI's own `mpirun`.
    case mpirun
    /// Another launcher with PMIx, such as `srun --mpi=pmix`.
    case pmix
    /// MPICH's or Intel's `mpirun`, or `srun --mpi=pmi2`: Open MPI cannot use them.
    case pmi
    /// `srun` without PMIx.
    case srun
  }

  public let launcher: Launcher
  /// The rank that the launcher gave; 0 without a launcher.
  public let rank: Int
  /// The number of processes that the launcher started; nil if unknown.
  public let size: Int?

  /// Reads the environment of this process.
  public init() {
    self.init { name in getenv(name).map { String(cString: $0) } }
  }

  /// Reads an environment: `variable` returns the value of a variable, or nil.
  public init(_ variable: (String) -> String?) {
    func number(_ name: String) -> Int? { variable(name).flatMap { Int($0) } }
    // The variables of `mpirun` come first, because it is often called inside a SLURM allocation,
    // whose variables are then set too. SLURM_NTASKS alone does not show how this process was
    // started, because a batch script and its direct children have it too. Only `srun` sets
    // SLURM_STEP_NUM_TASKS.
    if let size = number("OMPI_COMM_WORLD_SIZE") {
      (launcher, rank, self.size) = (.mpirun, number("OMPI_COMM_WORLD_RANK") ?? 0, size)
    } else if let rank = number("PMIX_RANK") {
      (launcher, self.rank, size) = (.pmix, rank, number("SLURM_STEP_NUM_TASKS"))
    } else if let size = number("PMI_SIZE") {
      (launcher, rank, self.size) = (.pmi, number("PMI_RANK") ?? 0, size)
    } else if let size = number("SLURM_STEP_NUM_TASKS") {
      (launcher, rank, self.size) = (.srun, number("SLURM_PROCID") ?? 0, size)
    } else {
      (launcher, rank, size) = (.none, 0, 1)
    }
  }

  /// Returns true if this process must start MPI: if it is not alone.
  /// - Throws: `launcher` if Open MPI cannot connect the processes, which would otherwise each
  ///   train alone.
  public func needsMPI() throws(CommunicationError) -> Bool {
    if size == 1 || launcher == .none { return false }
    let processes = size.map { "\($0) processes" } ?? "several processes"
    switch launcher {
    case .none, .mpirun, .pmix:
      return true
    case .pmi:
      throw .launcher(
        "The launcher started \(processes) through PMI, which Open MPI cannot use: start them with"
          + " Open MPI's mpirun, or under SLURM with `srun --mpi=pmix`.")
    case .srun:
      throw .launcher(
        "srun started \(processes) without PMIx, so that they cannot find each other: start them"
          + " with `srun --mpi=pmix`.")
    }
  }
}

/// Joins the world that the launcher started: MPI under `mpirun` or `srun` with more than one
/// process, otherwise a `SingleProcess`.
/// - Throws: `launcher` if the processes cannot connect.
public func joinWorld(_ launch: Launch = Launch()) throws(CommunicationError) -> any Communicator {
  guard try launch.needsMPI() else { return SingleProcess() }
  let world = try MPI.start()
  if let size = launch.size, size != world.size {
    throw .launcher(
      "The launcher started \(size) processes, but Open MPI sees \(world.size): start them with the"
        + " mpirun of the Open MPI that this program is linked with, or with `srun --mpi=pmix`.")
  }
  return world
}
