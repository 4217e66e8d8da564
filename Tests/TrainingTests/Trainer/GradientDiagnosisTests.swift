import Collectives
import Configuration
import Formats
import Foundation
import Reporting
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `The diagnosis of gradients` {
    static let trials: [(String, Trial)] = [
      ("dropout", Trial()),
      ("documents", Trial("data.document=line", "model.layers.1={cell: elman, hidden: 6}")),
      ("many symbols", .manySymbols),
      (
        "sequences",
        Trial(
          "data={task: adding, length: 22, form: hochreiter, train_size: 40, valid_size: 8, "
            + "test_size: 8}", "model.embedding=null", "model.dropout=0")
      ),
      ("pairs", `Runs over sequences`.trials["pairs"]!.with("training.batch_size=4")),
    ]

    @Test(arguments: World.all, trials.map(\.0))
    func `changes nothing of a run`(_ world: World, _ name: String) throws {
      let trial = Self.trials.first { $0.0 == name }!.1
      let results = try world.run { world, folder in
        try trial.train(world, folder, run: "plain")
        try trial.train(world, folder, run: "seen", diagnosingEvery: 5)
        var found = try Kept(folder, run: "seen").differences(Kept(folder, run: "plain"))
        let (plain, seen) = try (Metrics(folder, run: "plain"), Metrics(folder, run: "seen"))
        if seen.withoutTimes.filter({ $0["diagnosis"] == nil }) != plain.withoutTimes {
          found.append("metrics")
        }
        if seen.steps("diagnosis") != [1, 5, 10, 15, 20] { found.append("steps") }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.several, trials.map(\.0))
    func `finds the same on any number of ranks`(_ world: World, _ name: String) throws {
      // Three ranks of three streams, one of which is alone where there are two.
      let trial = Self.trials.first { $0.0 == name }!.1.with(
        "training.batch_size=4", "training.steps=10")
      let results = try world.run { world, folder in
        try trial.train(world, folder, run: "together", diagnosingEvery: 5)
        let alone = "alone \(world.rank)"
        try trial.train(SingleProcess(), folder, run: alone, diagnosingEvery: 5)
        let histories = try ["together", alone].map { try GradientHistory(folder + "/" + $0) }
        try world.barrier()
        var found: [Double] = []
        for (one, other) in zip(histories[0].reports, histories[1].reports) {
          for (a, b) in zip(one.layers, other.layers) {
            let radii: [[Double]] = [a, b].map { $0.spectralRadius.map { [$0] } ?? [] }
            let isSame = a.layer == b.layer && a.gates == b.gates
            found.append(divergence(a.lags ?? [], b.lags ?? []))
            found.append(divergence([a.gradientNorm], [b.gradientNorm]))
            found.append(divergence(radii[0], radii[1]))
            found.append(isSame ? 0 : 1)
          }
        }
        if found.count < 36 { found.append(.infinity) }
        return found
      }
      for found in results { #expect(found.allSatisfy { $0 < 1e-3 }, "\(found)") }
    }

    @Test(arguments: [World.all[0]])
    func `says what each layer is`(_ world: World) throws {
      let results = try world.run { world, folder in
        try Trial("training.steps=1").train(world, folder, diagnosingEvery: 7)
        try world.barrier()
        return try GradientHistory(folder + "/run").reports
      }
      for reports in results {
        try #require(reports.count == 1)
        let layers = reports[0].layers
        #expect(layers.map(\.layer) == ["embedding", "layer 0", "layer 1", "output"])
        #expect(layers.allSatisfy { $0.gradientNorm > 0 })
        #expect(layers.map { $0.lags?.count } == [nil, 5, 5, nil])
        #expect(
          layers.map { $0.gates?.keys.sorted() } == [nil, ["f", "i", "o"], ["r", "z"], nil])
        #expect(layers.map { $0.spectralRadius != nil } == [false, true, true, false])
      }
    }

    @Test(arguments: World.all)
    func `looks at the layers of an encoder along what it reads`(_ world: World) throws {
      var trial = `Runs over sequences`.trials["pairs"]!.with(
        "training.steps=1", "model.attention=none", "model.context=initial_state",
        "model.encoder.layers=[{cell: lstm, hidden: 7}]", "model.dropout=0")
      // Longer than what is said of it.
      for name in ["source.txt", "source-valid.txt"] {
        let lines = trial.texts[name]!.split(separator: "\n")
        trial.texts[name] = lines.map { $0 + $0 + "\n" }.joined()
      }
      let results = try world.run { [trial] world, folder in
        try trial.train(world, folder, diagnosingEvery: 1)
        try world.barrier()
        return try GradientHistory(folder + "/run").reports[0].layers
      }
      for layers in results {
        let encoder = try #require(layers.first { $0.layer == "source layer 0" })
        #expect(encoder.gates?.keys.sorted() == ["f", "i", "o"] && encoder.spectralRadius != nil)
        // What is read has up to 18 letters and an end. Its last state is the decoder's first, through
        // which all that it read acts.
        let lags = try #require(encoder.lags)
        let decoder = try #require(layers.first { $0.layer == "layer 0" }?.lags)
        #expect(lags.count == 2 * decoder.count - 1 && lags.allSatisfy { $0 > 0 })
        #expect(lags[0] > lags.last!)
      }
    }

    @Test(arguments: World.all)
    func `has norms of layers that make up the norm of the whole`(_ world: World) throws {
      let results = try world.run { world, folder in
        try Trial().train(world, folder, diagnosingEvery: 1)
        try world.barrier()
        let whole = try Metrics(folder).values("gradient_norm")
        let parts = try GradientHistory(folder + "/run").reports.map { report in
          report.layers.reduce(0) { $0 + $1.gradientNorm * $1.gradientNorm }.squareRoot()
        }
        return divergence(whole, parts)
      }
      for found in results { #expect(found < 1e-6) }
    }

    @Test(arguments: [World.all[0]])
    func `goes on in a resumed run as if it had not stopped`(_ world: World) throws {
      let results = try world.run { world, folder in
        try Trial().train(world, folder, run: "whole", diagnosingEvery: 4)
        try Trial().train(world, folder, run: "cut", stop: 9, diagnosingEvery: 4)
        try Trial().train(world, folder, run: "cut", diagnosingEvery: 4)
        try world.barrier()
        return try GradientHistory(folder + "/whole").reports
          == GradientHistory(folder + "/cut").reports
      }
      for same in results { #expect(same) }
    }

    @Test(arguments: [World.all[0]])
    func `refuses windows that are kept in parts`(_ world: World) throws {
      let results = try world.run { world, folder in
        do {
          try Trial("training.recompute=sqrt").train(world, folder, diagnosingEvery: 1)
          return "nothing"
        } catch { return "\(error)" }
      }
      #expect(results.contains { $0.contains("set training.recompute to none") })
    }
  }
}
