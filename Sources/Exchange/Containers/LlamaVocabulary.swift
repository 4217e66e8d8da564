internal import Datasets
internal import Formats
internal import Foundation

/// A vocabulary as llama.cpp has it: that of RWKV World, a byte-level BPE, or only the number of symbols.
///
/// Bytes are a byte-level BPE without merges. Vocabularies of other kinds have no tokenizer in llama.cpp that
/// cuts text as theirs does; programs then read and write numbers of symbols.
struct LlamaVocabulary {
  /// The keys of the file below `tokenizer.ggml.`.
  private(set) var settings: [(key: String, value: GGUFValue)] = []
  /// The vocabulary in words, for the console.
  private(set) var words = "numbers of symbols without a tokenizer"

  /// True if the file itself says how text becomes symbols.
  private(set) var hasTokenizer = true

  /// The kinds of a symbol, in llama.cpp's numbers.
  private enum Kind {
    static let normal: Int32 = 1
    static let control: Int32 = 3
    static let userDefined: Int32 = 4
  }

  init(_ vocabulary: Vocabulary) {
    switch vocabulary.tokenizer.name {
    case "rwkv": addWorld(vocabulary)
    case "byte": addPairs(ByteLetters.all.map { String($0) }, merges: [])
    case "huggingface": addHuggingFace(vocabulary)
    default: break
    }
    if settings.isEmpty {
      hasTokenizer = false
      add("model", .string("none"))
    }
  }

  private mutating func add(_ key: String, _ value: GGUFValue) {
    settings.append(("tokenizer.ggml." + key, value))
  }

  /// Adds the symbols of RWKV World, whose bytes are written with the escapes of a Python literal.
  private mutating func addWorld(_ vocabulary: Vocabulary) {
    let symbols = (0..<Int32(vocabulary.count)).map { id in
      id == vocabulary.endOfDocument ? "<s>" : Self.escaped(vocabulary.symbol(id))
    }
    add("model", .string("rwkv"))
    add("tokens", .strings(symbols))
    add(
      "token_type",
      .int32s(
        symbols.indices.map {
          Int32($0) == vocabulary.endOfDocument ? Kind.control : Kind.normal
        }))
    addEnd(vocabulary.endOfDocument)
    words = "\(symbols.count) symbols of RWKV World"
  }

  /// Returns bytes as text: printable ASCII as it is, except a backslash, and `\x` with two digits.
  static func escaped(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\\"): text += "\\\\"
      case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16)
        text += "\\x" + (digits.count < 2 ? "0" : "") + digits
      }
    }
    return text
  }

  /// Adds a byte-level BPE that cuts text into words as GPT-2 does.
  private mutating func addPairs(
    _ symbols: [String], merges: [String], kinds: [Int32]? = nil
  ) {
    add("model", .string("gpt2"))
    add("pre", .string("gpt-2"))
    add("tokens", .strings(symbols))
    add("token_type", .int32s(kinds ?? symbols.map { _ in Kind.normal }))
    add("merges", .strings(merges))
    add("add_bos_token", .bool(false))
    words = "\(symbols.count) symbols of a byte-level BPE"
  }

  /// Adds the number of the symbol that ends a document, also as the one that begins a text.
  private mutating func addEnd(_ id: Int32?) {
    guard let id else { return }
    for key in ["bos_token_id", "eos_token_id"] { add(key, .uint32(UInt32(id))) }
  }

  /// Adds the byte-level BPE of a `tokenizer.json`, if it cuts text into words as GPT-2 does.
  private mutating func addHuggingFace(_ vocabulary: Vocabulary) {
    guard let bytes = vocabulary.tokenizer.model,
      let file = try? JSONValue(strictly: String(decoding: bytes, as: UTF8.self)),
      file["pre_tokenizer"]?["type"] == "ByteLevel",
      file["pre_tokenizer"]?["use_regex"] ?? true == true,
      // Missing means true to the library that writes these files.
      file["pre_tokenizer"]?["add_prefix_space"] ?? true == false,
      file["model"]?["ignore_merges"] ?? false == false,
      case .array(let listed)? = file["model"]?["merges"]
    else { return }
    let merges = listed.compactMap { merge -> String? in
      switch merge {
      case .string(let pair): return pair
      case .array(let parts):
        guard parts.count == 2, case .string(let a) = parts[0], case .string(let b) = parts[1]
        else { return nil }
        return a + " " + b
      default: return nil
      }
    }
    guard merges.count == listed.count else { return }
    let symbols = (0..<Int32(vocabulary.count)).map {
      String(decoding: vocabulary.symbol($0), as: UTF8.self)
    }
    var kinds = symbols.map { _ in Kind.normal }
    if case .array(let added)? = file["added_tokens"] {
      for token in added {
        guard case .integer(let id)? = token["id"], kinds.indices.contains(id) else { continue }
        kinds[id] = token["special"] == true ? Kind.control : Kind.userDefined
      }
    }
    addPairs(symbols, merges: merges, kinds: kinds)
    addEnd(vocabulary.endOfDocument)
  }
}
