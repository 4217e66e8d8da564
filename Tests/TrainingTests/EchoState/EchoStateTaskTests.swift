import Configuration
import Datasets
import Formats
import Foundation
import Inference
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import Testing
import Training

/// The results of echo state networks on the tasks they are known for.
@Suite(.serialized) struct `Echo state networks` {
  /// The configuration of a folder of the checkout, as a user would run it.
  static func configuration(_ name: String) throws -> String {
    try String(
      contentsOf: packageRoot.appending(path: "configs/\(name).yaml"), encoding: .utf8)
  }

  /// The root of the squared error over that of always saying the mean.
  private func normalizedError(_ yaml: String, seed: Int) throws -> Double {
    let fitted = try Reservoir(yaml, seed: seed)
    let example = fitted.examples(.valid, seed: UInt64(seed))[0]
    let outputs = fitted.outputs(example)
    let asked = example.targets.indices.filter { example.targets[$0] >= 0 }
    return Measures.nrmse(
      asked.map { Float(outputs[$0][0]) }, truth: asked.map { example.values[$0] }
    ).value
  }

  @Test func `learn NARMA-10 better than any linear map of the last 50 inputs`() throws {
    let yaml = try Self.configuration("narma")
    let errors = try (1...10).map { try normalizedError(yaml, seed: $0) }
    let line = yaml.replacing(
      /- \{cell: echo-state[^}]*\}/,
      with: "- {cell: dense, hidden: 60, nonlinearity: identity, taps: 50}")
    let linear = try (1...10).map { try normalizedError(line, seed: $0) }
    print("NARMA-10:", errors, mean(errors), "linear:", mean(linear))
    #expect(mean(errors) < 0.25)
    #expect(errors.allSatisfy { $0 < 0.35 })
    #expect(abs(mean(linear) - 0.39) < 0.04)
  }

  @Test func `go on with the Mackey-Glass series for 84 steps on their own`() throws {
    // The free runs need less of each series than a validation would read.
    let yaml = try Self.configuration("mackey-glass").replacing(
      "valid_size: 50", with: "valid_size: 0")
    let series = TaskOptions(MackeyGlass(length: 1_100, shift: -1), validSize: 50)
    let errors = try (1...10).map { seed in
      let fitted = try Reservoir(yaml, seed: seed)
      let set = try #require(series.examples(.valid, seed: UInt64(seed)))
      let runs = (0..<set.count).map { set.example($0, epoch: 1) }
      let model = try #require(fitted.trainer.model as? SequenceModel)
      let free = SeriesGenerator(model, weights: fitted.trainer.weights, streams: runs.count)
      for t in 0..<1_000 { free.read(runs.map { $0.frames[t] }) }
      for _ in 0..<83 { _ = free.next() }
      let last = free.next()
      let all = runs.flatMap { $0.frames.map { Double($0) } }
      let errors = zip(last, runs).map { predicted, run in
        let distance = Double(predicted) - Double(run.frames[1_083])
        return distance * distance
      }
      // By the deviation of the whole series, not of the steps that are asked for.
      return (mean(errors) / variance(all)).squareRoot()
    }
    print("Mackey-Glass:", errors, median(errors))
    #expect(errors.allSatisfy { $0 < 1e-3 })
    #expect(median(errors) < 3e-4)
  }

  @Test func `tell the class of a trajectory at its end`() throws {
    let yaml = try Self.configuration("frames-echo")
    let right = try (1...3).map { seed in
      let fitted = try Reservoir(yaml, seed: seed)
      let examples = fitted.examples(.valid, seed: UInt64(seed))
      let hits = examples.filter { example in
        let last = fitted.outputs(example).last!
        return last.indices.max { last[$0] < last[$1] } == Int(example.targets.last!)
      }
      return Double(hits.count) / Double(examples.count)
    }
    print("Frames:", right)
    #expect(right.allSatisfy { $0 >= 0.99 })
  }
}
