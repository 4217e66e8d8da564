public import Checkpointing
internal import Configuration
internal import Datasets
internal import LinearAlgebra
public import Recurrence

/// The conditions given to a command: one for all sequences, or a row of a file for each.
public struct ToldConditions {
  private let fields: ConditionFields
  private let told: Told

  private enum Told {
    case ofAll(DecoderInput)
    case ofEach([DecoderInput], file: String)
    /// The condition stands in fields at the start of each line.
    case byLines
  }

  /// - Parameters:
  ///   - checkpoint: The checkpoint whose model is conditioned.
  ///   - words: The classes and numbers of a condition, in the model's order; empty for a model
  ///     without conditions.
  ///   - file: A file with one row per sequence, in the format of the model's data.
  ///   - readsLines: True if the condition may stand at the start of each line, if it does so in
  ///     the model's data.
  public init(
    _ checkpoint: Checkpoint, words: [String] = [], file: String? = nil, readsLines: Bool = false
  ) throws {
    let reader = try checkpoint.options().data.reader
    fields = try checkpoint.conditions()
    guard let file else {
      if words.isEmpty, readsLines, let condition = reader?.condition, condition.leads {
        told = .byLines
        return
      }
      do {
        told = .ofAll(DecoderInput(try fields.condition(words, from: "--condition")))
      } catch {
        throw UsageError(error.message)
      }
      return
    }
    guard words.isEmpty else {
      throw UsageError("--condition is for all sequences, --conditions for each: give one of them")
    }
    guard try checkpoint.interface().isConditioned else {
      throw UsageError("\(checkpoint.path) takes no condition: remove --conditions")
    }
    told = .ofEach(
      try fields.read(file, as: reader?.condition).map { DecoderInput($0) }, file: file)
  }

  /// Adds the conditions to the sources of some sequences.
  public func add(to given: [DecoderInput], of name: String) throws -> [DecoderInput] {
    zip(given, try read(given.map { _ in "" }, of: name).known).map { given, known in
      DecoderInput(
        source: given.source, frames: given.frames, condition: known.condition,
        classes: known.classes)
    }
  }

  /// Returns the conditions of some lines, and the lines without them.
  public func read(_ lines: [String], of name: String) throws -> (
    known: [DecoderInput], lines: [String]
  ) {
    switch told {
    case .ofAll(let given): return (lines.map { _ in given }, lines)
    case .ofEach(let given, let file):
      guard given.count == lines.count else {
        throw DataError(
          "\(file) has \(given.count) rows and \(name) \(lines.count) lines: give a row for each")
      }
      return (given, lines)
    case .byLines:
      var (known, rests): ([DecoderInput], [String]) = ([], [])
      for (number, line) in lines.enumerated() {
        let (found, rest) = try fields.leading(line, from: "\(name), line \(number + 1)")
        known.append(DecoderInput(found))
        rests.append(rest)
      }
      return (known, rests)
    }
  }

  /// Returns the condition of a single sequence.
  public func one() throws -> DecoderInput { try read([""], of: "the prompt").known[0] }
}

extension DecoderInput {
  fileprivate init(_ condition: (numbers: [Real], classes: [Int32])) {
    self.init(condition: condition.numbers, classes: condition.classes)
  }
}

extension Checkpoint {
  /// Returns the parts of the model's conditions.
  func conditions() throws -> ConditionFields {
    try vocabularies().conditions ?? ConditionFields(numbers: interface().condition)
  }
}
