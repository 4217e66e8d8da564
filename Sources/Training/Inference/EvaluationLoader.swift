package import Collectives
package import Configuration
package import Datasets

extension EvaluationOptions {
  /// How a rank reads the data to evaluate on.
  ///
  /// Where a budget cuts batches, sequences of like lengths come together, and one that exceeds it is a
  /// batch by itself.
  package func loaderRequest(in world: any Communicator) -> LoaderRequest {
    var request = LoaderRequest(
      batchSize: batchSize, bptt: givenBptt, batchTokens: batchTokens,
      isBucketed: batchTokens != nil, rank: world.rank, world: world.size, allowsEmptyShare: true)
    request.allowsLongSequences = true
    return request
  }
}
