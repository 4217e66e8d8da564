import Configuration
import Formats
import Foundation
import NumericalTestSupport
import Testing

/// Every key of docs/configuration.md: read in whatever run may have it, or refused where nothing reads
/// it.
@Suite struct `Settings that would do nothing` {
  private func options(_ settings: [String]) throws -> RunOptions {
    var configuration = try Configuration(
      yaml: "{data: {train: t.txt}, model: {layers: [{cell: elman, hidden: 5}]}}", file: "idle")
    for setting in settings { try configuration.set(setting) }
    return try configuration.decode(RunOptions.self)
  }

  @Test
  func `Every key of the reference is read in all runs, or in some and refused in the others`()
    throws
  {
    let page = packageRoot.appending(path: "docs/configuration.md")
    let documented = Set(
      try String(contentsOf: page, encoding: .utf8).split(separator: "\n").compactMap { line in
        line.hasPrefix("| `") ? line.dropFirst(3).prefix { $0 != "`" }.description : nil
      })
    let known = SettingUse.alwaysRead.union(SettingUse.cases.map(\.key)).union(SettingUse.ofData)
    #expect(documented.subtracting(known) == [], "keys that nobody has thought about")
    #expect(known.subtracting(documented) == [], "keys that there are not")
  }

  @Test(arguments: SettingUse.cases)
  func `A key is accepted in a run that reads it`(_ row: SettingUse) throws {
    #expect(try options(row.read + [row.given]).violations(at: .start).map(\.sentence) == [])
  }

  @Test(arguments: SettingUse.cases)
  func `A key is refused with a sentence in a run that does not read it`(_ row: SettingUse) throws {
    for settings in row.idle {
      let found: [RuleViolation]
      do {
        found = try options(settings + [row.given]).violations(at: .start)
      } catch let error as ConfigurationError {
        // A model of trees has no place for a key of layers over time.
        let key = error.message.prefix { $0 != " " }
        #expect(key == row.key || row.key.hasPrefix(key + "."))
        #expect(error.message.hasPrefix(key + " would do nothing, because "))
        #expect(error.message.hasSuffix("remove it") && !error.message.contains("\n"))
        continue
      }
      let refused = found.first { idle in
        let key = idle.key.replacing(".0.", with: ".*.")
        return key == row.key || row.key.hasPrefix(key + ".")
      }
      #expect(refused != nil, "\(settings): \(found.map(\.key))")
      guard let refused else { continue }
      #expect(refused.sentence.hasPrefix(refused.key + " would do nothing, because "))
      #expect(refused.sentence.hasSuffix("remove it") && !refused.sentence.contains("\n"))
    }
  }

  @Test(arguments: SettingUse.cases)
  func `What a run resolves to has no setting that would do nothing`(_ row: SettingUse) throws {
    let options = try options(row.read + [row.given])
    let json = String(decoding: try ResolvedConfiguration.json(options), as: UTF8.self)
    let again = try Configuration(yaml: json, file: "config.json").decode(RunOptions.self)
    #expect(again.violations(at: .start).map(\.sentence) == [])
  }

  @Test func `Every configuration in configs is without them`() throws {
    let folder = packageRoot.appending(path: "configs").path
    for file in try FileManager.default.contentsOfDirectory(atPath: folder)
    where file.hasSuffix(".yaml") {
      let options = try Configuration.decode(RunOptions.self, from: [folder + "/" + file])
      #expect(options.violations(at: .start).map(\.sentence) == [], "\(file)")
    }
  }
}
