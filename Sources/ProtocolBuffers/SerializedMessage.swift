internal import Foundation
internal import SwiftProtobuf

extension ONNXModelProto {
  /// The bytes of the message, which are an ONNX file.
  /// - Throws: An error of the library where the message exceeds 2 GiB, the most that a file of Protocol
  ///   Buffers can hold.
  package var serialized: [UInt8] {
    get throws { try serializedBytes() }
  }

  /// Reads the bytes of an ONNX file.
  /// - Throws: An error of the library where the bytes are no such message.
  package init(serialized bytes: [UInt8]) throws {
    try self.init(serializedBytes: bytes)
  }
}

extension Tensorboard_Event {
  /// The bytes of the event, without the frame that a file gives it.
  /// - Throws: An error of the library where the event exceeds 2 GiB.
  package var serialized: [UInt8] {
    get throws { try serializedBytes() }
  }
}
