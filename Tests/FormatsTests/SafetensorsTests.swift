import Formats
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite struct `Safetensors files` {
  /// The tensors that safetensors_check.py compares, in another order than they are written in.
  static var reference: [Tensor] {
    [
      Tensor("bytes", shape: [3], copying: [0, 1, 255] as [UInt8]),
      Tensor("rnn.weight_hh_l0", shape: [7, 5], copying: (0..<35).map { Float($0) / 8 - 1 }),
      Tensor("loss", shape: [], copying: [2.5]),
      Tensor(
        "rnn.bias_hh_l0", shape: [5],
        copying: [0.1, -0.0, .infinity, .leastNonzeroMagnitude, 3] as [Float]),
      Tensor("tokens", shape: [2, 3], copying: [1, 2, 3, -4, 5, 6] as [Int32]),
      Tensor("empty \"quoted\" é\n", shape: [0, 4], copying: [Float]()),
      Tensor("cursor", shape: [3], copying: [0, 1 << 40, -3] as [Int64]),
    ]
  }

  @Test func `what is written is read back bit by bit`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/a.safetensors"
      try Safetensors.save(Self.reference, metadata: ["a": "1", "tab\t": "\u{1}"], to: path)
      let file = try SafetensorsFile(path)
      #expect(file.metadata == ["a": "1", "tab\t": "\u{1}"])
      #expect(file.tensors.count == 7)
      for tensor in Self.reference {
        let found = try #require(file[tensor.name])
        #expect(found.type == tensor.type && found.shape == tensor.shape)
        #expect(found.memory.elementsEqual(tensor.memory))
      }
      #expect(try file.values("tokens", as: Int32.self) == [1, 2, 3, -4, 5, 6])
      #expect(file["cursor"]?.view(as: Int64.self).map(Array.init) == [0, 1 << 40, -3])
      #expect(file["cursor"]?.view(as: Double.self) == nil)
      #expect(try contents(folder) == ["a.safetensors"])
    }
  }

  @Test func `tensors lie by type, then by name, and data starts on eight bytes`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/a.safetensors"
      try Safetensors.save(Self.reference, to: path)
      #expect(
        try SafetensorsFile(path).tensors.map(\.name) == [
          "cursor", "loss", "empty \"quoted\" é\n", "rnn.bias_hh_l0", "rnn.weight_hh_l0", "tokens",
          "bytes",
        ])
      let length = try bytes(at: path).prefix(8).reversed().reduce(0) { $0 << 8 + Int($1) }
      #expect(length.isMultiple(of: 8))
      try Safetensors.save([], to: path)
      #expect(try SafetensorsFile(path).tensors.isEmpty)
    }
  }

  @Test func `a file written by Python is read, half precisions converted`() throws {
    // safetensors_check.py base64
    let text =
      "OAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJuIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOls"
      + "zXSwiZGF0YV9vZmZzZXRzIjpbMCwyNF19LCJkIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOltdLCJkYXRhX29mZnNl"
      + "dHMiOlsyNCwzMl19LCJ3Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyLDNdLCJkYXRhX29mZnNldHMiOlszMiw1N"
      + "l19LCJiIjp7ImR0eXBlIjoiQkYxNiIsInNoYXBlIjpbMl0sImRhdGFfb2Zmc2V0cyI6WzU2LDYwXX0sImgiOnsiZH"
      + "R5cGUiOiJGMTYiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOls2MCw2NF19fSAgICAHAAAAAAAAAPj////////"
      + "/AAAAAAABAACamZmZmZm5PwAAwD8AAADAAACAPgAAgEAAAKBAAADAQIA/QMAAPAC4"
    try withTemporaryFolder { folder in
      let path = folder + "/python.safetensors"
      try put(Array(try #require(Data(base64Encoded: text))), at: path)
      let file = try SafetensorsFile(path)
      #expect(file.metadata == ["format": "pt"])
      #expect(try file.values("w", as: Float.self) == [1.5, -2, 0.25, 4, 5, 6])
      #expect(file["w"]?.shape == [2, 3])
      #expect(try file.values("h", as: Float.self) == [1, -0.5])
      #expect(try file.values("b", as: Float.self) == [1, -3])
      #expect(try file.values("n", as: Int64.self) == [7, -8, 1 << 40])
      #expect(try file.values("d", as: Double.self) == [0.1])
      #expect(file["d"]?.shape == [])
    }
  }

  @Test func `a tensor of a foreign file may lie at an odd address`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/odd.safetensors"
      var header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
      while header.utf8.count % 8 != 3 { header += " " }
      let data: [UInt8] = [0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0]
      try put(CraftedFile.file(header, data), at: path)
      let file = try SafetensorsFile(path)
      #expect(try file.values("a", as: Float.self) == [1.5, -2])
      #expect(file["a"]?.view(as: Float.self) == nil)
    }
  }

  @Test func `crafted files are judged as Python does, and double names refused besides`() throws {
    try withTemporaryFolder { folder in
      for file in CraftedFile.all {
        let path = folder + "/\(file.name).safetensors"
        try put(file.bytes, at: path)
        do {
          _ = try SafetensorsFile(path)
          #expect(file.isGood, "\(file.name) is accepted")
        } catch let error as FileError {
          #expect(!file.isGood, "\(file.name): \(error)")
          #expect(error.kind == .damaged && error.exitCode == 65)
          #expect(error.description.contains(path) && !error.description.contains("\n"))
        }
      }
    }
  }

  @Test func `a header with any byte changed is refused or read, never a crash`()
    throws
  {
    try withTemporaryFolder { folder in
      let path = folder + "/a.safetensors"
      try Safetensors.save(Self.reference, to: path)
      let original = try bytes(at: path)
      var refused = 0
      for position in original.indices {
        var changed = original
        changed[position] ^= UInt8(1 << (position % 8))
        try put(changed, at: path)
        do { _ = try SafetensorsFile(path) } catch is FileError { refused += 1 }
      }
      // Names may change, and the data, which the header does not guard.
      #expect(refused > original.count / 2 && refused < original.count)
    }
  }

  @Test func `a file that is not there, or a folder, is one sentence`() throws {
    try withTemporaryFolder { folder in
      let missing = #expect(throws: FileError.self) { try SafetensorsFile(folder + "/no") }
      #expect(missing?.kind == .missing)
      let wrong = #expect(throws: FileError.self) { try SafetensorsFile(folder) }
      #expect(wrong?.kind == .damaged)
    }
  }
}

@Suite struct `Safetensors oracle` {
  static let folder = ProcessInfo.processInfo.environment["UNROLL_ORACLE"]

  @Test(.enabled(if: folder != nil))
  func `files are exchanged with Python (see safetensors_check.py)`() throws {
    let folder = Self.folder!
    try Safetensors.save(
      `Safetensors files`.reference, metadata: ["format": "pt"], to: folder + "/ours.safetensors")
    let theirs = try SafetensorsFile(folder + "/theirs.safetensors")
    for tensor in `Safetensors files`.reference {
      let found = try #require(theirs[tensor.name])
      #expect(found.type == tensor.type && found.shape == tensor.shape)
      #expect(found.memory.elementsEqual(tensor.memory))
    }
    var verdicts = ""
    for file in CraftedFile.all {
      let path = folder + "/\(file.name).safetensors"
      try put(file.bytes, at: path)
      let isGood = (try? SafetensorsFile(path)) != nil
      verdicts += "\(isGood ? "accepted" : "rejected") \(file.name)\n"
    }
    try put(Array(verdicts.utf8), at: folder + "/verdicts.txt")
  }
}
