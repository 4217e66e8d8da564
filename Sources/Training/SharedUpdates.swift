internal import Collectives
internal import Optimization

extension Optimizer {
  /// Shares the work of an update out among ranks, if the rule can.
  /// - Returns: The exchange of the results; nil if there is none.
  func shareOut(in world: any Communicator) -> (sum: any PendingSum, count: Int)? {
    guard world.size > 1, let rule = self as? any CooperativeOptimizer else { return nil }
    rule.share(among: world.size, rank: world.rank)
    guard let (numbers, parts) = rule.results else { return nil }
    let sum = world.makeSum(of: numbers.elements(), wire: .float32, parts: parts, .gather)
    return (sum, numbers.count)
  }
}
