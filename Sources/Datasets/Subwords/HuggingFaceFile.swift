/// The reader of a `tokenizer.json` of Hugging Face's tokenizers with a byte-level byte-pair encoding.
struct HuggingFaceFile {
  private let path: String
  private var rules = BytePairModel.Rules()
  /// The numbers of the spellings of `model.vocab`.
  private var numbers = SymbolTable()
  private var ids: [Int32] = []

  /// The names under which added tokens end a document, the likeliest first.
  private static let ends = [
    "<|endoftext|>", "<|end_of_text|>", "<|end▁of▁sentence|>", "</s>", "<eos>", "<|eos|>",
  ]

  /// True for a file that has the keys of a `tokenizer.json`, sound or not.
  static func isLike(_ text: Span<UInt8>) -> Bool {
    var i = 0
    while i < text.count, text[i] <= 0x20 { i += 1 }
    guard i < text.count, text[i] == UInt8(ascii: "{") else { return false }
    return hasKey("\"pre_tokenizer\"", text) || hasKey("\"merges\"", text)
  }

  private static func hasKey(_ key: String, _ text: Span<UInt8>) -> Bool {
    let key = Array(key.utf8)
    var i = 0
    while i + key.count < text.count {
      if text[i] == key[0], (1..<key.count).allSatisfy({ text[i + $0] == key[$0] }) {
        var j = i + key.count
        while j < text.count, text[j] <= 0x20 { j += 1 }
        if j < text.count, text[j] == UInt8(ascii: ":") { return true }
      }
      i += 1
    }
    return false
  }

  /// Reads a file.
  /// - Throws: `DataError` if it is damaged or asks for what is not supported.
  static func rules(
    _ text: Span<UInt8>, of path: String
  ) throws(DataError) -> BytePairModel.Rules {
    let json = try JSONTree(text, of: path)
    var file = HuggingFaceFile(path: path)
    file.rules.contents = text.indices.map { text[$0] }
    guard let model = json["model"] else { throw file.refusal("has no model") }
    try file.readNormalizer(json["normalizer"])
    try file.readPreTokenizer(json["pre_tokenizer"])
    try file.readDecoder(json["decoder"])
    let added = json["added_tokens"]?.values ?? []
    try file.readVocabulary(model, added: added.count)
    try file.readMerges(model)
    try file.readAdded(added)
    return file.rules
  }

  private init(path: String) { self.path = path }

  private func refusal(_ what: String) -> DataError {
    DataError("\(path) \(what): give a tokenizer.json with a byte-level BPE, such as GPT-2's")
  }

  private mutating func readNormalizer(_ json: JSONTree?) throws(DataError) {
    guard let json else { return }
    switch json["type"]?.text {
    case "NFC": rules.composes = true
    case "Sequence":
      for part in json["normalizers"]?.values ?? [] { try readNormalizer(part) }
    case let type:
      throw refusal("has the normalizer \(type ?? "without a type"), and only NFC is supported")
    }
  }

  private mutating func readPreTokenizer(_ json: JSONTree?) throws(DataError) {
    switch json?["type"]?.text {
    case "ByteLevel": try readByteLevel(json!, split: nil)
    case "Sequence":
      let parts = json!["pretokenizers"]?.values ?? []
      guard let last = parts.last, last["type"]?.text == "ByteLevel", parts.count <= 2 else {
        throw refusal("has a sequence of pre-tokenizers other than one Split and ByteLevel")
      }
      try readByteLevel(last, split: parts.count == 2 ? try split(parts[0]) : nil)
    case let type:
      throw refusal("has the pre-tokenizer \(type ?? "none"), and only ByteLevel is supported")
    }
  }

  private mutating func readByteLevel(
    _ json: JSONTree, split: PreTokenizer?
  ) throws(DataError) {
    let usesExpression: Bool
    if case .bool(let value)? = json["use_regex"] {
      usesExpression = value
    } else {
      usesExpression = true
    }
    // Missing means true to the library that writes these files.
    let addsBlank: Bool
    if case .bool(let value)? = json["add_prefix_space"] {
      addsBlank = value
    } else {
      addsBlank = true
    }
    if split != nil, usesExpression || addsBlank {
      throw refusal("has a Split before a ByteLevel that splits again or adds a blank")
    }
    rules.addsBlank = addsBlank
    rules.preTokenizer = split ?? PreTokenizer(usesExpression ? .gpt2 : .whole)
  }

  private func split(_ json: JSONTree) throws(DataError) -> PreTokenizer {
    guard json["type"]?.text == "Split", json["behavior"]?.text == "Isolated",
      json["invert"]?.isTrue != true, let pattern = json["pattern"]?["Regex"]?.text
    else {
      throw refusal("has a pre-tokenizer other than a Split by a Regex, Isolated and not inverted")
    }
    guard let known = PreTokenizer(regularExpression: pattern) else {
      throw refusal(
        "splits by the regular expression \(pattern.prefix(200)), which is neither GPT-2's nor cl100k's"
      )
    }
    return known
  }

  private func readDecoder(_ json: JSONTree?) throws(DataError) {
    guard let json else { return }
    guard json["type"]?.text == "ByteLevel" else {
      throw refusal(
        "has the decoder \(json["type"]?.text ?? "without a type"), and only ByteLevel is supported"
      )
    }
  }

  private mutating func readVocabulary(_ model: JSONTree, added: Int) throws(DataError) {
    guard model["type"]?.text ?? "BPE" == "BPE" else {
      throw refusal(
        "has a model of the type \(model["type"]?.text ?? "?"), and only BPE is supported")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"]
    where !(model[key]?.bytes ?? []).isEmpty { throw refusal("has a \(key)") }
    if let dropout = model["dropout"], dropout.number != 0 { throw refusal("drops merges out") }
    if model["byte_fallback"]?.isTrue == true { throw refusal("has a byte_fallback") }
    rules.ignoresMerges = model["ignore_merges"]?.isTrue == true
    guard let pairs = model["vocab"]?.pairs, !pairs.isEmpty else {
      throw refusal("has no model.vocab")
    }
    let most = 2 * (pairs.count + added) + 1000
    for (spelling, value) in pairs {
      let name = String(decoding: spelling.prefix(40), as: UTF8.self)
      guard let id = value.number, id < most else {
        throw refusal("gives '\(name)' a number that is not below \(most)")
      }
      guard !spelling.isEmpty, numbers.insert(spelling).isNew else {
        throw refusal("has '\(name)' twice or empty in model.vocab")
      }
      ids.append(Int32(id))
      let text = ByteAlphabet.bytes(of: spelling)
      try set(Int32(id), spelling, text ?? spelling)
      if let text, text.count == 1 { rules.bytes[Int(text[0])] = Int32(id) }
    }
  }

  private mutating func set(
    _ id: Int32, _ spelling: [UInt8], _ text: [UInt8]
  ) throws(DataError) {
    while rules.spellings.count <= Int(id) {
      rules.spellings.append([])
      rules.texts.append([])
    }
    guard rules.spellings[Int(id)].isEmpty else { throw refusal("gives the number \(id) twice") }
    rules.spellings[Int(id)] = spelling
    rules.texts[Int(id)] = text
  }

  private mutating func readMerges(_ model: JSONTree) throws(DataError) {
    let merges = model["merges"]?.values ?? []
    rules.merges = MergeTable(capacity: merges.count)
    for (rank, merge) in merges.enumerated() {
      var parts: [[UInt8]] = []
      switch merge {
      case .string(let text):
        parts = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
          .map(Array.init)
      case .array(let values): parts = values.compactMap(\.bytes)
      default: break
      }
      guard parts.count == 2 else {
        throw refusal("has a merge \(rank) that is not of two symbols")
      }
      guard let left = id(parts[0]), let right = id(parts[1]), let both = id(parts[0] + parts[1])
      else {
        throw refusal("has a merge \(rank) of symbols, or to one, that are not in model.vocab")
      }
      rules.merges.insert(left, right, rank: rank, symbol: both)
    }
  }

  private func id(_ spelling: [UInt8]) -> Int32? { numbers.find(spelling).map { ids[$0] } }

  private mutating func readAdded(_ tokens: [JSONTree]) throws(DataError) {
    let most = 2 * (rules.spellings.count + tokens.count) + 1000
    var seen = SymbolTable()
    var ends: [String: Int32] = [:]
    for token in tokens {
      guard let content = token["content"]?.bytes, !content.isEmpty, seen.insert(content).isNew
      else { throw refusal("has an added token that is empty or there twice") }
      let name = String(decoding: content, as: UTF8.self)
      for key in ["lstrip", "rstrip", "single_word"] where token[key]?.isTrue == true {
        throw refusal("has the added token '\(name)' with \(key)")
      }
      let number: Int32
      if let known = id(content) {
        number = known
        rules.texts[Int(known)] = content
      } else {
        guard let given = token["id"]?.number, given < most else {
          throw refusal("gives the added token '\(name)' no number below \(most)")
        }
        number = Int32(given)
        try set(number, content, content)
      }
      if token["normalized"]?.isTrue == true {
        rules.addedNormalized.append((normalized(content), number))
      } else {
        rules.added.append((content, number))
      }
      if token["special"]?.isTrue == true { ends[name] = ends[name] ?? number }
    }
    // Two tokens may have one normal form.
    var forms = SymbolTable()
    rules.addedNormalized.removeAll { !forms.insert($0.string).isNew }
    if let end = Self.ends.lazy.compactMap({ ends[$0] }).first {
      rules.special.endOfDocument = end
      rules.marks = [end]
    }
  }

  private func normalized(_ content: [UInt8]) -> [UInt8] {
    guard rules.composes else { return content }
    return CanonicalComposition.compose(content.span, 0..<content.count) ?? content
  }
}
