internal import Foundation
internal import ProtocolBuffers

/// A builder of an ONNX graph: nodes in the order of computation, constants, inputs and outputs.
///
/// Values are known by their names. The name of a node's output is that of the part of the model that it
/// belongs to, a slash and the name of its operator.
struct ONNXGraph {
  /// The length of a dimension: a number, or a name for one that each call chooses.
  enum Dimension {
    case fixed(Int)
    case named(String)
  }

  /// The types of the elements of inputs and outputs.
  typealias Element = ONNXTensorProto.DataType

  private(set) var message = ONNXGraphProto()
  /// The part of the model whose nodes are added next.
  var part = "model"
  private var names: Set<String> = []

  init() { message.name = "unroll" }

  /// Adds a node.
  /// - Parameters:
  ///   - inputs: The names of its inputs, empty for one left out.
  ///   - outputs: The names of its outputs, in the same way.
  mutating func add(
    _ operation: String, _ inputs: [String], outputs: [String],
    _ attributes: [ONNXAttributeProto] = []
  ) {
    var node = ONNXNodeProto()
    node.opType = operation
    node.name = outputs.first { !$0.isEmpty } ?? part
    node.input = inputs
    node.output = outputs
    node.attribute = attributes
    message.node.append(node)
  }

  /// Adds a node with one output.
  /// - Parameter name: The name of the output; nil for one made of the part and the operator.
  /// - Returns: The name of the output.
  mutating func apply(
    _ operation: String, _ inputs: [String], name: String? = nil,
    _ attributes: [ONNXAttributeProto] = []
  ) -> String {
    let output = name ?? unused(part + "/" + operation)
    add(operation, inputs, outputs: [output], attributes)
    return output
  }

  /// Returns a name that no other value has.
  mutating func unused(_ name: String) -> String {
    var (candidate, count) = (name, 1)
    while !names.insert(candidate).inserted {
      count += 1
      candidate = name + "_\(count)"
    }
    return candidate
  }

  /// Adds a constant of Floats, unless there is one of that name, and returns its name.
  mutating func constant(_ name: String, shape: [Int], _ values: @autoclosure () -> [Float])
    -> String
  {
    guard names.insert(name).inserted else { return name }
    var tensor = ONNXTensorProto()
    tensor.name = name
    tensor.dims = shape.map(Int64.init)
    tensor.dataType = Int32(Element.float.rawValue)
    tensor.floatData = values()
    precondition(
      tensor.floatData.count == shape.reduce(1, *), "\(name): not as many numbers as in \(shape)")
    message.initializer.append(tensor)
    return name
  }

  /// Adds a constant number, and returns its name.
  mutating func constant(_ value: Double) -> String {
    constant("constant/\(Float(value))", shape: [], [Float(value)])
  }

  /// Adds a constant list of integers, such as axes or a shape, and returns its name.
  mutating func constant(_ values: [Int]) -> String {
    let name = "constant/[" + values.map(String.init).joined(separator: ",") + "]"
    guard names.insert(name).inserted else { return name }
    var tensor = ONNXTensorProto()
    tensor.name = name
    tensor.dims = [Int64(values.count)]
    tensor.dataType = Int32(Element.int64.rawValue)
    tensor.int64Data = values.map(Int64.init)
    message.initializer.append(tensor)
    return name
  }

  /// Adds an input of the graph.
  mutating func input(
    _ name: String, _ element: Element, _ shape: [Dimension], _ meaning: String
  ) {
    message.input.append(Self.value(name, element, shape, meaning))
  }

  /// Adds an output of the graph, which a node computes.
  mutating func output(_ name: String, _ shape: [Dimension], _ meaning: String) {
    message.output.append(Self.value(name, .float, shape, meaning))
  }

  private static func value(
    _ name: String, _ element: Element, _ shape: [Dimension], _ meaning: String
  ) -> ONNXValueInfoProto {
    var value = ONNXValueInfoProto()
    value.name = name
    value.docString = meaning
    value.type.tensorType.elemType = Int32(element.rawValue)
    value.type.tensorType.shape.dim = shape.map {
      var dimension = ONNXTensorShapeProto.Dimension()
      switch $0 {
      case .fixed(let length): dimension.dimValue = Int64(length)
      case .named(let name): dimension.dimParam = name
      }
      return dimension
    }
    return value
  }
}

extension ONNXAttributeProto {
  init(_ name: String, _ value: Int) {
    self.init(name, .int)
    i = Int64(value)
  }

  init(_ name: String, _ value: Double) {
    self.init(name, .float)
    f = Float(value)
  }

  init(_ name: String, _ values: [Int]) {
    self.init(name, .ints)
    ints = values.map(Int64.init)
  }

  init(_ name: String, _ values: [Float]) {
    self.init(name, .floats)
    floats = values
  }

  init(_ name: String, _ value: String) {
    self.init(name, .string)
    s = Data(value.utf8)
  }

  init(_ name: String, _ values: [String]) {
    self.init(name, .strings)
    strings = values.map { Data($0.utf8) }
  }

  private init(_ name: String, _ type: AttributeType) {
    self.init()
    self.name = name
    self.type = type
  }
}
