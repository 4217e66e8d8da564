internal import Datasets
internal import Formats
internal import Foundation

/// The files beside a model from which transformers makes its tokenizer.
struct TokenizerFiles {
  /// The names that a file may have.
  static let names = ["tokenizer.json", "tokenizer_config.json", "vocabulary.json"]

  /// The names and contents of the files.
  private(set) var files: [(name: String, bytes: [UInt8])] = []

  /// Makes the files of a vocabulary: `tokenizer.json` for bytes and for byte-level BPE, and otherwise the
  /// vocabulary as a checkpoint has it, for programs that encode their text themselves.
  init(_ vocabulary: Vocabulary) {
    guard !vocabulary.isEmpty else { return }
    let isOfFile = vocabulary.tokenizer.name == "huggingface"
    if isOfFile, let file = vocabulary.tokenizer.model {
      files.append(("tokenizer.json", file))
    } else if vocabulary.tokenizer.name == "byte" {
      files.append(("tokenizer.json", Self.json(Self.bytes)))
    } else {
      if let bytes = try? JSONValue.encoder().encode(vocabulary) {
        files.append(("vocabulary.json", Array(bytes)))
      }
      return
    }
    files.append(
      (
        "tokenizer_config.json",
        Self.json(.object(["tokenizer_class": "PreTrainedTokenizerFast"]))
      ))
  }

  private static func json(_ value: JSONValue) -> [UInt8] {
    Array((try? JSONValue.encoder(pretty: true).encode(value)) ?? Data())
  }

  /// A byte-level BPE without merges, whose symbols are the bytes in their order.
  private static var bytes: JSONValue {
    let symbols = ByteLetters.all.enumerated().map { (String($1), JSONValue.integer($0)) }
    return .object([
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array([]),
      "normalizer": .null, "post_processor": .null,
      "pre_tokenizer": byteLevel, "decoder": byteLevel,
      "model": .object([
        "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
        "end_of_word_suffix": .null, "fuse_unk": false, "byte_fallback": false,
        "ignore_merges": false, "vocab": .object(Dictionary(uniqueKeysWithValues: symbols)),
        "merges": .array([]),
      ]),
    ])
  }

  private static var byteLevel: JSONValue {
    .object([
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    ])
  }
}

/// The letters by which GPT-2's vocabulary spells bytes: printable ones of Latin-1 as themselves, and the others,
/// in order, from U+0100 on.
enum ByteLetters {
  static let all: [Character] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      let isPrintable =
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
      if isPrintable { return Character(Unicode.Scalar(byte)!) }
      defer { next += 1 }
      return Character(Unicode.Scalar(next)!)
    }
  }()
}
