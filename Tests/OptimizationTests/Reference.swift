import Foundation
import LinearAlgebra
import NumericalTestSupport
import Optimization
import Recurrence

/// The numbers that `Oracles/optimizers.py` made with PyTorch.
struct Reference: Decodable {
  typealias Table = [String: [Float]]

  struct Case: Decodable {
    let configuration: OptimizerConfiguration
    let rate: Double
    /// By the number of updates.
    let weights: [String: Table]
    let moments: [String: Table]
    /// The weights that the model is evaluated with, if the rule keeps an average.
    let average: Table?

    private enum CodingKeys: String, CodingKey {
      case rule, options, rate, weights, moments, average
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      let rule = try container.decode(String.self, forKey: .rule)
      func options<Rule: Optimizer>(_ type: Rule.Type) throws -> OptimizerConfiguration {
        OptimizerConfiguration(type, try container.decode(Rule.Options.self, forKey: .options))
      }
      configuration = try options(optimizers[rule]!)
      rate = try container.decode(Double.self, forKey: .rate)
      weights = try container.decode([String: Table].self, forKey: .weights)
      moments = try container.decode([String: Table].self, forKey: .moments)
      average = try container.decodeIfPresent(Table.self, forKey: .average)
    }
  }

  struct Plateau: Decodable {
    let losses: [Double]
    let rates: [Double]
  }

  struct Clipping: Decodable {
    let limit: Double
    let norm: Double
    let clipped: Table
  }

  let start: Table
  let gradients: [Table]
  let cases: [Case]
  /// The same over a hundred updates, of which number k has the gradient k mod 5 times 1 − 0.005 k.
  let long: [Case]
  /// A mean of weights over as many updates of `sgd`.
  let mean: Case
  let schedules: [String: [Double]]
  let plateaus: [String: Plateau]
  let clipping: Clipping

  static func load() throws -> Reference { oracle("optimizers") }

  /// The three parameters of the script, and with them one that is frozen.
  static let layout: ParameterLayout = {
    var plan = Plan()
    _ = plan.parameter("weight", from: 7, to: 3, pytorch: .zero)
    _ = plan.vector("bias", count: 17, pytorch: .zero)
    plan.scope.rateFactor = 0
    _ = plan.parameter("frozen", from: 3, to: 13, pytorch: .zero)
    plan.scope.rateFactor = 0.25
    _ = plan.parameter("slow", from: 5, to: 2, pytorch: .zero)
    return ParameterLayout(plan)
  }()
}

extension Reference {
  /// Returns the gradient of update k from 0 of a hundred.
  func gradient(_ k: Int) -> ParameterVector {
    ParameterVector(
      gradients[k % gradients.count], times: k == 0 ? 1 : Float(1 - 0.005 * Double(k)))
  }
}

extension ParameterVector {
  /// A vector of the layout above, its frozen numbers all `frozen`.
  convenience init(_ table: Reference.Table, frozen: Float = 0.5, times factor: Float = 1) {
    self.init(Reference.layout)
    for entry in layout.entries {
      for j in 0..<entry.count {
        elements(of: entry)[j] = table[entry.name].map { $0[j] * factor } ?? frozen
      }
    }
  }

  /// The numbers of a parameter.
  func values(_ name: String) -> [Float] { Array(elements(of: layout.entry(named: name)!)) }

  /// Every number of the memory, padding included, as bits.
  var bits: [UInt32] { buffer.elements().map(\.bitPattern) }

  /// The numbers that belong to no parameter.
  var padding: [Float] {
    let used = Set(layout.entries.flatMap { Array($0.range) })
    return (0..<layout.count).filter { !used.contains($0) }.map { buffer.start[$0] }
  }

  /// The largest difference from a table, relative to numbers above 1 and absolute below.
  func difference(from table: Reference.Table) -> Float {
    table.map { name, expected in
      zip(values(name), expected).map { found, expected in
        let difference = abs(found - expected) / max(1, abs(expected))
        return difference.isNaN ? .infinity : difference
      }.max()!
    }.max()!
  }
}

/// Decodes a part of a configuration; throws the message of its error and the key.
func decode<Value: Decodable>(_: Value.Type, _ json: String) throws -> Value {
  try JSONDecoder().decode(Value.self, from: Data(json.utf8))
}

func complaint<Value: Decodable>(_: Value.Type, _ json: String) -> String? {
  do {
    _ = try decode(Value.self, json)
    return nil
  } catch DecodingError.dataCorrupted(let context) {
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    return "\(path): \(context.debugDescription)"
  } catch DecodingError.keyNotFound(let key, let context) {
    return "\(key.stringValue): \(context.debugDescription)"
  } catch {
    return "\(error)"
  }
}

func encode(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .sortedKeys
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
