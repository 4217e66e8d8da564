/// The numbers of a tensor while its form is changed.
struct NamedTensor: Equatable {
  let shape: [Int]
  var values: [Float]

  init(_ shape: [Int], _ values: [Float]) {
    precondition(
      shape.reduce(1, *) == values.count, "\(values.count) numbers for shape \(shape)")
    self.shape = shape
    self.values = values
  }

  /// The numbers in one element of the first dimension.
  var rowLength: Int { shape.dropFirst().reduce(1, *) }

  /// Returns a matrix with rows and columns exchanged.
  var transposed: NamedTensor {
    let (rows, columns) = (shape[0], shape[1])
    var turned = [Float](repeating: 0, count: values.count)
    for i in 0..<rows {
      for j in 0..<columns { turned[j * rows + i] = values[i * columns + j] }
    }
    return NamedTensor([columns, rows], turned)
  }

  /// Returns elements of the first dimension in the given order.
  func rows(_ order: some Collection<Int>) -> NamedTensor {
    let length = rowLength
    var chosen: [Float] = []
    chosen.reserveCapacity(order.count * length)
    for i in order { chosen += values[i * length..<(i + 1) * length] }
    return NamedTensor([order.count] + shape.dropFirst(), chosen)
  }
}
