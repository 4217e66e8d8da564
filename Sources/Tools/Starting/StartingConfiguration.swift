internal import Configuration
internal import Datasets
internal import Foundation

/// A configuration to start from, with a comment at each choice: the product of `unroll init`.
public struct StartingConfiguration {
  /// The name of the run.
  public let name: String
  private let purpose: Purpose
  private let data: StartingData

  /// - Parameters:
  ///   - purpose: The purpose of the configuration, which decides the model and the form of the
  ///     data.
  ///   - files: The data; empty for names that stand for them.
  /// - Throws: `UsageError` for another number of files, `DataError` for files that cannot be read.
  public init(_ purpose: Purpose, _ files: [String]) throws {
    self.purpose = purpose
    data = try StartingData(purpose, files)
    symbols = max(300, min(16_000, data.characters / 200))
    let file = files.last.map { $0.split(separator: "/").last.map(String.init) ?? "" }
    let stem = file.map { $0.split(separator: ".").first.map(String.init) ?? "" } ?? ""
    let letters = stem.map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "-" }
    let clean = String(letters.drop { $0 == "-" })
    name = clean.isEmpty ? purpose.rawValue : clean
  }

  /// True if the model has a tokenizer that is to be trained first.
  public var needsTokenizer: Bool { purpose == .subwords && data.isGiven }

  /// Trains the tokenizer: of about one symbol for each 200 characters, at least of each character, and of fewer if
  /// the text is too small for many.
  public mutating func trainTokenizer(to path: String) throws {
    let text = try TextFiles(data.paths)
    // The 256 bytes and three marks are symbols as well.
    let least = try text.distinctCharacterCount() + 259
    symbols = max(symbols, least)
    while true {
      do {
        return try SentencePieceTraining(kind: .bpe, size: symbols).write(to: path, on: text)
      } catch {
        guard SentencePieceTraining.isRefusal(error), symbols > least else { throw error }
        symbols = max(least, symbols / 2)
      }
    }
  }

  /// The number of symbols of the tokenizer.
  private var symbols: Int

  /// The configuration as YAML.
  /// - Parameters:
  ///   - file: The name of the file, for the commands in its comments.
  ///   - tokenizer: The file of the tokenizer, for sub-words.
  public func yaml(file: String, tokenizer: String = "tokenizer.model") -> String {
    let sections = [head(file), dataSection(tokenizer), model, training, evaluation, last]
    return sections.joined(separator: "\n")
  }

  // MARK: Sections

  private func head(_ path: String) -> String {
    let file = Self.shellWord(path)
    let first =
      data.isGiven
      ? "" : "# Put your data into \(listed) first, or name other files below.\n#\n"
    return """
      # \(purpose.words.prefix(1).uppercased() + purpose.words.dropFirst()).
      #
      \(first)#   unroll train \(file)             trains; the same command again resumes
      #   unroll train \(file) --check     says whether all fits, and the memory that it needs
      #   unroll report runs/\(name)       draws curves
      #   \(use)
      #
      # Every key that is not here has a default: unroll train \(file) --print-config prints them, and
      # docs/configuration.md explains them.
      name: \(Self.quoted(name))
      seed: 1

      """
  }

  private var listed: String { data.paths.joined(separator: " and ") }

  /// The command that uses the model.
  private var use: String {
    switch purpose {
    case .characters, .words, .subwords:
      "unroll generate runs/\(name) --prompt TEXT   writes"
    case .classification, .tagging:
      "unroll evaluate runs/\(name) --part valid    counts what is right"
    case .translation: "unroll decode runs/\(name) --source FILE     translates lines"
    case .music, .series: "unroll generate runs/\(name) --prime FILE    continues series"
    }
  }

  // Long because each purpose has lines of its own.
  private func dataSection(_ tokenizer: String) -> String {
    let files = data.paths.map(Self.quoted)
    let train = files.count == 1 ? files[0] : "[\(files.joined(separator: ", "))]"
    switch purpose {
    case .characters:
      return """
        data:
          train: \(train)
          valid: 0.1                  # the last tenth of the text is held out
          tokenizer: \(data.isUnicode ? "character        # a symbol is a character" : "byte             # a symbol is a byte: the text is not UTF-8")

        """
    case .words:
      return """
        data:
          train: \(train)
          valid: 0.1                  # the last tenth of the text is held out
          tokenizer: word             # a symbol is what blanks separate, and <eos> ends a line
          vocabulary: {min_count: 2}  # a word that occurs once is <unk>

        """
    case .subwords:
      return """
        data:
          train: \(train)
          valid: 0.1                  # the last tenth of the text is held out
          # Made with: unroll tokenizer train --size \(symbols) --out \(Self.shellWord(tokenizer)) \(data.paths.map(Self.shellWord).joined(separator: " "))
          tokenizer: \(Self.quoted(tokenizer.contains("/") ? tokenizer : "./" + tokenizer))

        """
    case .classification:
      return """
        data:
          format: labels              # a line is a label, a tab, a text
          train: \(train)
          valid: 0.1                  # the last tenth of the lines is held out
          tokenizer: word             # or character, for short texts with spelling that matters
          vocabulary: {min_count: 2}  # a word that occurs once is <unk>

        """
    case .tagging:
      return """
        data:
          format: tags                # a line is word|TAG word|TAG …
          train: \(train)
          valid: 0.1                  # the last tenth of the lines is held out
          vocabulary: {min_count: 2}  # a word that occurs once is <unk>

        """
    case .translation:
      return """
        data:
          format: pairs
          train: \(files[1])           # the outputs, line by line those of the sources
          valid: 0.1                  # the last tenth of the lines is held out
          tokenizer: word             # or character, or the .model of a tokenizer
          source: {train: \(files[0]), tokenizer: word}

        """
    case .music:
      return """
        data:
          format: piano               # a line is a piece: keys from 0 to 87, and | between two steps
          train: \(train)
          valid: 0.1                  # the last tenth of the pieces is held out

        """
    case .series: return seriesSection(train)
    }
  }

  private func seriesSection(_ train: String) -> String {
    let columns =
      "inputs: [\((data.table?.inputs ?? ["x", "y"]).joined(separator: ", "))], targets: next"
      + (data.table?.id.map { ", id: \($0)" } ?? "")
    let others = data.table?.leftOut ?? []
    let leftOut =
      others.isEmpty
      ? "" : "  # Left out, because they are no numbers: \(others.joined(separator: ", "))\n"
    return """
      data:
        format: csv
        train: \(train)
      \(isHeldOut
        ? "  valid: 0.1                  # the last tenth of the series is held out"
        : "  # valid: other.csv          # one series cannot be divided: name others to validate on")
        # targets: next predicts the next row. Numbers far from -1 … 1 are better scaled to it first.
      \(leftOut)  columns: {\(columns)}

      """
  }

  private var model: String {
    switch purpose {
    case .characters:
      return """
        model:
          embedding: \(min(128, width))
          layers:
            - {cell: lstm, hidden: \(width)}   # one wide layer learns more per second than two narrow ones
          dropout: \(data.characters > 20_000_000 ? "0                  # the text is larger than the model can learn by heart" : "0.2                # less for much text, more for little")

        """
    case .words, .subwords:
      return """
        model:
          embedding: \(width)
          layers:
            - {cell: lstm, hidden: \(width)}
            - {cell: lstm, hidden: \(width)}
          tied: true                  # the output uses the matrix of the embedding
          dropout: 0.3                # more for little text, up to 0.6

        """
    case .classification:
      return """
        model:
          embedding: 100
          embedding_initializer: {uniform: 0.1}   # rare words start near zero
          layers:
            - {cell: lstm, hidden: 100, bidirectional: concat}
          dropout: 0.5

        """
    case .tagging:
      return """
        model:
          embedding: 100
          layers:
            - {cell: lstm, hidden: 100, bidirectional: concat}   # a tag depends on words before and after
          dropout: 0.5

        """
    case .translation:
      return """
        model:
          embedding: 256
          embedding_initializer: {uniform: 0.1}   # rare words start near zero
          encoder:
            embedding: 256
            layers:
              - {cell: gru, hidden: 256, bidirectional: concat}
          layers:
            - {cell: gru, hidden: 512, dropout: 0}   # dropout is on the attention's output instead
          attention: multiplicative
          dropout: 0.3

        """
    case .music:
      return """
        model:
          layers:
            - {cell: lstm, hidden: 200}
          dropout: 0.3

        """
    case .series:
      return """
        model:
          layers:
            - {cell: lstm, hidden: 64}

        """
    }
  }

  private var training: String {
    let rate =
      switch purpose {
      case .characters, .words, .subwords: width > 256 ? "0.003" : "0.004"
      case .classification, .translation: "0.001"
      case .tagging, .music, .series: "0.003"
      }
    let window =
      isText
      ? "  bptt: \(window)                   # steps of a window; the state is carried beyond it\n"
      : ""
    return """
      training:
        batch_size: \(batch)\(isText ? "              # streams of the text that are read side by side" : "")
      \(window)  epochs: \(epochs)                  # passes over the data
        optimizer: {rule: adam}
        schedule:
          shape: cosine             # falls to zero at the last step
          learning_rate: \(rate)      # the key that matters most: try half and double
          warmup: \(min(100, steps / 10))
        clip: {norm: 1}             # limits what one bad window can do

      """
  }

  private var evaluation: String {
    let every = steps / epochs > 1000 ? "500" : "epoch"
    let sample =
      switch purpose {
      case .characters, .words, .subwords:
        "\n  sample: {prompt: \"\", length: \(purpose == .characters ? 200 : 60)}   # what the model writes, to look at\n"
      case .translation:
        "\n  # sample: {sources: [\"a line to translate\"]}   # what the model makes of it\n"
      case .classification, .tagging, .music, .series: "\n"
      }
    guard isHeldOut else { return "" }
    return "evaluation:\n  every: \(every)\(sample)"
  }

  private var last: String {
    """
    checkpoint: {every: 5m, keep: 2}   # and at each new best, and at the end

    """
  }

  // MARK: Sizes

  private var isText: Bool { [.characters, .words, .subwords].contains(purpose) }

  /// True if a part of the data can be held out.
  private var isHeldOut: Bool { data.table.map { $0.series >= 10 } ?? true }

  /// The symbols of a text, or the sequences of other data.
  private var count: Int {
    switch purpose {
    case .characters: data.characters
    case .words: data.characters / 6
    case .subwords: data.characters / 4
    case .classification, .tagging, .translation, .music: data.lines
    case .series: data.table?.series ?? 1000
    }
  }

  /// The width of a layer, which grows with the text.
  private var width: Int {
    count < 100_000 ? 128 : purpose == .characters && count >= 500_000 ? 512 : 256
  }

  private var window: Int {
    let most = purpose == .characters ? 128 : 64
    return [most, 64, 32, 16].first { $0 <= most && $0 * 64 <= count } ?? 8
  }

  private var batch: Int {
    guard isText else {
      return [64, 32, 16, 8, 4, 2].first { $0 * 40 <= count } ?? 1
    }
    // A tenth of the text is cut into as many streams for the evaluation.
    return [32, 16, 8, 4, 2].first { $0 * window * 10 <= count } ?? 1
  }

  private var epochs: Int {
    isText ? max(1, min(20, 10_000_000 / max(count, 1))) : max(2, min(40, 100_000 / max(count, 1)))
  }

  /// The steps of the run, about.
  private var steps: Int {
    max(1, count * epochs / max(1, isText ? batch * window : batch))
  }

  /// Returns a word as a shell reads it, in quotation marks if it has anything but letters, digits and `./_-`.
  public static func shellWord(_ word: String) -> String {
    let isSafe =
      !word.isEmpty && !word.hasPrefix("-")
      && word.unicodeScalars.allSatisfy {
        $0.properties.isAlphabetic || ("0"..."9").contains($0) || "./_-".unicodeScalars.contains($0)
      }
    return isSafe ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }

  /// Returns a word as YAML, in quotation marks if it would not be read as this text.
  static func quoted(_ word: String) -> String {
    let isPlain =
      word.first?.isLetter == true || word.hasPrefix("./") || word.hasPrefix("/")
    let safe = word.unicodeScalars.allSatisfy {
      $0.properties.isAlphabetic || ("0"..."9").contains($0) || "./_-".unicodeScalars.contains($0)
    }
    let words = ["true", "false", "null", "next", "yes", "no", "on", "off"]
    guard isPlain, safe, !words.contains(word.lowercased()) else {
      return "\"" + word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
    return word
  }
}
