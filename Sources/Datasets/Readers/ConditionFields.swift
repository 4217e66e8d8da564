internal import FoundationEssentials
public import LinearAlgebra

/// The parts of a condition: named classes, then numbers.
public struct ConditionFields: Codable, Sendable, Equatable {
  /// One class of a condition.
  public struct Class: Codable, Sendable, Equatable {
    /// The name of the class in messages: the name of its column.
    public var name: String
    public var symbols: Vocabulary

    public init(name: String, symbols: Vocabulary) {
      self.name = name
      self.symbols = symbols
    }
  }

  public var classes: [Class]
  public var numbers: Int

  public init(classes: [Class] = [], numbers: Int = 0) {
    self.classes = classes
    self.numbers = numbers
  }

  /// Parses a condition from words: one per class, then one per number.
  /// - Parameters:
  ///   - words: The names of the classes in the order of the fields, then the numbers.
  ///   - place: The origin of the words, for messages.
  public func condition(
    _ words: [String], from place: String
  ) throws(DataError) -> (numbers: [Real], classes: [Int32]) {
    guard words.count == classes.count + numbers else {
      throw DataError("\(place) has \(words.count) fields for a condition, and \(self.words)")
    }
    var known: [Int32] = []
    for (field, word) in zip(classes, words) {
      guard let number = field.symbols.id(of: Array(word.utf8)) else {
        throw DataError(
          "\(place) has '\(word)' for \(field.name), which the model does not know; there are "
            + "\(field.names): give one of them")
      }
      known.append(number)
    }
    var found: [Real] = []
    for word in words.dropFirst(classes.count) {
      guard let number = Real(word), number.isFinite else {
        throw DataError(
          "\(place) has '\(word)' in a condition where a number stands: give a number")
      }
      found.append(number)
    }
    return (found, known)
  }

  /// Parses the fields at the start of a line, each followed by a tab; also returns the rest of the
  /// line.
  public func leading(
    _ line: String, from place: String
  ) throws(DataError) -> (condition: (numbers: [Real], classes: [Int32]), rest: String) {
    let count = classes.count + numbers
    let parts = line.split(separator: "\t", maxSplits: count, omittingEmptySubsequences: false)
    guard parts.count == count + 1 else {
      throw DataError(
        "\(place) begins with \(parts.count - 1) of \(count) fields and tabs, and \(words)")
    }
    return (try condition(parts.dropLast().map { trimmed($0) }, from: place), String(parts[count]))
  }

  /// Reads conditions from the rows of a table.
  /// - Parameters:
  ///   - path: The file of the table, one condition a row.
  ///   - options: The condition options of the data that the model was trained on; nil for numbers
  ///     only.
  public func read(
    _ path: String, as options: ConditionOptions?
  ) throws(DataError) -> [(numbers: [Real], classes: [Int32])] {
    var options = options ?? ConditionOptions()
    if options.leads { options.separator = options.columns.isEmpty ? "," : "\t" }
    var records = Records()
    let rows = try ConditionReader(options: options).read(TextFiles([path]), into: &records)
    var found: [(numbers: [Real], classes: [Int32])] = []
    for (number, row) in rows.enumerated() {
      let names = row.classes.enumerated().map {
        String(decoding: records.classes[$0][Int($1)], as: UTF8.self)
      }
      found.append(
        try condition(
          names + row.numbers.map { "\($0)" }, from: "\(path), row \(number + 1)"))
    }
    return found
  }

  /// A description of the parts of a condition, for messages.
  var words: String {
    let names = classes.map { "\($0.name) (\($0.names))" }
    let parts = names + (numbers > 0 ? ["\(numbers) number\(numbers == 1 ? "" : "s")"] : [])
    return parts.isEmpty
      ? "the model takes no condition: remove it"
      : "the model's has \(parts.joined(separator: ", then ")): give them in this order"
  }

  /// The fields as JSON for a file: the same bytes for the same fields.
  public var json: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else {
      preconditionFailure("names and numbers cannot fail to be encoded")
    }
    return Array(data)
  }

  var hash: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add(numbers)
    for field in classes { fingerprint.add(field.symbols.hash) }
    return fingerprint.value
  }
}

extension ConditionFields.Class {
  /// The names of the classes, for messages; only the first ones if there are many.
  var names: String {
    let shown = (0..<min(symbols.count, 20)).map {
      String(decoding: symbols.symbol(Int32($0)), as: UTF8.self)
    }
    let more = symbols.count - shown.count
    return shown.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
  }
}
