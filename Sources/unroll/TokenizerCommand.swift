public import ArgumentParser
internal import Configuration
public import Datasets
internal import Foundation
internal import Reporting
internal import Training

struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer",
    abstract: "Trains a tokenizer, and turns text into numbers of symbols and back.",
    subcommands: [Train.self, Encode.self, Decode.self])

  struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Trains a model of SentencePiece on texts.",
      discussion: """
        Text is kept as it is: nothing is normalized, and decoding gives back every byte. Of a text \
        larger than --sample, blocks of 64 KiB chosen by --seed are read. The same texts and options \
        give the same file.
        """)

    @Option(help: ArgumentHelp("The kind of the model.", valueName: "unigram|bpe"))
    var kind = SentencePieceTraining.Kind.bpe

    @Option(help: "The number of symbols, all special ones included.")
    var size = 16000

    @Option(
      help: ArgumentHelp("The file to write; an old one is replaced.", valueName: "out.model"),
      completion: .file(extensions: ["model"]))
    var out: String

    @Flag(
      inversion: .prefixedNo,
      help: "Write characters without a symbol as bytes, not as <unk>; takes 256 symbols.")
    var byteFallback = true

    @Flag(
      inversion: .prefixedNo,
      help: "Never join letters with signs, or letters of different scripts, in a symbol.")
    var splitScripts = true

    @Option(
      name: .customLong("symbol"),
      help: #"A symbol that is never cut; \t and \n are a tab and the end of a line. Repeatable."#)
    var symbols: [String] = []

    @Option(help: "The symbol that ends a document.")
    var end = "</s>"

    @Option(help: "What to do with bytes that are not UTF-8: refuse, or replace by U+FFFD.")
    var invalid = InvalidText.refuse

    @Option(help: "The most megabytes of text to train on.")
    var sample = 100

    @Option(help: "The seed that chooses the sample of a larger text.")
    var seed: UInt64 = 1

    @Argument(help: "Files and folders of UTF-8 text.", completion: .file())
    var texts: [String]

    func validate() throws {
      let least = byteFallback ? 260 : 4
      guard size >= least + symbols.count, size <= 1_000_000 else {
        throw ValidationError("--size must be from \(least + symbols.count) to 1000000.")
      }
      guard (1...100_000).contains(sample) else {
        throw ValidationError("--sample must be from 1 to 100000.")
      }
      guard out.hasSuffix(".model") else {
        throw ValidationError("--out must end with .model, by which other programs know the file.")
      }
      guard !end.isEmpty, !symbols.contains("") else {
        throw ValidationError("A symbol must not be empty.")
      }
    }

    func run() throws {
      var training = SentencePieceTraining(kind: kind, size: size)
      (training.hasByteFallback, training.splitsScripts) = (byteFallback, splitScripts)
      training.symbols = symbols.map {
        $0.replacing(#"\t"#, with: "\t").replacing(#"\n"#, with: "\n")
      }
      training.end = end
      training.sample = sample * 1_000_000
      (training.seed, training.invalid) = (seed, invalid)
      try training.write(to: out, on: TextFiles(texts))
      let vocabulary = try Vocabulary(contentsOf: out)
      print("\(out): \(vocabulary.count) symbols")
    }
  }

  struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the numbers of the symbols of each line of standard input.",
      discussion: "Each line is encoded by itself, without its end.")

    @OptionGroup var file: TokenizerArgument

    func run() throws {
      let vocabulary = try file.vocabulary()
      let tokenizer = vocabulary.tokenizer
      try StandardInputLines.forEach { number, line in
        guard tokenizer.readsBytes || String(validating: line, as: UTF8.self) != nil else {
          throw DataError(
            "standard input, line \(number) is not UTF-8: convert it, for example with iconv")
        }
        var ids: [String] = []
        do throws(DataError) {
          try tokenizer.encode(line.span, with: vocabulary, endingLastLine: false) {
            (id) throws(DataError) in ids.append(String(id))
          }
        } catch {
          throw DataError("standard input, line \(number): \(error.message)")
        }
        return Array(ids.joined(separator: " ").utf8)
      }
    }
  }

  struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the text of the numbers on each line of standard input.",
      discussion: "The end of a line among the symbols is printed as such.")

    @OptionGroup var file: TokenizerArgument

    func run() throws {
      let vocabulary = try file.vocabulary()
      try StandardInputLines.forEach { number, line in
        let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        let ids = try words.map {
          let word = String(decoding: $0, as: UTF8.self)
          guard let id = Int32(word), id >= 0, id < vocabulary.count else {
            throw DataError(
              "standard input, line \(number): '\(word.prefix(40))' is not a number below "
                + "\(vocabulary.count), the number of symbols of \(file.name): write numbers and blanks"
            )
          }
          return id
        }
        return vocabulary.decodedBytes(ids)
      }
    }
  }
}

extension SentencePieceTraining.Kind: ExpressibleByArgument {}

/// The tokenizer of a command.
struct TokenizerArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      """
      A .model of SentencePiece, a tokenizer.json, a file of ranks of tiktoken, a vocabulary of RWKV \
      World, a list of words, the vocabulary.json of a checkpoint, or byte.
      """, valueName: "file"),
    completion: .file())
  var name: String

  func vocabulary() throws -> Vocabulary {
    switch name {
    case ByteTokenizer().name: return .bytes
    case CharacterTokenizer().name, WordTokenizer().name:
      throw UsageError(
        "the symbols of \(name) are counted in a training text: give the vocabulary.json of a "
          + "checkpoint")
    default: return try Vocabulary(contentsOf: name)
    }
  }
}

/// The lines of standard input, for each of which a line is printed.
private enum StandardInputLines {
  private static let block = 1 << 16

  /// Calls `body` with the number of each line, from 1, and its bytes without the end mark.
  static func forEach(_ body: (Int, [UInt8]) throws -> [UInt8]) throws {
    var number = 0
    var rest: [UInt8] = []
    var output = Data()
    func take(_ line: [UInt8]) throws {
      number += 1
      output += try body(number, line)
      output.append(UInt8(ascii: "\n"))
    }
    do {
      while let part = try? FileHandle.standardInput.read(upToCount: block), !part.isEmpty {
        var start = part.startIndex
        while let end = part[start...].firstIndex(of: UInt8(ascii: "\n")) {
          rest += part[start..<end]
          try take(rest)
          rest.removeAll(keepingCapacity: true)
          start = end + 1
        }
        rest += part[start...]
        try StandardStreams.put(output)
        output.removeAll(keepingCapacity: true)
      }
      if !rest.isEmpty { try take(rest) }
    } catch {
      // The lines before a wrong one are printed.
      try StandardStreams.put(output)
      throw error
    }
    try StandardStreams.put(output)
  }
}
