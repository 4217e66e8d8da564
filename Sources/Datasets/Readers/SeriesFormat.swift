public import LinearAlgebra

/// The file format of series whose next frame a model predicts, so that the model can continue
/// them: pieces for a piano, or rows of a table.
public struct SeriesFormat: Sendable {
  /// The columns of a table; nil for pieces.
  private let columns: ColumnOptions?
  /// The columns of the condition, which series files here do not have.
  private let condition: ConditionOptions?
  /// The numbers per frame.
  public let width: Int

  /// Makes the format of some data; nil if its targets are not the next inputs. Series of a task
  /// are written in numbered columns.
  /// - Parameters:
  ///   - options: The section `data` of the configuration.
  ///   - readsItsOutputs: True if, in a table with target columns, the inputs of each row are the
  ///     targets of the row before.
  public init?(_ options: DataOptions, readsItsOutputs: Bool = false) {
    condition = options.reader?.condition
    if let task = options.task?.task {
      guard task.asksForNextFrame else { return nil }
      width = task.widths.features
      columns = ColumnOptions(inputs: (1...width).map { .number($0) }, answer: .next)
    } else if options.reader?.format == .piano {
      width = PianoExamples.keys
      columns = nil
    } else if let columns = options.reader?.columns,
      columns.answer == .next || readsItsOutputs && columns.valueCount == columns.inputs.count
    {
      width = columns.inputs.count
      self.columns = columns
    } else {
      return nil
    }
  }

  /// True if the first line of a table has the names of its columns.
  private var hasNames: Bool { columns?.hasNames ?? false || condition?.hasNames ?? false }

  /// Returns the series of a file, each as its frames one after another.
  /// - Throws: `DataError`, also if there is no series.
  public func read(_ path: String) throws(DataError) -> [[Real]] {
    let text = try TextFiles([path])
    let series: [[Real]]
    if var columns {
      // Without targets, a single row is a series too.
      let hasNames = hasNames
      columns.answer = .numbers([])
      var records = Records()
      try TableReader(columns: columns, hasNames: hasNames).read(text, &records)
      series = records.records.map { $0.frames.map { Real($0) } }
    } else {
      series = try PianoExamples.read(text, least: 1).map { PianoExamples.frames($0[...]) }
    }
    guard !series.isEmpty else {
      throw DataError("\(path) has no frame to start from: write at least one")
    }
    return series
  }

  /// Returns series as text that `read` can read.
  public func text(_ series: [[Real]]) -> String {
    guard let columns else { return series.map { piece($0) + "\n" }.joined() }
    let layout = layout(columns)
    var lines: [String] = []
    if hasNames { lines.append(row(layout.map { name($0) }, columns)) }
    for (number, frames) in series.enumerated() {
      if columns.id == nil, number > 0 { lines.append("") }
      for start in stride(from: 0, to: frames.count, by: width) {
        let cells = layout.map { column in
          guard let column else { return "" }
          let input = columns.inputs.firstIndex(of: column)
          return input.map { "\(frames[start + $0])" } ?? "\(number + 1)"
        }
        lines.append(row(cells, columns))
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// Returns the sounding keys of each step.
  private func piece(_ frames: [Real]) -> String {
    stride(from: 0, to: frames.count, by: width).map { start in
      (0..<width).filter { frames[start + $0] != 0 }.map(String.init).joined(separator: ",")
    }.joined(separator: " | ")
  }

  private func row(_ cells: [String], _ columns: ColumnOptions) -> String {
    cells.joined(separator: columns.separator)
  }

  private func name(_ column: ColumnOptions.Column?) -> String {
    switch column {
    case nil: ""
    case .name(let name): name
    case .number(let number): "\(number)"
    }
  }

  /// Returns the column at each index: numbered columns at their numbers, named ones in the indices
  /// left.
  private func layout(_ columns: ColumnOptions) -> [ColumnOptions.Column?] {
    var layout: [ColumnOptions.Column?] = []
    func put(_ column: ColumnOptions.Column, at place: Int) {
      while layout.count <= place { layout.append(nil) }
      layout[place] = column
    }
    let asked = [columns.id].compactMap(\.self) + columns.inputs
    for case .number(let number) in asked { put(.number(number), at: number - 1) }
    for column in asked {
      guard case .name = column, !layout.contains(column) else { continue }
      put(column, at: layout.firstIndex { $0 == nil } ?? layout.count)
    }
    return layout
  }
}
