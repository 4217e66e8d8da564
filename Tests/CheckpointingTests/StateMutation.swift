import Configuration
import Formats
import Foundation
import Training

/// One change of a JSON value at one place, such as `schedule.step: -1`.
struct StateMutation: CustomStringConvertible {
  /// Keys, and indices as text.
  let place: [String]
  /// The new value; nil if it is removed.
  let value: JSONValue?

  var description: String {
    let value = value.map {
      (try? String(decoding: JSONEncoder().encode($0), as: UTF8.self)) ?? "?"
    }
    return "\(place.joined(separator: ".")): \(value ?? "(gone)")"
  }

  /// Everything that is put in the place of each value.
  static let values: [JSONValue?] = [
    nil, .null, .bool(true), .bool(false), .string("x"), .string("NaN"), .string("Infinity"),
    .integer(-1), .integer(0), .integer(1), .integer(2), .integer(3), .integer(1 << 31),
    .integer(1_000_000_000_000), .integer(1 << 62), .integer(.max), .integer(.min),
    .unsigned(.max), .number(0.5), .number(-1e300), .array([]), .array([.integer(-1)]),
    .object([:]), .object(["x": .null]),
  ]

  /// All changes of a value, of what it holds, and of what that holds.
  static func all(of value: JSONValue, at place: [String] = []) -> [StateMutation] {
    let own = place.isEmpty ? [] : values.map { StateMutation(place: place, value: $0) }
    switch value {
    case .object(let members):
      return own
        + members.sorted { $0.key < $1.key }.flatMap { all(of: $0.value, at: place + [$0.key]) }
    case .array(let elements):
      return own
        + elements.enumerated().flatMap { all(of: $0.element, at: place + ["\($0.offset)"]) }
    default: return own
    }
  }

  /// The value with this change.
  func applied(to whole: JSONValue) -> JSONValue { apply(to: whole, place[...]) ?? .null }

  private func apply(to whole: JSONValue, _ place: ArraySlice<String>) -> JSONValue? {
    guard let key = place.first else { return value }
    switch whole {
    case .object(var members):
      members[key] = apply(to: members[key] ?? .null, place.dropFirst())
      return .object(members)
    case .array(var elements):
      let index = Int(key)!
      let element = apply(to: elements[index], place.dropFirst())
      elements.replaceSubrange(index...index, with: element.map { [$0] } ?? [])
      return .array(elements)
    default: return whole
    }
  }
}
