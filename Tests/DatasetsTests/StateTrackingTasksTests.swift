import Datasets
import Sequences
import Testing

/// Tasks of tracking a state and of recall: their targets, found in another way.
@Suite struct `Tasks of states and of recall` {
  /// The permutation of a name such as `21345`.
  private func permutation(_ name: some StringProtocol) -> [Int] {
    name.compactMap { $0.wholeNumberValue }.map { $0 - 1 }
  }

  private func permuted(_ things: [Int], by images: [Int]) -> [Int] {
    images.map { things[$0] }
  }

  @Test func `A word of permutations moves five things as one permutation after the other`() {
    for part in [TaskPart.train, .test] {
      let task = WordProblem(trainLength: 3...9, testLength: 11...12)
      #expect(task.inputs.count == 60 && Set(task.inputs).count == 60)
      // Even permutations have an even number of cycles of even length.
      for name in task.inputs {
        let images = permutation(name)
        #expect(images.sorted() == [0, 1, 2, 3, 4])
        var (left, evenCycles) = (Set(0..<5), 0)
        while let start = left.first {
          var (place, length) = (start, 0)
          while left.remove(place) != nil { (place, length) = (images[place], length + 1) }
          if length % 2 == 0 { evenCycles += 1 }
        }
        #expect(evenCycles % 2 == 0, "\(name)")
      }
      let found = examples(generated(task, part, count: 400))
      for example in found {
        var things = [0, 1, 2, 3, 4]
        for (input, target) in zip(example.inputs, example.targets) {
          things = permuted(things, by: permutation(task.inputs[Int(input)]))
          #expect(things == permutation(task.outputs[Int(target)]))
        }
      }
      #expect(Set(found.flatMap(\.inputs)).count == 60)
      #expect(Set(found.map(\.steps)) == Set(part == .train ? 3...9 : 11...12))
    }
  }

  @Test func `Words of the other groups are sums, and permutations of four things with sums`() {
    let numbers = WordProblem(group: .z60)
    for example in examples(generated(numbers)) {
      var sum = 0
      for (input, target) in zip(example.inputs, example.targets) {
        sum += Int(input)
        #expect(Int(target) == sum % 60 && numbers.outputs[Int(target)] == "\(sum % 60)")
      }
    }
    let pairs = WordProblem(group: .a4xz5)
    #expect(Set(pairs.inputs).count == 60)
    for example in examples(generated(pairs)) {
      var (things, sum) = ([0, 1, 2, 3], 0)
      for (input, target) in zip(example.inputs, example.targets) {
        let read = pairs.inputs[Int(input)].split(separator: "+")
        things = permuted(things, by: permutation(read[0]))
        sum += Int(read[1])!
        let expected = pairs.outputs[Int(target)].split(separator: "+")
        #expect(things == permutation(expected[0]) && Int(expected[1]) == sum % 5)
      }
    }
  }

  /// The value of an expression, cut first at + and −, then at ×.
  private func value(_ symbols: ArraySlice<String>, modulo modulus: Int) -> Int {
    if let last = symbols.lastIndex(where: { $0 == "+" || $0 == "-" }) {
      let left = value(symbols[..<last], modulo: modulus)
      let right = value(symbols[(last + 1)...], modulo: modulus)
      return ((symbols[last] == "+" ? left + right : left - right) % modulus + modulus) % modulus
    }
    return symbols.filter { $0 != "×" }.reduce(1) { $0 * Int($1)! % modulus }
  }

  @Test(arguments: [5, 7])
  func `An expression has the value that its signs say, × first`(_ modulus: Int) {
    for part in [TaskPart.train, .test] {
      let task = ModularArithmetic(modulus: modulus, trainLength: 1...8, testLength: 20...31)
      let found = examples(generated(task, part, count: 500))
      for example in found {
        let symbols = example.inputs.map { task.inputs[Int($0)] }
        #expect(symbols.last == "=" && symbols.count { $0 == "=" } == 1)
        let answer = value(symbols.dropLast(), modulo: modulus)
        #expect(example.targets.last == Int32(answer))
        for (place, symbol) in symbols.dropLast().enumerated() {
          #expect((Int(symbol) != nil) == (place % 2 == 0))
        }
      }
      let lengths = part == .train ? [2, 4, 6, 8] : [22, 24, 26, 28, 30, 32]
      #expect(Set(found.map(\.steps)) == Set(lengths))
      #expect(Set(found.compactMap(\.targets.last)).count == modulus)
    }
  }

  @Test func `Every key of a pair is asked for once, and answered by the value it was read with`() {
    let task = AssociativeRecall()
    #expect(task.inputs.count == 256 && task.outputs == task.inputs)
    var (counts, places): (Set<Int>, Set<Int>) = ([], [])
    var early = 0
    for example in examples(generated(task, count: 500)) {
      let asked = example.targets.indices.filter { example.targets[$0] != Batch.noTarget }
      let count = asked.count
      counts.insert(count)
      var values: [Int32: Int32] = [:]
      for k in 0..<count { values[example.inputs[2 * k]] = example.inputs[2 * k + 1] }
      #expect(values.count == count && values.keys.allSatisfy { $0 < 128 })
      #expect(values.values.allSatisfy { (128..<256).contains($0) })
      for step in asked {
        #expect(step >= 2 * count && (63 - step) % 2 == 0)
        #expect(values.removeValue(forKey: example.inputs[step]) == example.targets[step])
      }
      #expect(values.isEmpty && asked.last == 63)
      places.formUnion(asked)
      early += asked.dropLast().count { $0 < 2 * count + 12 } - asked.dropLast().count { $0 >= 52 }
    }
    #expect(counts == Set(4...8) && places.count > 24)
    // Most questions come soon.
    #expect(early > 500)
  }

  @Test func `Selective copying says the letters again in their order`() {
    let task = SelectiveCopying(symbols: 5, alphabet: 7, length: 20)
    var places = [Int](repeating: 0, count: 20)
    for example in examples(generated(task, count: 1000)) {
      let letters = example.inputs.filter { $0 < 7 }
      #expect(example.steps == 25 && letters.count == 5)
      #expect(Array(example.targets.suffix(5)) == letters)
      #expect(example.targets.prefix(20).allSatisfy { $0 == Batch.noTarget })
      #expect(example.inputs.suffix(5).allSatisfy { task.inputs[Int($0)] == ":" })
      for step in 0..<20 {
        if example.inputs[step] < 7 {
          places[step] += 1
        } else {
          #expect(task.inputs[Int(example.inputs[step])] == "_")
        }
      }
    }
    // A quarter of 1000 each, with a deviation of 14.
    #expect(places.allSatisfy { (180...320).contains($0) }, "\(places)")
  }
}
