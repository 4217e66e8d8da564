package import Collectives
internal import Formats
internal import Foundation
package import Recurrence

extension Communicator {
  /// Returns the root's value on every rank.
  package func share<Value: Codable>(_ value: Value) throws -> Value {
    let bytes = isRoot ? Array(try JSONValue.encoder().encode(value)) : []
    return try JSONValue.decode(from: Data(try broadcast(bytes)))
  }

  /// Copies the root's numbers to every rank.
  package func share(_ vector: ParameterVector) throws(CommunicationError) {
    guard size > 1 else { return }
    let memory = UnsafeMutableRawBufferPointer(vector.buffer.elements())
    // In pieces, because the numbers in transit are a copy.
    let piece = 64 << 20
    for start in Swift.stride(from: 0, to: memory.count, by: piece) {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: memory[start..<Swift.min(start + piece, memory.count)])
      let bytes = try broadcast(isRoot ? Array(part) : [])
      vector.update { _ in part.copyBytes(from: bytes) }
    }
  }
}
