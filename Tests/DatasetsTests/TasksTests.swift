import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import Testing

func generated(
  _ task: any GeneratedTask, _ part: TaskPart = .train, count: Int = 200, seed: UInt64 = 1
) -> GeneratedExamples {
  TaskOptions(task, trainSize: count, validSize: count, testSize: count)
    .examples(part, seed: seed)!
}

func examples(_ set: GeneratedExamples, epoch: Int = 1) -> [Example] {
  (0..<set.count).map { set.example($0, epoch: epoch) }
}

private func decode(_ json: String) throws -> TaskOptions {
  try JSONDecoder().decode(TaskOptions.self, from: Data(json.utf8))
}

/// A task of each name, with options that are not the defaults.
private let others: [String: any GeneratedTask] = [
  "adding": Adding(length: 30, form: .hochreiter),
  "associative-recall": AssociativeRecall(alphabet: 21, length: 25, pairs: 2...6),
  "conditioned": ConditionedText(classes: 3),
  "spoken-digits": SpokenDigits(noise: 0.2),
  "copy": Copying(symbols: 3, delay: 7), "embedded-reber": EmbeddedReber(),
  "frames": LabelledFrames(classes: 3, width: 4, length: 5...9, noise: 0.1),
  "mackey-glass": MackeyGlass(tau: 30, length: 40, washout: 5, method: .euler),
  "modular-arithmetic": ModularArithmetic(modulus: 7, trainLength: 2...6, testLength: 9...13),
  "multiplication": Multiplication(length: 25), "narma": NARMA(length: 50, washout: 20),
  "parity": Parity(trainLength: 2...5, testLength: 9...12), "reber": Reber(),
  "selective-copy": SelectiveCopying(symbols: 3, alphabet: 5, length: 11),
  "temporal-order": TemporalOrder(form: .b),
  "tomita": Tomita(grammar: 5, trainLength: 3...8, testLength: 11...13),
  "word-problem": WordProblem(group: .a4xz5, trainLength: 3...5, testLength: 7...8),
]

@Suite struct `Generated tasks` {
  @Test(arguments: tasks.keys.sorted())
  func `A task's examples have the shape and the lengths that it says`(_ name: String) throws {
    for task in [try decode(#"{"task": "\#(name)"}"#).task, try #require(others[name])] {
      for part in TaskPart.allCases {
        let set = generated(task, part, count: 30)
        for (index, example) in examples(set, epoch: 3).enumerated() {
          let steps = example.steps
          #expect(task.lengths(part).contains(steps))
          #expect(set.steps(of: index, epoch: 3).steps == steps && steps <= set.longest.steps)
          #expect(example.inputs.count == (task.inputs.isEmpty ? 0 : steps))
          #expect(example.frames.count == set.shape.widths.features * steps)
          #expect(example.values.count == set.shape.widths.values * steps)
          #expect(example.condition.count == set.shape.widths.condition)
          #expect(example.inputs.allSatisfy { task.inputs.indices.contains(Int($0)) })
          let asked = example.targets.filter { $0 != Batch.noTarget }
          #expect(asked.allSatisfy { $0 >= 0 && $0 < max(task.outputs.count, 1) })
          #expect(example.targets.last != Batch.noTarget)
          #expect((asked.count == 1) == task.asksOnce)
          #expect((example.frames + example.values).allSatisfy { $0.isFinite })
        }
        #expect(set.shape.isEven == (task.lengths(part).count == 1))
      }
    }
  }

  @Test(arguments: tasks.keys.sorted())
  func `An example is a function of the seed, the part, the epoch and its index`(
    _ name: String
  ) throws {
    let task = try #require(others[name])
    let set = generated(task, count: 12)
    #expect(examples(set) == examples(generated(task, count: 12)))
    #expect(set.hash == generated(task, count: 12).hash)
    #expect(Set(examples(set).map { "\($0)" }).count > 4, "examples differ from each other")
    #expect(examples(set, epoch: 2) != examples(set))
    #expect(examples(generated(task, count: 12, seed: 2)) != examples(set))
    #expect(generated(task, count: 12, seed: 2).hash != set.hash)
    let (valid, test) = (generated(task, .valid, count: 12), generated(task, .test, count: 12))
    #expect(examples(valid) == examples(valid, epoch: 2))
    #expect(examples(valid) != examples(test) && examples(valid) != examples(set))
    #expect(set.isFresh && !valid.isFresh && valid.isGenerated)
  }

  @Test(arguments: tasks.keys.sorted())
  func `A task's options come back from what is written`(_ name: String) throws {
    let task = try #require(others[name])
    let options = TaskOptions(task, trainSize: 5, validSize: 0, testSize: 7)
    #expect(options.name == name && options.examples(.valid, seed: 1) == nil)
    let back = try JSONDecoder().decode(TaskOptions.self, from: JSONEncoder().encode(options))
    #expect(back == options)
    let fallback = try decode(#"{"task": "\#(name)"}"#)
    let hasOptions = !["reber", "embedded-reber"].contains(name)
    #expect(back != fallback)
    #expect(fallback.trainSize == 10_000 && fallback.validSize == 1_000)
    let sets = (
      generated(task, count: 5).hash, fallback.examples(.train, seed: 1)!.hash,
      TaskOptions(fallback.task, trainSize: 5).examples(.train, seed: 1)!.hash
    )
    #expect(sets.0 != sets.1 && (sets.0 != sets.2) == hasOptions)
  }

  @Test func `An impossible option is refused at its key`() {
    for (json, path, reason) in [
      (#"{"task": "reberr"}"#, "task", "did you mean \"reber\"?"),
      (#"{"task": "copy", "delay": 0}"#, "delay", "at least 1"),
      (#"{"task": "copy", "train_size": 0}"#, "train_size", "at least 1"),
      (#"{"task": "adding", "form": "hard"}"#, "form", "one of hochreiter, plain"),
      (#"{"task": "adding", "form": "hochreiter", "length": 21}"#, "length", "at least 22"),
      (#"{"task": "tomita", "grammar": 8}"#, "grammar", "at most 7"),
      (#"{"task": "parity", "test_length": [5, 3]}"#, "test_length", "such as [10, 20]"),
      (#"{"task": "modular-arithmetic", "train_length": [4, 4]}"#, "train_length", "an odd number"),
      (#"{"task": "associative-recall", "length": 31}"#, "length", "four times the pairs"),
      (#"{"task": "associative-recall", "alphabet": 15}"#, "alphabet", "twice the pairs"),
      (#"{"task": "selective-copy", "length": 15}"#, "length", "number of symbols (16)"),
      (#"{"task": "word-problem", "group": "s4"}"#, "group", "one of a4xz5, a5, z60"),
      (#"{"task": "narma", "length": 10, "washout": 10}"#, "washout", "at most 9"),
      (#"{"task": "frames", "noise": -1}"#, "noise", "from 0 on"),
    ] {
      do {
        _ = try decode(json)
        Issue.record("\(json) was taken")
      } catch DecodingError.dataCorrupted(let context) {
        #expect(context.codingPath.map(\.stringValue) == [path])
        #expect(context.debugDescription.contains(reason), "\(context.debugDescription)")
      } catch {
        Issue.record(error)
      }
    }
  }

  @Test(arguments: [("6a", 2), ("6b", 3)])
  func `The answer of temporal order names the order`(_ form: String, _ count: Int) throws {
    let task = TemporalOrder(form: try #require(.init(rawValue: form)))
    var seen: Set<Int32> = []
    for example in examples(generated(task)) {
      let order = example.inputs.filter { $0 == 2 || $0 == 3 }.map { task.inputs[Int($0)] }
      #expect(order.count == count && order.joined() == task.outputs[Int(example.targets.last!)])
      #expect(example.inputs.first == 0 && example.inputs.last == 1)
      #expect(example.inputs.count { $0 < 2 } == 2)
      seen.insert(example.targets.last!)
      let places = example.inputs.indices.filter { (2...3).contains(example.inputs[$0]) }
      let ranges = count == 2 ? [10...20, 50...60] : [10...20, 33...43, 66...76]
      #expect(zip(places, ranges).allSatisfy { $1.contains($0) })
    }
    #expect(seen.count == 1 << count)
  }

  @Test func `Copying says the symbols again after the pause`() {
    let task = Copying(symbols: 5, delay: 20)
    var letters: Set<Int32> = []
    for example in examples(generated(task)) {
      #expect(example.steps == 30 && example.targets.suffix(5) == example.inputs.prefix(5))
      #expect(example.targets.prefix(25).allSatisfy { $0 == 8 })
      #expect(example.inputs[24] == 9 && example.inputs.count { $0 == 9 } == 1)
      #expect(example.inputs.count { $0 == 8 } == 24)
      letters.formUnion(example.inputs.prefix(5))
    }
    #expect(letters == Set(0..<8))
  }
}
