/// A purpose for which `unroll init` writes a configuration.
public enum Purpose: String, CaseIterable, Sendable {
  case characters, words, subwords, classification, tagging, translation, music, series

  /// The data and the model in a few words, for help.
  public var words: String {
    switch self {
    case .characters: "a language model of the characters of a text"
    case .words: "a language model of the words of a text, which blanks separate"
    case .subwords: "a language model of pieces of words; trains a tokenizer on the text first"
    case .classification: "the class of each text; a line is a label, a tab and a text"
    case .tagging: "a tag for each word; a line is word|TAG word|TAG …"
    case .translation:
      "an output for each source; two files, the sources and then the outputs, line by line"
    case .music: "the next keys of pieces of music; a line is keys,keys | keys,keys …"
    case .series: "the next row of a table of numbers in CSV"
    }
  }

  /// The files of the configuration where none are given.
  var usualFiles: [String] {
    switch self {
    case .characters, .words, .subwords: ["text.txt"]
    case .classification: ["labels.txt"]
    case .tagging: ["tags.txt"]
    case .translation: ["source.txt", "target.txt"]
    case .music: ["pieces.txt"]
    case .series: ["series.csv"]
    }
  }
}
