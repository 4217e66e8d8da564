/// A safetensors file made by hand to be right or wrong in one point.
struct CraftedFile {
  let name: String
  let bytes: [UInt8]
  let isGood: Bool

  /// The length of a header, the header, and data.
  static func file(_ header: String, _ data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { Array($0) }
      + Array(header.utf8) + data
  }

  /// A tensor of two floats at the start of the data, or somewhere else.
  private static func tensor(
    _ name: String = "a", _ type: String = #""F32""#, _ shape: String = "[2]",
    _ offsets: String = "[0,8]", _ more: String = ""
  ) -> String {
    #""\#(name)":{"dtype":\#(type),"shape":\#(shape),"data_offsets":\#(offsets)\#(more)}"#
  }

  private static func good(_ name: String, _ header: String, _ count: Int = 8) -> CraftedFile {
    CraftedFile(name: name, bytes: file(header, zeros(count)), isGood: true)
  }

  private static func bad(_ name: String, _ header: String, _ count: Int = 8) -> CraftedFile {
    CraftedFile(name: name, bytes: file(header, zeros(count)), isGood: false)
  }

  private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

  private static let a = tensor()
  private static let b = tensor("b", #""F32""#, "[1]", "[8,12]")

  static let all: [CraftedFile] = [
    good("plain", "{\(a)}"),
    good("two", "{\(a),\(b)}", 12),
    good("two-in-other-order", "{\(b),\(a)}", 12),
    good("no-tensor", "{}", 0),
    good("scalar", "{\(tensor("a", #""F64""#, "[]"))}"),
    good("nothing-in-a-dimension", "{\(tensor("a", #""F32""#, "[0,5]", "[0,0]"))}", 0),
    good("empty-between", "{\(a),\(tensor("e", #""I64""#, "[0]", "[8,8]")),\(b)}", 12),
    good("spaces-around", "  {\(a)}   "),
    good("newline-after", "{\(a)}\n"),
    good("extra-field", "{\(tensor("a", #""F32""#, "[2]", "[0,8]", #","more":{"x":[1.5e3]}"#))}"),
    good("metadata", #"{"__metadata__":{"k":"v"},\#(a)}"#),
    good("metadata-null", #"{"__metadata__":null,\#(a)}"#),
    good("escaped-name", #"{\#(tensor(#"\u00e9\n\ud83d\ude00\/"#))}"#),
    good("name-like-a-path", "{\(tensor("/../x"))}"),
    good("name-empty", "{\(tensor(""))}"),
    good("bfloat16", "{\(tensor("a", #""BF16""#, "[2,2]"))}"),
    good("four-bits", "{\(tensor("a", #""F4""#, "[16]"))}"),
    good("six-bits", "{\(tensor("a", #""F6_E2M3""#, "[4]", "[0,3]"))}", 3),
    bad("four-bits-no-whole-byte", "{\(tensor("a", #""F4""#, "[15]"))}"),
    bad("trailing-byte", "{\(a)}", 9),
    bad("missing-byte", "{\(a)}", 7),
    bad("hole-at-start", "{\(tensor("a", #""F32""#, "[2]", "[4,12]"))}", 12),
    bad("hole-between", "{\(a),\(tensor("b", #""F32""#, "[1]", "[12,16]"))}", 16),
    bad("overlap", "{\(a),\(tensor("b", #""F32""#, "[2]", "[4,12]"))}", 12),
    bad("same-place", "{\(a),\(tensor("b"))}"),
    bad("begin-after-end", "{\(tensor("a", #""F32""#, "[2]", "[8,0]"))}"),
    bad("wrong-size", "{\(tensor("a", #""F32""#, "[3]"))}"),
    bad("shape-overflow", "{\(tensor("a", #""F32""#, "[4611686018427387904,4]", "[0,0]"))}", 0),
    bad("offset-overflow", "{\(tensor("a", #""F32""#, "[2]", "[0,18446744073709551615]"))}"),
    bad("shape-negative", "{\(tensor("a", #""F32""#, "[-2]"))}"),
    bad("shape-minus-zero", "{\(tensor("a", #""F32""#, "[-0]", "[0,0]"))}", 0),
    bad("shape-float", "{\(tensor("a", #""F32""#, "[2.0]"))}"),
    bad("shape-exponent", "{\(tensor("a", #""F32""#, "[2e0]"))}"),
    bad("shape-string", "{\(tensor("a", #""F32""#, #"["2"]"#))}"),
    bad("shape-no-list", "{\(tensor("a", #""F32""#, "2"))}"),
    bad("type-unknown", "{\(tensor("a", #""F33""#))}"),
    bad("type-small", "{\(tensor("a", #""f32""#))}"),
    bad("type-no-string", "{\(tensor("a", "32"))}"),
    bad("three-offsets", "{\(tensor("a", #""F32""#, "[2]", "[0,8,8]"))}"),
    bad("no-type", #"{"a":{"shape":[2],"data_offsets":[0,8]}}"#),
    bad("no-shape", #"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#),
    bad("no-offsets", #"{"a":{"dtype":"F32","shape":[2]}}"#),
    bad("tensor-no-object", #"{"a":5}"#, 0),
    bad("header-no-object", "[]", 0),
    bad("header-null", "null", 0),
    bad("header-open", "{\(a)"),
    bad("header-comma", "{\(a),}"),
    bad("text-after", "{\(a)} x"),
    bad("two-objects", "{\(a)}{}"),
    bad("single-quotes", "{'a':1}", 0),
    bad("leading-zero", "{\(tensor("a", #""F32""#, "[02]"))}"),
    bad("comment", "{\(a)/**/}"),
    bad("nul-padding", "{\(a)}\0\0"),
    bad("byte-order-mark", "\u{FEFF}{\(a)}"),
    bad("metadata-number", #"{"__metadata__":{"k":1},\#(a)}"#),
    bad("metadata-no-object", #"{"__metadata__":"k",\#(a)}"#),
    bad("metadata-twice", #"{"__metadata__":{},"__metadata__":{},\#(a)}"#),
    bad("type-twice", "{\(tensor("a", #""F32""#, "[2]", "[0,8]", #","dtype":"F32""#))}"),
    // The one point, with the next, in which Python is more lenient.
    bad("name-twice", "{\(a),\(a)}"),
    bad("name-twice-in-other-spelling", #"{\#(a),\#(tensor(#"\u0061"#))}"#),
    bad("lone-surrogate", "{\(tensor(#"\ud83d"#))}"),
    bad("unknown-escape", "{\(tensor(#"\x"#))}"),
    bad("control-character", "{\(tensor("a\n"))}"),
    bad("very-deep", String(repeating: "[", count: 100_000), 0),
    CraftedFile(name: "nothing", bytes: [], isGood: false),
    CraftedFile(name: "seven-bytes", bytes: zeros(7), isGood: false),
    CraftedFile(name: "length-zero", bytes: zeros(8), isGood: false),
    CraftedFile(
      name: "length-beyond-file", bytes: file("{}", length: 3), isGood: false),
    CraftedFile(
      name: "length-beyond-limit", bytes: file("{}", length: 100_000_001), isGood: false),
    CraftedFile(name: "length-huge", bytes: file("{}", length: .max), isGood: false),
    CraftedFile(name: "length-short", bytes: file("{\(a)}", zeros(8), length: 10), isGood: false),
    CraftedFile(
      name: "not-utf8",
      bytes: withUnsafeBytes(of: UInt64(5).littleEndian) { Array($0) }
        + [0x7B, 0x22, 0xFF, 0x22, 0x7D], isGood: false),
  ]
}
