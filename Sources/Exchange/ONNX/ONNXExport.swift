public import Checkpointing
internal import Datasets
internal import Formats
package import ProtocolBuffers
package import Recurrence

/// A checkpoint's model as an ONNX file: the graph of its computation and its weights.
///
/// Operators are those of version 17 of ONNX's standard set. docs/onnx.md describes inputs and outputs.
public struct ONNXExport {
  /// The largest file of Protocol Buffers.
  private static let largest = Int(Int32.max)
  private static let operators: Int64 = 17
  /// The version of the format that came with these operators.
  private static let format: Int64 = 8

  /// The content of the file.
  package let message: ONNXModelProto
  private let vocabularies: Dataset.Vocabularies
  private let path: String
  /// The kind of the weights: `averaged` or `as trained`.
  public let weights: String

  /// The names of the graph's inputs.
  public var inputs: [String] { message.graph.input.map(\.name) }
  /// The names of the graph's outputs.
  public var outputs: [String] { message.graph.output.map(\.name) }
  /// The number of nodes.
  public var nodes: Int { message.graph.node.count }

  /// - Parameters:
  ///   - checkpoint: The checkpoint whose model is written.
  ///   - raw: True for the weights as trained, also where the run kept an average of them.
  /// - Throws: `FileError` where the checkpoint cannot be read, or ONNX cannot represent the model.
  public init(_ checkpoint: Checkpoint, raw: Bool = false) throws {
    let (any, weights) = try checkpoint.anyModel(raw: raw)
    func refuse(_ reason: String) -> FileError {
      FileError(
        .damaged, checkpoint.path,
        "\(checkpoint.path) cannot be exported to ONNX, because \(reason): use its "
          + "model.safetensors as it is")
    }
    guard let model = any as? SequenceModel else {
      throw refuse("it is a network over trees, which export to ONNX lacks")
    }
    if let part = model.partOutsideONNX { throw refuse(part) }
    let bytes = weights.layout.count * MemoryLayout<Float>.stride
    guard bytes < Self.largest - (1 << 20) else {
      throw refuse("its weights are \(bytes) bytes, and a file of ONNX has at most \(Self.largest)")
    }
    vocabularies = try checkpoint.vocabularies()
    path = checkpoint.path
    let metadata = try ExportMetadata(checkpoint, model, raw: raw)
    self.weights = metadata.weights
    var message = ONNXModelProto()
    message.irVersion = Self.format
    message.producerName = "Unroll"
    message.producerVersion = checkpoint.state.software
    var operators = ONNXOperatorSetIdProto()
    operators.domain = ""
    operators.version = Self.operators
    message.opsetImport = [operators]
    message.graph = Self.graph(of: model, weights)
    message.graph.docString = "A model that Unroll trained for \(checkpoint.state.step) steps."
    message.metadataProps = metadata.entries.sorted { $0.key < $1.key }.map { key, value in
      var entry = ONNXStringStringEntryProto()
      entry.key = key
      entry.value = value
      return entry
    }
    self.message = message
  }

  /// Returns the graph of a model without a part outside ONNX.
  package static func graph(
    of model: SequenceModel, _ weights: ParameterVector
  ) -> ONNXGraphProto {
    ONNXNetwork(model, weights).graph.message
  }

  /// Writes the file in one step: it is complete under its name, or the old file is still there.
  public func save(to path: String) throws {
    let bytes = try message.serialized
    try requireFile(path)
    try namingFile(path) { () throws(FileError) in
      try replaceFile(path, temporary: path + ".tmp-" + nonce()) { (file) throws(FileError) in
        try file.write(bytes)
      }
    }
  }

  /// Writes the vocabularies beside the file, as for PyTorch.
  /// - Returns: The files and the number of symbols in each; empty for a model without symbols.
  public func saveVocabularies(beside path: String) throws -> [(file: String, symbols: Int)] {
    try vocabularies.save(beside: path)
  }
}
