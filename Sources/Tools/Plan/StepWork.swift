internal import Configuration
internal import Foundation
internal import LinearAlgebra
internal import Optimization
internal import Recurrence

/// The work of one rank in some part of a step.
struct Work: Equatable {
  /// Multiplications and additions of products, by the speed that they run at.
  var output = 0.0
  var input = 0.0
  /// Those of the recurrent products inside the loops over time.
  var recurrent: [Loop] = []
  /// Numbers that are computed one by one.
  var elementwise = 0.0
  /// Bytes that pass from and to memory.
  var bytes = 0.0

  /// A loop over time that reads the same weights at every step.
  struct Loop: Equatable {
    var operations: Double
    /// The bytes of weights that a time step reads; 0 for a product over the whole window.
    var weights = 0.0
    var steps = 0.0
  }

  mutating func add(_ other: Work) {
    output += other.output
    input += other.input
    recurrent += other.recurrent
    elementwise += other.elementwise
    bytes += other.bytes
  }
}

/// The work of a training step of one rank, in the order in which a rank does it, and the numbers of the
/// gradient that are final after each part. Forward and backward pass are those of one micro-batch.
struct StepWork {
  /// A part of the backward pass.
  struct Part: Equatable {
    var name: String
    var work: Work
    /// The lengths of the ranges of the gradient that are final after it.
    var ranges: [Int] = []
  }

  let layout: ParameterLayout
  /// The targets of a step.
  let tokens: Int
  /// The number of micro-batches, one after another.
  let passes: Int
  let forward: Work
  let backward: [Part]
  /// Clearing the gradient, its norm, and the update.
  var update: Work { update(share: 1) }
  /// The numbers of the gradient that a window can change.
  private let changing: Double
  /// The moments of the optimizer and the average, in vectors.
  let vectors: Int
  /// The operations of a rank's part of the products of an update, as of Muon.
  private let orthogonalization: Double
  /// The bytes of weights that the recurrent products of a time step read.
  let recurrentBytes: Double
  /// The expected number of distinct symbols of a micro-batch, if they are looked up.
  let distinct: Double
  private let vocabulary: Int

  /// - Parameters:
  ///   - options: The options of the run.
  ///   - streams: The streams of one rank.
  ///   - ranks: The ranks that share out the products of an update.
  init(_ options: RunOptions, vocabulary: Int, streams: Int, ranks: Int) {
    let model = Self.model(options, vocabulary)
    let layout = ParameterLayout(model.plan)
    self.layout = layout
    self.vocabulary = vocabulary
    let training = options.training
    tokens = streams * training.bptt
    passes = max(min(training.accumulate, streams), 1)
    let share = Double(streams) / Double(passes)
    let rows = share * Double(training.bptt)
    let looksUp = options.model.sequence?.embedding != nil
    distinct = looksUp ? Self.distinct(of: vocabulary, in: rows) : rows
    var counter = WorkCounter(
      layout: layout, rows: rows, steps: Double(training.bptt),
      bytes: training.precision == .bfloat16 ? 2 : 4)
    // The lowest layer over time reads each distinct symbol once; a one-hot row costs no product.
    counter.rowsOfLowest = looksUp ? distinct : 0
    counter.numbers = Dictionary(
      model.plan.numbersPerToken(resets: true).map { ($0.layer, $0.values + $0.derivatives) },
      uniquingKeysWith: +)
    counter.stateMultiplyAdds = model.plan.stateMultiplyAdds
    counter.count(model.gradientStages)
    forward = counter.forward
    backward = counter.backward
    recurrentBytes = counter.recurrentBytes
    let moments = training.optimizer.makeOptimizer(for: ParameterLayout(Plan())).moments.count
    let averages = training.isAveraged ? 1 : 0
    vectors = moments + averages
    orthogonalization =
      2 * training.optimizer.options.multiplyAddsPerUpdate(of: layout) / Double(ranks)
    // Rows of an embedding that no stream has read are skipped.
    let touched = looksUp ? Self.distinct(of: vocabulary, in: Double(tokens)) : 0
    let sparse = layout.entries.reduce(0.0) {
      $0 + ($1.isRowSparse ? min(touched, Double($1.rows)) * Double($1.columns) : 0)
    }
    changing = Double(layout.dense.count) + sparse
  }

  /// Returns the work of clearing the whole gradient, and of the norm and the update of a share of the weights.
  func update(share: Double) -> Work {
    // Read for the norm; read again with the weights, which are written; each moment and average is read
    // and written.
    Work(
      input: orthogonalization, bytes: 4 * changing * (1 + share * Double(4 + 2 * vectors)))
  }

  /// The work of all forward and backward passes.
  var differentiation: Work {
    var result = Work()
    for _ in 0..<passes { result.add(differentiationOfOnePass) }
    return result
  }

  /// The work of the forward and backward pass of one micro-batch.
  var differentiationOfOnePass: Work {
    var result = forward
    for part in backward { result.add(part.work) }
    return result
  }

  /// Makes the model without its numbers.
  static func model(_ options: RunOptions, _ vocabulary: Int) -> SequenceModel {
    guard let sequence = options.model.sequence else {
      preconditionFailure("a plan for a model of trees")
    }
    return SequenceModel(sequence, vocabulary: vocabulary, seed: options.seed)
  }

  /// The numbers that a rank sums over all ranks, and the part of them that are rows of embeddings.
  /// - Parameter ranks: The world size; every rank touches rows of its own.
  func gradient(ranks: Int) -> (dense: Int, rows: Int, counters: Int) {
    let sparse = layout.entries.filter(\.isRowSparse)
    guard !sparse.isEmpty else { return (layout.dense.count, 0, 0) }
    let touched = Self.distinct(of: vocabulary, in: Double(tokens * ranks))
    let all = sparse.reduce(0) { $0 + $1.count }
    let some = sparse.reduce(0.0) { $0 + min(touched, Double($1.rows)) * Double($1.columns) }
    let counted = sparse.reduce(0) { $0 + $1.rows }
    let width = Int.bitWidth - ranks.leadingZeroBitCount
    return (
      layout.dense.count, 2 * some <= Double(all) ? Int(some) : all,
      (counted + 31 / width - 1) / (31 / width)
    )
  }

  /// Returns the expected number of distinct symbols among some that follow Zipf's law with exponent 1, as
  /// `GeneratedText` samples them: Σₖ 1 − (1 − pₖ)ⁿ.
  static func distinct(of vocabulary: Int, in count: Double) -> Double {
    let total = (1...vocabulary).reduce(0.0) { $0 + 1 / Double($1) }
    return (1...vocabulary).reduce(0.0) { sum, rank in
      sum - expm1(count * log1p(-1 / (Double(rank) * total)))
    }
  }
}

/// Counts the work of a model's stages.
private struct WorkCounter {
  let layout: ParameterLayout
  let rows: Double
  let steps: Double
  /// The bytes of a number in packed weights.
  let bytes: Double
  var rowsOfLowest = 0.0
  var numbers: [String: Int] = [:]
  /// The multiplications and additions of a step of a stream with a layer's state.
  var stateMultiplyAdds: [String: Int] = [:]

  private(set) var forward = Work()
  private(set) var backward: [StepWork.Part] = []
  private(set) var recurrentBytes = 0.0
  /// True if the output layer shares the matrix of the embedding, which is the last stage.
  private var isTied = false

  init(layout: ParameterLayout, rows: Double, steps: Double, bytes: Double) {
    (self.layout, self.rows, self.steps, self.bytes) = (layout, rows, steps, bytes)
  }

  /// Counts every stage from the head to the lowest layer.
  mutating func count(_ stages: [GradientStage]) {
    let layers = stages.map { stage in
      stage.parts.map { part in part.map { layout[$0] } }
    }
    let lowest = layers.lastIndex { parts in
      parts.count > 1 && parts[1].contains { !$0.isVector && !$0.isRowSparse }
    }
    for (index, parts) in layers.enumerated() {
      if index == 0 {
        countHead(parts.joined().map(\.self), tied: layers.last?.joined().map(\.self) ?? [])
      } else if parts.count > 1 {
        countLayer(parts, inputRows: index == lowest ? rowsOfLowest : rows)
      } else {
        countOther(parts[0], isLast: index == layers.count - 1)
      }
    }
  }

  /// The output layer: logits, and the gradients of its input and of its weights. A matrix that it shares
  /// with the embedding is final with the embedding.
  private mutating func countHead(_ entries: [Entry], tied: [Entry]) {
    var matrices = products(of: entries)
    if matrices == 0 {
      matrices = products(of: tied)
      isTied = true
    }
    let operations = 2 * rows * matrices
    forward.output += operations
    backward.append(
      .init(name: "output layer", work: Work(output: 2 * operations), ranges: lengths(entries)))
  }

  /// A layer over time: its recurrent weights are final first, then those of its input.
  private mutating func countLayer(_ parts: [[Entry]], inputRows: Double) {
    let (own, input, rest) = (parts[0], parts[1], Array(parts.dropFirst(2).joined()))
    let name = (own + input).first?.layer ?? "layer"
    let matrices = products(of: own)
    let weights = bytes * matrices
    recurrentBytes += weights
    let loop = Work.Loop(operations: 2 * rows * matrices, weights: weights, steps: steps)
    let window = Work.Loop(operations: 2 * rows * matrices)
    let elementwise = Double(numbers[name] ?? 0) * rows / 2
    forward.recurrent.append(loop)
    forward.elementwise += elementwise
    let loops = [loop, window] + productsWithState(of: parts.joined())
    backward.append(
      .init(
        name: name + " recurrent", work: Work(recurrent: loops, elementwise: elementwise),
        ranges: lengths(own)))
    let products = 2 * inputRows * products(of: input)
    forward.input += products
    backward.append(
      .init(name: name + " input", work: Work(input: products), ranges: lengths(input)))
    backward.append(
      .init(name: name + " below", work: Work(input: products), ranges: lengths(rest)))
  }

  /// A layer without recurrent weights, such as an embedding, a linear layer, or one whose state is a matrix.
  private mutating func countOther(_ entries: [Entry], isLast: Bool) {
    let name = entries.first?.layer ?? "layer"
    // The products with a shared matrix are those of the head.
    let operations = isTied && isLast ? 0 : 2 * rows * products(of: entries)
    let elementwise = Double(numbers[name] ?? 0) * rows / 2
    forward.input += operations
    forward.elementwise += elementwise
    backward.append(
      .init(
        name: name,
        work: Work(
          input: 2 * operations, recurrent: productsWithState(of: entries), elementwise: elementwise
        ),
        ranges: lengths(entries.filter { !$0.isRowSparse })))
  }

  /// Counts the products of activations with the states of some parameters' layers in the forward pass.
  /// - Returns: Those of the backward pass, two for one.
  private mutating func productsWithState(of entries: some Sequence<Entry>) -> [Work.Loop] {
    let number = Set(entries.map(\.layer)).reduce(0) {
      $0 + (stateMultiplyAdds.removeValue(forKey: $1) ?? 0)
    }
    guard number > 0 else { return [] }
    let loop = Work.Loop(operations: 2 * rows * Double(number))
    forward.recurrent.append(loop)
    return [loop, loop]
  }

  private typealias Entry = ParameterLayout.Entry

  /// The numbers of matrices that products read, those that few rows need by the share of the rows.
  private func products(of entries: [Entry]) -> Double {
    entries.reduce(0) { $0 + ($1.isVector ? 0 : Double($1.count) * $1.products.training) }
  }

  /// The lengths of ranges that lie side by side in memory.
  private func lengths(_ entries: [Entry]) -> [Int] {
    let line = 64 / MemoryLayout<Real>.stride
    var result: [Int] = []
    var end = -1
    for entry in entries.sorted(by: { $0.offset < $1.offset }) where !entry.isRowSparse {
      let length = (entry.count + line - 1) / line * line
      if entry.offset == end { result[result.count - 1] += length } else { result.append(length) }
      end = entry.offset + length
    }
    return result
  }
}
