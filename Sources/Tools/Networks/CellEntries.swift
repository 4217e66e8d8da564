internal import Configuration
internal import Formats
internal import Foundation
internal import Recurrence

// A registered cell needs no description of its own: its options are found by encoding them, its
// parameters by planning it.
extension NetworkCatalogue.Network {
  public typealias Option = NetworkCatalogue.Option
  public typealias Parameter = NetworkCatalogue.Parameter

  init<Cell: RecurrentCell>(cell: Cell.Type, name: String) {
    // Some options need a multiple of a number.
    let hidden =
      (Sizes.hidden..<Sizes.hidden + 16).first {
        defaultOptions(Cell.Options.self, hidden: $0) != nil
      } ?? Sizes.hidden
    let variants = Cell.variants(hidden: hidden).compactMap { options -> [String: JSONValue]? in
      guard case .object(let members)? = try? JSONValue(encoding: options) else { return nil }
      return members
    }
    var standard: [String: JSONValue] = [:]
    if case .object(let members)? = defaultOptions(Cell.Options.self, hidden: hidden) {
      standard = members
    }

    // The union of the keys, because options that are nil by default are not encoded.
    let keys = Set(variants.flatMap(\.keys)).union(standard.keys).subtracting(["hidden"])
    var options = [Option(key: "hidden", standard: nil, others: [])]
    for key in keys.sorted() {
      let value = standard[key] ?? .null
      var others: [JSONValue] = []
      for case let other? in variants.map({ $0[key] }) where other != value {
        // A variant's number of units stands for any number.
        let shown: JSONValue =
          switch key {
          case "projection", "outputs": .string("units")
          case "transition": .string("[units, …]")
          default: other
          }
        if !others.contains(shown) { others.append(shown) }
      }
      options.append(Option(key: key, standard: value, others: others))
    }

    let given = JSONValue.object(["hidden": .integer(hidden)])
    let parameters = Self.parameters(of: cell, given, sizes: .symbols)
    var further: [String: [Parameter]] = [:]
    for variant in variants {
      let changed = variant.filter { standard[$0.key] != $0.value }
      guard changed.count == 1, let (key, value) = changed.first else { continue }
      let added = Self.parameters(of: cell, .object(variant), sizes: .symbols)
        .filter { !parameters.contains($0) }
      let shown: String =
        switch (key, value) {
        case ("projection", _), ("outputs", _): "P"
        case ("transition", .array(let widths)):
          "[" + widths.map { Self.words($0, hidden: hidden) }.joined(separator: ", ") + "]"
        default: value.plain
        }
      if !added.isEmpty { further["\(key): \(shown)"] = added }
    }

    self.name = name
    equations = Cell.equations.split(separator: "; ").map(String.init)
    source = Cell.citation
    self.options = options
    self.parameters = parameters
    self.further = further
    example = Self.example(of: cell)
  }

  /// Sizes that no product of the others comes near, so that a dimension shows its factors.
  private enum Sizes {
    case symbols
    static let input = 100_003
    static let hidden = 1009
    static let vocabulary = 10_000_019

    func words(_ size: Int, hidden: Int, projection: Int?, hasHeads: Bool = false) -> String {
      switch size {
      case Self.input: return "input"
      case Self.vocabulary: return "symbols"
      case projection: return "P"
      case hidden: return "hidden"
      case hidden * hidden: return "hidden·hidden"
      case let size where size.isMultiple(of: Self.input): return "\(size / Self.input)·input"
      case let size where hasHeads && (1...8).contains(size % hidden):
        // With one head, what belongs to heads is a small number.
        let (units, heads) = size.quotientAndRemainder(dividingBy: hidden)
        return (units == 0 ? "" : "\(units)·hidden + ") + (heads == 1 ? "heads" : "\(heads)·heads")
      default:
        // One of several modules has a fraction of the units.
        guard let parts = (1...8).first(where: { (size * $0).isMultiple(of: hidden) }) else {
          // The columns of several parts, some of another width.
          let (times, rest) = size.quotientAndRemainder(dividingBy: hidden)
          return times == 0 ? String(size) : (times == 1 ? "" : "\(times)·") + "hidden + \(rest)"
        }
        let times = size * parts / hidden
        return (times == 1 ? "" : "\(times)·") + "hidden" + (parts == 1 ? "" : "/\(parts)")
      }
    }
  }

  /// Returns a width as a multiple of the units.
  private static func words(_ width: JSONValue, hidden: Int) -> String {
    guard case .integer(let width) = width else { return width.plain }
    return Sizes.symbols.words(width, hidden: hidden, projection: nil)
  }

  private static func layout<Cell: RecurrentCell>(
    of cell: Cell.Type, _ options: Cell.Options, input: Int
  ) -> [ParameterLayout.Entry] {
    var plan = Plan()
    plan.scope.outputs = .symbols(Sizes.vocabulary)
    let read = plan.activation(input)
    _ = Recurrent<Cell>(options, reading: read, in: &plan)
    return ParameterLayout(plan).entries.sorted {
      // Matrices before vectors, and weights of the input before weights of the state.
      ($0.isVector ? 1 : 0, $0.name.hasSuffix("_ih") ? 0 : 1, $0.name)
        < ($1.isVector ? 1 : 0, $1.name.hasSuffix("_ih") ? 0 : 1, $1.name)
    }
  }

  private static func parameters<Cell: RecurrentCell>(
    of cell: Cell.Type, _ options: JSONValue, sizes: Sizes
  ) -> [Parameter] {
    guard let options = try? options.decode(Cell.Options.self) else { return [] }
    let projection = options.output == options.hidden ? nil : options.output
    let hasHeads = (try? JSONValue(encoding: options))?["heads"] != nil
    return layout(of: cell, options, input: Sizes.input).map { entry in
      Parameter(
        name: entry.name,
        shape: entry.shape.enumerated().map { place, size in
          // Columns are what a matrix reads, and the rows of a convolution are its steps.
          let countsHeads = hasHeads && place == 0 && entry.name != "conv_weight"
          return sizes.words(
            size, hidden: options.hidden, projection: projection, hasHeads: countsHeads)
        })
    }
  }

  private static func example<Cell: RecurrentCell>(of cell: Cell.Type) -> String {
    let given = JSONValue.object(["hidden": .integer(200)])
    guard let options = try? given.decode(Cell.Options.self) else { return "" }
    let count = layout(of: cell, options, input: 100).reduce(0) { $0 + $1.count }
    return "hidden 200 reading 100 has \(count) parameters"
  }
}
