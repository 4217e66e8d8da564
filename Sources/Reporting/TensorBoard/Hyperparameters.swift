internal import Configuration
internal import Formats
internal import Foundation

/// The settings of a run as TensorBoard's page of hyperparameters reads them: the scalars of the sections
/// `model` and `training`, and the seed, by their keys.
///
/// The messages are those of its plugin `hparams` (`HParamsPluginData`, version 0), written here field by field.
struct Hyperparameters {
  private let settings: [(key: String, value: JSONValue)]

  init(_ options: RunOptions) {
    let all = (try? JSONValue(encoding: options)) ?? .null
    var found: [(key: String, value: JSONValue)] = []
    for section in ["seed", "model", "training"] {
      if let value = all[section] { Self.collect(value, at: section, into: &found) }
    }
    settings = found
  }

  private static func collect(
    _ value: JSONValue, at path: String, into found: inout [(key: String, value: JSONValue)]
  ) {
    switch value {
    case .object(let members):
      for (key, value) in members.sorted(by: { $0.key < $1.key }) {
        collect(value, at: path + "." + key, into: &found)
      }
    case .array(let elements):
      for (index, value) in elements.enumerated() {
        collect(value, at: "\(path).\(index)", into: &found)
      }
    case .null: break
    case .bool, .integer, .unsigned, .number, .string: found.append((path, value))
    }
  }

  /// The message of the start of a run.
  /// - Parameter time: Seconds since 1970.
  func start(at time: Double) -> Data {
    var info = Data()
    for (key, value) in settings {
      // An entry of a map is a message of key and value; the value is a google.protobuf.Value.
      var entry = Data()
      entry.field(1, Data(key.utf8))
      entry.field(2, Self.message(value))
      info.field(1, entry)
    }
    info.number(5, time)
    var message = Data()
    message.field(3, info)
    return message
  }

  /// The end of a run, in the numbers of TensorBoard.
  enum Status: UInt64 { case success = 1, failure }

  /// The message of the end of a run.
  static func end(_ status: Status, at time: Double) -> Data {
    var info = Data()
    info.varint(1, status.rawValue)
    info.number(2, time)
    var message = Data()
    message.field(4, info)
    return message
  }

  private static func message(_ value: JSONValue) -> Data {
    var message = Data()
    switch value {
    case .bool(let flag): message.varint(4, flag ? 1 : 0)
    case .string(let text): message.field(3, Data(text.utf8))
    case .null, .integer, .unsigned, .number, .array, .object:
      message.number(2, value.double ?? .nan)
    }
    return message
  }
}

// Fields of a message of Protocol Buffers.
extension Data {
  fileprivate mutating func field(_ number: UInt8, _ bytes: Data) {
    append(number << 3 | 2)
    appendVarint(UInt64(bytes.count))
    append(bytes)
  }

  fileprivate mutating func number(_ number: UInt8, _ value: Double) {
    append(number << 3 | 1)
    for shift in stride(from: 0, to: 64, by: 8) {
      append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
    }
  }

  fileprivate mutating func varint(_ number: UInt8, _ value: UInt64) {
    append(number << 3)
    appendVarint(value)
  }

  private mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 128 {
      append(UInt8(truncatingIfNeeded: rest) | 128)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}
