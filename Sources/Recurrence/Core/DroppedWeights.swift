internal import LinearAlgebra
internal import Sequences

/// A weight of which training drops numbers: its rate and the key of its masks.
struct DroppedWeight: Sendable {
  let parameter: Parameter
  /// p
  let rate: Double
  let random: Philox
  /// The place of its gradient among those of the same layer.
  let place: Int
}

/// The weights of a training window from which numbers are dropped (DropConnect, Wan 2013; on
/// recurrent matrices Merity, Keskar & Socher 2017):
///
///     Ũ = m ∘ U / (1 − p),   ∂U += m ∘ ∂Ũ / (1 − p)
///
/// m is 0 with probability p, else 1. It is the same for all steps and streams of a window, and a
/// function of the seed, the weight's name and (epoch, window), so it is the same after a resume,
/// for any world size and in every segment of activation checkpointing. Ũ is made once a window.
/// Other processes never see it: where ranks share their weights, each has its own Ũ.
final class DroppedWeights {
  /// The products with the masked copies.
  let products: WeightProducts
  private let weights: [DroppedWeight]
  /// For each parameter its index among the copies; −1 for none.
  private let indices: [Int]
  private let copies, gradients: [Matrix]
  /// The memory of the copies, and that of ∂Ũ, which one layer after another uses. It is zero
  /// outside of a layer's backward pass.
  private let memory, gradientMemory: Buffer<Real>
  /// The weights, the epoch and the window that the copies were made for.
  private var version = -1
  private var (epoch, window) = (0, 0)

  init(_ dropped: [DroppedWeight], of vector: ParameterVector) {
    weights = dropped
    var indices = [Int](repeating: -1, count: vector.layout.parameterCount)
    for (index, weight) in dropped.enumerated() { indices[weight.parameter.index] = index }
    self.indices = indices
    let shapes = dropped.map { vector[$0.parameter] }
    var places: [Int] = []
    var count = 0
    for shape in shapes {
      places.append(count)
      count += Self.padded(shape.rows * shape.columns)
    }
    memory = Buffer(count: count)
    gradientMemory = Buffer(count: Self.gradientCount(dropped, vector.layout))
    let (start, gradientStart) = (memory.start, gradientMemory.start)
    copies = zip(shapes, places).map {
      Matrix(start + $1, rows: $0.rows, columns: $0.columns)
    }
    gradients = zip(shapes, dropped).map {
      Matrix(gradientStart + $1.place, rows: $0.rows, columns: $0.columns)
    }
    products = WeightProducts(
      copies, precision: vector.precision, rowsAreIndependent: vector.rowsAreIndependent)
  }

  /// Rounds a count of numbers up to whole lines of 64 bytes.
  static func padded(_ count: Int) -> Int {
    let line = 64 / MemoryLayout<Real>.stride
    return (count + line - 1) / line * line
  }

  /// Returns the count of numbers in the gradients of the copies of one layer.
  static func gradientCount(_ dropped: [DroppedWeight], _ layout: ParameterLayout) -> Int {
    dropped.reduce(0) { max($0, $1.place + layout[$1.parameter].count) }
  }

  /// Makes the copies for a window, unless they are those of this window and these weights.
  func make(from vector: ParameterVector, for batch: Batch) {
    guard version != vector.version || epoch != batch.epoch || window != batch.window else {
      return
    }
    (version, epoch, window) = (vector.version, batch.epoch, batch.window)
    for index in weights.indices {
      copies[index].fill(0)
      addMasked(vector[weights[index].parameter], to: copies[index], weights[index])
    }
    products.weightsChanged()
  }

  /// Returns the masked copy of a parameter as a factor; nil for a parameter that is not dropped.
  func weight(_ p: Parameter) -> Weight? {
    let index = indices[p.index]
    return index < 0 ? nil : products.weight(index, copies[index])
  }

  /// Returns the memory of the gradient of a masked copy; nil for a parameter that is not dropped.
  func gradient(_ p: Parameter) -> Matrix? {
    let index = indices[p.index]
    return index < 0 ? nil : gradients[index]
  }

  /// Adds the gradient of a masked copy to that of its parameter, and clears it.
  func moveGradient(of p: Parameter, to gradient: ParameterVector) {
    let index = indices[p.index]
    addMasked(gradients[index], to: gradient[p], weights[index])
    gradients[index].fill(0)
  }

  /// B += m ∘ A / (1 − p), each row with a mask of its own.
  private func addMasked(_ a: Matrix, to b: Matrix, _ weight: DroppedWeight) {
    for row in 0..<a.rows {
      weight.random.addMasked(
        a[row], to: b[row], rate: weight.rate, stream: row, position: window, epoch: epoch)
    }
  }
}
