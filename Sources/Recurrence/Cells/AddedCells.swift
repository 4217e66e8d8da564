/// The cells of other modules that models may have, besides those of the registry.
enum AddedCells {
  @TaskLocal static var all: [String: any RecurrentCell.Type] = [:]
}

/// Runs a body in which models may have cells of other modules.
///
///     try withCells(["indrnn": IndependentRNN.self]) {
///       let options = try Configuration.decode(RunOptions.self, from: ["train.yaml"])
///       …
///     }
///
/// Configurations and checkpoints are read, and models are built, with these cells and those of the registry.
/// Their names count in the current task alone: threads that the body starts do not know them.
/// - Parameters:
///   - added: The cells by the names that configurations use, none of which may be in the registry.
///   - body: The code that builds or reads models with these cells.
/// - Returns: The value that the body returns.
public func withCells<Value>(
  _ added: [String: any RecurrentCell.Type], _ body: () throws -> Value
) rethrows -> Value {
  for name in added.keys {
    precondition(cell(named: name) == nil, "there is a cell called \(name) already")
  }
  return try AddedCells.$all.withValue(AddedCells.all.merging(added) { $1 }, operation: body)
}

/// Returns the cell that has a name in the registry or in the current task; nil if there is none.
package func cell(named name: String) -> (any RecurrentCell.Type)? {
  cells[name] ?? AddedCells.all[name]
}

/// The names of all cells that a model may have.
package var cellNames: [String] { Array(cells.keys) + AddedCells.all.keys }
