internal import LinearAlgebra
public import Recurrence

/// A rule that changes the weights by their gradient.
///
/// The formulas and defaults are PyTorch's. An optimizer owns its moments: vectors of the model's layout
/// that start at zero, under PyTorch's names, so that a checkpoint of one can be read into the other.
public protocol Optimizer: AnyObject, SendableMetatype {
  associatedtype Options: OptimizerOptions

  /// An optimizer that has made no update yet, with room for its moments.
  init(_ options: Options, layout: ParameterLayout)

  /// What it remembers from update to update, for checkpoints.
  var moments: [(name: String, vector: ParameterVector)] { get }

  /// The number of updates so far; set when a run is resumed.
  var updates: Int { get set }

  /// Changes the weights once.
  ///
  /// Frozen parameters and their moments stay untouched; other parameters learn at `rate` times their
  /// own factor. Padding stays zero.
  /// - Parameters:
  ///   - gradient: sums over targets, as they arrive from the reduction.
  ///   - rate: the learning rate of this step.
  ///   - scale: multiplies the gradient on the way: one over the number of targets, times what
  ///     clipping asks for. Weight decay is added afterwards.
  func update(_ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double)
}

/// What can be chosen about an optimizer: the keys beside `rule` in the configuration.
public protocol OptimizerOptions: Codable, Sendable, Equatable {
  /// Everything at its default.
  init()
  /// How strongly weights are pulled towards zero; 0 for not at all.
  var weightDecay: Double { get }
  /// Which parameters are pulled.
  var decay: DecayScope { get }
}

/// The parameters that weight decay applies to.
public enum DecayScope: String, Codable, Sendable, CaseIterable {
  case all
  /// Biases and other vectors are left alone.
  case matrices
}

/// Every optimizer that a configuration can name as its `rule`.
public let optimizers: [String: any Optimizer.Type] = [
  "adagrad": Adagrad.self,
  "adam": Adam.self,
  "adamw": AdamW.self,
  "rmsprop": RMSProp.self,
  "sgd": SGD.self,
]

extension OptimizerOptions {
  /// The decay of one parameter.
  func weightDecay(of entry: ParameterLayout.Entry) -> Double {
    decay == .matrices && entry.isVector ? 0 : weightDecay
  }
}

extension KeyedDecodingContainer {
  /// The value of `decay`, all parameters where it is absent.
  func decodeDecayScope(_ key: Key) throws -> DecayScope {
    guard let name = try decodeIfPresent(String.self, forKey: key) else { return .all }
    guard let scope = DecayScope(rawValue: name) else {
      throw unknown(
        "scope of weight decay called", name, known: DecayScope.allCases.map(\.rawValue),
        forKey: key)
    }
    return scope
  }
}

extension ParameterVector {
  /// All numbers of a parameter in one row: a rule treats each number alike.
  func row(_ entry: ParameterLayout.Entry) -> Row { row(entry.range) }

  /// Some of the numbers in one row.
  func row(_ range: Range<Int>) -> Row { Row(buffer.start + range.lowerBound, count: range.count) }

  /// Lets `body` change every parameter that is not frozen.
  func updateLearnt(
    gradient: ParameterVector, _ body: (ParameterLayout.Entry) -> Void
  ) {
    updateLearnt(gradient: gradient, ignoresZeros: { _ in false }) { entry, _ in body(entry) }
  }

  /// Lets `body` change the numbers of every parameter that is not frozen, range by range.
  /// - Parameter ignoresZeros: whether a gradient of zero changes neither the weight nor a moment, to the
  ///   bit; then the rows of a row-sparse parameter that no window has touched are passed over.
  func updateLearnt(
    gradient: ParameterVector, ignoresZeros: (ParameterLayout.Entry) -> Bool,
    _ body: (ParameterLayout.Entry, Range<Int>) -> Void
  ) {
    precondition(
      gradient.layout.count == layout.count,
      "a gradient of \(gradient.layout.count) numbers for \(layout.count) weights")
    update { weights in
      for entry in weights.layout.entries where !entry.isFrozen {
        if ignoresZeros(entry) {
          gradient.forEachTouched(entry) { body(entry, $0) }
        } else {
          body(entry, entry.range)
        }
      }
    }
  }
}
