/// One or several paths of files and folders, or of corpora that are mixed by weights.
///
///     train: text.txt
///     train: [a.txt, folder]
///     train: [{path: shards/code/*, weight: 0.7}, {path: shards/wiki/*, weight: 0.3}]
public struct Paths: Codable, Sendable, Equatable, ExpressibleByArrayLiteral,
  ExpressibleByStringLiteral
{
  public var paths: [String]
  /// The weight of each path in a mixture; nil if the paths are one corpus.
  public var weights: [Double]?

  public init(_ paths: [String], weights: [Double]? = nil) {
    precondition(weights?.count ?? paths.count == paths.count, "\(paths.count) paths")
    self.paths = paths
    self.weights = weights
  }
  public init(arrayLiteral paths: String...) { self.init(paths) }
  public init(stringLiteral path: String) { self.init([path]) }

  private struct Entry: Codable {
    var path: String
    var weight: Double

    enum Key: String, CodingKey { case path, weight }

    init(path: String, weight: Double) { (self.path, self.weight) = (path, weight) }

    init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: Key.self)
      path = try keys.decode(String.self, forKey: .path)
      weight = try keys.decode(Double.self, forKey: .weight)
      guard weight > 0, weight.isFinite else {
        throw keys.refusal(.weight, "the weight of \(path) must be above 0: set it to its share")
      }
    }

    func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: Key.self)
      try keys.encode(path, forKey: .path)
      try keys.encode(weight, forKey: .weight)
    }
  }

  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let path = try? value.decode(String.self) {
      self.init([path])
      return
    }
    // The first element tells the form, so that a mistake in another is reported as one of that form.
    if var list = try? decoder.unkeyedContainer(), !list.isAtEnd,
      (try? list.nestedContainer(keyedBy: Entry.Key.self)) != nil
    {
      let entries = try value.decode([Entry].self)
      self.init(entries.map(\.path), weights: entries.map(\.weight))
    } else {
      self.init(try value.decode([String].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    if let weights {
      try value.encode(zip(paths, weights).map { Entry(path: $0, weight: $1) })
    } else if paths.count == 1 {
      try value.encode(paths[0])
    } else {
      try value.encode(paths)
    }
  }
}

extension KeyedDecodingContainer {
  /// Decodes paths of files that are not mixed by weights.
  func paths(of key: Key) throws -> Paths {
    let paths = try decode(Paths.self, forKey: key)
    guard paths.weights == nil else {
      throw refusal(key, "only data.train is mixed by weights: give a list of paths")
    }
    return paths
  }

  /// Decodes the same; nil if the key is absent or null.
  func pathsIfPresent(of key: Key) throws -> Paths? {
    try contains(key) && !decodeNil(forKey: key) ? paths(of: key) : nil
  }
}

/// A held-out text: files of its own, or a fraction cut off the end of the training text.
public enum HeldOut: Codable, Sendable, Equatable {
  case text(Paths)
  case fraction(Double)

  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let fraction = try? value.decode(Double.self) {
      self = .fraction(fraction)
    } else {
      self = .text(try value.decode(Paths.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .text(let paths): try value.encode(paths)
    case .fraction(let fraction): try value.encode(fraction)
    }
  }

  var fraction: Double? {
    if case .fraction(let fraction) = self { fraction } else { nil }
  }
}

/// Returns ⌈count · fraction⌉, but not one more if only the rounding of the fraction would make it
/// so.
func heldOutCount(_ count: Int, _ fraction: Double) -> Int {
  Int((Double(count) * fraction * (1 - 1e-12)).rounded(.up))
}
