import Checkpointing
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Training

@Suite struct `The state of a checkpoint` {
  @Test func `Doubles come back with the bits they had`() throws {
    var generator = SystemRandomNumberGenerator()
    var values = [
      0.1 + 0.2, -0.0, 0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude,
      .greatestFiniteMagnitude,
      .infinity, -.infinity, 1e22, 9_007_199_254_740_994, 1 / 3, 1.0, -1.0, 1e-5,
    ]
    while values.count < 20_000 {
      let value = Double(bitPattern: generator.next())
      if !value.isNaN { values.append(value) }
    }
    let nested = JSONValue.array(values.map { .number($0) })
    // Through JSON as the typed value, and as a value of unknown type inside another.
    let typed: [Double] = try JSONValue(encoding: values).decode()
    let plain: [Double] = try JSONValue(encoding: nested).decode()
    guard case .array(let elements) = try JSONValue(encoding: nested) else {
      Issue.record("no array")
      return
    }
    for results in [typed, plain, elements.map { $0.double ?? .nan }] {
      let wrong = zip(values, results).filter { $0.bitPattern != $1.bitPattern }
      #expect(wrong.isEmpty, "\(wrong.prefix(5))")
    }
    let nan: [Double] = try JSONValue(encoding: [Double.nan]).decode()
    #expect(nan[0].isNaN)
  }

  @Test func `every part comes back from a saved checkpoint`() throws {
    for bestLoss in [nil, 0.1 + 0.2, 1e300] {
      try withTemporaryFolder { folder in
        let store = CheckpointStore(folder)
        try store.prepare()
        let before = state(step: 12, bestLoss: bestLoss)
        _ = try store.save(before, files: files(step: 12))
        let after = try #require(try store.resume()).checkpoint.state
        #expect(after.files.map(\.name) == files(step: 12).map(\.name))
        #expect(after.seed == .max - 4 && after.random["optimizer"] == .integer(12))
        #expect(after.schedule["validationLoss"]?.double == 0.1 + 0.2)
        #expect(after.bestLoss == bestLoss)
        var same = before
        // The only part that saving fills in.
        #expect(same != after)
        same = try JSONValue(encoding: after).decode()
        #expect(same == after)
        #expect(after.streams == before.streams && after.configuration == before.configuration)
        #expect(after.hashes == before.hashes && after.time == before.time)
      }
    }
  }

  @Test func `a state of a newer format is refused with its number`() throws {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder)
      try store.prepare()
      let path = try store.save(state(step: 1), files: []).path
      let file = path + "/state.json"
      let text = String(decoding: try bytes(at: file), as: UTF8.self)
        .replacingOccurrences(of: "\"format\" : 1,", with: "\"format\" : 2,")
      try put(sealed(text), at: file)
      let problem = try #require(Checkpoint.verify(path).first)
      #expect(problem.description.contains("has format 2") && problem.exitCode == 65)
    }
  }

  @Test func `a state that names a file outside of its folder is refused`() throws {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder)
      try store.prepare()
      let path = try store.save(state(step: 1), files: files(step: 1)).path
      let file = path + "/state.json"
      let text = String(decoding: try bytes(at: file), as: UTF8.self)
        .replacingOccurrences(of: "vocabulary.json", with: "../vocabulary.json")
      try put(sealed(text), at: file)
      #expect(Checkpoint.verify(path).count == 1)
    }
  }
}
