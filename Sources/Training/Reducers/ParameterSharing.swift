internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence

/// The division of the parameters among the ranks of a grid, with the vectors of this rank.
///
/// On a host with shared memory there is one copy of the weights, of their average and of each moment; each
/// rank writes its slice of them and reads all. Where the optimizer is sharded over hosts, only the weights are
/// complete on each; moments and averages are gathered where they are needed whole.
package final class ParameterSharing {
  let grid: RankGrid
  let owners: BlockOwners
  /// The gradients of the ranks of this host, by rank.
  let gradients: [Buffer<Real>]
  /// The gathering of new weights from the ranks of the column; empty where each updates the whole slice.
  private var gathers: [(count: Int, sum: any PendingSum)] = []
  /// The runs that each rank updates; made where vectors have to be gathered.
  private var runs: [[Range<Int>]] = []
  /// The packed copies of the weights on this host; nil without shared memory.
  private let packs: SharedPacks?
  /// The bytes that this rank has sent for the last update.
  private(set) var bytesSent = 0

  /// Returns the sharing that a run asks for; nil for ranks that each update all weights. Collective.
  /// - Returns: The sharing, and a note for the user on a choice that the program made.
  static func make(
    _ options: RunOptions, _ layout: ParameterLayout, _ stages: [GradientStage],
    _ world: any Communicator
  ) throws(CommunicationError) -> (ParameterSharing?, note: String?) {
    guard options.training.readout == nil else { return (nil, nil) }
    let moments = options.training.optimizer.makeOptimizer(for: ParameterLayout(Plan())).moments
    let (grid, note) = try RankGrid.make(
      options.exchange, layout,
      RankGrid.Vectors(moments: moments.count, hasAverage: options.training.isAveraged),
      in: world)
    return (grid.map { ParameterSharing($0, layout, stages) }, note)
  }

  private init(_ grid: RankGrid, _ layout: ParameterLayout, _ stages: [GradientStage]) {
    self.grid = grid
    let rows = grid.isSharded ? grid.column?.size ?? 1 : 1
    owners = BlockOwners(
      layout, stages, slices: grid.slices, index: grid.column == nil ? nil : grid.rowRank,
      rows: rows, row: grid.isSharded ? grid.column?.rank ?? 0 : 0,
      most: LayerwiseReducer.bucketBytes / MemoryLayout<Real>.stride)
    gradients = grid.makeGradients(layout)
    placed = grid.place(layout)
    packs = grid.makePacks(layout)
  }

  /// The layout of the vectors that lie in the memory of this host.
  let placed: ParameterLayout
  /// The memory of this rank's gradient.
  var gradient: Buffer<Real> { gradients[grid.rowRank] }

  /// Draws the first weights: one rank of each host for all.
  func initialize(_ weights: ParameterVector, seed: UInt64) throws(CommunicationError) {
    if grid.memory != nil, grid.rowRank == 0 { weights.buffer.useLargePages() }
    if grid.rowRank == 0 { weights.initialize(seed: seed) }
    try grid.barrier()
    prepare(weights)
    weights.sharedPacks = packs
  }

  /// The blocks that this rank updates.
  var slice: ParameterSlice { owners.slice }

  /// True if moments are spread over hosts.
  var isSharded: Bool { grid.isSharded }

  /// Prepares the gathering of updated weights.
  private func prepare(_ weights: ParameterVector) {
    weights.slice = slice
    guard isSharded, let column = grid.column else { return }
    let buckets = owners.stages.joined().joined() + owners.tableParts
    gathers = buckets.map { bucket in
      (
        bucket.numbers.count,
        column.makeSum(
          of: weights.buffer.elements(
            from: bucket.numbers.lowerBound, count: bucket.numbers.count),
          wire: .float32, parts: bucket.parts, .gather)
      )
    }
  }

  /// Gives every rank the weights that the others have updated. Collective.
  func publish() throws(CommunicationError) {
    bytesSent = 0
    for (count, sum) in gathers { try sum.start(count: count) }
    for (_, sum) in gathers {
      try sum.wait()
      bytesSent += sum.bytesSent
    }
    try finishChange()
  }

  /// Ends a change of the weights that all ranks have made together. Collective.
  func finishChange() throws(CommunicationError) {
    packs?.weightsChanged()
    try grid.barrier()
  }

  /// Completes a vector of which each rank has its slice, on every rank. Collective.
  func complete(_ vector: ParameterVector) throws(CommunicationError) {
    vector.nonzero = nil
    try gather(vector) { vector }
    try grid.barrier()
  }

  /// Gathers a vector of which each rank has its slice, on the root. Collective.
  /// - Returns: A vector of its own on the root, an empty one elsewhere.
  func gathered(_ vector: ParameterVector) throws(CommunicationError) -> ParameterVector? {
    let whole = grid.world.isRoot ? ParameterVector(vector.layout) : nil
    try gather(vector) { whole }
    return whole
  }

  private func gather(
    _ vector: ParameterVector, into target: () -> ParameterVector?
  ) throws(CommunicationError) {
    let world = grid.world
    if runs.isEmpty {
      let own = slice.runs.flatMap { [Int64($0.numbers.lowerBound), Int64($0.numbers.upperBound)] }
      runs = try world.allGather(own.withUnsafeBytes { Array($0) }).map { bytes in
        let bounds = bytes.withUnsafeBytes { memory in
          stride(from: 0, to: memory.count, by: 8).map {
            Int(memory.loadUnaligned(fromByteOffset: $0, as: Int64.self))
          }
        }
        return stride(from: 0, to: bounds.count, by: 2).map { bounds[$0]..<bounds[$0 + 1] }
      }
    }
    let whole = target()
    for (rank, ranges) in runs.enumerated() {
      var own: [UInt8] = []
      if rank == world.rank {
        for range in ranges {
          own += UnsafeRawBufferPointer(
            vector.buffer.elements(from: range.lowerBound, count: range.count))
        }
      }
      let bytes = try world.broadcast(own, from: rank)
      guard let whole, rank != world.rank || whole !== vector else { continue }
      bytes.withUnsafeBytes { bytes in
        var first = 0
        for range in ranges {
          let part = UnsafeMutableRawBufferPointer(
            whole.buffer.elements(from: range.lowerBound, count: range.count))
          part.copyMemory(from: .init(rebasing: bytes[first..<first + part.count]))
          first += part.count
        }
      }
    }
  }

  /// Copies this rank's slice of a vector that the root has whole. Collective.
  /// - Parameter source: The whole vector on the root, nil elsewhere.
  func scatter(
    _ source: ParameterVector?, into vector: ParameterVector
  ) throws(CommunicationError) {
    let piece = 1 << 22
    let world = grid.world
    for first in stride(from: 0, to: vector.buffer.count, by: piece) {
      let range = first..<min(first + piece, vector.buffer.count)
      let own = source.map {
        Array(
          UnsafeRawBufferPointer(
            $0.buffer.elements(from: range.lowerBound, count: range.count)))
      }
      let bytes = try world.broadcast(own ?? [])
      vector.update { vector in
        bytes.withUnsafeBytes { bytes in
          for run in slice.runs {
            let part = run.numbers.clamped(to: range)
            if part.isEmpty { continue }
            let width = MemoryLayout<Real>.stride
            let from = (part.lowerBound - first) * width
            UnsafeMutableRawBufferPointer(
              vector.buffer.elements(from: part.lowerBound, count: part.count)
            ).copyMemory(from: .init(rebasing: bytes[from..<from + part.count * width]))
          }
        }
      }
    }
  }
}

extension ParameterSharing {
  /// Returns the numbers of all parameters, of which each rank has those of its slice, on the root; elsewhere its
  /// own. Collective.
  func gathered(_ sample: ParameterSample) throws(CommunicationError) -> ParameterSample {
    // Each host has the whole vector, unless hosts divide the moments among them.
    let isCopy = !grid.isSharded && (grid.column?.rank ?? 0) > 0
    let all = try grid.world.gather(isCopy ? [] : sample.bytes, at: 0)
    var whole = sample
    for (rank, bytes) in all.enumerated() where rank != grid.world.rank && !bytes.isEmpty {
      whole.add(bytes)
    }
    return whole
  }
}

extension ParameterSample {
  /// The numbers as bytes, each parameter's after their count.
  fileprivate var bytes: [UInt8] {
    numbers.flatMap { numbers in
      withUnsafeBytes(of: Int32(numbers.count)) { Array($0) }
        + numbers.withUnsafeBytes { Array($0) }
    }
  }

  /// Adds the numbers of another rank.
  fileprivate mutating func add(_ bytes: [UInt8]) {
    var offset = 0
    bytes.withUnsafeBytes { bytes in
      for entry in numbers.indices {
        let count = Int(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        offset += MemoryLayout<Int32>.stride
        for _ in 0..<count {
          numbers[entry].append(bytes.loadUnaligned(fromByteOffset: offset, as: Real.self))
          offset += MemoryLayout<Real>.stride
        }
      }
    }
  }
}
