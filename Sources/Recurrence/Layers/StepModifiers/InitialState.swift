internal import LinearAlgebra

/// The states of a layer before the first step of a stream.
public enum InitialState: String, Codable, CaseIterable, Sendable {
  case zero
  /// One vector for each state, a parameter that starts from zeros.
  case learnt
  /// The first unit vector for the state that is the layer's output, zero for others (Giles 1992).
  case e0
}

/// The source of one state before the first step of a stream.
enum InitialStateSource: Sendable {
  case zero
  case unit
  case learnt(Parameter)
  /// A row for each stream, on the axis of streams, made from an encoder or a condition.
  case given(Activation)

  /// - Parameter isShown: true of the state that is the layer's output.
  init(_ initial: InitialState, of state: Activation, isShown: Bool, in plan: inout Plan) {
    switch initial {
    // A count is no state to be learnt.
    case _ where !plan.isDifferentiated(state): self = .zero
    case .zero: self = .zero
    case .e0: self = isShown ? .unit : .zero
    case .learnt: self = .learnt(plan.initialVector(of: state))
    }
  }

  /// True of zeros.
  var isZero: Bool {
    if case .zero = self { true } else { false }
  }

  func fill(_ row: Row, of s: Int, _ pass: Pass) {
    switch self {
    case .zero: row.fill(0)
    case .unit:
      row.fill(0)
      row[0] = 1
    case .learnt(let vector): row.copy(pass[vector].row)
    case .given(let vectors): row.copy(pass[vectors][s])
    }
  }

  /// Accumulates the gradient of the row that was filled in.
  func add(_ derivative: Row, of s: Int, _ pass: Pass) {
    switch self {
    case .zero, .unit: break
    case .learnt(let vector): pass.d[vector].row.add(derivative)
    case .given(let vectors): pass.d[vectors][s].add(derivative)
    }
  }
}
