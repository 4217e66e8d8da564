internal import Glibc

/// Ends the process where the system refuses it memory: one sentence, and the exit code of a run that
/// is too large.
///
/// Buffers are made in the midst of everything, where nobody could go on without one. Of several ranks
/// the first speaks, upon which the launcher ends the others; another that is still there after a while
/// has been refused alone.
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
