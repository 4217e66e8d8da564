internal import Checkpointing
public import Collectives
internal import Formats
internal import Foundation
internal import LinearAlgebra
internal import Runs

/// The findings of `unroll doctor` about whether this machine, or the hosts of this job, can train.
public struct HealthReport: Sendable {
  public enum Severity: Comparable, Sendable {
    case fine
    /// A possible improvement.
    case note
    /// A problem that makes training slower or less reliable.
    case warning
    /// A problem that prevents training.
    case failure
  }

  /// One line of the report: the subject, its state, and advice if something is wrong.
  public struct Finding: Equatable, Sendable {
    public let what: String
    public let value: String
    public let severity: Severity
    public let advice: String?

    static func fine(_ what: String, _ value: String) -> Finding {
      Finding(what: what, value: value, severity: .fine, advice: nil)
    }

    static func warning(_ what: String, _ value: String, _ advice: String) -> Finding {
      Finding(what: what, value: value, severity: .warning, advice: advice)
    }

    static func failure(_ what: String, _ value: String, _ advice: String) -> Finding {
      Finding(what: what, value: value, severity: .failure, advice: advice)
    }
  }

  public let findings: [Finding]

  /// True if training would work.
  public var isUsable: Bool { findings.allSatisfy { $0.severity < .failure } }

  /// Collects the facts of every rank. Collective; returns nil except on the root.
  /// - Parameters:
  ///   - world: The ranks of the job.
  ///   - launch: The way in which the job was started.
  ///   - builtFor: The instruction set of the program.
  ///   - folder: The folder for runs.
  ///   - load: The step whose exchange of gradients is judged.
  ///   - probe: The measurement of the links between ranks.
  public static func make(
    in world: any Communicator, launch: Launch, builtFor: String, folder: String,
    load: StepLoad = StepLoad(), probe: LinkProbe = LinkProbe()
  ) throws -> HealthReport? {
    let links = try LinkFacts(load, by: probe, in: world)
    // The measurement has just ended on all ranks; a barrier would be one more than older programs know.
    let clock = Date().timeIntervalSince1970
    var facts = RankFacts(of: world)
    facts.clock = clock
    let own = try JSONValue.encoder().encode(facts)
    let gathered = try world.gather(Array(own))
    guard world.isRoot else { return nil }
    let ranks = try gathered.map {
      try JSONValue.decoder.decode(RankFacts.self, from: Data($0))
    }
    return HealthReport(
      of: ranks, launch: launch, builtFor: builtFor, folder: folder, links: links)
  }

  /// Judges the facts of all ranks.
  package init(
    of ranks: [RankFacts], launch: Launch, builtFor: String, folder: String, links: LinkFacts? = nil
  ) {
    let program = Finding.fine("program", "unroll \(Version.number), built for \(builtFor)")
    findings =
      [program] + Self.programs(ranks) + Self.processors(ranks) + Self.messagePassing(launch)
      + Self.layout(ranks)
      + Self.products(ranks) + Self.bfloat16(ranks) + Self.sharedMemory(ranks)
      + [Self.disk(folder), Self.locks(folder)].compactMap { $0 } + Self.clocks(ranks)
      + Self.networks(ranks) + Self.links(links, ranks)
  }

  /// The findings, one per line, with an indented line of advice where there is any.
  public var words: String {
    let width = findings.map(\.what.count).max() ?? 0
    var lines: [String] = []
    for finding in findings {
      let gap = String(repeating: " ", count: width - finding.what.count)
      lines.append("\(finding.what)\(gap)  \(finding.value)")
      guard let advice = finding.advice else { continue }
      let mark =
        switch finding.severity {
        case .fine, .note: ""
        case .warning: "warning: "
        case .failure: "FAILS: "
        }
      lines.append(String(repeating: " ", count: width + 2) + mark + advice)
    }
    return lines.joined(separator: "\n")
  }
}

extension HealthReport {
  static func messagePassing(_ launch: Launch) -> [Finding] {
    let library = MPI.libraryVersion
    let launcher =
      switch launch.launcher {
      case .none: "not started by a launcher"
      case .mpirun: "started by mpirun"
      case .pmix: "started through PMIx"
      case .pmi: "started through PMI"
      case .srun: "started by srun"
      }
    var findings = [Finding.fine("message passing", "\(library), \(launcher)")]
    // A process that a launcher started need not look for one.
    guard launch.launcher == .none else { return findings }
    if let path = System.program("mpirun") {
      let version = System.version(of: path) ?? ""
      findings.append(
        version.contains("Open MPI") || version.contains("OpenRTE")
          ? .fine("mpirun", "\(path), \(version)")
          : .warning(
            "mpirun", "\(path), \(version)",
            "it is not Open MPI's, so its ranks would not find each other: put Open MPI's first in "
              + "PATH"))
    } else {
      findings.append(
        .warning(
          "mpirun", "not found",
          "one process trains without it; for more install openmpi-bin, or add its folder to PATH"))
    }
    return findings
  }
}
