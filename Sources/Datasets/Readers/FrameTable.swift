internal import LinearAlgebra
public import Sequences

/// Sequences of frames, keyed by the names of their files, tensors or rows.
public struct FrameTable: Sendable {
  /// The names in the order in which they were read.
  public private(set) var ids: [String] = []
  private var frames: [String: Frames] = [:]
  /// The name of the files in messages.
  let name: String
  /// The numbers per frame.
  public private(set) var width = 0

  public subscript(id: String) -> Frames? { frames[id] }

  /// Reads the files.
  /// - Throws: `DataError` if a file is damaged, if there are no frames or frames of different
  ///   widths, or if two sequences have the same name.
  public init(_ options: FrameOptions, _ paths: [String]) throws(DataError) {
    let text = try TextFiles(paths)
    name = text.name
    switch options {
    case .table(let columns): try readTable(text, columns)
    case .arrays:
      for file in text.files {
        if file.path.hasSuffix(".npy") {
          let name = file.path.split(separator: "/").last!.dropLast(".npy".count)
          try add(NumPyFile(file.path).array, String(name), file.path)
        } else if file.path.hasSuffix(".safetensors") {
          for (name, array) in try TensorArrays(file.path).arrays {
            try add(array, name, file.path)
          }
        } else {
          throw DataError(
            "\(file.path) is neither .npy nor .safetensors: give such files, or a table with "
              + "source.format: csv")
        }
      }
    }
    guard !ids.isEmpty else { throw DataError("\(name) has no frames: give some") }
  }

  private mutating func readTable(_ text: TextFiles, _ columns: FrameColumns) throws(DataError) {
    let options = ColumnOptions(
      inputs: columns.inputs, answer: .numbers([]), id: columns.id, separator: columns.separator)
    var records = Records()
    try TableReader(columns: options).read(text, &records)
    for record in records.records {
      try add(
        record.frames.map { Real($0) }, columns.inputs.count, record.id, records.place(record))
    }
  }

  private mutating func add(
    _ array: NumberArray, _ id: String, _ place: String
  ) throws(DataError) {
    try add(array.numbers, array.columns, id, place)
  }

  private mutating func add(
    _ numbers: [Real], _ columns: Int, _ id: String, _ place: String
  ) throws(DataError) {
    if width == 0 { width = columns }
    guard columns == width else {
      throw DataError(
        "\(place) has frames of \(columns) numbers in '\(id)', and those before have \(width): give "
          + "frames of one width")
    }
    guard numbers.allSatisfy(\.isFinite) else {
      throw DataError("\(place) has a number in '\(id)' that is too large: write smaller ones")
    }
    guard frames.updateValue(Frames(width: width, numbers: numbers), forKey: id) == nil else {
      throw DataError("\(place) has frames of '\(id)' a second time: give each sequence a name")
    }
    ids.append(id)
  }
}
