internal import LinearAlgebra

/// A learnt matrix or vector: an index into every `ParameterVector` of the plan it comes from.
public struct Parameter: Hashable, Sendable { public let index: Int }

/// Something computed and remembered at every time step: an index into every `Tape` of its plan.
public struct Activation: Hashable, Sendable { let index: Int }

/// Memory of one layer, not cleared, the same for every window.
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
  /// Every step, from zero in each window; whoever reads the activation adds to it.
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

/// What a model needs to be computed: its parameters, the activations it remembers and the states
/// it carries from window to window.
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
    /// The layer that asked for it.
    let layer: String
    var kind: ActivationKind

    /// A window's values and gradients start `carriedSteps` before its first step.
    var carriedSteps: Int { kind.carriedSteps }
  }

  /// One parameter as it was asked for.
  struct ParameterShape: Sendable {
    let name: String
    let layer: String
    let rows: Int
    let columns: Int
    let isVector: Bool
    let initial: InitialValue
    let rateFactor: Double
    let isRowSparse: Bool
    /// What a constant is made from; nil for what is learnt.
    let constant: ConstantValue?
  }

  private(set) var parameters: [ParameterShape] = []
  /// What the numbers of constants come from, with their names.
  public var seed: UInt64 = 0
  private(set) var activations: [ActivationShape] = []
  let axes = ["time", "stream", "source"]
  private(set) var scratches: [(width: Int, rows: ScratchRows)] = []
  /// The names of states, and of parameters with their indices.
  private var names: [String: Int] = [:]

  /// What surrounds the names and values of the parameters asked for next; set by the model.
  public var scope = Scope()

  /// The layer that asks: its name, how its parameters are called, drawn and learnt.
  public struct Scope: Sendable {
    /// The layer as the configuration counts it, such as `layer 1`: also the key of its random
    /// numbers.
    public var layer = "model"
    /// Put before and after every parameter's name, as in `rnn.` weight_hh `_l0`.
    public var prefix = ""
    public var suffix = ""
    public var initializer = Initializer.pytorch
    /// Replaces `initializer` in vectors.
    public var vectorInitializer: Initializer?
    /// Factor on the learning rate; 0 freezes the layer.
    public var rateFactor = 1.0
    /// Where activations lie unless they are asked for on another axis.
    public var axis = Axis.time
    /// What the model is asked for at a step, and may be fed at the next; nil where there is
    /// nothing.
    public var outputs: TaskSignature.Output?
    /// Layers are made once more over other activations: a parameter that is asked for is the one
    /// of that name, and states have names of their own.
    var sharesParameters = false

    public init() {}
  }

  public init() {}

  /// A learnt matrix from `from` inputs to `to` outputs, stored `[to, from]` as PyTorch does.
  /// - Parameters:
  ///   - gates: how many square blocks are stacked in it; each is initialised by itself.
  ///   - fallback: how PyTorch draws it, used when the model's initializer is `pytorch`.
  ///   - isRowSparse: a window touches few rows of its gradient, as with an embedding.
  public mutating func parameter(
    _ name: String, from: Int, to: Int, gates: Int = 1, pytorch fallback: Distribution,
    isRowSparse: Bool = false
  ) -> Parameter {
    add(
      name, rows: to, columns: from, isVector: false,
      InitialValue(scope.initializer, fallback, isVector: false, blocks: gates),
      isRowSparse: isRowSparse)
  }

  /// A learnt vector, such as a bias.
  /// - Parameter parts: values that replace what was drawn, part k of n of the vector; a forget
  ///   bias.
  public mutating func vector(
    _ name: String, count: Int, pytorch fallback: Distribution,
    parts: [InitialValue.Part] = []
  ) -> Parameter {
    add(
      name, rows: 1, columns: count, isVector: true,
      InitialValue(
        scope.vectorInitializer ?? scope.initializer, fallback, isVector: true, blocks: 1,
        parts: parts),
      isRowSparse: false)
  }

  /// A matrix that is never learnt: made from the plan's seed and its name wherever it is needed,
  /// so that no checkpoint holds it and no sum over ranks takes it along.
  public mutating func constant(
    _ name: String, rows: Int, columns: Int, _ value: ConstantValue
  ) -> Parameter {
    add(
      name, rows: rows, columns: columns, isVector: false,
      InitialValue(.pytorch, .zero, isVector: false, blocks: 1), isRowSparse: false, value)
  }

  private mutating func add(
    _ name: String, rows: Int, columns: Int, isVector: Bool, _ initial: InitialValue,
    isRowSparse: Bool, _ constant: ConstantValue? = nil
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
        initial: initial, rateFactor: scope.rateFactor, isRowSparse: isRowSparse,
        constant: constant))
    return Parameter(index: parameters.count - 1)
  }

  private mutating func reserve(_ name: String, _ index: Int) {
    precondition(
      names.updateValue(index, forKey: name) == nil, "two states or parameters called \(name)")
  }

  /// Room for `width` numbers at every step of every stream.
  public mutating func activation(
    _ width: Int, on axis: Axis? = nil, derivative: GradientStorage = .added
  ) -> Activation {
    append(
      ActivationShape(
        width: width, axis: axis ?? scope.axis, gradient: derivative, layer: scope.layer,
        kind: .value))
  }

  /// Room for `width` numbers of every stream at one step: what step t leaves in it is gone after
  /// that step, forward or backward.
  public mutating func stepTemporary(_ width: Int, on axis: Axis? = nil) -> Activation {
    append(
      ActivationShape(
        width: width, axis: axis ?? scope.axis, gradient: .none, layer: scope.layer,
        kind: .stepTemporary))
  }

  /// An activation whose last steps are carried into the next window.
  /// - Parameters:
  ///   - name: what checkpoints call it inside its layer, such as `c`.
  ///   - lags: which earlier steps are read, rising from 1; as many as the last are carried.
  ///   - derivative: `added` where others read the state, `rolling` where only its cell does,
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

  /// A state that holds the target of each step: numbers, or one more than a symbol and 0 for none.
  mutating func targetState(_ width: Int, named name: String) -> Activation {
    let state = state(width, named: name, derivative: .none)
    changeState(state) { $0.holdsTarget = true }
    return state
  }

  /// Has products read a state's earlier steps through copies in training, so that they may be
  /// masked.
  mutating func maskReads(of state: Activation) {
    let shape = activations[state.index]
    let copies = appendCopies(
      lags(of: state), shape.width, on: shape.axis, .rolling, layer: shape.layer, permanent: true)
    changeState(state) { $0.maskedCopies = copies }
  }

  /// What is carried and shown in place of a state that is changed after its cell has computed it;
  /// its earlier steps are seen through copies.
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

  /// Has a step see a state's earlier steps through copies in every window, so that they may be
  /// changed.
  mutating func keepPasts(of state: Activation) {
    for index in activations[state.index].kind.state?.copies ?? 0..<0 {
      guard let lag = activations[index].kind.copiedLag else { continue }
      activations[index].kind = .stateCopy(lag: lag, permanent: true)
    }
  }

  /// Room for `count` numbers that nobody reads after the layer that asks has returned.
  public mutating func scratch(_ count: Int) -> Scratch { scratch(count, rows: .fixed(1)) }

  /// Rows of `width` numbers that nobody reads after the layer that asks has returned.
  public mutating func scratch(_ width: Int, rows: ScratchRows) -> Scratch {
    scratches.append((width, rows))
    return Scratch(index: scratches.count - 1)
  }

  private mutating func append(_ shape: ActivationShape) -> Activation {
    activations.append(shape)
    return Activation(index: activations.count - 1)
  }

  /// The learnt vector that a state starts from: zeros at first, whatever the layer's initializer.
  mutating func initialVector(of state: Activation) -> Parameter {
    let shape = activations[state.index]
    return add(
      "initial_" + ownName(of: state), rows: 1, columns: shape.width, isVector: true,
      InitialValue(.pytorch, .zero, isVector: true, blocks: 1), isRowSparse: false)
  }

  /// What the layer that is being made calls a state of its own, such as `c`.
  func ownName(of state: Activation) -> String {
    let full = name(of: state)
    return String(full.dropFirst(scope.prefix.count).dropLast(scope.suffix.count))
  }
}
