import Configuration
import Formats
import Foundation
import NumericalTestSupport
import Testing

/// The schema that the decoders tell, against what they read.
@Suite struct `The schema of configurations` {
  private static let schema = ConfigurationSchema.value

  /// The keys that the schema has, with `*` for the index of an element and for names in a mapping.
  private func keys(_ schema: JSONValue, at path: String, depth: Int = 0) -> Set<String> {
    guard depth < 24 else { return [] }
    var found: Set<String> = []
    if case .string(let reference)? = schema["$ref"] {
      let name = reference.replacingOccurrences(of: "#/$defs/", with: "")
      if let definition = Self.schema["$defs"]?[name] {
        found.formUnion(keys(definition, at: path, depth: depth + 1))
      }
    }
    if case .array(let forms)? = schema["anyOf"] {
      for form in forms { found.formUnion(keys(form, at: path, depth: depth + 1)) }
    }
    if let items = schema["items"] {
      found.formUnion(keys(items, at: path + ".*", depth: depth + 1))
    }
    if case .object(let properties)? = schema["properties"] {
      for (key, value) in properties {
        let place = path.isEmpty ? key : path + "." + key
        found.insert(place)
        found.formUnion(keys(value, at: place, depth: depth + 1))
      }
    }
    return found
  }

  /// The keys of the reference.
  private func documented() throws -> Set<String> {
    let page = packageRoot.appending(path: "docs/configuration.md")
    return Set(
      try String(contentsOf: page, encoding: .utf8).split(separator: "\n").compactMap { line in
        line.hasPrefix("| `") ? line.dropFirst(3).prefix { $0 != "`" }.description : nil
      }.filter { $0.first?.isLetter == true && !$0.contains(" ") && !$0.contains("/") })
  }

  @Test func `Every key of the reference is in it`() throws {
    let known = keys(Self.schema, at: "")
    let missing = try documented().filter { key in
      // The options of a schedule with a name, and of an initializer, are parts of a value.
      !known.contains(key)
    }
    #expect(missing.sorted() == [])
  }

  @Test func `Every key of it is in the reference`() throws {
    let documented = try documented()
    let extra = keys(Self.schema, at: "").filter { key in
      let mixer = "model.layers.*.block.mixer."
      let plain = key.replacing("model.encoder.layers.", with: "model.layers.")
      let forms = [
        key, plain,
        plain.hasPrefix(mixer) ? "model.layers.*." + plain.dropFirst(mixer.count) : plain,
      ]
      let path = key.split(separator: ".")
      if path.count > 1, path[path.count - 2].hasSuffix("initializer") { return false }
      // Weights are written like this in data.train alone, which is a rule between keys.
      if key.hasSuffix(".*.path") || key.hasSuffix(".*.weight") { return false }
      return !forms.contains { form in
        documented.contains(form) || documented.contains { $0.hasPrefix(form + ".") }
      }
    }
    #expect(extra.sorted() == [])
  }

  @Test func `Names and bounds are those of the program`() throws {
    let defs = try #require(Self.schema["$defs"])
    let layer = try #require(defs["RepeatedLayer"]?["properties"])
    guard case .array(let forms)? = layer["cell"]?["anyOf"],
      case .array(let cells)? = forms.compactMap({ $0["enum"] }).first
    else {
      Issue.record("\(String(describing: layer["cell"]))")
      return
    }
    #expect(cells.contains(.string("lstm")) && cells.contains(.string("rwkv7")))
    #expect(layer["hidden"]?["anyOf"] != nil || layer["hidden"]?["minimum"] == .integer(1))
  }

  private func faults(_ yaml: String) throws -> [String] {
    // Laid over the least that decodes.
    let makesLayers = ["  tree: ", "  preset: "].contains { yaml.contains($0) }
    let layers = makesLayers ? "" : ", layers: [{cell: elman, hidden: 8}]"
    let least = try Configuration(yaml: "model: {embedding: 96\(layers)}", file: "least")
    let value = try least.merged(with: Configuration(yaml: yaml, file: "a.yaml")).json
    // A part of a configuration lacks other sections.
    return SchemaJudge(root: Self.schema).faults(value, Self.schema)
      .filter { !$0.hasPrefix(" lacks ") }
  }

  /// Values that are written in several forms.
  @Test(
    arguments: [
      "training: {recompute: sqrt}", "training: {recompute: none}", "training: {recompute: 4}",
      "training: {recompute: {states: 8}}", "training: {on_nonfinite: {policy: skip, limit: 3}}",
      "training: {on_nonfinite: skip}", "communication: {overlap: auto}",
      "communication: {overlap: true}", "communication: {compression: top_k}",
      "communication: {compression: {powersgd: {rank: 2}}}",
      "model: {embedding_scale: sqrt, layers: [{cell: lstm, hidden: 5}]}",
      "model: {embedding_scale: 2.5, layers: [{cell: lstm, hidden: 5}]}",
      "model: {layers: [{cell: min-gru, hidden: 5, candidate: positive}]}",
      "model: {layers: [{cell: elman, hidden: 5, nonlinearity: relu}]}",
    ]) func `Each form of a value is valid`(_ yaml: String) throws
  {
    #expect(try faults(yaml) == [])
  }

  @Test(
    arguments: [
      "training: {recompute: sqr}", "training: {on_nonfinite: {policy: skp}}",
      "communication: {overlap: 3}", "model: {layers: [{cell: elman, nonlinearity: rel}]}",
      "model: {layers: [{cell: lstn}]}", "training: {bptt: 0}", "trainin: {bptt: 5}",
    ]) func `Other values are not`(_ yaml: String) throws
  {
    #expect(try faults(yaml) != [])
  }

  @Test func `Every block of the reference is valid, and every configuration`() throws {
    let page = try String(
      contentsOf: packageRoot.appending(path: "docs/configuration.md"), encoding: .utf8)
    var texts: [(String, String)] = page.components(separatedBy: "\n```yaml\n").dropFirst()
      .enumerated().map {
        ("block \($0 + 1)", $1.components(separatedBy: "\n```").first ?? "")
      }
    let folder = packageRoot.appending(path: "configs")
    for file in try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    where file.pathExtension == "yaml" {
      texts.append((file.lastPathComponent, try String(contentsOf: file, encoding: .utf8)))
    }
    #expect(texts.count > 100)
    for (name, text) in texts { #expect(try faults(text) == [], "\(name): \(text.prefix(200))") }
  }

  @Test func `Its names are the same in every build`() throws {
    guard case .object(let definitions)? = Self.schema["$defs"] else {
      Issue.record("no definitions")
      return
    }
    #expect(definitions.keys.filter { $0.contains("0x") || $0.contains("unknown") } == [])
  }

  @Test func `It is the same every time`() {
    #expect(ConfigurationSchema.value == Self.schema)
  }
}
