internal import Glibc

/// What the environment tells of the launcher that started this process, before any library is
/// started.
///
/// A command reads it to check its arguments and files first and to print an error once
/// (`launch.rank == 0`) rather than once per rank.
public struct Launch: Equatable, Sendable {
  public enum Launcher: Equatable, Sendable {
    case none
    /// Open MPI's own `mpirun`.
    case mpirun
    /// Another launcher that offers PMIx, such as `srun --mpi=pmix`.
    case pmix
    /// MPICH's or Intel's `mpirun`, or `srun --mpi=pmi2`: Open MPI cannot use them.
    case pmi
    /// `srun` without PMIx.
    case srun
  }

  public let launcher: Launcher
  /// The rank given by the launcher, 0 without one.
  public let rank: Int
  /// The number of processes started, nil if the launcher does not tell.
  public let size: Int?

  /// Reads the environment of this process.
  public init() {
    self.init { name in getenv(name).map { String(cString: $0) } }
  }

  /// Reads an environment: `variable` returns the value of a variable, or nil.
  public init(_ variable: (String) -> String?) {
    func number(_ name: String) -> Int? { variable(name).flatMap { Int($0) } }
    // The variables of `mpirun` come first: it is often called inside an allocation of SLURM, whose
    // variables are then present as well. SLURM_NTASKS alone says nothing, since a batch script and
    // whatever it calls directly carry it too: only `srun` sets SLURM_STEP_NUM_TASKS.
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

  /// Whether this process has to start MPI: not when it is alone.
  /// - Throws: `launcher` if there are several processes that Open MPI could not bring together,
  ///   each of which would otherwise train alone.
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

/// Joins the world that the launcher of this process has started: MPI under `mpirun` or `srun` with
/// more than one process, a `SingleProcess` otherwise.
/// - Throws: `launcher` if the processes cannot find each other.
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
