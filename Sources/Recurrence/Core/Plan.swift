internal import LinearAlgebra
public import Sequences

/// A trainable matrix or vector: an index into every `ParameterVector` of its plan.
public struct Parameter: Hashable, Sendable { public let index: Int }

/// A value that is computed and stored at every time step: an index into every `Tape` of its plan.
public struct Activation: Hashable, Sendable { let index: Int }

/// Temporary memory of one layer, not cleared, the same for every window.
public struct Scratch: Hashable, Sendable { let index: Int }

/// A sequence of time steps of its own: an encoder and its decoder run on two axes of one tape, and vectors
/// that belong to a whole stream, such as conditions and final states, lie on a third of a single step.
public struct Axis: Hashable, Sendable {
  let index: Int
  /// The steps of a window.
  public static let time = Axis(index: 0)
  /// A single step, for vectors that belong to a stream and not to one of its steps.
  public static let stream = Axis(index: 1)
  /// The steps of the source, an encoder's input.
  public static let source = Axis(index: 2)
}

/// The memory of an activation's gradient.
public enum GradientStorage: Sendable {
  /// Every step; it starts at zero in each window, and every layer that reads the activation adds
  /// to it.
  case added
  /// None of its own: the owner, which alone reads the activation, overwrites the values with their
  /// gradient in the backward pass.
  case overwrites
  /// Two steps, of a state that only its cell reads: the cell's backward step t reads the gradient at t
  /// and sets the one at t − 1. It starts at zero after the last step.
  case rolling
  /// No gradient. A state without one, such as a count of steps, starts from zero in any layer.
  case none
}

/// The memory layout of a model: its parameters, its activations, and the states that it carries
/// from window to window.
///
/// Building a model only fills in a plan. Two allocations follow from it, a `ParameterVector` and a
/// `Tape`; after that a training step allocates nothing.
public struct Plan: Sendable {
  /// The record of one activation.
  struct ActivationShape: Sendable {
    let width: Int
    let axis: Axis
    /// The steps of its gradient that a tape holds.
    let gradient: GradientStorage
    /// The layer that owns the activation.
    let layer: String
    var kind: ActivationKind

    /// A window's values and gradients start `carriedSteps` before its first step.
    var carriedSteps: Int { kind.carriedSteps }

    /// Returns the number of values that a window of so many steps holds.
    func values(of steps: Int) -> Int { (steps + kind.chunk - 1) / kind.chunk }
  }

  /// The record of one parameter.
  struct ParameterShape: Sendable {
    let name: String
    let layer: String
    let rows: Int
    let columns: Int
    let isVector: Bool
    let initial: InitialValue
    let rateFactor: Double
    let kind: ParameterKind
    let widthMultiplier: Double
    let isRowSparse: Bool
    /// The rule for the values of a constant; nil for a trainable parameter.
    let constant: ConstantValue?
    var products: ProductShare
  }

  private(set) var parameters: [ParameterShape] = []
  /// The seed of constants; each constant also uses its name.
  public var seed: UInt64 = 0
  /// The rank of each output symbol by its frequency in the training data; nil for its index.
  public var ranks: [Int32]?
  /// The width from which the initial values and learning rates of wider matrices follow; nil for none.
  public var widthBase: Int?
  private(set) var activations: [ActivationShape] = []
  let axes = ["time", "stream", "source"]
  private(set) var scratches: [(width: Int, rows: ScratchRows)] = []
  /// The weights of which training drops numbers.
  private(set) var droppedWeights: [DroppedWeight] = []
  /// The names of states, and of parameters with their indices.
  private var names: [String: Int] = [:]

  /// The multiplications and additions of the products of activations with each other, for a step of a
  /// stream in the forward pass, by layer.
  public private(set) var stateMultiplyAdds: [String: Int] = [:]
  /// The activations that layers offer to those above them.
  private var offered: [Activation] = []
  /// The vectors that layers share with those above them.
  private var sharedVectors: [(name: String, count: Int, axis: Axis, vector: Parameter)] = []

  /// The settings for the parameters and activations that are added next; set by the model.
  public var scope = Scope()

  /// The layer to which parameters and activations are added: its name, and how its parameters are
  /// named, initialised and trained.
  public struct Scope: Sendable {
    /// The layer as the configuration counts it, such as `layer 1`. It is also the key of the
    /// layer's random numbers.
    public var layer = "model"
    /// The text before and after every parameter's name, as in `rnn.` weight_hh `_l0`.
    public var prefix = ""
    public var suffix = ""
    public var initializer = Initializer.pytorch
    /// The initializer of vectors; nil for `initializer`.
    public var vectorInitializer: Initializer?
    /// The factor on the learning rate; 0 freezes the layer.
    public var rateFactor = 1.0
    /// The default axis of activations.
    public var axis = Axis.time
    /// The output of the model at a step, which target feedback reads at the next step; nil for
    /// none.
    public var outputs: TaskSignature.Output?
    /// True if the layer takes a window at once, so that it can compute states again that are not kept.
    var keepsChunks = false
    /// True to build layers a second time over other activations: an existing parameter of the same
    /// name is used again, and states have names of their own.
    var sharesParameters = false

    public init() {}
  }

  public init() {}

  /// Adds a trainable matrix from `from` inputs to `to` outputs, stored as `[to, from]` like
  /// PyTorch's.
  /// - Parameters:
  ///   - name: The name inside its layer, such as `weight_hh`, without prefix and suffix.
  ///   - from: The number of inputs, the columns of the matrix.
  ///   - to: The number of outputs, the rows of the matrix.
  ///   - gates: The number of square blocks stacked in it; each is initialised by itself.
  ///   - fallback: PyTorch's distribution, used if the model's initializer is `pytorch`.
  ///   - isRowSparse: True if a window touches few rows of its gradient, as in an embedding.
  ///   - kind: Its kind; nil to tell it from its name and layer.
  ///   - readsData: True if it reads numbers of the data, whose count is no width of the model.
  ///   - zeroRows: The number of rows, the last ones, that start at zero.
  public mutating func parameter(
    _ name: String, from: Int, to: Int, gates: Int = 1, pytorch fallback: Distribution,
    isRowSparse: Bool = false, kind: ParameterKind? = nil, readsData: Bool = false,
    zeroRows: Int = 0
  ) -> Parameter {
    let named = ParameterKind(name, layer: scope.layer)
    let kind = kind ?? (isRowSparse && named != .output ? .embedding : named)
    let width = WidthScaling(
      kind, from: readsData ? nil : from, to: to, base: widthBase)
    return add(
      name, rows: to, columns: from, isVector: false,
      InitialValue(
        scope.initializer, fallback, isVector: false, blocks: gates, width, zeroRows: zeroRows),
      isRowSparse: isRowSparse, kind: kind, width.multiplier)
  }

  /// Adds a trainable vector, such as a bias.
  /// - Parameters:
  ///   - name: The name inside its layer, such as `bias_ih`, without prefix and suffix.
  ///   - count: The number of elements.
  ///   - fallback: PyTorch's distribution, used if the model's initializer is `pytorch`.
  ///   - parts: Values for part k of n of the vector that replace the random ones, such as a forget
  ///     bias.
  public mutating func vector(
    _ name: String, count: Int, pytorch fallback: Distribution,
    parts: [InitialValue.Part] = []
  ) -> Parameter {
    add(
      name, rows: 1, columns: count, isVector: true,
      InitialValue(
        scope.vectorInitializer ?? scope.initializer, fallback, isVector: true, blocks: 1,
        WidthScaling(.vector, from: nil, to: count, base: widthBase), parts: parts),
      isRowSparse: false)
  }

  /// Adds a vector of zeros that the layers of a sequence share, or returns that of a layer below with the
  /// same name and size. The gradients of all of them add up in the lowest layer, whose backward pass is the last.
  mutating func sharedVector(_ name: String, count: Int) -> Parameter {
    let known = sharedVectors.first {
      $0.name == name && $0.count == count && $0.axis == scope.axis
    }
    if let known { return known.vector }
    let vector = vector(name, count: count, pytorch: .zero)
    sharedVectors.append((name, count, scope.axis, vector))
    return vector
  }

  /// Adds a constant matrix. It is generated from the plan's seed and its name wherever it is
  /// needed, so no checkpoint stores it and no all-reduce includes it.
  public mutating func constant(
    _ name: String, rows: Int, columns: Int, _ value: ConstantValue
  ) -> Parameter {
    add(
      name, rows: rows, columns: columns, isVector: false,
      InitialValue(.pytorch, .zero, isVector: false, blocks: 1), isRowSparse: false,
      constant: value)
  }

  private mutating func add(
    _ name: String, rows: Int, columns: Int, isVector: Bool, _ initial: InitialValue,
    isRowSparse: Bool, kind: ParameterKind? = nil, _ widthMultiplier: Double = 1,
    constant: ConstantValue? = nil
  ) -> Parameter {
    let full = scope.prefix + name + scope.suffix
    if scope.sharesParameters {
      guard let index = names[full], parameters[index].rows == rows,
        parameters[index].columns == columns
      else { preconditionFailure("no parameter \(full) of \(rows) × \(columns) to share") }
      return Parameter(index: index)
    }
    reserve(full, parameters.count)
    parameters.append(
      ParameterShape(
        name: full, layer: scope.layer, rows: rows, columns: columns, isVector: isVector,
        initial: initial, rateFactor: scope.rateFactor / widthMultiplier,
        kind: kind ?? (isVector ? .vector : .matrix), widthMultiplier: widthMultiplier,
        isRowSparse: isRowSparse, constant: constant, products: isRowSparse ? .none : .all))
    return Parameter(index: parameters.count - 1)
  }

  /// Notes the share of the rows of a window that are multiplied with a matrix, if it is not that of others.
  mutating func note(_ products: ProductShare, of parameter: Parameter) {
    parameters[parameter.index].products = products
  }

  /// Counts the multiplications and additions of a step's products of activations with each other, such
  /// as with a state.
  mutating func countProducts(_ number: Int) {
    stateMultiplyAdds[scope.layer, default: 0] += number
  }

  private mutating func reserve(_ name: String, _ index: Int) {
    precondition(
      names.updateValue(index, forKey: name) == nil, "two states or parameters called \(name)")
  }

  /// Adds an activation of `width` numbers for every step of every stream.
  public mutating func activation(
    _ width: Int, on axis: Axis? = nil, derivative: GradientStorage = .added
  ) -> Activation {
    append(
      ActivationShape(
        width: width, axis: axis ?? scope.axis, gradient: derivative, layer: scope.layer,
        kind: .value))
  }

  /// Adds an activation of `width` numbers per stream for one step: the values of step t are lost
  /// after that step of the forward or backward pass.
  public mutating func stepTemporary(_ width: Int, on axis: Axis? = nil) -> Activation {
    append(
      ActivationShape(
        width: width, axis: axis ?? scope.axis, gradient: .none, layer: scope.layer,
        kind: .stepTemporary))
  }

  /// Adds an activation whose last steps are carried into the next window.
  /// - Parameters:
  ///   - width: The numbers of a stream at one step.
  ///   - name: The name in checkpoints inside its layer, such as `c`.
  ///   - lags: The earlier steps that are read, rising from 1. The largest one is the number of
  ///     carried steps.
  ///   - axis: The axis whose steps it has, such as that of a source; nil for the axis of the
  ///     layer.
  ///   - derivative: `added` if other layers read the state, `rolling` if only its cell does,
  ///     `none` for a count.
  public mutating func state(
    _ width: Int, named name: String = "h", lags: [Int] = [1], on axis: Axis? = nil,
    derivative: GradientStorage = .added
  ) -> Activation {
    precondition(
      lags.first == 1 && zip(lags, lags.dropFirst()).allSatisfy { $0 < $1 },
      "a state that is read \(lags) steps later")
    precondition(derivative != .overwrites, "a state others overwrite")
    precondition(lags.count == 1 || derivative == .added, "a derivative that waits several steps")
    let axis = axis ?? scope.axis
    let copies = appendCopies(
      lags, width, on: axis, derivative == .none ? .none : .rolling, layer: scope.layer,
      permanent: false)
    let full = scope.prefix + name + scope.suffix + (scope.sharesParameters ? "_summary" : "")
    reserve(full, activations.count)
    return append(
      ActivationShape(
        width: width, axis: axis, gradient: derivative, layer: scope.layer,
        kind: .state(StateShape(name: full, carriedSteps: lags.last!, copies: copies))))
  }

  /// Offers an activation with an added gradient to the layers above, such as the values of a first layer.
  mutating func offer(_ x: Activation) { offered.append(x) }

  /// Returns the first offered activation of some width on the axis of the scope; nil if there is none.
  func offeredValues(width: Int) -> Activation? {
    offered.first { self.width($0) == width && axis(of: $0) == scope.axis }
  }

  /// Adds a state so large that its layer keeps only the one at the end of each chunk of steps, and computes
  /// the others again in the backward pass.
  ///
  /// Value k of the activation is the state after the last step of chunk k; value −1 is carried from the
  /// window before. Its layer alone reads it, and starts streams anew itself. A layer that computes one
  /// step after the other keeps every step, as of any state.
  /// - Parameters:
  ///   - width: The numbers of a stream's state.
  ///   - name: The name in checkpoints inside its layer.
  ///   - steps: The steps of a chunk; nil for as many as are computed again in the cache.
  public mutating func chunkedState(
    _ width: Int, named name: String, every steps: Int? = nil
  ) -> Activation {
    guard scope.keepsChunks else { return state(width, named: name, derivative: .rolling) }
    precondition(!scope.sharesParameters, "a chunked state of a layer that is built twice")
    let full = scope.prefix + name + scope.suffix
    reserve(full, activations.count)
    return append(
      ActivationShape(
        width: width, axis: scope.axis, gradient: .rolling, layer: scope.layer,
        kind: .state(
          StateShape(
            name: full, carriedSteps: 1, chunk: steps ?? StateShape.chunkSteps, copies: 0..<0))))
  }

  /// Makes tapes keep every step of chunked states.
  mutating func keepEveryStep() {
    for index in activations.indices {
      guard case .state(var shape) = activations[index].kind else { continue }
      shape.chunk = 1
      activations[index].kind = .state(shape)
    }
  }

  private mutating func appendCopies(
    _ lags: [Int], _ width: Int, on axis: Axis, _ gradient: GradientStorage, layer: String,
    permanent: Bool
  ) -> Range<Int> {
    for lag in lags {
      _ = append(
        ActivationShape(
          width: width, axis: axis, gradient: gradient, layer: layer,
          kind: .stateCopy(lag: lag, permanent: permanent)))
    }
    return activations.count - lags.count..<activations.count
  }

  /// Changes the record of a state.
  private mutating func changeState(_ state: Activation, _ body: (inout StateShape) -> Void) {
    guard case .state(var shape) = activations[state.index].kind else {
      preconditionFailure("an activation of \(activations[state.index].layer) that is no state")
    }
    body(&shape)
    activations[state.index].kind = .state(shape)
  }

  /// Adds a state that holds the target of each step: numbers, or a symbol plus one and 0 for none.
  mutating func targetState(_ width: Int, named name: String) -> Activation {
    let state = state(width, named: name, derivative: .none)
    changeState(state) { $0.holdsTarget = true }
    return state
  }

  /// Makes products read a state's earlier steps through copies in training, so that they can be
  /// masked.
  mutating func maskReads(of state: Activation) {
    let shape = activations[state.index]
    let copies = appendCopies(
      lags(of: state), shape.width, on: shape.axis, .rolling, layer: shape.layer, permanent: true)
    changeState(state) { $0.maskedCopies = copies }
  }

  /// Adds the state that replaces another one, which is changed after its cell has computed it. It
  /// is carried, and its earlier steps are read through copies.
  mutating func held(of state: Activation) -> Activation {
    keepPasts(of: state)
    let shape = activations[state.index]
    let name = scope.prefix + "held_" + self.name(of: state).dropFirst(scope.prefix.count)
    reserve(name, activations.count)
    return append(
      ActivationShape(
        width: shape.width, axis: shape.axis, gradient: shape.gradient, layer: shape.layer,
        kind: .state(StateShape(name: name, carriedSteps: shape.carriedSteps, copies: 0..<0))))
  }

  /// Makes steps read a state's earlier steps through copies in every window, so that the copies
  /// can be changed.
  mutating func keepPasts(of state: Activation) {
    for index in activations[state.index].kind.state?.copies ?? 0..<0 {
      guard let lag = activations[index].kind.copiedLag else { continue }
      activations[index].kind = .stateCopy(lag: lag, permanent: true)
    }
  }

  /// Makes products read weights of a layer through copies in training, from which numbers are
  /// dropped.
  mutating func drop(_ rate: Double, of weights: [Parameter], seed: UInt64) {
    precondition(rate > 0 && rate < 1, "dropout of \(rate)")
    var place = 0
    for weight in weights where !droppedWeights.contains(where: { $0.parameter == weight }) {
      let shape = parameters[weight.index]
      droppedWeights.append(
        DroppedWeight(
          parameter: weight, rate: rate,
          random: Philox(seed: seed, name: shape.name + " dropout"), place: place))
      place += DroppedWeights.padded(shape.rows * shape.columns)
    }
  }

  /// Adds temporary memory of `count` numbers, valid until the layer that uses it returns.
  public mutating func scratch(_ count: Int) -> Scratch { scratch(count, rows: .fixed(1)) }

  /// Adds temporary memory with rows of `width` numbers, valid until the layer that uses it
  /// returns.
  public mutating func scratch(_ width: Int, rows: ScratchRows) -> Scratch {
    scratches.append((width, rows))
    return Scratch(index: scratches.count - 1)
  }

  private mutating func append(_ shape: ActivationShape) -> Activation {
    activations.append(shape)
    return Activation(index: activations.count - 1)
  }

  /// Adds the learnt initial value of a state: zeros at first, whatever the layer's initializer.
  mutating func initialVector(of state: Activation) -> Parameter {
    let shape = activations[state.index]
    return add(
      "initial_" + ownName(of: state), rows: 1, columns: shape.width, isVector: true,
      InitialValue(.pytorch, .zero, isVector: true, blocks: 1), isRowSparse: false)
  }

  /// Returns the name of a state inside the layer being built, such as `c`.
  func ownName(of state: Activation) -> String {
    let full = name(of: state)
    return String(full.dropFirst(scope.prefix.count).dropLast(scope.suffix.count))
  }
}
