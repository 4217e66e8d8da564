import Foundation
import Recurrence

/// Decodes the section `model` of a configuration, written as JSON.
func decodeModel(_ json: String) throws -> ModelOptions {
  try JSONDecoder().decode(ModelOptions.self, from: Data(json.utf8))
}

/// Returns why a section `model` is refused, and the key at fault; nil if it is not.
func refusal(ofModel json: String) -> (key: String, sentence: String)? {
  do {
    _ = try decodeModel(json)
    return nil
  } catch DecodingError.dataCorrupted(let context) {
    return (context.codingPath.last?.stringValue ?? "", context.debugDescription)
  } catch {
    return ("", "\(error)")
  }
}
