internal import Inference

extension Sample {
  /// The text without characters that would command a terminal, such as ESC.
  var shown: String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          let isControl = scalar.properties.generalCategory == .control
          return isControl && scalar != "\n" && scalar != "\t" ? "\u{FFFD}" : scalar
        }))
  }

  /// The text with each line behind four spaces, as console and Markdown show it.
  var indented: String { "    " + shown.replacing("\n", with: "\n    ") }
}
