internal import Checkpointing
internal import Collectives
internal import Formats
internal import Inference
internal import LinearAlgebra
internal import Recurrence

// The tensors of `reducer.safetensors`: `NAME.PARAMETER` for those that all ranks share, and
// `NAME@RANK.PARAMETER` for those that each rank has of its own.
extension Trainer {
  /// The tensors that the exchange of gradients keeps, the same on every rank.
  var sharedStateTensors: [(name: String, vector: ParameterVector)] {
    reducer.stateTensors + (outer?.stateTensors ?? [])
  }

  /// The tensors of which each rank keeps its own.
  private var rankTensors: [RankTensor] {
    guard outer != nil else { return reducer.rankTensors }
    var own = [RankTensor("weights", weights, .mean)]
    own += optimizer.moments.map { RankTensor("moment_" + $0.name, $0.vector, .mean) }
    if let average { own.append(RankTensor("average", average.vector, .mean)) }
    return own
  }

  /// The number of vectors as long as the weights that the exchange of gradients has in a checkpoint.
  package var exchangeVectors: Int {
    sharedStateTensors.count + rankTensors.count * world.size
  }

  /// Returns the mean over ranks of a vector, if ranks train alone between outer steps; else the vector
  /// itself, which is the same on every rank. Collective.
  /// - Returns: A vector of its own on the root, whose tensors stay valid until they are written.
  func meanOfRanks(_ vector: ParameterVector) throws(CommunicationError) -> ParameterVector {
    guard let outer else { return vector }
    let mean = try outer.mean(of: vector)
    guard world.isRoot else { return mean }
    return mean.copy()
  }

  /// Gathers the tensors of all ranks on the root. Collective.
  func gatherRankTensors() throws(CommunicationError) -> [Tensor] {
    var tensors: [Tensor] = []
    for tensor in rankTensors {
      let parts = try world.gather(Array(UnsafeRawBufferPointer(tensor.vector.buffer.elements())))
      for (rank, part) in parts.enumerated() {
        let vector = ParameterVector(tensor.vector.layout)
        UnsafeMutableRawBufferPointer(vector.buffer.elements()).copyBytes(from: part)
        tensors += vector.tensors(prefix: "\(tensor.name)@\(rank).")
      }
    }
    return tensors
  }

  /// Reads the tensors that all ranks share.
  /// - Returns: False if the checkpoint has none of those that this run keeps: it then begins anew with
  ///   them.
  func loadStateTensors(from checkpoint: Checkpoint) throws -> Bool {
    let shared = sharedStateTensors
    guard checkpoint.state.files.contains(where: { $0.name == CheckpointFile.Name.reducer }),
      !(shared.isEmpty && rankTensors.isEmpty)
    else { return false }
    let file = try checkpoint.tensors(of: CheckpointFile.Name.reducer)
    let known = Set(file.tensors.map { String($0.name.prefix { $0 != "." && $0 != "@" }) })
    guard known == Set(shared.map(\.name) + rankTensors.map(\.name)) else { return false }
    let others = Set(file.tensors.map(\.name).filter { $0.prefix { $0 != "." }.contains("@") })
    try file.load(into: shared.map { ($0.name + ".", $0.vector) }, besides: others)
    return true
  }

  /// Gives each rank its tensors. On another number of ranks each gets the mean of those before, or an equal
  /// share of their sum, as the tensor's rule says. Collective; only the root passes the checkpoint.
  /// - Parameter exists: True if the checkpoint has the tensors.
  func scatterRankTensors(from checkpoint: Checkpoint?, exists: Bool) throws {
    guard exists else {
      outer?.begin(from: weights)
      return
    }
    for tensor in rankTensors {
      let vector = tensor.vector
      let before = try world.share(try world.unanimous { try ranks(of: tensor, in: checkpoint) })
      let isSame = before == world.size
      var parts: [[UInt8]] = []
      var sum = [Double](repeating: 0, count: world.isRoot && !isSame ? vector.buffer.count : 0)
      try world.unanimous {
        guard let checkpoint else { return }
        let file = try checkpoint.tensors(of: CheckpointFile.Name.reducer)
        for rank in 0..<before {
          let prefix = "\(tensor.name)@\(rank)."
          let others = Set(file.tensors.map(\.name).filter { !$0.hasPrefix(prefix) })
          try file.load(into: [(prefix, vector)], besides: others)
          if isSame {
            parts.append(Array(UnsafeRawBufferPointer(vector.buffer.elements())))
          } else {
            for (place, number) in vector.buffer.elements().enumerated() {
              sum[place] += Double(number)
            }
          }
        }
        if isSame { return }
        let count = Double(tensor.rule == .mean ? before : world.size)
        vector.update { vector in
          for place in sum.indices { vector.buffer.elements()[place] = Real(sum[place] / count) }
        }
      }
      if isSame {
        let own = try world.scatter(parts)
        vector.update {
          UnsafeMutableRawBufferPointer($0.buffer.elements()).copyBytes(from: own)
        }
      } else {
        try world.share(vector)
      }
    }
  }

  /// Returns the number of ranks that have left a tensor in a checkpoint.
  private func ranks(of tensor: RankTensor, in checkpoint: Checkpoint?) throws -> Int {
    guard let checkpoint else { return 0 }
    let file = try checkpoint.tensors(of: CheckpointFile.Name.reducer)
    let names = Set(file.tensors.map { String($0.name.prefix { $0 != "." }) })
    return names.count { $0.hasPrefix(tensor.name + "@") }
  }
}
