public import Collectives
public import Configuration
internal import LinearAlgebra
public import Recurrence

/// A way to sum the gradients of all ranks: an all-reduce of everything, of the touched rows alone, or one
/// with a state of its own.
///
/// Every rank ends up with the same bits. A reducer may keep tensors between steps, such as factors of a
/// compression or the part of a gradient that was not sent: a checkpoint saves them in
/// `reducer.safetensors`, each under its name and that of the parameter, and a resumed run goes on with
/// them.
public protocol GradientReducer: AnyObject {
  /// The observer of backward passes, for a reducer that sends gradients while one runs; nil for one that
  /// waits for its end.
  var observer: (any BackwardObserver)? { get }
  /// Replaces every number of the gradient, or of its slice where each rank updates one, by its sum over
  /// ranks, and the rows that were touched here by those that were touched anywhere. A reducer that writes other rows, too, first calls
  /// `gradient.touchAllRows()`, because rows that are not touched are not cleared. Collective.
  /// - Parameters:
  ///   - gradient: The gradient of this rank, a sum over its targets, which becomes that over all
  ///     ranks.
  ///   - step: The number of steps before this one.
  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError)
  /// The tensors that are kept between steps, the same on every rank.
  var stateTensors: [(name: String, vector: ParameterVector)] { get }
  /// The tensors that are kept between steps and differ between ranks.
  var rankTensors: [RankTensor] { get }
  /// The seconds of the backward pass since the last sum in which this rank summed, or waited for others.
  var secondsInPass: Double { get }
  /// The bytes that this rank has sent in the last sum, and the time that they took.
  var traffic: Traffic { get }
}

extension GradientReducer {
  public var observer: (any BackwardObserver)? { nil }
  public var stateTensors: [(name: String, vector: ParameterVector)] { [] }
  public var rankTensors: [RankTensor] { [] }
  public var secondsInPass: Double { 0 }
  public var traffic: Traffic { Traffic() }
}

/// A tensor of which every rank keeps its own.
public struct RankTensor {
  /// The tensor of each rank when a run resumes on another number of ranks.
  public enum Rule: Sendable {
    /// The mean of those before.
    case mean
    /// An equal share of their sum, so that nothing of it is lost.
    case share
  }

  public let name: String
  public let vector: ParameterVector
  public let rule: Rule

  public init(_ name: String, _ vector: ParameterVector, _ rule: Rule) {
    (self.name, self.vector, self.rule) = (name, vector, rule)
  }
}

/// The cost of one sum to this rank.
public struct Traffic: Equatable, Sendable {
  /// The bytes sent to other ranks.
  public var bytes = 0
  /// The seconds from the first message until every sum was complete.
  public var seconds = 0.0
  /// The part of them in which this rank computed.
  public var hidden = 0.0

  public init() {}

  public mutating func add(_ other: Traffic) {
    bytes += other.bytes
    seconds += other.seconds
    hidden += other.hidden
  }
}

/// The needs of a reducer.
public struct ReducerRequest {
  /// The gradient of every step.
  public let gradient: ParameterVector
  public let world: any Communicator
  public let options: CommunicationOptions
  /// The parameters whose gradients are final after each stage of a backward pass; none where sums wait for
  /// its end.
  public let stages: [GradientStage]
  /// The division of the parameters among ranks; nil for ranks that each update all.
  var sharing: ParameterSharing?
  /// The least numbers that are worth returning to the system as soon as they are summed.
  package var leastReleased = ReducerRequest.leastReleased
  static let leastReleased = 1 << 20

  public init(
    _ gradient: ParameterVector, _ world: any Communicator,
    _ options: CommunicationOptions = CommunicationOptions(), stages: [GradientStage] = []
  ) {
    (self.gradient, self.world, self.options, self.stages) = (gradient, world, options, stages)
  }

  public var layout: ParameterLayout { gradient.layout }
}

/// Makes the reducer of a world and the section `communication`. A new reducer is a line here.
public func makeGradientReducer(_ request: ReducerRequest) -> any GradientReducer {
  let options = request.options
  if let sharing = request.sharing { return SlicedReducer(request, sharing) }
  if request.world.size > 1 {
    if options.outer != nil { return LocalGradient() }
    if options.reproducible != nil { return TreeReducer(request) }
    switch options.compression {
    case .powerSGD(let options): return PowerSGDReducer(request, options)
    case .topK(let options): return TopKReducer(request, options)
    case .oneBit(let options): return OneBitReducer(request, options)
    case nil: break
    }
    if options.wire == .bfloat16 || options.overlaps(in: request.world) {
      return LayerwiseReducer(request)
    }
  }
  return SparseRowReducer(of: request.layout, over: request.world)
}

/// The gradient of a rank that trains alone between outer steps.
final class LocalGradient: GradientReducer {
  func sum(_ gradient: ParameterVector, step: Int) {}
}
