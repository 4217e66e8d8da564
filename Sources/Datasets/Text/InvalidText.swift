/// The treatment of bytes that are not UTF-8, where a tokenizer needs characters.
public enum InvalidText: String, Codable, Sendable, CaseIterable {
  /// The text is refused, with the place of the first wrong byte.
  case refuse
  /// Wrong bytes become U+FFFD.
  case replace
}
