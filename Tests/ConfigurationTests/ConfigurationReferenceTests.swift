import Configuration
import Datasets
import Formats
import Foundation
import NumericalTestSupport
import Optimization
import Recurrence
import Testing

/// `docs/configuration.md` and the configurations in `configs/` against what the program decodes.
@Suite struct `The reference of the configuration` {
  private let page: ReferencePage

  init() throws { page = try ReferencePage("docs/configuration.md") }

  @Test
  func `Every cell, optimizer, schedule and task has a section, and no section is of another`() {
    #expect(page.names(of: "Cell") == Set(cells.keys))
    #expect(page.names(of: "Task") == Set(tasks.keys))
    #expect(page.names(of: "Optimizer") == Set(optimizers.keys))
    #expect(page.names(of: "Schedule") == Set(Shape.names))
  }

  @Test func `Every key that a section's blocks make the program read is in its tables`() throws {
    for section in page.sections {
      for block in section.blocks {
        let (options, keys) = try decodeRecording(block, in: section)
        let documented = page.keys(of: options)
        for key in keys.map(Self.ofAnyStack) {
          #expect(
            documented.contains(key) || documented.contains { $0.hasPrefix(key + ".") }
              || isPartOfInitializer(key),
            "\(section.heading): \(key) is in no table")
        }
      }
    }
  }

  @Test func `Every key in the tables is read, and is shown in a block of its section`() throws {
    for section in page.sections {
      var read: Set<String> = []
      for block in section.blocks {
        let (options, keys) = try decodeRecording(block, in: section)
        if let name = section.variant { #expect(page.variants(of: options).contains(name)) }
        read.formUnion(keys)
      }
      for row in section.rows {
        #expect(read.contains(row.key), "\(section.heading): nobody reads \(row.key)")
        let name = row.key.split(separator: ".").last!
        #expect(
          section.blocks.contains { $0.contains("\(name): ") || $0.contains("\(name):\n") },
          "\(section.heading): no block shows \(row.key)")
      }
    }
  }

  @Test func `The defaults in the tables are those of the program`() throws {
    for section in page.sections {
      var left = section.rows
      for block in section.blocks {
        let read = Set(try decodeRecording(block, in: section).1)
        let rows = left.filter { read.contains($0.key) }
        left.removeAll { read.contains($0.key) }
        try checkDefaults(of: rows, block, in: section)
      }
      #expect(left.isEmpty, "\(section.heading) has a row that no block reads")
    }
  }

  private func checkDefaults(
    of rows: [ReferencePage.Row], _ block: String, in section: ReferencePage.Section
  ) throws {
    // Null is the same as absent; a group of parameters without its keys is refused.
    let rows = rows.filter { !$0.key.contains(".groups.") }
    var removed = rows.filter { $0.fallback != .required }.map { "\($0.place)=null" }
    // Without its preset, a model needs layers of its own.
    if block.contains("  preset: ") { removed.append("model.layers=[{cell: elman, hidden: 8}]") }
    let json = try resolved(block, in: section, set: removed)
    for row in rows {
      let what = "\(section.heading): the default of \(row.key)"
      switch row.fallback {
      case .required:
        #expect(throws: ConfigurationError.self, "\(what)") {
          _ = try configuration(block, set: removed + ["\(row.place)=null"])
            .decode(RunOptions.self)
        }
      case .none:
        #expect(json.value(at: row.place) == nil, "\(what)")
      case .value(let text):
        if let other = page.row(text) {
          #expect(json.value(at: row.place) == json.value(at: other.place), "\(what)")
        } else {
          #expect(json.value(at: row.place) != nil, "\(what)")
          let same = try resolved(block, in: section, set: removed + ["\(row.place)=\(text)"])
          #expect(same.values == json.values, "\(what)")
        }
      }
    }
  }

  @Test func `The complete example decodes by itself`() throws {
    let section = try #require(page.sections.first { $0.heading == "A complete example" })
    let example = try #require(section.blocks.first)
    let options = try Configuration(yaml: example, file: "the example").decode(RunOptions.self)
    #expect(options.model.layers.count == 2)
  }

  @Test func `The models of docs/modern.md decode and are complete`() throws {
    let text = try String(
      contentsOf: packageRoot.appending(path: "docs/modern.md"), encoding: .utf8)
    let blocks = text.components(separatedBy: "```yaml\n").dropFirst().map {
      $0.components(separatedBy: "```")[0]
    }
    #expect(blocks.count >= 5)
    for block in blocks {
      let model = try Configuration(yaml: block, file: "docs/modern.md").decode(RunOptions.self)
        .model
      #expect(!model.layers.isEmpty)
    }
  }

  @Test func `Every configuration in configs decodes and says what was measured`() throws {
    let folder = packageRoot.appending(path: "configs")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".yaml") }
    #expect(!files.isEmpty)
    for file in files {
      let path = folder.appending(path: file).path
      let options = try Configuration.decode(RunOptions.self, from: [path])
      #expect(options.name == file.dropLast(".yaml".count))
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.hasPrefix("# Measured: "), "\(file) begins with what was measured")
      #expect(text.contains("configs/\(file)"), "\(file) names the command that measured it")
    }
  }

  // An encoder's layers have the keys of all layers.
  private static func ofAnyStack(_ key: String) -> String {
    let key = key.replacing("model.encoder.layers.", with: "model.layers.")
    // The options of a cell stand beside those of a mixer, with the same meaning as in a layer.
    let mixer = "model.layers.*.block.mixer."
    let own = ["cell", "in_projection", "conv", "gate", "out_projection", "projection_bias"]
    guard key.hasPrefix(mixer) else { return key }
    let name = key.dropFirst(mixer.count)
    return own.contains { name == $0 || name.hasPrefix($0 + ".") } ? key : "model.layers.*." + name
  }

  // The keys below an initializer belong to its value: `{uniform: 0.1}`.
  private func isPartOfInitializer(_ key: String) -> Bool {
    let path = key.split(separator: ".")
    return path.count > 1 && path[path.count - 2].hasSuffix("initializer")
      && page.text.contains("`{\(path.last!): s}`")
  }

  /// A block laid over the least that decodes.
  private func configuration(_ block: String, set: [String] = []) throws -> Configuration {
    let makesLayers = ["  tree: ", "  preset: "].contains { block.contains($0) }
    let layers = makesLayers ? "" : ", layers: [{cell: elman, hidden: 8}]"
    let least = "model: {embedding: 96\(layers)}"
    var configuration = try Configuration(yaml: least, file: "least")
      .merged(with: Configuration(yaml: block, file: "docs/configuration.md"))
    for assignment in set { try configuration.set(assignment) }
    return configuration
  }

  private func decodeRecording(
    _ block: String, in section: ReferencePage.Section
  ) throws -> (RunOptions, [String]) {
    let decoder = ConfigurationDecoder(try configuration(block))
    do {
      return (try decoder.decode(RunOptions.self), decoder.recordedKeys)
    } catch {
      Issue.record("\(section.heading): \(error)")
      throw error
    }
  }

  private func resolved(
    _ block: String, in section: ReferencePage.Section, set: [String]
  ) throws -> ResolvedValues {
    do {
      let options = try configuration(block, set: set).decode(RunOptions.self)
      return try ResolvedValues(try ResolvedConfiguration.json(options))
    } catch {
      Issue.record("\(section.heading): \(error)")
      throw error
    }
  }
}

/// A resolved configuration as flat paths: `model.layers.0.hidden`.
private struct ResolvedValues {
  private(set) var values: [String: String] = [:]

  init(_ json: Data) throws { add(try JSONSerialization.jsonObject(with: json), at: []) }

  private mutating func add(_ value: Any, at path: [String]) {
    let key = path.joined(separator: ".")
    switch value {
    case let mapping as [String: Any]:
      values[key] = ""
      for (name, value) in mapping { add(value, at: path + [name]) }
    case let list as [Any]:
      values[key] = ""
      for (index, value) in list.enumerated() { add(value, at: path + ["\(index)"]) }
    case is NSNull: break
    default: values[key] = "\(value)"
    }
  }

  func value(at path: String) -> String? { values[path] }
}

/// The sections, tables and blocks of YAML of a page.
private struct ReferencePage {
  struct Row {
    enum Fallback: Equatable { case required, none, value(String) }

    let key: String
    let fallback: Fallback
    /// The key as an assignment writes it, for the first element of a list.
    var place: String { key.replacingOccurrences(of: "*", with: "0") }
  }

  struct Section {
    let heading: String
    var rows: [Row] = []
    var blocks: [String] = []

    /// The kind and name in a heading such as "Cell `lstm`"; nil for a section that is about all.
    var variant: String? { heading.contains(" `") ? heading : nil }
  }

  let text: String
  private(set) var sections: [Section] = []

  init(_ path: String) throws {
    text = try String(contentsOf: packageRoot.appending(path: path), encoding: .utf8)
    var block: [Substring]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```yaml" {
        block = []
      } else if line == "```", let lines = block {
        sections[sections.count - 1].blocks.append(lines.joined(separator: "\n") + "\n")
        block = nil
      } else if block != nil {
        block?.append(line)
      } else if line.hasPrefix("#") {
        sections.append(Section(heading: line.drop { $0 == "#" || $0 == " " }.description))
      } else if line.hasPrefix("| `") {
        sections[sections.count - 1].rows.append(try Self.row(line))
      }
    }
  }

  /// Reads `| key | type | default | meaning |`.
  private static func row(_ line: Substring) throws -> Row {
    let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    try #require(cells.count == 4, "\(line)")
    func code(_ text: String) -> String? {
      text.hasPrefix("`") ? text.trimmingCharacters(in: ["`"]) : nil
    }
    let key = try #require(code(cells[0]), "\(line)")
    switch cells[2] {
    case "required": return Row(key: key, fallback: .required)
    case "none": return Row(key: key, fallback: .none)
    default: return Row(key: key, fallback: .value(try #require(code(cells[2]), "\(line)")))
    }
  }

  /// The names in the headings of a kind.
  func names(of kind: String) -> Set<String> {
    Set(
      sections.compactMap { section in
        let words = section.heading.split(separator: " ")
        return words.count == 2 && words[0] == kind && words[1].hasPrefix("`")
          ? String(words[1].dropFirst().dropLast()) : nil
      })
  }

  /// The documented row of a key that is not a variant's own.
  func row(_ key: String) -> Row? {
    sections.filter { $0.variant == nil }.flatMap(\.rows).first { $0.key == key }
  }

  /// The headings of the sections that are about what some options have chosen.
  func variants(of options: RunOptions) -> Set<String> {
    var headings: Set = [
      "Optimizer `\(options.training.optimizer.rule)`",
      "Schedule `\(options.training.schedule.shape.name)`",
    ]
    if let task = options.data.task { headings.insert("Task `\(task.name)`") }
    let layers = options.model.layers + (options.model.sequence?.encoder?.layers ?? [])
    for cell in layers.compactMap(\.cell) { headings.insert("Cell `\(cell.name)`") }
    return headings
  }

  /// The keys that are documented for some options: the general ones and those of what they choose.
  func keys(of options: RunOptions) -> Set<String> {
    let chosen = variants(of: options)
    return Set(
      sections.filter { $0.variant.map(chosen.contains) ?? true }.flatMap { $0.rows.map(\.key) })
  }
}
