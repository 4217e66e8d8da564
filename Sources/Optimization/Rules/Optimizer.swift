public import LinearAlgebra
public import Recurrence

/// A rule that updates the weights from their gradient.
///
/// The formulas and defaults are PyTorch's. An optimizer owns its moments: vectors with the model's
/// layout that start at zero. They have PyTorch's names, so that a checkpoint of one can be read
/// into the other.
public protocol Optimizer: AnyObject, SendableMetatype {
  associatedtype Options: OptimizerOptions

  /// Makes an optimizer before its first update. Its moments are vectors of this layout, in which a rank
  /// that updates a slice of the weights writes only that slice.
  init(_ options: Options, layout: ParameterLayout)

  /// The moments that are kept from update to update, for checkpoints.
  var moments: [(name: String, vector: ParameterVector)] { get }

  /// The number of updates so far; set when a run is resumed.
  var updates: Int { get set }

  /// Further numbers that are kept from update to update, for checkpoints; none for most rules.
  var numbers: [Double] { get set }

  /// False if an update needs whole matrices, so that ranks cannot each update a slice of the weights.
  static var updatesSlices: Bool { get }

  /// True if the model is evaluated with an average that the rule keeps: the rule is an
  /// `AveragingOptimizer`.
  static var keepsAverage: Bool { get }

  /// Updates the weights once.
  ///
  /// Frozen parameters and their moments do not change. The learning rate of a parameter is `rate`
  /// times the parameter's own factor. Padding stays zero.
  /// - Parameters:
  ///   - weights: The weights to change; with a slice, those of this rank's slice alone.
  ///   - gradient: The gradient as a sum over targets, as the all-reduce returns it.
  ///   - rate: The learning rate of this step.
  ///   - scale: The factor on the gradient: one over the number of targets, times the clipping
  ///     factor. Weight decay is added afterwards.
  func update(_ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double)
}

extension Optimizer {
  public var numbers: [Double] {
    get { [] }
    set { precondition(newValue.isEmpty, "\(newValue.count) numbers for a rule that keeps none") }
  }
  public static var updatesSlices: Bool { true }
  public static var keepsAverage: Bool { false }
}

/// An optimizer that trains at other weights than those which the model is evaluated with.
public protocol AveragingOptimizer: Optimizer {
  /// Sets `average` to the weights that the model is evaluated with; only this rank's slice of them.
  func average(_ weights: ParameterVector, into average: ParameterVector)
}

/// An optimizer whose ranks share out the work of an update, and then exchange what they have computed.
public protocol CooperativeOptimizer: Optimizer {
  /// Shares the work out. Without this call every rank does all of it.
  func share(among ranks: Int, rank: Int)
  /// The memory with the results of all ranks, each of which fills in its own part; nil for nothing to
  /// exchange.
  var results: (numbers: Buffer<Real>, parts: [Range<Int>])? { get }
  /// Ends an update with the results of all ranks.
  func finishUpdate(_ weights: ParameterVector)
}

/// The options of an optimizer: the keys beside `rule` in the configuration.
public protocol OptimizerOptions: Codable, Sendable, Equatable {
  /// Makes the default options.
  init()
  /// The strength of weight decay; 0 for none.
  var weightDecay: Double { get }
  /// The parameters that weight decay applies to.
  var decay: DecayScope { get }
  /// Returns the multiplications in products of matrices of an update, over all ranks.
  func multiplyAddsPerUpdate(of layout: ParameterLayout) -> Double
}

extension OptimizerOptions {
  public func multiplyAddsPerUpdate(of layout: ParameterLayout) -> Double { 0 }
}

/// The parameters that weight decay applies to.
public enum DecayScope: String, Codable, Sendable, CaseIterable {
  case all
  /// Matrices only, without biases and other vectors.
  case matrices
}

/// The registry of optimizers, keyed by the name that configurations give as `rule`.
public let optimizers: [String: any Optimizer.Type] = [
  "adagrad": Adagrad.self,
  "adam": Adam.self,
  "adamw": AdamW.self,
  "ademamix": AdEMAMix.self,
  "lion": Lion.self,
  "muon": Muon.self,
  "rmsprop": RMSProp.self,
  "schedule_free": ScheduleFree.self,
  "sgd": SGD.self,
]

extension OptimizerOptions {
  /// Returns the weight decay of one parameter: that of its group, or else of the rule.
  func weightDecay(of entry: ParameterLayout.Entry) -> Double {
    entry.weightDecay ?? (decay == .matrices && entry.isVector ? 0 : weightDecay)
  }

  /// Returns the weight decay of one parameter for a rule that multiplies it with the learning rate. It makes
  /// up for the factor on the rate of a wide matrix, so that weights shrink alike at any width.
  func decoupledDecay(of entry: ParameterLayout.Entry) -> Double {
    weightDecay(of: entry) * entry.widthMultiplier
  }
}

extension KeyedDecodingContainer {
  /// Decodes `decay`; all parameters if it is absent.
  func decodeDecayScope(_ key: Key) throws -> DecayScope {
    try name(key, of: "scope of weight decay") ?? .all
  }
}

extension ParameterVector {
  /// Returns some of the numbers as one row, because a rule treats each number alike.
  func row(_ range: Range<Int>) -> Row { Row(buffer.start + range.lowerBound, count: range.count) }

  /// Calls `body` with the numbers of every parameter that is not frozen, range by range; only with those
  /// of this rank's slice, if the weights have one.
  /// - Parameter ignoresZeros: Returns true if a gradient of zero changes neither the weight nor a
  ///   moment, to the bit. Rows of a row-sparse parameter that no window has touched are then
  ///   skipped.
  func updateLearnt(
    gradient: ParameterVector, ignoresZeros: (ParameterLayout.Entry) -> Bool = { _ in false },
    _ body: (ParameterLayout.Entry, Range<Int>) -> Void
  ) {
    precondition(
      gradient.layout.count == layout.count,
      "a gradient of \(gradient.layout.count) numbers for \(layout.count) weights")
    update { weights in
      weights.forEachOwn { entry, block in
        if entry.isFrozen { return }
        if ignoresZeros(entry) {
          gradient.forEachTouched(entry, in: block) { body(entry, $0) }
        } else {
          body(entry, block.numbers)
        }
      }
    }
  }
}
