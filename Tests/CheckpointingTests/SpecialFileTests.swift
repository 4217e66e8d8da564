import Checkpointing
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Training

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct `Pipes and devices in the place of files` {
  /// Runs a body with the path of a pipe and of a link to a device that never ends, in the place of a file.
  private func replace(_ path: String, _ body: () throws -> Void) throws {
    for device in [nil, "/dev/zero"] {
      unlink(path)
      if let device { symlink(device, path) } else { mkfifo(path, 0o666) }
      try body()
    }
    unlink(path)
  }

  @Test func `are no state, no tensors and no vocabulary of a checkpoint`() throws {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder)
      try store.prepare()
      for step in [1, 2] { _ = try store.save(state(step: step), files: files(step: step)) }
      let path = store.path(ofStep: 2)
      for name in ["state.json", "model.safetensors", "vocabulary.json"] {
        let original = try bytes(at: path + "/" + name)
        try replace(path + "/" + name) {
          let problems = Checkpoint.verify(path)
          #expect(problems.map(\.exitCode) == [65] && problems[0].description.contains(name))
          let resumed = try store.resume()
          #expect(resumed?.checkpoint.state.step == 1)
        }
        try put(original, at: path + "/" + name)
        #expect(Checkpoint.verify(path).isEmpty)
      }
      try replace(folder + "/latest") {
        #expect(store.latest == nil)
        let resumed = try store.resume()
        #expect(resumed?.checkpoint.state.step == 2)
      }
    }
  }

  @Test func `are no file of weights and no configuration`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file.yaml"
      try replace(path) {
        let weights = #expect(throws: FileError.self) { try SafetensorsFile(path) }
        #expect(weights?.exitCode == 65 && weights?.description.contains(path) == true)
        let configuration = #expect(throws: ConfigurationError.self) {
          try Configuration.load(files: [path])
        }
        #expect(configuration.map { "\($0)" }?.contains("is not a regular file") == true)
      }
    }
  }

  @Test func `a checkpoint lists every file that it needs, and every one that it has`() throws {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder)
      try store.prepare()
      let path = try store.save(state(step: 1), files: files(step: 1)).path
      let original = try bytes(at: path + "/state.json")
      var whole = try JSONDecoder().decode(JSONValue.self, from: Data(original))
      guard case .object(var members) = whole, case .array(let listed)? = members["files"] else {
        throw CancellationError()
      }
      members["crc32"] = nil
      for index in listed.indices {
        var others = listed
        others.remove(at: index)
        members["files"] = .array(others)
        whole = .object(members)
        try put(sealed(whole), at: path + "/state.json")
        guard case .string(let name)? = listed[index]["name"] else { throw CancellationError() }
        // With one byte changed, too.
        var content = try bytes(at: path + "/" + name)
        content[content.count - 1] ^= 1
        try put(content, at: path + "/" + name)
        let problems = Checkpoint.verify(path)
        #expect(problems.count == 1 && problems[0].description.contains("does not list \(name)"))
        #expect(throws: FileError.self) { try Checkpoint(verifying: path) }
        #expect(try store.list().map(\.isComplete) == [false])
        try FileManager.default.removeItem(atPath: path + "/" + name)
        #expect(Checkpoint.verify(path).count == 1)
        content[content.count - 1] ^= 1
        try put(content, at: path + "/" + name)
      }
      // One that such a checkpoint does not need is guarded as well where it is there.
      try put(original, at: path + "/state.json")
      #expect(Checkpoint.verify(path).isEmpty)
      try put([1], at: path + "/average.safetensors")
      #expect(Checkpoint.verify(path).count == 1)
    }
  }
}
