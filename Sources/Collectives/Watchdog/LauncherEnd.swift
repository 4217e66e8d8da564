internal import Foundation
internal import Glibc

/// The end of the launcher's process on this host, mpirun or its daemon.
///
/// A launcher whose line to another host is down tells that host to end its ranks and waits for the answer.
/// Nothing but the system's limit on retransmissions ends this waiting, after a quarter of an hour: the
/// keep-alive options act on quiet lines only.
package enum LauncherEnd {
  /// The launchers that may be killed. The parent under `srun` is a daemon of SLURM, which is not one of them.
  private static let names: Set = ["mpirun", "mpiexec", "orterun", "orted"]

  /// Starts a process that kills the launcher if it has not ended after so many seconds.
  static func await(seconds: Int) {
    let parent = getppid()
    guard let comm = try? String(contentsOfFile: "/proc/\(parent)/comm", encoding: .utf8),
      names.contains(comm.trimmingCharacters(in: .whitespacesAndNewlines)),
      let start = start(of: parent)
    else { return }
    kill(parent, startedAt: start, after: seconds)
  }

  /// Returns the moment at which a process was started, in ticks since the machine was; nil if it is not there.
  ///
  /// No other process has the same number and the same moment.
  package static func start(of process: Int32) -> String? {
    guard let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let name = line.lastIndex(of: ")")
    else { return nil }
    // Field 22; the name, which may have spaces, is field 2.
    let fields = line[name...].split(separator: " ")
    return fields.count > 20 ? String(fields[20]) : nil
  }

  /// Starts a process that kills another one, unless it has ended by then and its number may be that of a new one.
  package static func kill(_ process: Int32, startedAt start: String, after seconds: Int) {
    let script = """
      lives() { read -r line </proc/\(process)/stat && set -- ${line##*) } && [ "${20}" = \(start) ]; }
      n=0
      while [ $n -lt \(10 * seconds) ] && lives; do sleep 0.1; n=$((n + 1)); done
      if lives; then kill -KILL \(process); fi
      """
    // In the background of a shell that ends at once and is waited for here: what waits for any child of this
    // process would find its remains for ever.
    let command = "{ \(script)\n} &"
    // A group of its own, which the launcher does not end with the rank, and no output: the launcher waits
    // until that of the rank is closed.
    var attributes = posix_spawnattr_t()
    var actions = posix_spawn_file_actions_t()
    guard posix_spawnattr_init(&attributes) == 0, posix_spawn_file_actions_init(&actions) == 0
    else { return }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    for descriptor: Int32 in 0..<3 {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    // Never freed: this process ends.
    func pointers(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] {
      words.map { strdup($0) } + [nil]
    }
    let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
    var pid = pid_t()
    let error = posix_spawn(
      &pid, "/bin/sh", &actions, &attributes, pointers(["sh", "-c", command]),
      pointers(environment))
    if error == 0 { while waitpid(pid, nil, 0) < 0, errno == EINTR {} }
  }
}
