import Formats
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite struct `GGUF files` {
  static var tensors: [Tensor] {
    [
      Tensor("token_embd.weight", shape: [7, 5], copying: (0..<35).map { Float($0) / 8 - 1 }),
      Tensor("blk.0.ssm_a", shape: [3, 1], copying: [-0.1, -0.0, -.infinity] as [Float]),
      Tensor("numbers", shape: [2, 1, 1, 3], copying: [1, 2, 3, -4, 5, 6] as [Int32]),
      Tensor("empty", shape: [0, 4], copying: [Float]()),
    ]
  }

  static let settings: [(key: String, value: GGUFValue)] = [
    ("general.architecture", .string("mamba2")),
    ("a", .uint8(255)), ("b", .int8(-7)), ("c", .uint16(65_535)), ("d", .int16(-300)),
    ("e", .uint32(.max)), ("f", .int32(-70_000)), ("g", .uint64(.max)), ("h", .int64(-1 << 40)),
    ("i", .float32(1e-5)), ("j", .float64(0.1)), ("k", .bool(true)), ("l", .string("é\n")),
    ("m", .strings(["", "Ġa", "b c"])), ("n", .int32s([1, -2, 3])), ("o", .strings([])),
  ]

  static func file() throws -> [UInt8] {
    try withTemporaryFolder { folder in
      try GGUF.save(tensors, settings, to: folder + "/a.gguf")
      #expect(try contents(folder) == ["a.gguf"])
      return try bytes(at: folder + "/a.gguf")
    }
  }

  /// The file, or the sentence with which it is refused.
  static func open(_ bytes: [UInt8]) throws -> Result<GGUFFile, FileError> {
    try withTemporaryFolder { folder in
      try put(bytes, at: folder + "/a.gguf")
      return Result { () throws(FileError) in try GGUFFile(folder + "/a.gguf") }
        .mapError { error in
          FileError(error.kind, "", error.description.replacing(folder + "/a.gguf", with: "FILE"))
        }
    }
  }

  static func refusal(_ bytes: [UInt8]) throws -> String {
    switch try open(bytes) {
    case .success: "none"
    case .failure(let error): error.description
    }
  }

  @Test func `tensors and settings are read back bit by bit`() throws {
    let file = try Self.open(Self.file()).get()
    #expect(file.tensors.map(\.name) == Self.tensors.map(\.name))
    for (found, given) in zip(file.tensors, Self.tensors) {
      #expect(found.type == given.type && found.shape == given.shape)
      #expect(found.memory.elementsEqual(given.memory))
      #expect(UInt(bitPattern: found.memory.baseAddress) % 32 == 0 || found.memory.isEmpty)
    }
    #expect(file.settings.count == Self.settings.count)
    for (key, value) in Self.settings { #expect(file.settings[key] == value) }
    #expect(file.settings["i"]?.json == .number(1e-5), "the digits of a Float are kept")
    #expect(file.settings["g"]?.json == .unsigned(.max))
  }

  @Test func `the bytes are those of the published layout`() throws {
    let bytes = try withTemporaryFolder { folder in
      try GGUF.save(
        [Tensor("w", shape: [2, 3], copying: [1, 2, 3, 4, 5, 6] as [Float])],
        [("k", .uint32(9))], to: folder + "/a")
      return try TestSupport.bytes(at: folder + "/a")
    }
    func long(_ value: UInt8) -> [UInt8] { [value] + [UInt8](repeating: 0, count: 7) }
    var expected: [UInt8] = Array("GGUF".utf8) + [3, 0, 0, 0] + long(1) + long(1)
    expected += long(1) + Array("k".utf8) + [4, 0, 0, 0, 9, 0, 0, 0]
    // The fastest dimension comes first.
    expected += long(1) + Array("w".utf8) + [2, 0, 0, 0] + long(3) + long(2)
    expected += [0, 0, 0, 0] + long(0)
    expected += [UInt8](repeating: 0, count: 96 - expected.count)
    #expect(bytes.prefix(96) == expected[...])
    #expect(bytes.count == 96 + 32)
    #expect(Array(bytes[96..<100]) == [0, 0, 0x80, 0x3F])
  }

  @Test func `a file cut off anywhere is refused`() throws {
    let whole = try Self.file()
    // The padding after the last tensor, which is empty, may be missing.
    for count in 0..<whole.count - 32 {
      let said = try Self.refusal(Array(whole[..<count]))
      #expect(said.hasPrefix("FILE is not a whole GGUF file ("), "\(count) bytes: \(said)")
    }
  }

  @Test func `a file with any byte changed is read or refused in one sentence`() throws {
    let whole = try Self.file()
    var refused = 0
    for place in whole.indices {
      for byte in [0, 0xFF, whole[place] ^ 1, whole[place] ^ 0x80] as [UInt8] {
        var changed = whole
        changed[place] = byte
        let said = try Self.refusal(changed)
        #expect(said == "none" || said.hasPrefix("FILE "), "byte \(place) as \(byte): \(said)")
        refused += said == "none" ? 0 : 1
      }
    }
    #expect(refused > 500, "\(refused) changes were seen")
  }

  @Test(arguments: [
    (8, UInt8(200), "of a value at byte"),
    (4, 1, "(version 1)"),
    (4, 9, "(version 9)"),
    (0, 0, "(it does not begin with GGUF)"),
  ])
  func `the sentence names the fault`(_ place: Int, _ byte: UInt8, _ words: String) throws {
    var changed = try Self.file()
    changed[place] = byte
    let said = try Self.refusal(changed)
    #expect(said.contains(place == 8 ? "not a whole GGUF file" : words), "\(said)")
  }

  @Test func `a quantised file is to be converted, and a big-endian one is refused`() throws {
    let whole = try Self.file()
    var quantised = whole
    let name = try #require(whole.firstRange(of: Array("token_embd.weight".utf8)))
    // The name, the number of dimensions, two of them, then the type.
    quantised[name.upperBound + 4 + 16] = 12
    #expect(
      try Self.refusal(quantised)
        == "FILE holds the tensor token_embd.weight quantised (type 12 of GGUF): convert it to F32, "
        + "F16 or BF16 first")
    var swapped = whole
    swapped.replaceSubrange(4..<8, with: [0, 0, 0, 3])
    #expect(try Self.refusal(swapped).contains("its numbers are big-endian"))
    #expect(try Self.refusal(whole + [1]).contains("1 bytes after the last tensor"))
  }
}
