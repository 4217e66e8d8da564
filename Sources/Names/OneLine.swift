/// Returns a text with line ends and other control characters as escapes such as `\n`, so that a message with
/// names out of a file stays one line.
package func oneLine(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: breaksLine) else { return text }
  var line = ""
  for scalar in text.unicodeScalars {
    line += breaksLine(scalar) ? scalar.escaped(asASCII: true) : String(scalar)
  }
  return line
}

private func breaksLine(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator: true
  default: false
  }
}
