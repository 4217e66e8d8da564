internal import Checkpointing
public import Collectives
public import Datasets
internal import Foundation
internal import Training

/// A preparation: texts become shards of tokens in a folder.
public struct PreparationRequest: Sendable {
  public var texts: [String]
  /// The name of a tokenizer, or the path of its file.
  public var tokenizer: String
  public var folder: String
  public var settings: PreparationSettings
  /// The seconds between two saves of the place.
  public var saveEvery = 10.0

  public init(_ texts: [String], tokenizer: String, folder: String, settings: PreparationSettings) {
    self.texts = texts
    self.tokenizer = tokenizer
    self.folder = folder
    self.settings = settings
  }
}

/// The progress of a preparation.
public struct PreparationProgress: Sendable {
  /// True while symbols are counted, before the tokens are written.
  public let isCounting: Bool
  /// The bytes of files that are done, packed as they are, and of all files; nil with standard input.
  public let done: Int
  public let total: Int?
  /// The bytes of text since this start, and the seconds.
  public let bytes: Int
  public let seconds: Double
  public let tokens: Int
  /// The bytes of files that were done before this start.
  public let doneBefore: Int
}

/// The result of a preparation, on the root.
public struct PreparationResult: Sendable {
  /// The manifest; nil if the preparation was stopped, and goes on when it is started again.
  public let manifest: PreparationManifest?
  /// True if all was done before.
  public let wasComplete: Bool
  /// True if an earlier start was continued.
  public let isResumed: Bool
  /// The tokens written since this start, and the seconds of that.
  public let tokens: Int
  public let seconds: Double
}

/// The steps of a preparation. All ranks make one with the same request.
public final class Preparation {
  private let request: PreparationRequest
  private let world: any Communicator
  private let tell: (PreparationProgress) -> Void
  private let clock = ContinuousClock()

  public init(
    _ request: PreparationRequest, world: any Communicator,
    tell: @escaping (PreparationProgress) -> Void
  ) {
    self.request = request
    self.world = world
    self.tell = tell
  }

  /// The facts that the root has when it has opened texts, tokenizer and folder.
  private struct Opened {
    let inputs: PreparedInputs
    let tokenizer: PreparationTokenizer
    let folder: PreparationFolder
    let lock: FolderLock
  }

  /// Prepares the texts. Collective.
  /// - Returns: the result on the root; nil elsewhere.
  /// - Throws: `DataError`, `FileError`, `UsageError` or `FolderInUse` on the root.
  public func run() throws -> PreparationResult? {
    let opened = try world.unanimous { try world.isRoot ? open() : nil }
    // Until here there was nothing to save.
    StopRequest.waitForSteps()
    let isComplete = try world.broadcast([opened?.folder.manifest == nil ? 0 : 1])
    if isComplete == [1] {
      return opened.map {
        PreparationResult(
          manifest: $0.folder.manifest, wasComplete: true, isResumed: false, tokens: 0, seconds: 0)
      }
    }
    guard let vocabulary = try sharedVocabulary(opened) else {
      return world.isRoot ? stopped(resumed: false) : nil
    }
    if let opened { return try lead(opened, vocabulary) }
    let encoder = PieceEncoder(request.settings, vocabulary)
    try PieceRounds(world: world) { (piece) throws(DataError) in
      try encoder.encode(piece).message
    }.follow()
    return nil
  }

  private func stopped(resumed: Bool) -> PreparationResult {
    PreparationResult(
      manifest: nil, wasComplete: false, isResumed: resumed, tokens: 0, seconds: 0)
  }

  private func open() throws -> Opened {
    let settings = request.settings
    let inputs = try PreparedInputs(request.texts, jsonLines: settings.readsJSONLines)
    let tokenizer = try PreparationTokenizer(request.tokenizer)
    try PreparationRules.check(settings, inputs, tokenizer)
    let lock = try RunFolder(request.folder).lock()
    let folder = try PreparationFolder(
      request.folder, settings, tokenizer: tokenizer.identity, inputs)
    return Opened(inputs: inputs, tokenizer: tokenizer, folder: folder, lock: lock)
  }

  // MARK: The vocabulary

  /// Returns the vocabulary on every rank, after counting it if need be; nil if that was stopped.
  private func sharedVocabulary(_ opened: Opened?) throws -> Vocabulary? {
    // Byte 0: 0 for a vocabulary, 1 for a tokenizer that counts, whose name follows.
    let plan = try world.unanimous { () throws -> [UInt8] in
      guard let opened else { return [] }
      if opened.folder.isBegun { return [0] + (try opened.folder.savedVocabulary()).json }
      switch opened.tokenizer {
      case .vocabulary(let vocabulary): return [0] + vocabulary.json
      case .counted(let tokenizer): return [1] + tokenizer.name.utf8
      }
    }
    let message = try world.broadcast(plan)
    if message.first == 0 { return try decoded(message.dropFirst()) }
    let name = String(decoding: message.dropFirst(), as: UTF8.self)
    guard let tokenizer = tokenizers[name] as? any CountedTokenizer else {
      preconditionFailure("the tokenizer \(name) is not in the registry of this rank")
    }
    let vocabulary = try count(tokenizer, opened)
    let shared = try world.broadcast(vocabulary?.json ?? [])
    return shared.isEmpty ? nil : try decoded(shared[...])
  }

  private func decoded(_ json: ArraySlice<UInt8>) throws -> Vocabulary {
    try JSONDecoder().decode(Vocabulary.self, from: Data(json))
  }

  /// Counts the symbols of the training documents on all ranks.
  /// - Returns: the vocabulary on the root.
  private func count(_ tokenizer: any CountedTokenizer, _ opened: Opened?) throws -> Vocabulary? {
    let counter = PieceCounter(request.settings, tokenizer)
    var own = SymbolCounter()
    let rounds = PieceRounds(world: world) { (piece) throws(DataError) in
      try counter.count(piece, into: &own)
      return []
    }
    guard let opened else {
      try rounds.follow()
      _ = try world.gather(own.message)
      return nil
    }
    if opened.inputs.size == nil {
      throw DataError(
        "standard input can be read once only, so its symbols cannot be counted first: give the path "
          + "of a vocabulary with --tokenizer")
    }
    let pieces = try opened.folder.allPieces()
    let start = clock.now
    var bytes = 0
    var isStopped = false
    try rounds.lead({ try pieces.next() }) { piece, _ in
      bytes += piece.size
      tell(
        PreparationProgress(
          isCounting: true, done: piece.consumed, total: opened.inputs.size, bytes: bytes,
          seconds: (clock.now - start) / .seconds(1), tokens: 0, doneBefore: 0))
      isStopped = StopRequest.isMade
      return !isStopped
    }
    for (rank, message) in try world.gather(own.message).enumerated() where rank > 0 {
      own.add(message: message)
    }
    return isStopped ? nil : counter.vocabulary(own)
  }

  // MARK: The shards

  private func lead(_ opened: Opened, _ vocabulary: Vocabulary) throws -> PreparationResult {
    let (folder, encoder) = (opened.folder, PieceEncoder(request.settings, vocabulary))
    let isResumed = folder.isBegun
    let start = clock.now
    var saved = start
    var isStopped = false
    var (first, tokensBefore, bytesBefore) = (0, 0, 0)
    let rounds = PieceRounds(world: world) { (piece) throws(DataError) in
      try encoder.encode(piece).message
    }
    func seconds() -> Double { (clock.now - start) / .seconds(1) }
    var pieces: PieceCutter?
    try rounds.lead({
      if pieces == nil {
        try folder.begin(vocabulary)
        (first, tokensBefore, bytesBefore) = (folder.consumed, folder.tokens, folder.bytes)
        pieces = try folder.pieces()
      }
      return try pieces?.next()
    }) { piece, message in
      try folder.append(piece, EncodedPiece(message: message))
      isStopped = StopRequest.isMade
      if isStopped || (clock.now - saved) / .seconds(1) >= request.saveEvery {
        try folder.save(seconds: seconds())
        saved = clock.now
      }
      tell(
        PreparationProgress(
          isCounting: false, done: folder.consumed, total: opened.inputs.size,
          bytes: folder.bytes - bytesBefore, seconds: seconds(), tokens: folder.tokens,
          doneBefore: first))
      return !isStopped
    }
    if isStopped { return stopped(resumed: isResumed) }
    let manifest = try folder.finish()
    return PreparationResult(
      manifest: manifest, wasComplete: false, isResumed: isResumed,
      tokens: manifest.tokens - tokensBefore, seconds: seconds())
  }
}
