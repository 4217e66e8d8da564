import Collectives
import Datasets
import Foundation
import TestSupport
import Tools

extension Reader {
  /// Folders of shards: of preparations that were killed, and one that is complete.
  static let preparation = Reader(name: "preparation") { folder in
    let text = folder + "/text.txt"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try put(Array((0..<40).map { "line \($0) bé\n" }.joined().utf8), at: text)
    var subjects: [Subject] = []
    for (place, format) in ShardFormat.allCases.enumerated() {
      var settings = PreparationSettings()
      settings.document = .line
      settings.pieceSize = 64
      settings.shardTokens = 120
      settings.format = format
      settings.split = [DocumentShare("valid", 0.3)]
      let request = Request([text], settings)
      let (home, copy) = (folder + "/whole-\(place)", folder + "/begun-\(place)")
      var pieces = 0
      try request.prepare(in: home) {
        pieces += 1
        if pieces == 5 { try? FileManager.default.copyItem(atPath: home, toPath: copy) }
      }
      subjects.append(try request.subject(copy))
      if place == 0 { subjects.append(try request.subject(home)) }
    }
    return subjects
  }

  private struct Request {
    let texts: [String]
    let settings: PreparationSettings

    init(_ texts: [String], _ settings: PreparationSettings) {
      (self.texts, self.settings) = (texts, settings)
    }

    /// Prepares the texts, or goes on; hands over each piece that is written.
    func prepare(in folder: String, atEachPiece: @escaping () -> Void = {}) throws {
      var request = PreparationRequest(
        texts, tokenizer: "character", folder: folder, settings: settings)
      request.saveEvery = 0
      _ = try Preparation(request, world: SingleProcess()) { progress in
        if !progress.isCounting { atEachPiece() }
      }.run()
    }

    /// The files of a folder, which are read by going on in a copy of them.
    func subject(_ folder: String) throws -> Subject {
      let names = try contents(folder).filter { $0 != ".lock" }
      let files = Dictionary(
        uniqueKeysWithValues: try names.map { ($0, try bytes(at: folder + "/" + $0)) })
      return Subject(files: files, damaged: Self.damaged) { folder in
        let copy = folder + "-copy"
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        for name in names { try put(bytes(at: folder + "/" + name), at: copy + "/" + name) }
        try prepare(in: copy)
      }
    }

    /// Damages the JSON of a folder more often than its tokens.
    @Sendable private static func damaged(
      _ files: Subject.Files, _ random: inout RandomDamage
    ) -> Subject.Files {
      let states = files.filter { ["progress.json", "manifest.json"].contains($0.key) }
      return Subject.anyFile(random.below(3) > 0 ? states : files, &random)
    }
  }
}
