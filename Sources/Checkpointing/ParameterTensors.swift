public import Formats
internal import LinearAlgebra
public import Recurrence

extension ParameterVector {
  /// Returns every parameter as a tensor that refers to the parameter's own memory.
  /// - Parameter prefix: The prefix of each name, such as `exp_avg.` for a moment of Adam.
  public func tensors(prefix: String = "") -> [Tensor] {
    layout.entries.map {
      Tensor(prefix + $0.name, shape: $0.shape, buffer, from: $0.offset)
    }
  }
}

extension SafetensorsFile {
  /// Fills vectors from the tensors of the file: all of them, or none if any name or shape is
  /// wrong.
  ///
  /// Numbers of the same precision are restored to the same bits; those of a half, bfloat16 or
  /// double precision file are converted.
  /// - Parameters:
  ///   - vectors: Each vector with the prefix of its names in the file.
  ///   - others: Further names that may be in the file.
  ///   - otherNames: For a name that is not in the file, the name to use instead.
  public func load(
    into vectors: [(prefix: String, vector: ParameterVector)], besides others: Set<String> = [],
    otherNames: [String: String] = [:]
  ) throws(FileError) {
    let stored = try places(
      of: vectors.map { ($0.prefix, $0.vector.layout) }, besides: others, otherNames: otherNames)
    for (prefix, vector) in vectors {
      try vector.update { (vector) throws(FileError) in
        for entry in vector.layout.entries {
          let name = prefix + entry.name
          try copy(stored[name] ?? name, shape: entry.shape, into: vector.elements(of: entry))
        }
      }
    }
  }

  /// Returns the names in the file of the vectors' parameters, as `load` uses them, and checks all
  /// shapes.
  @discardableResult
  func places(
    of vectors: [(prefix: String, layout: ParameterLayout)], besides others: Set<String> = [],
    otherNames: [String: String] = [:]
  ) throws(FileError) -> [String: String] {
    var misfits = Misfits()
    var known = others
    var stored: [String: String] = [:]
    for (prefix, layout) in vectors {
      for entry in layout.entries {
        let name = prefix + entry.name
        guard let tensor = self[name] ?? otherNames[name].flatMap({ self[$0] }) else {
          misfits.missing.append(name)
          continue
        }
        known.insert(tensor.name)
        stored[name] = tensor.name
        if tensor.shape != entry.shape {
          misfits.wrong.append("\(name) as \(tensor.shape) and not \(entry.shape)")
        } else if ![.float32, .float64, .float16, .bfloat16].contains(tensor.type) {
          misfits.wrong.append("\(name) as \(tensor.type.rawValue) and not a floating-point type")
        }
      }
    }
    misfits.unexpected = tensors.map(\.name).filter { !known.contains($0) }
    if let error = misfits.error(path) { throw error }
    return stored
  }
}

/// The differences between a file and a model's weights.
package struct Misfits {
  package var missing: [String] = []
  package var wrong: [String] = []
  package var unexpected: [String] = []

  package init() {}

  /// Returns all differences in one sentence; nil if there are none.
  /// - Parameters:
  ///   - model: The model that the file should have, in words.
  ///   - advice: The last words of the sentence, which say what to do.
  package func error(
    _ path: String, of model: String = "this model",
    advice: String = "use the configuration it was made with"
  ) -> FileError? {
    let complaints =
      [
        missing.isEmpty
          ? nil
          : "has no " + list(missing.map { $0 + nearest($0, in: unexpected) }),
        wrong.isEmpty ? nil : "holds " + list(wrong),
        unexpected.isEmpty ? nil : "also holds " + list(unexpected.sorted()),
      ].compactMap { $0 }
    if complaints.isEmpty { return nil }
    return FileError(
      .damaged, path,
      "\(path) does not fit \(model): it \(complaints.joined(separator: ", and it ")); "
        + advice)
  }
}

/// Lists the first few of many things.
private func list(_ things: [String]) -> String {
  things.count <= 4
    ? things.joined(separator: ", ")
    : things.prefix(3).joined(separator: ", ") + " and \(things.count - 3) more"
}
