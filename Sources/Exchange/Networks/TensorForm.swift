internal import Glibc

/// A tensor of another program as it is made from parameters of a model here, in steps that can all be undone.
///
/// The names of parameters are those of `ParameterLayout`, and matrices are `[out, in]`. A network's form of
/// every tensor is written once; export computes it, and import undoes it.
public indirect enum TensorForm: Sendable {
  /// A parameter as it is.
  case parameter(String)
  /// Some rows of a parameter, such as those of one gate.
  case rows(Range<Int>, of: String)
  /// A matrix with rows and columns exchanged.
  case transposed(TensorForm)
  /// The same numbers in the same order under another shape.
  case reshaped([Int], TensorForm)
  /// Tensors below each other, along the first dimension.
  case joined([TensorForm])
  /// The elements of the first dimension in another order: element i is the one with the number `order[i]`.
  case permuted([Int], TensorForm)
  /// A function of every number.
  case mapped(Bijection, TensorForm)

  /// A function of one number with an inverse.
  public enum Bijection: Sendable {
    /// −x
    case negative
    /// −eˣ
    case negativeExponential
    /// x + c
    case shifted(Float)
    /// x / c
    case divided(Float)
  }
}

extension TensorForm.Bijection {
  func callAsFunction(_ x: Float) -> Float {
    switch self {
    case .negative: -x
    case .negativeExponential: -Float(exp(Double(x)))
    case .shifted(let c): x + c
    case .divided(let c): x / c
    }
  }

  /// Returns the number whose image is y; nil if there is none.
  func inverse(_ y: Float) -> Float? {
    switch self {
    case .negative: -y
    case .negativeExponential: y < 0 ? Float(log(-Double(y))) : nil
    case .shifted(let c): y - c
    case .divided(let c): y * c
    }
  }

  /// The numbers that have an inverse, to complete "numbers that are not".
  var range: String {
    switch self {
    case .negative, .shifted, .divided: "finite"
    case .negativeExponential: "below 0"
    }
  }
}

extension TensorForm {
  /// The names of the parameters that the tensor is made from.
  var parameters: [String] {
    switch self {
    case .parameter(let name), .rows(_, let name): [name]
    case .transposed(let form), .reshaped(_, let form), .permuted(_, let form),
      .mapped(_, let form):
      form.parameters
    case .joined(let forms): forms.flatMap(\.parameters)
    }
  }

  /// The parameter whose numbers the tensor has in the same order; nil if it has others.
  var sameNumbers: String? {
    switch self {
    case .parameter(let name): name
    case .reshaped(_, let form): form.sameNumbers
    default: nil
    }
  }

  /// Returns the shape of the tensor, slowest dimension first.
  /// - Parameter own: The shapes of the parameters here.
  func shape(_ own: (String) -> [Int]) -> [Int] {
    switch self {
    case .parameter(let name): return own(name)
    case .rows(let rows, let name): return [rows.count] + own(name).dropFirst()
    case .transposed(let form): return form.shape(own).reversed()
    case .reshaped(let shape, _): return shape
    case .joined(let forms):
      let shapes = forms.map { $0.shape(own) }
      return [shapes.reduce(0) { $0 + $1[0] }] + shapes[0].dropFirst()
    case .permuted(_, let form), .mapped(_, let form): return form.shape(own)
    }
  }

  /// Computes the tensor.
  /// - Parameter own: The parameters here.
  func make(_ own: (String) -> NamedTensor) -> NamedTensor {
    switch self {
    case .parameter(let name): return own(name)
    case .rows(let rows, let name): return own(name).rows(rows)
    case .transposed(let form): return form.make(own).transposed
    case .reshaped(let shape, let form): return NamedTensor(shape, form.make(own).values)
    case .joined(let forms):
      let parts = forms.map { $0.make(own) }
      return NamedTensor(shape { own($0).shape }, parts.flatMap(\.values))
    case .permuted(let order, let form): return form.make(own).rows(order)
    case .mapped(let function, let form):
      var tensor = form.make(own)
      for i in tensor.values.indices { tensor.values[i] = function(tensor.values[i]) }
      return tensor
    }
  }

  /// Finds the parameters, or parts of them, that make a tensor of the right shape.
  /// - Parameters:
  ///   - own: The shapes of the parameters here.
  ///   - found: The parameters that have been found.
  /// - Throws: `OutOfRange` for a number that no parameter makes.
  func undo(
    _ tensor: NamedTensor, _ own: (String) -> [Int], into found: inout [String: NamedTensor]
  ) throws(OutOfRange) {
    switch self {
    case .parameter(let name): found[name] = tensor
    case .rows(let rows, let name):
      let shape = own(name)
      let length = tensor.rowLength
      if found[name] == nil {
        found[name] = NamedTensor(
          shape, [Float](repeating: 0, count: shape.reduce(1, *)))
      }
      found[name]!.values.replaceSubrange(
        rows.lowerBound * length..<rows.upperBound * length, with: tensor.values)
    case .transposed(let form): try form.undo(tensor.transposed, own, into: &found)
    case .reshaped(_, let form):
      try form.undo(NamedTensor(form.shape(own), tensor.values), own, into: &found)
    case .joined(let forms):
      var start = 0
      for form in forms {
        let count = form.shape(own)[0]
        try form.undo(tensor.rows(start..<start + count), own, into: &found)
        start += count
      }
    case .permuted(let order, let form):
      var places = order
      for (place, row) in order.enumerated() { places[row] = place }
      try form.undo(tensor.rows(places), own, into: &found)
    case .mapped(let function, let form):
      var tensor = tensor
      for i in tensor.values.indices {
        guard let x = function.inverse(tensor.values[i]) else {
          throw OutOfRange(expected: function.range)
        }
        tensor.values[i] = x
      }
      try form.undo(tensor, own, into: &found)
    }
  }

  /// The error for a number that no parameter makes.
  struct OutOfRange: Error {
    let expected: String
  }
}
