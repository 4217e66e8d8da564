public import LinearAlgebra
public import Recurrence

/// Muon: momentum whose matrices are made orthogonal, for the matrices of hidden layers; AdamW for all other
/// parameters.
///
///     g ← scale · gradient
///     m ← m + (1 − μ)(g − m)
///     u ← g + μ (m − g)              with Nesterov momentum; else u ← m
///     w ← (1 − η λ) w − η s O(u)
///
/// O is the orthogonal factor, by `NewtonSchulz`; each gate of a cell's matrix is a matrix by itself. s is
/// √max(1, rows/columns), or with `match_rms_adamw` 0.2 √max(rows, columns), with which a step is about as
/// large as one of AdamW. η is the learning rate, μ `momentum`, λ `weight_decay` (Jordan et al. 2024, Liu et
/// al. 2025; PyTorch's `Muon`). Embeddings, output layers and vectors are updated by AdamW with the rate
/// `adamw_rate` · η. m is `exp_avg` in checkpoints, as the mean of AdamW is.
///
/// Ranks share out the matrices: each makes its own orthogonal, and they exchange the new weights.
public final class Muon: Optimizer, CooperativeOptimizer {
  /// The factor on an update of a matrix.
  public enum Scale: String, Codable, CaseIterable, Sendable {
    case original
    case matchesAdamW = "match_rms_adamw"
  }

  public struct Options: OptimizerOptions {
    public var momentum = 0.95
    public var nesterov = true
    /// The number of Newton–Schulz steps.
    public var steps = 5
    public var scale = Scale.original
    public var weightDecay = 0.1
    /// The options of AdamW for all other parameters.
    public var adamW = AdamW.Options()
    /// The factor on the learning rate for all other parameters.
    public var adamWRate = 0.1
    public var decay: DecayScope { .all }

    public func multiplyAddsPerUpdate(of layout: ParameterLayout) -> Double {
      Double(steps) * Muon.gates(of: layout).reduce(0.0) { $0 + Double($1.work) }
    }

    private enum CodingKeys: String, CodingKey {
      case momentum, nesterov, steps, scale
      case weightDecay = "weight_decay"
      case adamW = "adamw"
      case adamWRate = "adamw_rate"
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      momentum = try container.decodeShare(.momentum, or: momentum)
      nesterov = try container.decodeIfPresent(Bool.self, forKey: .nesterov) ?? nesterov
      steps = try container.decode(.steps, or: steps, "a whole number from 1 to 99") {
        (1...99).contains($0)
      }
      scale = try container.name(.scale, of: "scale of an update") ?? scale
      weightDecay = try container.decodeNonNegative(.weightDecay, or: weightDecay)
      adamW = try container.decodeIfPresent(AdamW.Options.self, forKey: .adamW) ?? adamW
      adamWRate = try container.decode(.adamWRate, or: adamWRate, "a finite number above 0") {
        0 < $0 && $0.isFinite
      }
    }
  }

  /// A matrix that is made orthogonal: a gate of a parameter.
  private struct Gate {
    let entry: ParameterLayout.Entry
    /// The place of its numbers in the weights, and among the results of all ranks.
    let first: Int
    var place = 0
    var rank = 0
    let rows, columns: Int
    var count: Int { rows * columns }
    /// The multiplications of a Newton–Schulz step: X Xᵀ, its square, and a product with X.
    var work: Int {
      let (m, n) = (min(rows, columns), max(rows, columns))
      return m * m * (2 * n + m)
    }
  }

  public static var updatesSlices: Bool { false }
  public var updates = 0
  private let options: Options
  private let mean, square: ParameterVector
  private let newtonSchulz: NewtonSchulz
  private var gates: [Gate]
  private var (rank, ranks) = (0, 1)
  /// The updates of this rank's matrices, and of those that it receives.
  private var directions: Buffer<Real>

  public init(_ options: Options, layout: ParameterLayout) {
    self.options = options
    mean = ParameterVector(layout)
    square = ParameterVector(layout)
    gates = Self.gates(of: layout)
    newtonSchulz = NewtonSchulz(gates.map { ($0.rows, $0.columns) })
    directions = Buffer(count: gates.map(\.count).max() ?? 0)
  }

  /// The matrices of a layout that are made orthogonal.
  private static func gates(of layout: ParameterLayout) -> [Gate] {
    layout.entries.filter { isOrthogonal($0) && !$0.isFrozen }.flatMap { entry in
      let rows = entry.rows / entry.gates
      return (0..<entry.gates).map { gate in
        Gate(
          entry: entry, first: entry.offset + gate * rows * entry.columns, rows: rows,
          columns: entry.columns)
      }
    }
  }

  /// Returns true for a matrix of a hidden layer.
  private static func isOrthogonal(_ entry: ParameterLayout.Entry) -> Bool {
    entry.kind == .matrix || entry.kind == .recurrent
  }

  public var moments: [(name: String, vector: ParameterVector)] {
    [("exp_avg", mean), ("exp_avg_sq", square)]
  }

  public func share(among ranks: Int, rank: Int) {
    (self.ranks, self.rank) = (ranks, rank)
    // The most work first, each to the rank with the least so far; the same on every rank.
    var work = [Int](repeating: 0, count: ranks)
    for index in gates.indices.sorted(by: { (gates[$0].work, $1) > (gates[$1].work, $0) }) {
      let least = work.indices.min { (work[$0], $0) < (work[$1], $1) }!
      gates[index].rank = least
      work[least] += gates[index].work
    }
    var place = 0
    for rank in 0..<ranks {
      for index in gates.indices where gates[index].rank == rank {
        gates[index].place = place
        place += gates[index].count
      }
    }
    if ranks > 1 { directions = Buffer(count: place) }
  }

  public var results: (numbers: Buffer<Real>, parts: [Range<Int>])? {
    guard ranks > 1, !gates.isEmpty else { return nil }
    var (parts, first): ([Range<Int>], Int) = ([], 0)
    for rank in 0..<ranks {
      let count = gates.reduce(0) { $0 + ($1.rank == rank ? $1.count : 0) }
      parts.append(first..<first + count)
      first += count
    }
    return (directions, parts)
  }

  public func update(
    _ weights: ParameterVector, gradient: ParameterVector, rate: Double, scale: Double
  ) {
    updates += 1
    let share = Real(1 - options.momentum), momentum = Real(options.momentum)
    weights.updateLearnt(gradient: gradient) { entry, numbers in
      let (w, g, m) = (weights.row(numbers), gradient.row(numbers), mean.row(numbers))
      if Muon.isOrthogonal(entry) {
        approach(m, g, Real(scale), share)
        w.scale(by: Real(1 - rate * entry.rateFactor * options.decoupledDecay(of: entry)))
      } else {
        let step = AdaptiveStep(
          rate: rate * options.adamWRate * entry.rateFactor, scale: scale,
          betas: options.adamW.betas, epsilon: options.adamW.epsilon, update: updates, penalty: 0,
          shrinkage: options.adamW.decoupledDecay(of: entry))
        adapt(w, g, m, square.row(numbers), step)
      }
    }
    for gate in gates where gate.rank == rank {
      let u = Matrix(directions, offset: gate.place, rows: gate.rows, columns: gate.columns)
      let numbers = gate.first..<gate.first + gate.count
      let direction = Row(directions, gate.place, gate.count)
      if options.nesterov {
        lookAhead(
          direction, gradient.row(numbers), mean.row(numbers), Real(scale), momentum)
      } else {
        direction.copy(mean.row(numbers))
      }
      newtonSchulz.orthogonalize(u, steps: options.steps)
      direction.scale(by: Real(-rate * gate.entry.rateFactor * size(of: gate)))
      if ranks == 1 { weights.update { $0.row(numbers).add(direction) } }
    }
  }

  public func finishUpdate(_ weights: ParameterVector) {
    weights.update { weights in
      for gate in gates {
        weights.row(gate.first..<gate.first + gate.count).add(
          Row(directions, gate.place, gate.count))
      }
    }
  }

  /// The factor s.
  private func size(of gate: Gate) -> Double {
    let (rows, columns) = (Double(gate.rows), Double(gate.columns))
    switch options.scale {
    case .original: return max(1, rows / columns).squareRoot()
    case .matchesAdamW: return 0.2 * max(rows, columns).squareRoot()
    }
  }
}

extension Row {
  fileprivate init(_ buffer: Buffer<Real>, _ first: Int, _ count: Int) {
    self.init(buffer.start + first, count: count)
  }
}

/// m ← m + q (s g − m)
@inline(never) private func approach(_ m: Row, _ g: Row, _ s: Real, _ q: Real) {
  for j in 0..<m.count { m[j] += q * (s * g[j] - m[j]) }
}

/// u ← s g + μ (m − s g)
@inline(never)
private func lookAhead(_ u: Row, _ g: Row, _ m: Row, _ s: Real, _ momentum: Real) {
  for j in 0..<u.count { u[j] = s * g[j] + momentum * (m[j] - s * g[j]) }
}
