internal import Formats

extension ClusterDescription {
  /// The description as YAML with its units as comments, as `--measure` writes it.
  public var yaml: String {
    var lines = ["# A cluster for unroll plan; docs/commands.md has the keys."]
    func add(_ key: String, _ value: String, _ unit: String = "") {
      let text = "\(key): \(value)"
      lines.append(unit.isEmpty ? text : text + "  # " + unit)
    }
    if let processor { add("processor", Self.quoted(processor)) }
    if sites.isEmpty { add("nodes", "\(nodes)") }
    add("ranks_per_node", "\(ranksPerNode)")
    add("gflops", Self.flow(gflops), "10⁹ operations per second of a rank")
    if let elementwise {
      add("elementwise", digits(elementwise), "10⁹ numbers per second of a rank")
    }
    if variation > 0 { add("variation", digits(variation), "of a rank's step time") }
    add(
      "memory",
      Self.flow([
        ("rank", memory.rank), ("node", memory.node), ("gibibytes", memory.gibibytes),
      ]), "GB/s of a rank, of a node; GiB")
    let caches = [("core", cache.core), ("node", cache.node)].filter { $0.1 > 0 }
    if !caches.isEmpty { add("cache", Self.flow(caches.map { ($0.0, $0.1) }), "MiB") }
    add(
      "shared_memory",
      Self.flow([
        ("gigabytes", sharedMemory.gigabytes), ("microseconds", sharedMemory.microseconds),
      ]), "GB/s and latency between ranks of a node")
    if let link {
      add(
        "link",
        Self.flow([
          ("gigabits", link.gigabits), ("microseconds", link.microseconds),
          ("startup", link.startup), ("core", link.core), ("message", link.message),
        ]), "Gbit/s each way, latency; startup in µs; GB/s and µs of the core")
    }
    if !sites.isEmpty { lines.append("sites:") }
    for site in sites {
      var parts = ["name: \(Self.quoted(site.name))", "nodes: \(site.nodes)"]
      if let ranks = site.ranksPerNode { parts.append("ranks_per_node: \(ranks)") }
      if let gflops = site.gflops { parts.append("gflops: \(Self.flow(gflops))") }
      parts += ["up: \(digits(site.up))", "down: \(digits(site.down))"]
      if site.milliseconds > 0 { parts.append("milliseconds: \(digits(site.milliseconds))") }
      lines.append("  - {\(parts.joined(separator: ", "))}")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func flow(_ members: [(String, Double?)]) -> String {
    let known = members.compactMap { name, value in value.map { "\(name): \(digits($0))" } }
    return "{\(known.joined(separator: ", "))}"
  }

  private static func flow(_ speeds: ProductSpeeds) -> String {
    flow([
      ("output", speeds.output), ("input", speeds.input), ("recurrent", speeds.recurrent),
    ])
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}

/// Returns a number above zero with about four digits.
func digits(_ value: Double) -> String {
  if !value.isFinite { return value > 0 ? ".inf" : "0" }
  let size = abs(value)
  return fixed(value, size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.01 ? 4 : 6)
}
