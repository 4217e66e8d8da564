public import Formats

/// The settings and tensors in a file or folder of another program.
public struct ForeignContent: Sendable {
  public let path: String
  public let container: ForeignContainer
  /// The settings, by the program's names; empty for a container without settings.
  public let configuration: [String: JSONValue]
  public let tensors: [Tensor]
  private let places: [String: Int]

  public init(
    _ path: String, _ container: ForeignContainer, configuration: [String: JSONValue],
    tensors: [Tensor]
  ) {
    self.path = path
    self.container = container
    self.configuration = configuration
    self.tensors = tensors
    places = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { a, _ in a })
  }

  public subscript(name: String) -> Tensor? { places[name].map { tensors[$0] } }

  /// Returns the shape of a tensor with some number of dimensions, all above 0.
  public func shape(_ name: String, dimensions: Int) throws(FileError) -> [Int] {
    guard let tensor = self[name] else {
      throw FileError(
        .damaged, path,
        "\(path) has no tensor \(name)\(nearest(name, in: tensors.map(\.name))): use a whole file")
    }
    guard tensor.shape.count == dimensions, tensor.shape.allSatisfy({ $0 > 0 }) else {
      throw FileError(
        .damaged, path,
        "\(path) holds \(name) as \(tensor.shape), which should have \(dimensions) "
          + "dimension\(dimensions == 1 ? "" : "s") above 0: use a whole file")
    }
    return tensor.shape
  }

  /// Returns true if two tensors are there and have the same numbers.
  public func areEqual(_ name: String, _ other: String) -> Bool {
    guard let first = self[name], let second = self[other] else { return false }
    return first.hasSameElements(as: second)
  }

  /// The number of blocks whose tensors begin with a prefix and a number, such as `blocks.11.`.
  public func depth(after prefix: String) -> Int {
    let numbers = tensors.compactMap { tensor -> Int? in
      guard tensor.name.hasPrefix(prefix) else { return nil }
      // A greater number is no block of a network, and found missing with its tensor.
      return Int(tensor.name.dropFirst(prefix.count).prefix { $0 != "." }).map { min($0, 1 << 16) }
    }
    return (numbers.max() ?? -1) + 1
  }
}

/// The settings of a network by the names that its program has for them.
public struct ForeignConfiguration: Sendable {
  /// The file, for messages.
  public let path: String
  public var values: [String: JSONValue]
  /// True if the output layer shares the embedding's matrix, where no key says it.
  public var isTied: Bool
  /// The number of numbers in the file, which no width exceeds.
  let elements: Int

  public init(_ values: [String: JSONValue], isTied: Bool = false) {
    (path, elements) = ("", .max)
    self.values = values
    self.isTied = isTied
  }

  /// Makes the settings of a file.
  /// - Parameters:
  ///   - content: The content of the file.
  ///   - values: The settings by their keys; nil for those of the file's configuration.
  ///   - isTied: True if the output layer shares the embedding's matrix, where no key says it.
  public init(
    of content: ForeignContent, _ values: [String: JSONValue]? = nil, isTied: Bool = false
  ) {
    path = content.path
    elements = content.tensors.reduce(0) { $0 + $1.count }
    self.values = values ?? content.configuration
    self.isTied = isTied
  }

  /// Returns the width and the number of blocks, whose norms alone do not exceed the file.
  public func size(
    width widthKey: String, depth depthKey: String
  ) throws(FileError) -> (width: Int, depth: Int) {
    let (width, depth) = (try count(widthKey), try count(depthKey, most: 1000))
    guard width <= elements / depth else {
      throw refuse(
        "has \(width) for \(widthKey) and \(depth) for \(depthKey), and only \(elements) weights")
    }
    return (width, depth)
  }

  /// Returns a whole number above 0.
  /// - Parameters:
  ///   - key: The key of the number in the file's configuration.
  ///   - fallback: The number of a file without the key; nil if every file has it.
  ///   - most: The largest number that is allowed; it is never above the count of weights in the
  ///     file.
  public func count(
    _ key: String, default fallback: Int? = nil, most: Int = .max
  ) throws(FileError) -> Int {
    let most = min(most, elements, 1 << 24)
    switch values[key] ?? .null {
    case .integer(let value) where value >= 1 && value <= most: return value
    case .null:
      if let fallback { return fallback }
      throw refuse("has no \(key)")
    case let value:
      throw refuse("has \(text(value)) for \(key), which is a number from 1 to \(most)")
    }
  }

  /// Returns a number above 0.
  public func number(_ key: String, default fallback: Double? = nil) throws(FileError) -> Double {
    if let value = values[key]?.double {
      guard value.isFinite, value > 0 else { throw refuse("has \(value) for \(key)") }
      return value
    }
    guard values[key] ?? .null == .null else {
      throw refuse("has \(text(values[key]!)) for \(key), which is a number")
    }
    if let fallback { return fallback }
    throw refuse("has no \(key)")
  }

  /// Returns a yes or no.
  public func flag(_ key: String, default fallback: Bool) throws(FileError) -> Bool {
    switch values[key] ?? .null {
    case .bool(let value): return value
    case .null: return fallback
    case let value: throw refuse("has \(text(value)) for \(key), which is true or false")
    }
  }

  /// Refuses a setting that is not the only one that models here can have; a missing one is taken to be it.
  public func require(_ key: String, _ only: JSONValue) throws(FileError) {
    let value = values[key] ?? only
    let isSame = value == only || (value.double != nil && value.double == only.double)
    if !isSame {
      throw refuse("has \(text(value)) for \(key), and models here have \(text(only))")
    }
  }

  /// Makes the error for settings that no model here has.
  public func refuse(_ reason: String) -> FileError {
    FileError(
      .damaged, path, "\(path) \(reason): it is damaged, or of another kind than import reads")
  }

  private func text(_ value: JSONValue) -> String {
    String(decoding: (try? JSONValue.encoder().encode(value)) ?? .init(), as: UTF8.self)
  }
}
