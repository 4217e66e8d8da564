import Configuration
import Formats
import Foundation
import Testing

/// Decodes options from YAML written in a test; messages call it `a.yaml`.
func decode<Options: Decodable>(
  _ type: Options.Type, _ yaml: String, set assignments: [String] = []
) throws(ConfigurationError) -> Options {
  var configuration = try Configuration(yaml: yaml, file: "a.yaml")
  for assignment in assignments { try configuration.set(assignment) }
  return try configuration.decode(type)
}

/// The message that decoding ends with.
func message<Options: Decodable>(
  _ type: Options.Type, _ yaml: String, set assignments: [String] = [],
  sourceLocation: SourceLocation = #_sourceLocation
) -> String {
  do throws(ConfigurationError) {
    let options = try decode(type, yaml, set: assignments)
    Issue.record("decoded \(options)", sourceLocation: sourceLocation)
    return ""
  } catch {
    return error.description
  }
}

// A configuration that is shaped like a real one: sections, a list, and two types in one mapping.

struct Run: Codable, Equatable {
  var name: String?
  var seed: UInt64?
  var model: Model?
  var training: Training?

  struct Training: Codable, Equatable {
    var epochs: Int?
    var optimizer: Optimizer?
  }

  struct Optimizer: Codable, Equatable {
    var rule: String
    var learningRate: Double?
    var weightDecay: Float?

    enum CodingKeys: String, CodingKey {
      case rule
      case learningRate = "learning_rate"
      case weightDecay = "weight_decay"
    }
  }

  struct Model: Codable, Equatable {
    var layers: [Layer]
    var tied: Bool?
  }
}

/// A layer reads its own keys and hands the decoder on to the options of its cell.
struct Layer: Codable, Equatable {
  enum Cell: String, Codable, CaseIterable { case elman, lstm }

  var cell: Cell
  var dropout: Double?
  var options: LSTM

  struct LSTM: Codable, Equatable {
    var hidden: Int
    var projection: Int?
  }

  enum CodingKeys: CodingKey { case cell, dropout }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    cell = try container.decode(Cell.self, forKey: .cell)
    dropout = try container.decodeIfPresent(Double.self, forKey: .dropout)
    options = try LSTM(from: decoder)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(cell, forKey: .cell)
    try container.encode(dropout, forKey: .dropout)
    try options.encode(to: encoder)
  }
}
