/// Finds the keys of a mapping by decoding documents that give them one after another, and two at a time.
struct MappingProbe {
  typealias Document = [String: ConfigurationNode]

  /// The types of the values of each key.
  private(set) var types: [String: [any Decodable.Type]] = [:]
  /// The names that a key accepts, if it accepts only some.
  private(set) var names: [String: [String]] = [:]
  /// For each name of a key, the keys that are read beside it.
  private(set) var beside: [String: [String: Set<String>]] = [:]
  /// For each name of a key, the keys without which nothing is decoded.
  private(set) var requiredBeside: [String: [String: Set<String>]] = [:]
  /// The keys without which no document is decoded.
  private(set) var required: Set<String> = []
  /// The numbers of those tried that a key accepts in some document.
  private(set) var numbers: [String: Set<Double>] = [:]
  /// The smallest document.
  private(set) var least: Document = [:]

  private let type: any Decodable.Type
  var decodedType: any Decodable.Type { type }
  private let samples: (any Decodable.Type) -> [ConfigurationNode]
  /// The documents that were decoded, of which every key is read.
  private var accepted: [Document] = []

  static let triedNumbers: [Double] = [-1.5, -1, -0.5, 0, 1e-30, 0.5, 1, 1.5, 2, 3]

  /// - Parameter samples: Returns values of a type.
  init(
    _ type: any Decodable.Type, samples: @escaping (any Decodable.Type) -> [ConfigurationNode]
  ) {
    self.type = type
    self.samples = samples
    least = complete([:], keeping: [])?.document ?? [:]
    explore()
    findRequired()
    findNumbers()
  }

  private mutating func explore() {
    var done: Set<String> = []
    // A key that is found by giving another one is tried as well.
    while let key = types.keys.sorted().first(where: { !done.contains($0) }) {
      done.insert(key)
      if types[key]?.isEmpty != false {
        // Any value tells the type of a key of which only the presence was asked for.
        for value in values(of: key) { _ = decode([key: value]) }
      }
      findNames(of: key, in: least)
      for value in values(of: key) {
        let given = complete(least.merging([key: value]) { $1 }, keeping: [key])
        let alone = complete([key: value], keeping: [key])
        guard let name = word(value), names[key] != nil else { continue }
        for found in [given, alone].compactMap(\.self) { note(found.keys, beside: name, of: key) }
        guard let found = alone ?? given else { continue }
        for other in found.keys.sorted() where other != key {
          findNames(of: other, in: found.document)
          for second in few(values(of: other)) {
            let document = found.document.merging([other: second]) { $1 }
            if let both = complete(document, keeping: [key, other], isQuick: true) {
              note(both.keys, beside: name, of: key)
            }
          }
        }
      }
    }
  }

  private mutating func note(_ keys: Set<String>, beside name: String, of key: String) {
    beside[key, default: [:]][name, default: []].formUnion(keys)
  }

  /// Returns some values, of many.
  private func few(_ values: [ConfigurationNode]) -> [ConfigurationNode] {
    Array(values.prefix(values.allSatisfy { word($0) != nil } ? 12 : 2))
  }

  private func word(_ value: ConfigurationNode) -> String? {
    if case .quoted(let word) = value.content { word } else { nil }
  }

  /// The values of a key to try: all of its names, or a few values of its types.
  private func values(of key: String) -> [ConfigurationNode] {
    if let known = names[key] { return known.map { .word($0) } }
    let found = (types[key] ?? []).flatMap { samples($0) }
    // Of a key whose presence alone was asked for, any value tells the type.
    return found.isEmpty
      ? [.word("no such name"), .plain("1"), .plain("true"), .mapping([:])] : found
  }

  /// Finds out whether a key accepts only some names.
  private mutating func findNames(of key: String, in document: Document) {
    guard names[key] == nil, types[key]?.contains(where: { $0 == String.self }) == true else {
      return
    }
    let probe = decode(document.merging([key: .word("no such name")]) { $1 })
    if let known = probe.failure?.known, probe.failure?.path == [key] { names[key] = known }
  }

  /// Decodes a document, and records the keys that it asks for.
  private mutating func decode(_ document: Document) -> SchemaProbe {
    let probe = SchemaProbe(type, .mapping(document))
    for key in probe.record.keys(at: []) where types[key] == nil { types[key] = [] }
    for (path, found) in probe.record.types where path.count == 1 && path[0] != "*" {
      for type in found where types[path[0]]?.contains(where: { $0 == type }) != true {
        types[path[0], default: []].append(type)
      }
    }
    return probe
  }

  /// Adds what a document lacks until it is decoded.
  /// - Parameters:
  ///   - kept: Keys whose values stay as they are.
  ///   - isQuick: True to give up soon.
  /// - Returns: The document and the keys that it asks for; nil if it cannot be completed.
  private mutating func complete(
    _ document: Document, keeping kept: Set<String>, isQuick: Bool = false
  ) -> (document: Document, keys: Set<String>)? {
    var document = document
    var tried: Set<String> = []
    for _ in 0..<(isQuick ? 4 : 40) {
      let probe = decode(document)
      guard let failure = probe.failure else {
        accepted.append(document)
        return (document, Set(probe.record.keys(at: [])))
      }
      if let missing = failure.missing, failure.path.isEmpty {
        findNames(of: missing, in: document)
        guard let value = untried(missing, &tried) else { return nil }
        document[missing] = value
      } else if let key = failure.path.first, document[key] != nil, !kept.contains(key) {
        if failure.known != nil, failure.path.count == 1 { names[key] = failure.known }
        guard let value = untried(key, &tried) else { return nil }
        document[key] = value
      } else {
        guard !isQuick, let (key, value) = remedy(document, probe) else { return nil }
        document[key] = value
      }
    }
    return nil
  }

  /// Returns a value of a key that was not tried before.
  private func untried(_ key: String, _ tried: inout Set<String>) -> ConfigurationNode? {
    for value in values(of: key) where tried.insert("\(key) \(value.content)").inserted {
      return value
    }
    return nil
  }

  /// Returns a key that a refused document lacks, with a value; nil if none alone helps.
  private mutating func remedy(
    _ document: Document, _ probe: SchemaProbe
  ) -> (String, ConfigurationNode)? {
    for key in probe.record.keys(at: []).sorted() where document[key] == nil {
      findNames(of: key, in: document)
      for value in values(of: key).prefix(3) {
        let failure = decode(document.merging([key: value]) { $1 }).failure
        // Another key that is missing now, or nothing at all.
        if failure == nil || failure?.missing != nil && failure?.path.isEmpty == true {
          return (key, value)
        }
      }
    }
    return nil
  }

  private mutating func findRequired() {
    required = needed(by: least, among: accepted)
    for (key, known) in names {
      for name in known {
        let own = accepted.filter { $0[key].flatMap(word) == name }
        guard let first = own.first else { continue }
        requiredBeside[key, default: [:]][name] = needed(by: first, among: own)
          .subtracting(required)
      }
    }
  }

  /// Returns the keys that all of some documents have, and that one of them lacks if they are taken from it.
  private func needed(by document: Document, among documents: [Document]) -> Set<String> {
    Set(
      document.keys.filter { key in
        guard documents.allSatisfy({ $0[key] != nil }) else { return false }
        let failure = SchemaProbe(type, .mapping(document.filter { $0.key != key })).failure
        return failure?.missing == key && failure?.path.isEmpty == true
      })
  }

  private mutating func findNumbers() {
    let numeric = types.filter { $0.value.contains { $0 == Int.self || $0 == Double.self } }.keys
    for key in numeric {
      let isWhole = types[key]?.contains { $0 == Double.self } == false
      for document in accepted.filter({ $0[key] != nil }).prefix(40) {
        for number in Self.triedNumbers where !(isWhole && number != number.rounded()) {
          guard numbers[key]?.contains(number) != true else { continue }
          let value = ConfigurationNode.plain(
            isWhole ? String(Int(number)) : String(number))
          let failure = SchemaProbe(type, .mapping(document.merging([key: value]) { $1 })).failure
          // A refusal at another key says nothing of this one.
          if failure == nil || failure?.path.first != key {
            numbers[key, default: []].insert(number)
          }
        }
      }
    }
  }
}
