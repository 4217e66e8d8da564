public import LinearAlgebra

/// A softmax over frequent symbols and clusters of rare ones, which it computes only where they are
/// needed (Grave, Joulin, Cissé, Grangier & Jégou 2017), with the parameters of PyTorch's
/// `AdaptiveLogSoftmaxWithLoss`:
///
///     a = h A + b                      one logit per symbol of the head and one per cluster
///     lᵢ = (h Pᵢ) Wᵢ                   the logits of the symbols of cluster i
///     ln p(symbol) = ln softmax(a)(symbol)                              in the head
///     ln p(symbol) = ln softmax(a)(cluster i) + ln softmax(lᵢ)(symbol)  in cluster i
///
/// The head has the symbols of the lowest ranks. Pᵢ is narrower for rarer symbols. Training computes a
/// cluster for the rows whose target is in it, gathered into blocks, so the logits of a whole window
/// never exist. A target is counted as predicted in training only if the head's probabilities and its
/// own cluster prove it; evaluation computes the other clusters that could hold a likelier symbol.
public struct AdaptiveSoftmax: Head {
  /// Some rare symbols.
  private struct Cluster {
    /// The ranks of its symbols.
    let symbols: Range<Int>
    /// P and W.
    let projection, weight: Parameter
    let width: Int
    let rows: ChosenRows
    let projected, gradients, logits: Scratch
  }

  let vocabulary: Int
  /// The symbol with probability 0; nil for none.
  private let excluded: Int?
  private let input: Activation
  private let head: OutputLayer
  /// The number of symbols in the head.
  private let frequent: Int
  private let clusters: [Cluster]
  private let ranks: SymbolRanks
  private let cap: LogitCap?
  /// For each row of a window: ln p of each cluster, and then ln p of the target if no likelier symbol
  /// was found, ∞ if one was. Until the target's cluster is computed, that is ln p of the likeliest
  /// symbol of the head.
  private let facts: Scratch
  private let all, spare: Scratch

  public var weight: Parameter { head.weight }
  public var bias: Parameter? { head.bias }
  public var outputWeights: [Parameter] {
    [weight] + clusters.flatMap { [$0.projection, $0.weight] }
  }
  public var givesLogLikelihoods: Bool { true }

  /// - Parameters:
  ///   - output: The options of the output layer, of which the bias is that of the head.
  ///   - excluded: The symbol with probability 0; nil for none.
  init(
    _ options: AdaptiveOptions, _ output: OutputOptions, vocabulary: Int,
    reading input: Activation, excluding excluded: Int?, in plan: inout Plan
  ) {
    let read = plan.width(input)
    if let problem = options.problem(vocabulary: vocabulary, reading: read) {
      preconditionFailure(problem)
    }
    let cutoffs = options.cutoffs(vocabulary: vocabulary, reading: read)
    self.vocabulary = vocabulary
    self.excluded = excluded
    self.input = input
    frequent = cutoffs[0]
    ranks = SymbolRanks(
      vocabulary, stores: output.ranksSymbols, name: "decoder.ranks", in: &plan)
    head = OutputLayer(
      cutoffs[0] + cutoffs.count, reading: input, name: "decoder.head", bias: output.hasBias,
      in: &plan)
    var clusters: [Cluster] = []
    for (index, first) in cutoffs.enumerated() {
      let last = index + 1 < cutoffs.count ? cutoffs[index + 1] : vocabulary
      let (width, name) = (options.width(ofCluster: index, reading: read), "decoder.tail.\(index)")
      let rows = ScratchRows.blocks(of: OutputLayer.rowsOfBlock(last - first))
      clusters.append(
        Cluster(
          symbols: first..<last,
          projection: plan.parameter(
            name + ".0.weight", from: read, to: width,
            pytorch: .uniform(1 / Double(read).squareRoot())),
          weight: plan.parameter(
            name + ".1.weight", from: width, to: last - first,
            pytorch: .uniform(1 / Double(width).squareRoot())),
          width: width, rows: ChosenRows(of: input, rows: rows, in: &plan),
          projected: plan.scratch(width, rows: rows), gradients: plan.scratch(width, rows: rows),
          logits: plan.scratch(last - first, rows: rows)))
    }
    for cluster in clusters {
      // Evaluation computes the clusters of targets, and some others that may hold a likelier symbol.
      let share = ProductShare.ofRanks(cluster.symbols, of: vocabulary)
      plan.note(share, of: cluster.projection)
      plan.note(share, of: cluster.weight)
    }
    self.clusters = clusters
    let widest = max(cutoffs[0] + cutoffs.count, clusters.map(\.symbols.count).max()!)
    cap = LogitCap(output.softCap, width: widest, in: &plan)
    facts = plan.scratch(cutoffs.count + 1, rows: .each(of: .max))
    all = plan.scratch(vocabulary, rows: .streams)
    spare = plan.scratch(vocabulary)
  }

  public func forward(_ pass: Pass) {
    head.forward(pass) { a, row in loss(ofHead: a, row, pass) }
    for index in clusters.indices { forward(index, pass) }
    if !pass.isTraining {
      for index in clusters.indices { findLikelier(in: index, pass) }
    }
    countPredicted(pass)
  }

  // MARK: The head

  /// Returns the loss of a row in the head, whose logits still lack the bias.
  private func loss(ofHead a: Row, _ row: Int, _ pass: Pass) -> Double {
    let rank = rank(ofTarget: row, pass)
    let place =
      rank < frequent ? rank : frequent + clusters.firstIndex { $0.symbols.contains(rank) }!
    if let bias { a.add(pass[bias].row) }
    finishHead(a, pass)
    let symbols = a[0..<frequent]
    let (best, m, score) = (symbols.maximum, a.maximum, Double(a[place]))
    let facts = facts(row, pass)
    for index in clusters.indices { facts[index] = a[frequent + index] }
    let isBest = rank < frequent && symbols.isFirst(rank, of: best)
    let total = a.exponentiate(minus: m)
    let normaliser = logarithm(total) + Double(m)
    for index in clusters.indices { facts[index] -= Real(normaliser) }
    facts[clusters.count] =
      rank < frequent
      ? isBest ? Real(score - normaliser) : .infinity : Real(Double(best) - normaliser)
    if pass.isTraining {
      a.scale(by: 1 / total)
      a[place] -= 1
      cap?.differentiate(a, pass)
      if let bias { pass.d[bias].row.add(a) }
    }
    return normaliser - score
  }

  /// Caps the logits of the head; gives no probability to the excluded symbol, and none to a cluster of
  /// nothing else.
  private func finishHead(_ a: Row, _ pass: Pass) {
    cap?.apply(to: a, pass)
    guard let excluded else { return }
    let rank = ranks.rank(of: excluded, pass)
    if rank < frequent { a[rank] = -.infinity }
    for (index, cluster) in clusters.enumerated() where cluster.symbols == rank..<rank + 1 {
      a[frequent + index] = -.infinity
    }
  }

  // MARK: Clusters

  /// Adds the loss of the rows whose target is in a cluster, and in training accumulates their
  /// gradients.
  private func forward(_ index: Int, _ pass: Pass) {
    let cluster = clusters[index]
    let losses = pass.loss.rows.elements()
    cluster.rows.forEachBlock(
      in: 0..<pass[input].rows, pass,
      where: {
        pass.batch.hasTarget($0) && cluster.symbols.contains(rank(ofTarget: $0, pass))
      }
    ) { h, rows in
      let (p, l) = logits(of: h, cluster, pass)
      for k in 0..<rows.count {
        let row = Int(rows[k])
        let place = rank(ofTarget: row, pass) - cluster.symbols.lowerBound
        finish(l[k], cluster, pass)
        let (m, score) = (l[k].maximum, Double(l[k, place]))
        let isBest = l[k].isFirst(place, of: m)
        let total = l[k].exponentiate(minus: m)
        let loss = logarithm(total) + Double(m) - score
        losses[row] += Real(loss)
        pass.loss.sum += loss
        let facts = facts(row, pass)
        let likelihood = facts[index] - Real(loss)
        facts[clusters.count] =
          isBest && likelihood > facts[clusters.count] ? likelihood : .infinity
        guard pass.isTraining else { continue }
        l[k].scale(by: 1 / total)
        l[k][place] -= 1
        cap?.differentiate(l[k], pass)
      }
      guard pass.isTraining else { return }
      for k in rows.count..<l.rows { l[k].fill(0) }
      differentiate(cluster, h, p, l, rows, pass)
    }
  }

  /// Returns h P and h P W for a block of rows.
  private func logits(
    of h: Matrix, _ cluster: Cluster, _ pass: Pass
  ) -> (projected: Matrix, logits: Matrix) {
    let p = Matrix(pass.scratch(cluster.projected), rows: h.rows, columns: cluster.width)
    let l = Matrix(pass.scratch(cluster.logits), rows: h.rows, columns: cluster.symbols.count)
    p.setProduct(h, pass[cluster.projection])
    l.setProduct(p, pass[cluster.weight])
    return (p, l)
  }

  /// Caps the logits of a cluster, and gives no probability to the excluded symbol.
  private func finish(_ l: Row, _ cluster: Cluster, _ pass: Pass) {
    cap?.apply(to: l, pass)
    guard let excluded else { return }
    let rank = ranks.rank(of: excluded, pass)
    if cluster.symbols.contains(rank) { l[rank - cluster.symbols.lowerBound] = -.infinity }
  }

  /// Accumulates the gradients of a cluster from those of its logits.
  private func differentiate(
    _ cluster: Cluster, _ h: Matrix, _ p: Matrix, _ dl: Matrix, _ rows: Row, _ pass: Pass
  ) {
    let dp = Matrix(pass.scratch(cluster.gradients), rows: p.rows, columns: p.columns)
    pass.d[cluster.weight].addProduct(dl.transposed, p)
    dp.setProduct(dl, pass[cluster.weight].transposed)
    pass.d[cluster.projection].addProduct(dp.transposed, h)
    let dh = cluster.rows.gradients(of: h, pass)
    dh.setProduct(dp, pass[cluster.projection].transposed)
    cluster.rows.scatter(dh, to: rows, pass)
  }

  // MARK: Predicted targets

  /// Finds out for which rows a cluster has a likelier symbol than the target, where the probability of
  /// the whole cluster does not rule it out.
  private func findLikelier(in index: Int, _ pass: Pass) {
    let cluster = clusters[index]
    cluster.rows.forEachBlock(
      in: 0..<pass[input].rows, pass, where: { mayBeLikelier(index, $0, pass) }
    ) { h, rows in
      let (_, l) = logits(of: h, cluster, pass)
      for k in 0..<rows.count {
        finish(l[k], cluster, pass)
        let facts = facts(Int(rows[k]), pass)
        let best = facts[index] + l[k].maximum - l[k].logSumExp
        if best > facts[clusters.count] { facts[clusters.count] = .infinity }
      }
    }
  }

  /// True if the target of a row is the likeliest symbol so far, and a cluster other than its own is as
  /// likely.
  private func mayBeLikelier(_ index: Int, _ row: Int, _ pass: Pass) -> Bool {
    guard pass.batch.hasTarget(row) else { return false }
    let facts = facts(row, pass)
    return facts[index] >= facts[clusters.count]
      && !clusters[index].symbols.contains(rank(ofTarget: row, pass))
  }

  private func countPredicted(_ pass: Pass) {
    for row in 0..<pass[input].rows where pass.batch.hasTarget(row) {
      guard facts(row, pass)[clusters.count] < .infinity else { continue }
      if pass.isTraining, clusters.indices.contains(where: { mayBeLikelier($0, row, pass) }) {
        continue
      }
      pass.loss.countCorrect(row)
    }
  }

  private func facts(_ row: Int, _ pass: Pass) -> Row {
    Row(pass.scratch(facts).start + row * (clusters.count + 1), count: clusters.count + 1)
  }

  private func rank(ofTarget row: Int, _ pass: Pass) -> Int {
    let target = Int(pass.batch.targets.start[row])
    precondition(target >= 0 && target < vocabulary, "target \(target) of \(vocabulary)")
    precondition(
      target != excluded || !pass.isTraining,
      "learning what has the probability 0: Dataset.ending(by:) makes an end of it")
    return ranks.rank(of: target, pass)
  }

  // MARK: All symbols

  /// Returns ln p of every symbol for every stream at step t.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix {
    outputs(at: t, pass, likeliest: nil)
  }

  /// Returns ln p of every symbol for every stream at step t. With a count, the symbols of clusters that
  /// cannot hold one of so many likeliest symbols get −∞, and their logits are not computed.
  public func outputs(at t: Int, _ pass: Pass, likeliest count: Int?) -> Matrix {
    let a = head.outputs(at: t, pass)
    let all = Matrix(pass.scratch(all), rows: a.rows, columns: vocabulary)
    let first = t * a.rows
    for s in 0..<a.rows {
      finishHead(a[s], pass)
      a[s].add(-a[s].logSumExp)
      all[s][0..<frequent].copy(a[s][0..<frequent])
      let facts = facts(first + s, pass)
      for index in clusters.indices { facts[index] = a[s, frequent + index] }
      facts[clusters.count] = count.map { all[s][0..<frequent].largest($0) } ?? -.infinity
    }
    for (index, cluster) in clusters.enumerated() {
      for s in 0..<a.rows { all[s][cluster.symbols].fill(-.infinity) }
      cluster.rows.forEachBlock(
        in: first..<first + a.rows, pass,
        where: { row in
          let facts = facts(row, pass)
          return facts[index] > -.infinity && facts[index] >= facts[clusters.count]
        }
      ) { h, rows in
        let (_, l) = logits(of: h, cluster, pass)
        for k in 0..<rows.count {
          let row = Int(rows[k])
          finish(l[k], cluster, pass)
          l[k].add(facts(row, pass)[index] - l[k].logSumExp)
          all[row - first][cluster.symbols].copy(l[k])
        }
      }
    }
    let spare = Row(pass.scratch(spare).start, count: vocabulary)
    for s in 0..<all.rows { ranks.sortBySymbol(all[s], spare, pass) }
    return all
  }
}

extension Row {
  /// Returns the `count`-th largest element; −∞ if there are fewer.
  fileprivate func largest(_ count: Int) -> Real {
    guard count <= self.count else { return -.infinity }
    guard count > 1 else { return maximum }
    return withUnsafeTemporaryAllocation(of: Real.self, capacity: count) { kept in
      kept.initialize(repeating: -.infinity)
      for j in 0..<self.count where self[j] > kept[count - 1] {
        var place = count - 1
        while place > 0, kept[place - 1] < self[j] {
          kept[place] = kept[place - 1]
          place -= 1
        }
        kept[place] = self[j]
      }
      return kept[count - 1]
    }
  }
}
