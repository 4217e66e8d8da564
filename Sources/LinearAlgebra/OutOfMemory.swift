internal import Glibc

/// Ends the process when the system refuses memory, with one sentence and the exit code for a run
/// that is too large.
///
/// Buffers are allocated everywhere, and no caller could continue without one. With several ranks
/// the first one prints the message and the launcher then ends the others. A rank that is still
/// running after a while was the only one refused, and prints its own.
func endOutOfMemory(_ bytes: Int) -> Never {
  let variables = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"]
  let rank = variables.lazy.compactMap { getenv($0) }.first.map { atoi($0) } ?? 0
  if rank > 0 {
    signal(SIGTERM, SIG_DFL)
    sleep(3)
  }
  let mebibytes = (bytes + (1 << 20) - 1) >> 20
  let sentence =
    "unroll: the system refuses \(mebibytes) MiB of memory: lower hidden, the vocabulary's size, "
    + "batch_size or bptt, raise what limits memory (ulimit -v), or use more machines\n"
  _ = write(STDERR_FILENO, sentence, sentence.utf8.count)
  _exit(64)
}
