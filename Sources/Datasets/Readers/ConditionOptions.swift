/// The condition of each sequence, and the place in the files where it stands:
///
///     condition: {classes: [speaker], numbers: [age]}          # columns of the table itself
///     condition: {classes: [1], numbers: [2]}                  # leading fields of lines, parted by tabs
///     condition: {train: known.csv, valid: known-valid.csv}    # a file beside, a row for each sequence
///
/// A class is one of a set of names. It becomes a one-hot row or a learnt embedding.
public struct ConditionOptions: Codable, Sendable, Equatable {
  public typealias Column = ColumnOptions.Column

  public var classes, numbers: [Column]
  /// The tables with one row per sequence; nil if the sequences' own files contain the condition.
  public var train: Paths?
  public var valid, test: Paths?
  /// The separator between the columns of these tables.
  public var separator: String

  public init(
    classes: [Column] = [], numbers: [Column] = [], train: Paths? = nil, valid: Paths? = nil,
    test: Paths? = nil, separator: String = ","
  ) {
    self.classes = classes
    self.numbers = numbers
    self.train = train
    self.valid = valid
    self.test = test
    self.separator = separator
  }

  private enum Key: String, CodingKey { case classes, numbers, train, valid, test, separator }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    self.init(
      classes: try keys.decodeIfPresent([Column].self, forKey: .classes) ?? [],
      numbers: try keys.decodeIfPresent([Column].self, forKey: .numbers) ?? [],
      train: try keys.pathsIfPresent(of: .train),
      valid: try keys.pathsIfPresent(of: .valid),
      test: try keys.pathsIfPresent(of: .test),
      separator: try keys.decodeIfPresent(String.self, forKey: .separator) ?? ",")
    for (column, place) in columns.enumerated().map({ ($1, $0) })
    where columns[..<place].contains(column) {
      throw keys.refusal(
        classes.contains(column) ? .classes : .numbers,
        "column \(column.words) is named twice: a condition has it once")
    }
    guard separator.utf8.count == 1 else {
      throw keys.refusal(.separator, "'\(separator)' is not one character such as , or ;")
    }
    if train == nil {
      if separator != "," {
        throw keys.refusal(
          .separator, "it separates the columns of a table in train, and there is none: remove it")
      }
      if valid != nil || test != nil {
        throw keys.refusal(
          valid != nil ? .valid : .test,
          "train is missing: name the table that belongs to "
            + "data.train")
      }
      if columns.isEmpty {
        throw keys.refusal(
          .classes, "the condition is empty: name classes, numbers or a table in train")
      }
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(classes, forKey: .classes)
    try keys.encode(numbers, forKey: .numbers)
    try keys.encodeIfPresent(train, forKey: .train)
    try keys.encodeIfPresent(valid, forKey: .valid)
    try keys.encodeIfPresent(test, forKey: .test)
    try keys.encode(separator, forKey: .separator)
  }

  /// The columns in the order of the condition.
  var columns: [Column] { classes + numbers }

  /// True if any column is given by its name, so that the first line has the names.
  var hasNames: Bool { columns.contains { if case .name = $0 { true } else { false } } }

  /// True if conditions are in the sequences' own files, as leading fields of lines or as columns.
  public var leads: Bool { train == nil }

  /// Returns why sequences of a format cannot have this condition, or nil if they can.
  func incompatibility(with format: SequenceFormat) -> String? {
    switch format {
    case .trees, .piano:
      return "sequences of the format \(format.rawValue) cannot have a condition; remove condition"
    case .csv:
      return train == nil
        ? nil : "a table of sequences has its condition in columns; remove train"
    case .pairs, .tags:
      return train == nil
        ? "lines of the format \(format.rawValue) cannot hold a condition; name a table with a row "
          + "for each of them in train"
        : nil
    case .lines, .labels:
      guard train == nil else { return nil }
      // The order that prompts to a trained model use too.
      return columns == (1...columns.count).map { Column.number($0) }
        ? nil
        : "a condition is at the beginning of its line, with a tab after each field, classes "
          + "before numbers; number the fields from 1 in that order without a gap"
    }
  }
}

extension ColumnOptions.Column {
  /// The name of a class in this column, for messages.
  var name: String {
    switch self {
    case .number(let number): "column \(number)"
    case .name(let name): name
    }
  }

  /// The column, for messages.
  var words: String {
    switch self {
    case .number(let number): "\(number)"
    case .name(let name): "'\(name)'"
    }
  }
}
