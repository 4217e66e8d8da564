import Collectives
import Testing

@Suite struct `Launchers` {
  static func launch(_ environment: [String: String]) -> Launch { Launch { environment[$0] } }

  @Test func `Without a launcher, or with one process, MPI is not started`() throws {
    let environments: [[String: String]] = [
      [:],
      ["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0", "PMIX_RANK": "0"],
      ["PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "1"],
      ["PMI_SIZE": "1", "PMI_RANK": "0"],
      ["SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"],
      // A batch script that calls the program directly.
      ["SLURM_NTASKS": "4", "SLURM_PROCID": "0"],
    ]
    for environment in environments {
      let launch = Self.launch(environment)
      #expect(try !launch.needsMPI())
      #expect(launch.rank == 0)
      #expect(try joinWorld(launch) is SingleProcess)
    }
  }

  @Test func `Under mpirun or srun with PMIx, MPI brings the processes together`() throws {
    let mpirun = Self.launch([
      "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "PMIX_RANK": "3",
      "SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2",
    ])
    #expect(mpirun.launcher == .mpirun && mpirun.rank == 3 && mpirun.size == 4)
    #expect(try mpirun.needsMPI())

    let srun = Self.launch([
      "PMIX_RANK": "2", "SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "2",
    ])
    #expect(srun.launcher == .pmix && srun.rank == 2 && srun.size == 3)
    #expect(try srun.needsMPI())

    let other = Self.launch(["PMIX_RANK": "1"])
    #expect(other.rank == 1 && other.size == nil)
    #expect(try other.needsMPI())
  }

  @Test func `A launcher that Open MPI cannot use is one sentence, not n worlds of one`() {
    let srun = Self.launch(["SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "1"])
    #expect(srun.rank == 1)
    #expect(
      throws: CommunicationError.launcher(
        "srun started 4 processes without PMIx, so that they cannot find each other: start them"
          + " with `srun --mpi=pmix`.")
    ) { try joinWorld(srun) }

    let pmi = Self.launch([
      "PMI_SIZE": "2", "PMI_RANK": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1",
    ])
    #expect(pmi.rank == 1)
    #expect(
      throws: CommunicationError.launcher(
        "The launcher started 2 processes through PMI, which Open MPI cannot use: start them with"
          + " Open MPI's mpirun, or under SLURM with `srun --mpi=pmix`.")
    ) { try joinWorld(pmi) }
  }
}
