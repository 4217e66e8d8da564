import Foundation
import ProtocolBuffers

/// An array of numbers of an ONNX graph.
struct ONNXArray: Equatable {
  var shape: [Int]
  var values: [Double]

  init(_ shape: [Int], _ values: [Double]) {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) numbers in \(shape)")
    (self.shape, self.values) = (shape, values)
  }

  init(_ tensor: ONNXTensorProto) {
    self.init(
      tensor.dims.map(Int.init),
      tensor.floatData.map(Double.init) + tensor.int64Data.map(Double.init))
  }

  /// The numbers as whole numbers, such as axes.
  var integers: [Int] { values.map { Int($0) } }

  /// Makes an array from the number at each place.
  init(_ shape: [Int], _ number: ([Int]) -> Double) {
    let count = shape.reduce(1, *)
    self.init(
      shape,
      (0..<count).map { flat in
        var (rest, place) = (flat, [Int](repeating: 0, count: shape.count))
        for axis in shape.indices.reversed() {
          place[axis] = rest % shape[axis]
          rest /= shape[axis]
        }
        return number(place)
      })
  }

  subscript(place: [Int]) -> Double { values[zip(place, shape).reduce(0) { $0 * $1.1 + $1.0 }] }

  /// Combines two arrays, with broadcasting of dimensions on the left and of length 1.
  func combined(_ other: ONNXArray, _ operation: (Double, Double) -> Double) -> ONNXArray {
    let rank = max(shape.count, other.shape.count)
    func padded(_ array: ONNXArray) -> ONNXArray {
      ONNXArray([Int](repeating: 1, count: rank - array.shape.count) + array.shape, array.values)
    }
    let (a, b) = (padded(self), padded(other))
    return ONNXArray(zip(a.shape, b.shape).map(max)) { place in
      func number(_ array: ONNXArray) -> Double {
        array[zip(place, array.shape).map { $1 == 1 ? 0 : $0 }]
      }
      return operation(number(a), number(b))
    }
  }

  /// The sums over one axis, which stays with the length 1.
  func sum(over axis: Int) -> ONNXArray {
    var summed = shape
    summed[axis] = 1
    return ONNXArray(summed) { place in
      (0..<shape[axis]).reduce(0) { sum, index in
        var place = place
        place[axis] = index
        return sum + self[place]
      }
    }
  }
}

/// Runs ONNX graphs, written from the specification of its operators (opset 17) in plain loops.
struct ONNXInterpreter {
  let graph: ONNXGraphProto

  func callAsFunction(_ inputs: [String: ONNXArray]) -> [String: ONNXArray] {
    var values = inputs
    for tensor in graph.initializer { values[tensor.name] = ONNXArray(tensor) }
    for node in graph.node {
      let read = node.input.map { $0.isEmpty ? nil : values[$0]! }
      for (name, value) in zip(node.output, run(node, read)) where !name.isEmpty {
        values[name] = value
      }
    }
    return Dictionary(uniqueKeysWithValues: graph.output.map { ($0.name, values[$0.name]!) })
  }

  private func run(_ node: ONNXNodeProto, _ inputs: [ONNXArray?]) -> [ONNXArray] {
    if ["RNN", "GRU", "LSTM"].contains(node.opType) {
      return ONNXRecurrence(node, inputs).run()
    }
    let x = inputs[0]!
    let second = inputs.count > 1 ? inputs[1] : nil
    switch node.opType {
    case "Add": return [x.combined(second!, +)]
    case "Sub": return [x.combined(second!, -)]
    case "Mul": return [x.combined(second!, *)]
    case "Div": return [x.combined(second!, /)]
    case "Tanh", "Sigmoid", "Relu":
      return [ONNXArray(x.shape, x.values.map(nonlinearity(node.opType)))]
    case "Sqrt": return [ONNXArray(x.shape, x.values.map { $0.squareRoot() })]
    case "Identity", "Cast": return [x]
    case "MatMul": return [multiply(x, second!)]
    case "Gather":
      let columns = x.shape[1]
      return [
        ONNXArray(
          second!.shape + [columns],
          second!.integers.flatMap { x.values[$0 * columns..<($0 + 1) * columns] })
      ]
    case "OneHot":
      let depth = second!.integers[0]
      let values = x.integers.flatMap { i in (0..<depth).map { inputs[2]!.values[$0 == i ? 1 : 0] }
      }
      return [ONNXArray(x.shape + [depth], values)]
    case "Concat":
      let other = second!
      return [
        ONNXArray([x.shape[0], x.shape[1], x.shape[2] + other.shape[2]]) { place in
          place[2] < x.shape[2]
            ? x[place] : other[[place[0], place[1], place[2] - x.shape[2]]]
        }
      ]
    case "LayerNormalization":
      return [normalize(x, gain: second!, shift: inputs.count > 2 ? inputs[2] : nil, node)]
    default: return [reshape(node, x, second)]
    }
  }

  /// Normalises the last axis.
  private func normalize(
    _ x: ONNXArray, gain: ONNXArray, shift: ONNXArray?, _ node: ONNXNodeProto
  ) -> ONNXArray {
    precondition(node.integer("axis") == -1, "normalises other axes")
    let eps = node.attribute.first { $0.name == "epsilon" }.map { Double($0.f) } ?? 1e-5
    let width = x.shape.last!
    var values = x.values
    for row in stride(from: 0, to: values.count, by: width) {
      let own = x.values[row..<row + width]
      let mean = own.reduce(0, +) / Double(width)
      let variance = own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
      for (j, value) in own.enumerated() {
        let scaled = (value - mean) / (variance + eps).squareRoot() * gain.values[j]
        values[row + j] = scaled + (shift?.values[j] ?? 0)
      }
    }
    return ONNXArray(x.shape, values)
  }

  /// Runs the operators that move numbers or sum them.
  private func reshape(_ node: ONNXNodeProto, _ x: ONNXArray, _ second: ONNXArray?) -> ONNXArray {
    switch node.opType {
    case "Transpose":
      let order = node.integers("perm")
      return ONNXArray(order.map { x.shape[$0] }) { place in
        var source = place
        for (axis, from) in order.enumerated() { source[from] = place[axis] }
        return x[source]
      }
    case "Squeeze":
      var shape = x.shape
      precondition(shape.remove(at: second!.integers[0]) == 1, "squeezes more than one")
      return ONNXArray(shape, x.values)
    case "Unsqueeze":
      var shape = x.shape
      shape.insert(1, at: second!.integers[0])
      return ONNXArray(shape, x.values)
    case "Reshape":
      var shape = second!.integers.enumerated().map { $1 == 0 ? x.shape[$0] : $1 }
      if let free = shape.firstIndex(of: -1) {
        shape[free] = x.values.count / -shape.reduce(1, *)
      }
      return ONNXArray(shape, x.values)
    case "ReduceSum":
      let axis = second!.integers[0]
      var sum = x.sum(over: axis)
      if node.integer("keepdims") == 0 { sum.shape.remove(at: axis) }
      return sum
    case "ReduceMean":
      let axis = x.shape.count + node.integers("axes")[0]
      let sum = x.sum(over: axis)
      return ONNXArray(sum.shape, sum.values.map { $0 / Double(x.shape[axis]) })
    case "GatherND":
      return ONNXArray([x.shape[0], x.shape[2]]) { place in
        x[[place[0], second!.integers[place[0]], place[1]]]
      }
    default: preconditionFailure("no operator \(node.opType)")
    }
  }

  private func multiply(_ x: ONNXArray, _ w: ONNXArray) -> ONNXArray {
    ONNXArray(x.shape.dropLast() + [w.shape[1]]) { place in
      (0..<w.shape[0]).reduce(0) { $0 + x[place.dropLast() + [$1]] * w[[$1, place.last!]] }
    }
  }
}

/// One of the operators RNN, GRU and LSTM.
private struct ONNXRecurrence {
  let node: ONNXNodeProto
  let inputs: [ONNXArray?]
  let hidden: Int
  let (steps, streams): (Int, Int)
  /// The number of states: 2 of an LSTM.
  let states: Int

  init(_ node: ONNXNodeProto, _ inputs: [ONNXArray?]) {
    self.node = node
    states = node.opType == "LSTM" ? 2 : 1
    self.inputs = inputs + [ONNXArray?](repeating: nil, count: 8 - inputs.count)
    hidden = node.integer("hidden_size")!
    (steps, streams) = (inputs[0]!.shape[0], inputs[0]!.shape[1])
  }

  /// Returns Y, Y_h and, of an LSTM, Y_c.
  func run() -> [ONNXArray] {
    let directions = node.text("direction") == "bidirectional" ? 2 : 1
    var y = [Double](repeating: 0, count: steps * directions * streams * hidden)
    var last = (0..<states).map { _ in [Double](repeating: 0, count: directions * streams * hidden)
    }
    for direction in 0..<directions {
      for s in 0..<streams {
        let length = inputs[4]?.integers[s] ?? steps
        let start = (direction * streams + s) * hidden
        var state = (0..<states).map { k in
          (0..<hidden).map { inputs[5 + k]?.values[start + $0] ?? 0 }
        }
        for k in 0..<length {
          let t = direction == 1 ? length - 1 - k : k
          state = step(t, s, direction, state)
          let place = ((t * directions + direction) * streams + s) * hidden
          y.replaceSubrange(place..<place + hidden, with: state[0])
        }
        for k in 0..<states { last[k].replaceSubrange(start..<start + hidden, with: state[k]) }
      }
    }
    return [ONNXArray([steps, directions, streams, hidden], y)]
      + last.map { ONNXArray([directions, streams, hidden], $0) }
  }

  /// Returns the states after a step.
  private func step(_ t: Int, _ s: Int, _ direction: Int, _ state: [[Double]]) -> [[Double]] {
    let (x, w, r, b) = (inputs[0]!, inputs[1]!, inputs[2]!, inputs[3]!)
    let rows = w.shape[1]
    func fromInput(_ row: Int) -> Double {
      (0..<w.shape[2]).reduce(b[[direction, row]]) {
        $0 + w[[direction, row, $1]] * x[[t, s, $1]]
      }
    }
    func fromState(_ row: Int, _ h: [Double]) -> Double {
      (0..<hidden).reduce(b[[direction, rows + row]]) { $0 + r[[direction, row, $1]] * h[$1] }
    }
    let h = state[0]
    func gate(_ index: Int, _ j: Int, _ peephole: Double = 0) -> Double {
      sigmoid(fromInput(index * hidden + j) + fromState(index * hidden + j, h) + peephole)
    }
    switch node.opType {
    case "RNN":
      let f = nonlinearity(node.texts("activations").first ?? "Tanh")
      return [(0..<hidden).map { f(fromInput($0) + fromState($0, h)) }]
    case "GRU":
      let (z, reset) = ((0..<hidden).map { gate(0, $0) }, (0..<hidden).map { gate(1, $0) })
      let isAfter = node.integer("linear_before_reset") == 1
      let masked = zip(reset, h).map { $0 * $1 }
      return [
        (0..<hidden).map { j in
          let row = 2 * hidden + j
          let recurrent = isAfter ? reset[j] * fromState(row, h) : fromState(row, masked)
          return (1 - z[j]) * tanh(fromInput(row) + recurrent) + z[j] * h[j]
        }
      ]
    default:
      let c = state[1]
      func diagonal(_ index: Int, _ j: Int) -> Double {
        inputs[7]?[[direction, index * hidden + j]] ?? 0
      }
      var next = [h, c]
      for j in 0..<hidden {
        let i = gate(0, j, diagonal(0, j) * c[j])
        let f = node.integer("input_forget") == 1 ? 1 - i : gate(2, j, diagonal(2, j) * c[j])
        let g = tanh(fromInput(3 * hidden + j) + fromState(3 * hidden + j, h))
        next[1][j] = f * c[j] + i * g
        next[0][j] = gate(1, j, diagonal(1, j) * next[1][j]) * tanh(next[1][j])
      }
      return next
    }
  }
}

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

private func nonlinearity(_ name: String) -> (Double) -> Double {
  switch name {
  case "Tanh": tanh
  case "Relu": { max($0, 0) }
  case "Sigmoid": sigmoid
  case "Affine": { $0 }
  default: preconditionFailure("no nonlinearity \(name)")
  }
}

extension ONNXNodeProto {
  private func attribute(_ name: String) -> ONNXAttributeProto? {
    attribute.first { $0.name == name }
  }

  func integer(_ name: String) -> Int? { attribute(name).map { Int($0.i) } }
  func integers(_ name: String) -> [Int] { attribute(name)?.ints.map { Int($0) } ?? [] }
  func text(_ name: String) -> String? {
    attribute(name).map { String(decoding: $0.s, as: UTF8.self) }
  }
  func texts(_ name: String) -> [String] {
    attribute(name)?.strings.map { String(decoding: $0, as: UTF8.self) } ?? []
  }
}
