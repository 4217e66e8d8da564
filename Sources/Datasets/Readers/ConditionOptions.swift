/// The condition of each sequence as a whole, and the place where it stands:
///
///     condition: {classes: [speaker], numbers: [age]}          # columns of the table itself
///     condition: {classes: [1], numbers: [2]}                  # leading fields of lines, parted by tabs
///     condition: {train: known.csv, valid: known-valid.csv}    # a file beside, a row for each sequence
///
/// A class is one of some names; it becomes a row with a single 1, or a vector that is learnt.
public struct ConditionOptions: Codable, Sendable, Equatable {
  public typealias Column = ColumnOptions.Column

  public var classes, numbers: [Column]
  /// Tables with a row for each sequence; nil where the sequences' own files say what is known.
  public var train: Paths?
  public var valid, test: Paths?
  /// The separator of the columns of such tables.
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
      train: try keys.decodeIfPresent(Paths.self, forKey: .train),
      valid: try keys.decodeIfPresent(Paths.self, forKey: .valid),
      test: try keys.decodeIfPresent(Paths.self, forKey: .test),
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
          .separator, "it parts the columns of a table in train, and there is none: remove it")
      }
      if valid != nil || test != nil {
        throw keys.refusal(
          valid != nil ? .valid : .test, "train is missing: name the table beside data.train")
      }
      if columns.isEmpty {
        throw keys.refusal(
          .classes, "nothing is known of a sequence: name classes, numbers or a table in train")
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

  /// The columns in the order in which a condition has them.
  var columns: [Column] { classes + numbers }

  /// Says whether any column is asked for by its name, so that the first line has the names.
  var hasNames: Bool { columns.contains { if case .name = $0 { true } else { false } } }

  /// Says whether conditions stand in the sequences' own files, in leading fields of their lines or
  /// in columns.
  public var leads: Bool { train == nil }

  /// Why sequences of a format cannot have such a condition, if there is a reason.
  func incompatibility(with format: SequenceFormat) -> String? {
    switch format {
    case .trees, .piano:
      return "nothing can be known of sequences of the format \(format.rawValue); remove condition"
    case .csv:
      return train == nil
        ? nil : "of a table, what is known stands in columns of its own; remove train"
    case .pairs, .tags:
      return train == nil
        ? "the lines of \(format.rawValue) say nothing more; name a table with a row for each in train"
        : nil
    case .lines, .labels:
      guard train == nil else { return nil }
      // In this order, as it is told of lines to a trained model.
      return columns == (1...columns.count).map { Column.number($0) }
        ? nil
        : "what is known leads a line, a field and a tab each, classes before numbers; number the "
          + "fields from 1 in that order without a gap"
    }
  }
}

extension ColumnOptions.Column {
  /// The name in sentences of a class in the column.
  var name: String {
    switch self {
    case .number(let number): "column \(number)"
    case .name(let name): name
    }
  }

  /// The column, for a sentence.
  var words: String {
    switch self {
    case .number(let number): "\(number)"
    case .name(let name): "'\(name)'"
    }
  }
}
