internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Datasets
public import Formats
internal import Foundation
internal import Recurrence

/// The model and the machine of a measurement of scaling: what must be equal in two measurements that are
/// compared, and the versions that may differ.
public struct ScalingSubject: Codable, Equatable, Sendable {
  /// The version of the program, of the message passing library and of the kernels for products.
  public var program, messagePassing, kernels: String
  /// The kind of processor; several on unequal hosts.
  public var processor: String
  /// A description of the model.
  public var model: String
  public var parameters, vocabulary: Int
  /// The streams of each rank, and the steps of a window.
  public var batchSize, bptt: Int
  public var precision: String
  /// The sections `model`, `training` and `communication` of one rank.
  public var settings: JSONValue
  /// The host of each rank, as numbers from 0 in the order of the ranks, because names change.
  public var places: [Int]
  /// The names of the hosts.
  public var hosts: [String]

  enum CodingKeys: String, CodingKey {
    case program, kernels, processor, model, parameters, vocabulary, bptt, precision, settings
    case places, hosts
    case messagePassing = "message_passing"
    case batchSize = "batch_size"
  }

  init(
    _ request: ScalingRequest, processor: String, kernels: String, hosts ofRanks: [String]
  ) throws {
    let own = request.requests[0]
    let options = own.options
    program = Version.number
    messagePassing = MPI.libraryVersion
    self.kernels = kernels
    self.processor = processor
    model = options.model.words(predicting: .symbols(own.vocabulary))
    guard let sequence = options.model.sequence else { preconditionFailure("a model of trees") }
    parameters =
      ParameterLayout(
        SequenceModel(sequence, vocabulary: own.vocabulary, seed: options.seed).plan
      ).learnt
    vocabulary = own.vocabulary
    (batchSize, bptt) = (request.batchSize, options.training.bptt)
    precision = options.training.precision.rawValue
    let whole = try JSONValue.decode(
      JSONValue.self, from: try ResolvedConfiguration.json(options))
    let keys = ["model", "training", "communication"]
    settings = .object(
      Dictionary(uniqueKeysWithValues: keys.map { ($0, whole[$0] ?? .null) }))
    hosts = []
    for host in ofRanks where !hosts.contains(host) { hosts.append(host) }
    places = ofRanks.map { [hosts] in hosts.firstIndex(of: $0) ?? 0 }
  }

  /// Returns the first reason why figures of another subject cannot be compared with those of this one, as
  /// the end of a sentence; nil if they can. Versions of programs may differ.
  func difference(from other: ScalingSubject) -> String? {
    if processor != other.processor { return "is of another processor (\(other.processor))" }
    if model != other.model || vocabulary != other.vocabulary || parameters != other.parameters {
      return "is of another model (\(other.model), \(other.vocabulary) symbols)"
    }
    if batchSize != other.batchSize || bptt != other.bptt {
      return "is of other windows (\(other.batchSize) streams × \(other.bptt) steps)"
    }
    if precision != other.precision { return "is of precision \(other.precision)" }
    if let key = settings.conflict(with: other.settings, at: "") {
      return "has another value of \(key)"
    }
    let count = min(places.count, other.places.count)
    if places.prefix(count) != other.places.prefix(count) {
      return "has its ranks on hosts in another way"
    }
    return nil
  }
}

extension JSONValue {
  /// Returns the path of the first member that both values have and that differs. A newer program may have
  /// more keys.
  fileprivate func conflict(with other: JSONValue, at path: String) -> String? {
    switch (self, other) {
    case (.object(let own), .object(let others)):
      for key in own.keys.sorted() {
        guard let value = own[key], let another = others[key] else { continue }
        let path = path.isEmpty ? key : path + "." + key
        if let found = value.conflict(with: another, at: path) { return found }
      }
      return nil
    case (.array(let own), .array(let others)) where own.count == others.count:
      for index in own.indices {
        if let found = own[index].conflict(with: others[index], at: "\(path).\(index)") {
          return found
        }
      }
      return nil
    default: return self == other ? nil : path
    }
  }
}
