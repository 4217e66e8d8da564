package import Datasets
internal import Formats

/// A form of the sets on which language models are compared: files of JSON, an object a line.
public enum EvaluationTask: String, CaseIterable, Sendable {
  /// `{"text": …}`: the last word of each text is to be predicted (Paperno 2016).
  case lambada
  /// `{"sentence_good": …, "sentence_bad": …}`: the first is to be likelier (Warstadt 2020, BLiMP).
  case pairs
  /// `{"ctx": …, "endings": […], "label": …}` or `{"query": …, "choices": […], "gold": …}`: the right
  /// ending is to be the likeliest (Zellers 2019, HellaSwag).
  case choices
}

/// A question of a task: texts whose probabilities are compared.
package struct TaskQuestion: Equatable {
  /// A text that a model continues; only the continuation counts.
  struct Candidate: Equatable {
    var context = ""
    var continuation: String
  }

  var candidates: [Candidate]
  /// The index of the right candidate.
  var right: Int
  /// The UTF-8 bytes of each candidate as written in the file, without a blank that was added.
  var bytes: [Int]
  /// The kind of question, by which results are broken down; nil for none.
  var fields: [String: String] = [:]
  /// The line in the file, from 1.
  var line: Int
}

extension EvaluationTask {
  /// The members by which the results of pairs are broken down.
  static let breakdowns = ["UID", "linguistics_term"]

  /// Reads the questions of a file; blank lines are skipped.
  /// - Parameter name: The name of the file in messages.
  /// - Throws: `DataError` with the file and the line of the first that is none.
  package func questions(in lines: [String], of name: String) throws(DataError) -> [TaskQuestion] {
    var questions: [TaskQuestion] = []
    for (index, line) in lines.enumerated()
    where !line.utf8.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) {
      let reader = TaskLine(place: "\(name), line \(index + 1)", line: index + 1)
      questions.append(try reader.question(of: self, in: line))
    }
    guard !questions.isEmpty else {
      throw DataError("\(name) has no line: give a file with a JSON object on each line")
    }
    return questions
  }
}

/// A reader of one line of a task's file.
private struct TaskLine {
  /// The file and the line, for messages.
  let place: String
  let line: Int

  func question(of task: EvaluationTask, in text: String) throws(DataError) -> TaskQuestion {
    let value: JSONValue
    do throws(JSONProblem) {
      value = try JSONValue(strictly: text)
    } catch {
      throw refusal("is not JSON (\(error.reason) at byte \(error.position)): correct it")
    }
    guard case .object(let members) = value else {
      throw refusal("is not a JSON object: write {\"key\": …} on each line")
    }
    switch task {
    case .lambada: return try lastWord(of: string("text", in: members))
    case .pairs: return try pair(members)
    case .choices: return try choice(members)
    }
  }

  /// The last word is what follows the last blank, and is predicted with that blank.
  private func lastWord(of text: String) throws(DataError) -> TaskQuestion {
    let bytes = Array(text.utf8)
    guard let blank = bytes.lastIndex(of: 0x20) else {
      throw refusal("has a text of one word: give it a context, or remove the line")
    }
    guard blank + 1 < bytes.count else {
      throw refusal(
        "has a text that ends in a blank, after which there is no word: remove the blank")
    }
    let context = String(decoding: bytes[..<blank], as: UTF8.self)
    let word = String(decoding: bytes[blank...], as: UTF8.self)
    return TaskQuestion(
      candidates: [.init(context: context, continuation: word)], right: 0,
      bytes: [word.utf8.count - 1], line: line)
  }

  private func pair(_ members: [String: JSONValue]) throws(DataError) -> TaskQuestion {
    let good = try string("sentence_good", in: members)
    let bad = try string("sentence_bad", in: members)
    var fields: [String: String] = [:]
    for key in EvaluationTask.breakdowns {
      if case .string(let value)? = members[key] { fields[key] = value }
    }
    return TaskQuestion(
      candidates: [good, bad].map { .init(continuation: $0) }, right: 0,
      bytes: [good, bad].map(\.utf8.count), fields: fields, line: line)
  }

  private func choice(_ members: [String: JSONValue]) throws(DataError) -> TaskQuestion {
    let isQuery = members["query"] != nil
    let (contextKey, endingsKey, rightKey) =
      isQuery ? ("query", "choices", "gold") : ("ctx", "endings", "label")
    let context = try string(contextKey, in: members, mayBeEmpty: true)
    guard case .array(let values)? = members[endingsKey], values.count > 1 else {
      throw refusal("has no list \"\(endingsKey)\" of two or more texts: add it")
    }
    var endings: [String] = []
    for value in values {
      guard case .string(let ending) = value, !ending.isEmpty else {
        throw refusal(
          "has an empty ending or one that is no text in \"\(endingsKey)\": write a text")
      }
      endings.append(ending)
    }
    let right: Int? =
      switch members[rightKey] {
      case .integer(let number): number
      case .string(let digits): Int(digits)
      default: nil
      }
    guard let right, endings.indices.contains(right) else {
      throw refusal(
        "has no \"\(rightKey)\" from 0 to \(endings.count - 1), the number of the right ending: add it"
      )
    }
    // A blank stands between context and ending, unless one of them brings its own.
    let isSpaced = context.isEmpty || context.last!.isWhitespace
    return TaskQuestion(
      candidates: endings.map { ending in
        let blank = isSpaced || ending.first!.isWhitespace ? "" : " "
        return .init(context: context, continuation: blank + ending)
      }, right: right, bytes: endings.map(\.utf8.count), line: line)
  }

  private func string(
    _ key: String, in members: [String: JSONValue], mayBeEmpty: Bool = false
  ) throws(DataError) -> String {
    guard case .string(let text)? = members[key] else {
      throw refusal("has no text \"\(key)\": add it")
    }
    guard mayBeEmpty || !text.isEmpty else {
      throw refusal("has an empty text \"\(key)\": write one, or remove the line")
    }
    return text
  }

  private func refusal(_ sentence: String) -> DataError { DataError("\(place) \(sentence)") }
}
