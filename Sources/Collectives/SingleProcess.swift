internal import Glibc
public import LinearAlgebra

/// A world of one rank, without any launcher or library.
public final class SingleProcess: Communicator {
  public let rank = 0
  public let size = 1
  public let nodeRank = 0
  public let nodeSize = 1

  public init() {}

  public func sum(_ values: UnsafeMutableBufferPointer<Float>) {}
  public func sum(_ values: UnsafeMutableBufferPointer<Double>) {}
  public func sum(_ values: UnsafeMutableBufferPointer<Int32>) {}
  public func sumInTree(_ values: UnsafeMutableBufferPointer<Real>) {}
  public func max(_ values: UnsafeMutableBufferPointer<Double>) {}
  public func max(_ values: UnsafeMutableBufferPointer<Int32>) {}

  public func broadcast(_ bytes: [UInt8], from root: Int) -> [UInt8] {
    precondition(root == 0, "root \(root) of a world of 1 rank")
    return bytes
  }

  public func gather(_ bytes: [UInt8], at root: Int) -> [[UInt8]] {
    precondition(root == 0, "root \(root) of a world of 1 rank")
    return [bytes]
  }

  public func scatter(_ parts: [[UInt8]], from root: Int) -> [UInt8] {
    precondition(root == 0 && parts.count == 1, "\(parts.count) parts from \(root) for 1 rank")
    return parts[0]
  }

  public func send(_ bytes: UnsafeRawBufferPointer, to other: Int) {
    preconditionFailure("a message to rank \(other) in a world of 1 rank")
  }

  public func receive(_ bytes: UnsafeMutableRawBufferPointer, from other: Int) {
    preconditionFailure("a message from rank \(other) in a world of 1 rank")
  }

  public func split(by color: Int?) -> (any Communicator)? {
    color.map { _ in SingleProcess() }
  }

  public func splitByNode() -> any Communicator { SingleProcess() }

  public func shareMemory(bytes: Int) -> SharedMemory {
    let memory = Buffer<UInt8>(count: bytes)
    return SharedMemory(UnsafeMutableRawPointer(memory.start), bytes: bytes, meet: {}) {
      withExtendedLifetime(memory) {}
    }
  }

  public func barrier() {}
  public func abort(code: Int32) -> Never { exit(code) }
  public func finish() {}
}
