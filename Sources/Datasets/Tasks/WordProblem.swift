/// The word problem of a finite group: the product of all elements so far, at every step.
///
/// All elements are equally likely at every step, and so are all lengths. The groups have 60 elements each:
///
/// | group | elements |
/// |---|---|
/// | `a5` | the even permutations of five things, which is not solvable |
/// | `a4xz5` | pairs of an even permutation of four things and a number modulo 5 |
/// | `z60` | the numbers modulo 60 |
///
/// A product pq of permutations is i ↦ p(q(i)). Transformers and diagonal linear recurrences need more layers
/// the longer the words of `a5` are; a recurrent network that is not linear needs one. Merrill, Petty &
/// Sabharwal 2024.
public struct WordProblem: GeneratedTask {
  public static let summary = "the product of the elements of a group so far, at every step"
  public static let source = "Merrill, Petty & Sabharwal 2024"

  public enum Group: String, Codable, Sendable, CaseIterable { case a5, a4xz5, z60 }

  public var group: Group
  public var trainLength, testLength: ClosedRange<Int>

  public init(
    group: Group = .a5, trainLength: ClosedRange<Int> = 2...20,
    testLength: ClosedRange<Int> = 20...40
  ) {
    self.group = group
    self.trainLength = trainLength
    self.testLength = testLength
  }

  private enum Key: String, CodingKey {
    case group
    case trainLength = "train_length"
    case testLength = "test_length"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    group = try keys.choice(.group, default: .a5)
    trainLength = try keys.lengths(.trainLength, default: 2...20)
    testLength = try keys.lengths(.testLength, default: 20...40)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(group, forKey: .group)
    try keys.encode([trainLength.lowerBound, trainLength.upperBound], forKey: .trainLength)
    try keys.encode([testLength.lowerBound, testLength.upperBound], forKey: .testLength)
  }

  private var table: GroupTable {
    switch group {
    case .a5: GroupTable.a5
    case .a4xz5: GroupTable.a4xz5
    case .z60: GroupTable.z60
    }
  }

  /// The elements: permutations as the images of 1, 2, …, and numbers.
  public var inputs: [String] { table.names }
  public var outputs: [String] { table.names }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    part == .test ? testLength : trainLength
  }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    let table = table
    var example = Example()
    var product = table.identity
    for _ in 0..<draw.number(in: lengths(part)) {
      let element = draw.number(below: table.names.count)
      product = table.products[product][element]
      example.inputs.append(Int32(element))
      example.targets.append(Int32(product))
    }
    return example
  }
}

/// The elements of a finite group, and all their products.
private struct GroupTable: Sendable {
  let names: [String]
  let identity: Int
  /// The product of element i and element j.
  let products: [[Int]]

  static let a5 = GroupTable(permutations(5, modulo: 1))
  static let a4xz5 = GroupTable(permutations(4, modulo: 5))
  static let z60 = GroupTable(permutations(1, modulo: 60))

  /// An element of a product of a group of permutations and the numbers modulo n.
  private struct Element: Hashable {
    let images: [Int]
    let number: Int
  }

  /// Returns the pairs of an even permutation of `count` things and a number, and n.
  private static func permutations(_ count: Int, modulo n: Int) -> ([Element], Int) {
    var all: [[Int]] = [[]]
    for _ in 0..<count {
      all = all.flatMap { start in
        (0..<count).filter { !start.contains($0) }.map { start + [$0] }
      }
    }
    let even = all.filter { images in
      images.indices.reduce(0) { sum, i in sum + images[i...].count { $0 < images[i] } } % 2 == 0
    }
    return (even.flatMap { images in (0..<n).map { Element(images: images, number: $0) } }, n)
  }

  private init(_ group: (elements: [Element], modulus: Int)) {
    let (elements, modulus) = group
    var places: [Element: Int] = [:]
    for (place, element) in elements.enumerated() { places[element] = place }
    names = elements.map { element in
      let images = element.images.map { String($0 + 1) }.joined()
      if modulus == 1 { return images }
      return element.images.count == 1 ? "\(element.number)" : "\(images)+\(element.number)"
    }
    // Sorted, so that the identity is the first.
    identity = 0
    products = elements.map { p in
      elements.map { q in
        places[
          Element(images: q.images.map { p.images[$0] }, number: (p.number + q.number) % modulus)]!
      }
    }
  }
}
