import Configuration
import Formats
import Foundation
import LinearAlgebra
import Recurrence
import TestSupport
import Testing

@Suite struct `Weights from PyTorch` {
  static let tied = SequenceModelOptions(
    embedding: 6, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 6)))],
    tied: true)
  static let single = SequenceModelOptions(
    embedding: 4,
    layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5, biases: 1)))],
    output: OutputOptions(bias: .none))

  static func weights(_ options: SequenceModelOptions, seed: UInt64 = 3) -> (
    SequenceModel, ParameterVector
  ) {
    let model = SequenceModel(options, vocabulary: 9, seed: 1)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.initialize(seed: seed)
    return (model, weights)
  }

  /// Writes tensors, reads them into a fresh model, and compares with the weights they came from.
  static func load(
    _ tensors: [Tensor], into options: SequenceModelOptions, expecting source: ParameterVector?,
    tolerance: Float = 0, metadata: [String: String] = [:]
  ) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/weights.safetensors"
      try Safetensors.save(tensors, metadata: metadata, to: path)
      let (model, weights) = Self.weights(options, seed: 99)
      try SafetensorsFile(path).load(model, into: weights)
      guard let source else { return }
      #expect(
        zip(weights.buffer.elements(), source.buffer.elements()).allSatisfy {
          abs($0 - $1) <= tolerance * max(abs($1), 1e-3)
        })
    }
  }

  /// The sentence with which a file is refused.
  static func refusal(_ tensors: [Tensor], by options: SequenceModelOptions) throws -> String {
    try withTemporaryFolder { folder in
      let path = folder + "/weights.safetensors"
      try Safetensors.save(tensors, to: path)
      let (model, weights) = Self.weights(options, seed: 99)
      let before = Array(weights.buffer.elements())
      let error = #expect(throws: FileError.self) {
        try SafetensorsFile(path).load(model, into: weights)
      }
      #expect(error?.exitCode == 65)
      #expect(Array(weights.buffer.elements()) == before)
      return error?.description.replacing(path, with: "FILE") ?? ""
    }
  }

  static func renamed(_ tensor: Tensor, _ name: String) -> Tensor {
    Tensor(name, tensor.type, shape: tensor.shape, memory: tensor.memory, keeping: nil)
  }

  @Test func `a tied matrix may have either name or both`() throws {
    let (_, source) = Self.weights(Self.tied)
    let tensors = source.tensors()
    let matrix = tensors.first { $0.name == "encoder.weight" }!
    let others = tensors.filter { $0.name != "encoder.weight" }
    let second = Self.renamed(matrix, "decoder.weight")
    try Self.load(tensors, into: Self.tied, expecting: source)
    try Self.load(others + [second], into: Self.tied, expecting: source)
    try Self.load(others + [matrix, second], into: Self.tied, expecting: source)
    try Self.load(
      others + [second], into: Self.tied, expecting: source,
      metadata: ["encoder.weight": "decoder.weight"])
    let other = Tensor("decoder.weight", shape: [9, 6], copying: [Float](repeating: 1, count: 54))
    #expect(
      try Self.refusal(others + [matrix, other], by: Self.tied)
        == "FILE does not fit this model: it holds a encoder.weight and another decoder.weight, "
        + "which the model ties; set model.tied to false")
    withExtendedLifetime(source) {}
  }

  @Test func `biases that the model is made without may be zero and nothing else`() throws {
    let (_, source) = Self.weights(Self.single)
    let tensors = source.tensors()
    func bias(_ name: String, _ count: Int, _ value: Float) -> Tensor {
      Tensor(name, shape: [count], copying: [Float](repeating: value, count: count))
    }
    try Self.load(
      tensors + [bias("rnn.bias_hh_l0", 20, 0), bias("decoder.bias", 9, 0)], into: Self.single,
      expecting: source)
    #expect(
      try Self.refusal(tensors + [bias("rnn.bias_hh_l0", 20, 0.5)], by: Self.single)
        == "FILE does not fit this model: it holds a rnn.bias_hh_l0 other than zero, which this model "
        + "does not have; set the layer's biases to 2")
    #expect(
      try Self.refusal(tensors + [bias("decoder.bias", 9, 1)], by: Self.single)
        .hasSuffix("set model.output_bias to true"))
  }

  @Test func `a missing output bias, name or shape is one sentence`() throws {
    let (_, source) = Self.weights(Self.tied)
    let tensors = source.tensors()
    #expect(
      try Self.refusal(tensors.filter { $0.name != "decoder.bias" }, by: Self.tied)
        == "FILE does not fit this model: it has no decoder.bias; set model.output_bias to false")
    #expect(
      try Self.refusal(tensors.filter { $0.name != "rnn.bias_hh_l0" }, by: Self.tied)
        .contains("it has no rnn.bias_hh_l0"))
    var narrow = Self.tied
    narrow.embedding = 5
    narrow.layers = [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))]
    #expect(
      try Self.refusal(tensors, by: narrow).contains("encoder.weight as [9, 6] and not [9, 5]")
        || Self.refusal(tensors, by: narrow).contains("rnn.bias_hh_l0 as [18] and not [15]"))
  }

  @Test func `double, half and bfloat16 numbers are converted`() throws {
    let (_, source) = Self.weights(Self.tied)
    let tensors = source.tensors()
    func values(_ tensor: Tensor) -> [Float] { Array(tensor.view(as: Float.self)!) }
    func converted<Element>(_ type: TensorType, _ convert: (Float) -> Element) -> [Tensor] {
      tensors.map { tensor in
        let numbers = UnsafeMutableBufferPointer<Element>.allocate(capacity: tensor.count)
        _ = numbers.initialize(from: values(tensor).map(convert))
        return Tensor(
          tensor.name, type, shape: tensor.shape, memory: UnsafeRawBufferPointer(numbers),
          keeping: Freed(numbers))
      }
    }
    try Self.load(converted(.float64) { Double($0) }, into: Self.tied, expecting: source)
    try Self.load(
      converted(.float16) { Float16($0) }, into: Self.tied, expecting: source, tolerance: 1e-3)
    try Self.load(
      converted(.bfloat16) { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }, into: Self.tied,
      expecting: source, tolerance: 1e-2)
    #expect(
      try Self.refusal(converted(.int32) { Int32($0) }, by: Self.tied)
        .contains("I32 and not a floating-point type"))
  }
}

/// Frees memory when it is gone.
private final class Freed {
  private let memory: UnsafeMutableRawBufferPointer
  init<Element>(_ memory: UnsafeMutableBufferPointer<Element>) {
    self.memory = UnsafeMutableRawBufferPointer(memory)
  }
  deinit { memory.deallocate() }
}
