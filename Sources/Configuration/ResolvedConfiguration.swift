internal import Formats
public import Foundation

/// Resolved options, written with every key and every digit.
///
/// Both forms can be used as a configuration again and decode to the same bits.
public enum ResolvedConfiguration {
  /// Returns the options as JSON with sorted keys, for `config.json` and checkpoints.
  public static func json(_ options: some Encodable) throws(ConfigurationError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      var text = String.UnicodeScalarView()
      for scalar in String(decoding: try encoder.encode(options), as: UTF8.self).unicodeScalars {
        // Outside of strings JSON has none of the characters that YAML must escape.
        if scalar == "\n" || scalar.isPrintableInYAML {
          text.append(scalar)
        } else {
          text.append(contentsOf: scalar.escapeSequence.unicodeScalars)
        }
      }
      return Data(String(text).utf8)
    } catch {
      throw ConfigurationError(
        at: .file("configuration"), "cannot be written as JSON (\(error)); use finite numbers")
    }
  }

  /// Returns the options as YAML with sorted keys, for `--print-config`.
  public static func yaml(_ options: some Encodable) throws(ConfigurationError) -> String {
    let json = try json(options)
    do {
      return YAMLEmitter(try JSONValue.decode(from: json)).text
    } catch {
      throw ConfigurationError(at: .file("configuration"), "cannot be written as YAML (\(error))")
    }
  }
}
