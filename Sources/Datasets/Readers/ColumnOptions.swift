/// The roles of a table's columns. A column is a name in the first line, or a number from 1.
///
///     columns: {inputs: [force, speed], targets: [angle], id: run}
public struct ColumnOptions: Codable, Sendable, Equatable {
  public enum Column: Codable, Sendable, Hashable {
    case number(Int)
    case name(String)

    public init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let number = try? value.decode(Int.self) {
        guard number >= 1 else {
          throw DecodingError.dataCorruptedError(
            in: value, debugDescription: "columns are counted from 1: there is no column \(number)")
        }
        self = .number(number)
      } else {
        self = .name(try value.decode(String.self))
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var value = encoder.singleValueContainer()
      switch self {
      case .number(let number): try value.encode(number)
      case .name(let name): try value.encode(name)
      }
    }
  }

  /// The targets.
  public enum Answer: Sendable, Equatable {
    /// The numbers of other columns, at every row.
    case numbers([Column])
    /// The inputs of the next row, at every row but the last.
    case next
    /// The class of the whole sequence, the same in all of its rows; it is the target of the last
    /// row.
    case label(Column)
    /// The class of each row, at every row with a non-empty cell.
    case tag(Column)
  }

  public var inputs: [Column]
  public var answer: Answer
  /// The column whose value changes where a sequence begins; nil if blank lines separate sequences.
  public var id: Column?
  public var separator: String

  public init(inputs: [Column], answer: Answer, id: Column? = nil, separator: String = ",") {
    self.inputs = inputs
    self.answer = answer
    self.id = id
    self.separator = separator
  }

  private enum Key: String, CodingKey { case inputs, targets, label, tag, id, separator }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    let label = try keys.decodeIfPresent(Column.self, forKey: .label)
    let tag = try keys.decodeIfPresent(Column.self, forKey: .tag)
    let targets = try keys.decodeIfPresent(Targets.self, forKey: .targets)
    let answers = [
      label.map { Answer.label($0) }, tag.map { Answer.tag($0) }, targets.map(\.answer),
    ].compactMap(\.self)
    self.init(
      inputs: try keys.decode([Column].self, forKey: .inputs), answer: answers.first ?? .next,
      id: try keys.decodeIfPresent(Column.self, forKey: .id),
      separator: try keys.decodeIfPresent(String.self, forKey: .separator) ?? ",")
    guard answers.count <= 1 else {
      throw keys.refusal(
        label != nil ? .label : .tag, "targets, label and tag exclude each other: give one of them")
    }
    guard answer != .numbers([]) else {
      throw keys.refusal(.targets, "targets is empty: name at least one column, or write next")
    }
    guard !inputs.isEmpty || !self.targets.isEmpty else {
      throw keys.refusal(
        .inputs, "inputs is empty: name a column, or targets for a series without inputs")
    }
    guard separator.utf8.count == 1 else {
      throw keys.refusal(.separator, "'\(separator)' is not one character such as , or ;")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(inputs, forKey: .inputs)
    switch answer {
    case .numbers(let columns): try keys.encode(columns, forKey: .targets)
    case .next: try keys.encode(Targets.nextRow, forKey: .targets)
    case .label(let column): try keys.encode(column, forKey: .label)
    case .tag(let column): try keys.encode(column, forKey: .tag)
    }
    try keys.encodeIfPresent(id, forKey: .id)
    try keys.encode(separator, forKey: .separator)
  }

  /// The value of `targets`: columns, or the word `next`.
  private struct Targets: Decodable {
    static let nextRow = "next"
    let answer: Answer

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let word = try? value.decode(String.self) {
        guard word == Self.nextRow else {
          throw DecodingError.dataCorruptedError(
            in: value,
            debugDescription: "'\(word)' is not a list of columns: write [\(word)], or next")
        }
        answer = .next
      } else {
        answer = .numbers(try value.decode([Column].self))
      }
    }
  }
}

extension ColumnOptions {
  /// The target columns, if targets are numbers.
  var targets: [Column] { if case .numbers(let columns) = answer { columns } else { [] } }

  /// The target column, if targets are classes.
  package var classes: Column? {
    switch answer {
    case .numbers, .next: nil
    case .label(let column), .tag(let column): column
    }
  }

  /// The number of target numbers per row; 0 if targets are classes.
  var valueCount: Int { answer == .next ? inputs.count : targets.count }

  private var columns: [Column] {
    inputs + targets + [classes, id].compactMap(\.self)
  }

  /// True if any column is given by its name, so that the first line has the names.
  var hasNames: Bool {
    columns.contains { if case .name = $0 { true } else { false } }
  }
}
