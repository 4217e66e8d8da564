import Checkpointing
import Configuration
import Datasets
import Formats
import Foundation
import TestSupport
import Testing
import Training

@Suite struct `A store of checkpoints` {
  private func withStore(keep: Int = 3, _ body: (CheckpointStore, String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder + "/run/checkpoints", keep: keep)
      try store.prepare()
      try body(store, store.directory)
    }
  }

  @discardableResult
  private func save(_ store: CheckpointStore, _ step: Int, isBest: Bool = false) throws -> String {
    let saved = try store.save(state(step: step), files: files(step: step), isBest: isBest)
    #expect(saved.warnings.isEmpty)
    return saved.path
  }

  @Test func `a saved checkpoint is whole, named by latest, and opens`() throws {
    try withStore { store, folder in
      #expect(try store.resume() == nil)
      let path = try save(store, 1234)
      #expect(path == folder + "/step-00001234")
      #expect(try contents(folder) == ["latest", "step-00001234"])
      #expect(
        try contents(path) == [
          "hidden.safetensors", "model.safetensors", "optimizer.safetensors", "state.json",
          "vocabulary.json",
        ])
      #expect(
        try String(decoding: bytes(at: folder + "/latest"), as: UTF8.self) == "step-00001234\n")
      #expect(Checkpoint.verify(path).isEmpty)
      let resumption = try #require(try store.resume())
      #expect(resumption.warning == nil && resumption.checkpoint.path == path)
      let hidden = try resumption.checkpoint.tensors(of: "hidden.safetensors")
      #expect(try hidden.values(stateName, as: Float.self) == [1234, -1])
      #expect(try resumption.checkpoint.vocabulary() == Vocabulary(names: ["a", "b"]))
    }
  }

  @Test func `a user names the latest or the best checkpoint, and is told where there is none`()
    throws
  {
    try withStore { store, folder in
      let run = String(folder.dropLast("/checkpoints".count))
      try save(store, 3)
      #expect(throws: FileError.self) { try CheckpointStore.locate(run, best: true) }
      #expect(throws: FileError.self) { try CheckpointStore.locate(folder + "/best") }
      let best = try save(store, 5, isBest: true)
      let latest = try save(store, 9)
      for path in [run, run + "/", folder, folder + "/latest"] {
        #expect(try CheckpointStore.locate(path) == latest)
      }
      for path in [run, folder, folder + "/best"] {
        #expect(try CheckpointStore.locate(path, best: true) == best)
      }
      #expect(try CheckpointStore.locate(folder + "/best/") == best)
      for path in [best, folder + "/latest"] {
        #expect(throws: FileError.self) { try CheckpointStore.locate(path, best: true) }
      }
      try "step-00000004\n".write(toFile: folder + "/best", atomically: true, encoding: .utf8)
      let gone = #expect(throws: FileError.self) {
        try CheckpointStore.locate(run, best: true)
      }
      #expect(gone?.description.contains("names step-00000004, which is gone") == true)
      try "nonsense".write(toFile: folder + "/best", atomically: true, encoding: .utf8)
      let damaged = #expect(throws: FileError.self) {
        try CheckpointStore.locate(folder + "/best")
      }
      #expect(damaged?.description.contains("names no checkpoint") == true)
      let parent = #expect(throws: FileError.self) {
        try CheckpointStore.locate(String(run.dropLast("/run".count)))
      }
      #expect(parent?.description.contains("give one of them, such as \(run)") == true)
    }
  }

  @Test func `the last ones and the best are kept, in the order of numbers`() throws {
    try withStore(keep: 2) { store, folder in
      for step in [9_999_999, 99_999_999, 100_000_000, 100_000_001] {
        try save(store, step, isBest: step == 9_999_999)
      }
      #expect(
        try contents(folder) == [
          "best", "latest", "step-09999999", "step-100000000", "step-100000001",
        ])
      let list = try store.list()
      #expect(list.map(\.step) == [9_999_999, 100_000_000, 100_000_001])
      #expect(list.map(\.isBest) == [true, false, false])
      #expect(list.map(\.isLatest) == [false, false, true])
      #expect(list.allSatisfy { $0.isComplete && $0.size > 1200 && $0.time?.prefix(4) == "2026" })
      try save(store, 100_000_002, isBest: true)
      #expect(try store.list().map(\.step) == [100_000_001, 100_000_002])
      #expect(store.best == 100_000_002)
    }
  }

  @Test
  func `multiples of a number of steps are kept for ever, unless the run went back before them`()
    throws
  {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder + "/run/checkpoints", keep: 2, keepEvery: 10)
      try store.prepare()
      for step in [0, 5, 10, 15, 20, 25, 30, 35, 38] { try save(store, step) }
      #expect(try store.list().map(\.step) == [10, 20, 30, 35, 38])
      // Those of the course that was given up go as others do.
      for step in [12, 14, 16] { try save(store, step) }
      #expect(try store.list().map(\.step) == [10, 14, 16])
    }
  }

  @Test func `the best stays the best where a better one could not be saved`() throws {
    try withStore { store, _ in
      try save(store, 3, isBest: true)
      try save(store, 6)
      try store.setBest(5)
      #expect(store.best == 3)
      // The best of a course that was given up is none.
      try store.setBest(2)
      #expect(store.best == nil)
      try store.setBest(6)
      #expect(store.best == 6)
    }
  }

  @Test func `fewer than two are never kept`() throws {
    try withStore(keep: 0) { store, _ in
      for step in 1...4 { try save(store, step) }
      #expect(try store.list().map(\.step) == [3, 4])
    }
  }

  @Test func `a damaged one among the last does not push out a whole one`() throws {
    try withStore(keep: 2) { store, _ in
      try save(store, 1)
      let second = try save(store, 2)
      try FileManager.default.removeItem(atPath: second + "/model.safetensors")
      try save(store, 3)
      #expect(try store.list().map(\.step) == [1, 2, 3])
      #expect(try store.list().map(\.isComplete) == [true, false, true])
      try save(store, 4)
      #expect(try store.list().map(\.step) == [3, 4])
    }
  }

  @Test func `saving a step again replaces it`() throws {
    try withStore { store, folder in
      try save(store, 1)
      try save(store, 2)
      let path = try store.save(
        state(step: 2, numbers: 40), files: files(step: 2, numbers: 40)
      ).path
      #expect(try contents(path).count == 5)
      #expect(try bytes(at: path + "/model.safetensors").count < 1000)
      #expect(Checkpoint.verify(path).isEmpty)
      #expect(try contents(folder) == ["latest", "step-00000001", "step-00000002"])
    }
  }

  @Test func `after going back to an earlier step its checkpoints come first`() throws {
    try withStore(keep: 3) { store, folder in
      for step in [10, 20, 30] { try save(store, step) }
      try save(store, 15)
      // 30 is of the course that was given up: it stays only while there is room.
      #expect(try store.list().map(\.step) == [10, 15, 30])
      try put([0], at: folder + "/step-00000015/model.safetensors")
      let resumption = try #require(try store.resume())
      #expect(resumption.checkpoint.state.step == 10)
      try save(store, 16)
      try save(store, 17)
      #expect(try store.list().map(\.step) == [10, 15, 16, 17])
    }
  }

  @Test func `what a killed run left is cleared, and nothing else`() throws {
    try withStore { store, folder in
      try save(store, 1)
      let manager = FileManager.default
      try manager.createDirectory(
        atPath: folder + "/.tmp-step-00000002-0123/inner", withIntermediateDirectories: true)
      try put([1], at: folder + "/.tmp-step-00000002-0123/inner/model.safetensors")
      try put([1], at: folder + "/.tmp-latest-0123")
      try put([1], at: folder + "/notes.txt")
      try manager.createSymbolicLink(
        atPath: folder + "/.tmp-link", withDestinationPath: folder + "/step-00000001")
      // Killed between the two renames of a replacement.
      try manager.moveItem(
        atPath: folder + "/step-00000001", toPath: folder + "/.replaced-step-00000001")
      try store.prepare()
      #expect(try contents(folder) == ["latest", "notes.txt", "step-00000001"])
      #expect(Checkpoint.verify(folder + "/step-00000001").isEmpty)
    }
  }

  @Test func `where latest is of no use, the newest whole one is taken and said`() throws {
    try withStore { store, folder in
      for step in [1, 2, 3] { try save(store, step) }
      let pointer = folder + "/latest"
      for text in ["", "step-3\n", "step-00000003 \n", "../../etc\n", "step--0000001\n"] {
        try put(Array(text.utf8), at: pointer)
        let resumption = try #require(try store.resume())
        #expect(resumption.checkpoint.state.step == 3)
        #expect(
          resumption.warning
            == "\(folder)/latest is missing or names no checkpoint: resuming from "
            + "\(folder)/step-00000003, the newest whole one.")
      }
      try put(Array("step-00000009\n".utf8), at: pointer)
      #expect(try store.resume()?.warning?.contains("step-00000009, which is gone") == true)
      try put(Array("step-00000002\n".utf8), at: pointer)
      #expect(try store.resume()?.checkpoint.state.step == 2)
      #expect(try store.resume()?.warning == nil)
      try put([], at: folder + "/step-00000002/state.json")
      #expect(try store.resume()?.checkpoint.state.step == 1)
      #expect(try store.resume()?.warning?.contains("step-00000002 is damaged") == true)
      for step in [1, 3] { try put([], at: folder + "/step-0000000\(step)/model.safetensors") }
      let error = #expect(throws: FileError.self) { try store.resume() }
      #expect(error?.kind == .damaged && error?.description.contains(folder) == true)
    }
  }

  @Test func `a user may name a checkpoint, its folder, or the run`() throws {
    try withStore { store, folder in
      try save(store, 1)
      let path = try save(store, 2)
      let run = String(folder.dropLast("/checkpoints".count))
      for name in [path, path + "/", folder, run, run + "//"] {
        #expect(try CheckpointStore.locate(name) == path)
      }
      let nothing = #expect(throws: FileError.self) {
        try CheckpointStore.locate(run + "/no")
      }
      #expect(nothing?.kind == .missing)
      try FileManager.default.createDirectory(
        atPath: run + "/empty", withIntermediateDirectories: true)
      let empty = #expect(throws: FileError.self) {
        try CheckpointStore.locate(run + "/empty")
      }
      #expect(empty?.description.contains("holds no checkpoint") == true)
    }
  }

  @Test func `a changed byte at any place of any file is found`() throws {
    try withStore { store, _ in
      let path = try save(store, 7)
      for name in try contents(path) {
        let file = path + "/" + name
        let original = try bytes(at: file)
        for position in original.indices where position < 80 || position % 19 == 0 {
          // Any bit, and the bit that makes a small letter of a great one.
          for mask: UInt8 in [1 << (position % 8), 0x20] {
            var changed = original
            changed[position] ^= mask
            try put(changed, at: file)
            if Checkpoint.verify(path).isEmpty {
              Issue.record("byte \(position) of \(name), mask \(mask)")
            }
          }
        }
        for changed in [original.dropLast(), original + [0], []] {
          try put(Array(changed), at: file)
          #expect(!Checkpoint.verify(path).isEmpty, "\(name) with \(changed.count) bytes")
        }
        try FileManager.default.removeItem(atPath: file)
        #expect(!Checkpoint.verify(path).isEmpty, "\(name) deleted")
        try put(original, at: file)
        #expect(Checkpoint.verify(path).isEmpty)
      }
    }
  }
}
