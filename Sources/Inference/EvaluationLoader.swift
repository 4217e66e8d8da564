package import Collectives
package import Configuration
package import Datasets

extension EvaluationOptions {
  /// Returns the request with which a rank reads the data to evaluate.
  ///
  /// With `batchTokens`, sequences of similar lengths are batched together, and a longer sequence
  /// is a batch by itself.
  package func loaderRequest(in world: any Communicator) -> LoaderRequest {
    var request = LoaderRequest(
      batchSize: batchSize, bptt: givenBptt, batchTokens: batchTokens,
      isBucketed: batchTokens != nil, rank: world.rank, world: world.size, allowsEmptyShare: true)
    request.allowsLongSequences = true
    return request
  }
}
