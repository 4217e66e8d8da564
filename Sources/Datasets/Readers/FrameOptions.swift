/// The format of the source's frames: rows of a table, or arrays.
///
///     source: {format: csv, train: frames.csv, columns: {inputs: [c1, c2], id: utterance}}
///     source: {format: arrays, train: features/}       # .npy by the files' names, .safetensors by names inside
public enum FrameOptions: Sendable, Equatable {
  case table(FrameColumns)
  case arrays
}

/// The columns of a table with one frame per row.
public struct FrameColumns: Codable, Sendable, Equatable {
  public var inputs: [ColumnOptions.Column]
  /// The column that names the sequence of a row.
  public var id: ColumnOptions.Column
  public var separator: String

  public init(
    inputs: [ColumnOptions.Column], id: ColumnOptions.Column, separator: String = ","
  ) {
    self.inputs = inputs
    self.id = id
    self.separator = separator
  }

  private enum Key: String, CodingKey { case inputs, id, separator }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    self.init(
      inputs: try keys.decode([ColumnOptions.Column].self, forKey: .inputs),
      id: try keys.decode(ColumnOptions.Column.self, forKey: .id),
      separator: try keys.decodeIfPresent(String.self, forKey: .separator) ?? ",")
    guard !inputs.isEmpty else { throw keys.refusal(.inputs, "inputs is empty: name a column") }
    guard separator.utf8.count == 1 else {
      throw keys.refusal(.separator, "'\(separator)' is not one character such as , or ;")
    }
  }
}
