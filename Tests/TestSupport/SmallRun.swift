package import Checkpointing
internal import Collectives
package import Configuration
package import Formats
internal import Foundation
internal import LinearAlgebra
internal import Logging
package import Runs

/// A run of a few steps on generated text.
package struct SmallRun {
  /// The folder that holds the text and the runs.
  package let home: String
  package let options: RunOptions

  /// - Parameters:
  ///   - model: the section `model`, in YAML on one line.
  ///   - training: further keys of the section `training`.
  package init(in home: String, model: String, training: String = "", steps: Int = 7) throws {
    self.home = home
    var state: UInt32 = 12_345
    let text = (0..<700).map { place -> Character in
      state = state &* 1_664_525 &+ 1_013_904_223
      return place % 29 == 28 ? "\n" : Character(Unicode.Scalar(UInt8(97 + state >> 24 % 7)))
    }
    try String(text).write(toFile: home + "/text.txt", atomically: true, encoding: .utf8)
    options = try Configuration(
      yaml: """
        data: {train: "\(home)/text.txt", valid: 0.2}
        model: \(model)
        training: {batch_size: 3, bptt: 5, steps: \(steps), \(training)}
        checkpoint: {every: 3}
        """, file: "test"
    ).decode(RunOptions.self)
  }

  package func open(_ name: String = "run", from file: String? = nil, resume: Resume = .auto) throws
    -> Runs.Run
  {
    let request = RunRequest(
      options, folder: RunFolder(home + "/" + name), resume: resume, initFrom: file)
    return try Runs.Run(
      request, world: SingleProcess(), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Trains to the end and returns the last checkpoint.
  package func train(_ name: String = "run") throws -> Checkpoint {
    _ = try open(name).train()
    return try latest(name)
  }

  package func latest(_ name: String) throws -> Checkpoint {
    try Checkpoint(verifying: CheckpointStore.locate(home + "/" + name))
  }

  /// Models that PyTorch's modules hold, one for each of their peculiarities.
  package static let exportable = [
    "{embedding: 4, layers: [{cell: lstm, hidden: 5, dropout: 0.2}, {cell: lstm, hidden: 5}]}",
    "{embedding: 4, layers: [{cell: lstm, hidden: 7, projection: 3}, {cell: gru, hidden: 5}]}",
    "{embedding: 4, layers: [{cell: gru, hidden: 5, biases: 1}], output_bias: false}",
    "{embedding: 6, layers: [{cell: elman, hidden: 6, nonlinearity: relu, biases: 1}], tied: true}",
    "{embedding: 4, layers: [{cell: elman, hidden: 4, residual: true}, {linear: 3}]}",
  ]
}

/// The bytes of every tensor by its name.
package func contents(of tensors: [Tensor]) -> [String: [UInt8]] {
  Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, Array($0.memory)) })
}
