package import Collectives
internal import Configuration
package import Datasets

extension TrainingOptions {
  /// Returns the request with which a rank reads the training data.
  package func loaderRequest(seed: UInt64, in world: any Communicator) -> LoaderRequest {
    LoaderRequest(
      batchSize: batchSize, bptt: randomWindows == nil ? givenStride ?? givenBptt : mostSteps,
      batchTokens: batchTokens,
      isBucketed: isBucketed, seed: seed, rank: world.rank, world: world.size,
      allowsEmptyShare: readout != nil)
  }
}
