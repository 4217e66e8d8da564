internal import Collectives
internal import Foundation
internal import LinearAlgebra

/// A world of any size as its first rank sees it, in which nothing travels: for the memory and the windows of
/// a rank of a cluster that is only described.
final class PlannedWorld: Communicator {
  let rank = 0
  let size: Int
  let nodeRank = 0
  let nodeSize: Int
  private let alone = SingleProcess()

  init(size: Int, nodeSize: Int) {
    precondition(nodeSize <= size, "\(nodeSize) ranks of \(size) on a node")
    (self.size, self.nodeSize) = (size, nodeSize)
  }

  func sum(_ values: UnsafeMutableBufferPointer<Float>) {}
  func sum(_ values: UnsafeMutableBufferPointer<Double>) {}
  func sum(_ values: UnsafeMutableBufferPointer<Int32>) {}
  func sumInTree(_ values: UnsafeMutableBufferPointer<Real>) {}
  func max(_ values: UnsafeMutableBufferPointer<Double>) {}
  func max(_ values: UnsafeMutableBufferPointer<Int32>) {}
  func broadcast(_ bytes: [UInt8], from root: Int) -> [UInt8] { bytes }
  func gather(_ bytes: [UInt8], at root: Int) -> [[UInt8]] { [bytes] }
  func scatter(_ parts: [[UInt8]], from root: Int) -> [UInt8] { parts[rank] }
  func barrier() {}
  func abort(code: Int32) -> Never { alone.abort(code: code) }
  func finish() {}

  func send(_ bytes: UnsafeRawBufferPointer, to other: Int) {
    preconditionFailure("a message in a world that is only planned")
  }
  func receive(_ bytes: UnsafeMutableRawBufferPointer, from other: Int) {
    preconditionFailure("a message in a world that is only planned")
  }
  func split(by color: Int?) -> (any Communicator)? { color == nil ? nil : self }
  func splitByNode() -> any Communicator { PlannedWorld(size: nodeSize, nodeSize: nodeSize) }
}
