public import Formats
internal import Foundation
internal import Recurrence
public import Sequences

/// Everything besides tensors that a run needs to resume: the file `state.json` of a checkpoint.
///
/// Parts that belong to other modules are plain JSON here. Doubles are restored to the same bits.
public struct CheckpointState: Codable, Equatable, Sendable {
  /// The newest format that this program reads; it writes no other.
  public static let format = 1

  /// One file of the checkpoint, as it was written.
  public struct File: Codable, Equatable, Sendable {
    public var name: String
    public var size: Int
    /// CRC-32 (zlib's) as eight hexadecimal digits.
    public var crc32: String
  }

  /// Fingerprints of everything that must be the same when a run resumes.
  public struct Hashes: Codable, Equatable, Sendable {
    public var configuration: String
    public var model: String
    public var data: String
    public var vocabulary: String

    public init(configuration: String, model: String, data: String, vocabulary: String) {
      self.configuration = configuration
      self.model = model
      self.data = data
      self.vocabulary = vocabulary
    }
  }

  public private(set) var format = CheckpointState.format
  /// The number of steps so far, including skipped ones.
  public var step: Int
  public var epoch: Int
  /// The number of targets so far, over all epochs.
  public var tokens: Int
  public var seed: UInt64
  /// The position of the streams in the data; they advance together.
  public var streams: JSONValue
  /// The counters of the random numbers used so far.
  public var random: JSONValue
  public var schedule: JSONValue
  public var plateau: JSONValue
  public var earlyStop: JSONValue
  /// The best validation loss so far, in nats per target.
  public var bestLoss: Double?
  public var worldSize: Int
  public var batchSize: Int
  /// The configuration with every default filled in.
  public var configuration: JSONValue
  public var hashes: Hashes
  /// The inputs and outputs of the model; nil for the next symbol of a text.
  public var interface: TaskSignature?
  /// All other files of the checkpoint; filled in when it is saved.
  public internal(set) var files: [File] = []
  /// The program and its version.
  public var software: String
  /// The time when it was saved, in ISO 8601.
  public var time: String

  enum CodingKeys: String, CodingKey {
    case format, step, epoch, tokens, seed, streams, random, schedule, plateau
    case earlyStop = "early_stop"
    case bestLoss = "best_loss"
    case worldSize = "world_size"
    case batchSize = "batch_size"
    case configuration, hashes, interface, files, software, time
  }

  public init(
    step: Int, epoch: Int, tokens: Int, seed: UInt64, streams: JSONValue = .null,
    random: JSONValue = .null, schedule: JSONValue = .null, plateau: JSONValue = .null,
    earlyStop: JSONValue = .null, bestLoss: Double? = nil, worldSize: Int, batchSize: Int,
    configuration: JSONValue = .null, hashes: Hashes, interface: TaskSignature? = nil,
    software: String, time: String? = nil
  ) {
    self.step = step
    self.epoch = epoch
    self.tokens = tokens
    self.seed = seed
    self.streams = streams
    self.random = random
    self.schedule = schedule
    self.plateau = plateau
    self.earlyStop = earlyStop
    self.bestLoss = bestLoss
    self.worldSize = worldSize
    self.batchSize = batchSize
    self.configuration = configuration
    self.hashes = hashes
    self.interface = interface
    self.software = software
    self.time = time ?? Date.now.formatted(.iso8601)
  }
}

// `state.json` protects the other files with their checksums, and itself with the one in its first
// member: the CRC-32 of the file with the eight digits of that checksum replaced by zeros.
extension CheckpointState {
  private static let opening = Array("{\n  \"crc32\" : \"".utf8)
  private static let zeros = Array("00000000".utf8)

  /// Returns the text of `state.json`.
  func encoded() -> [UInt8] {
    // The only value that JSON cannot represent, a Double that is NaN or infinite, is written as a
    // string.
    guard let body = try? JSONValue.encoder(pretty: true).encode(self) else {
      preconditionFailure("a state that is no JSON")
    }
    var bytes =
      CheckpointState.opening + CheckpointState.zeros + Array("\",".utf8) + body.dropFirst()
      + Array("\n".utf8)
    let place = CheckpointState.opening.count
    bytes.replaceSubrange(place..<place + 8, with: hexadecimal(checksum(bytes)).utf8)
    return bytes
  }

  /// Reads and checks the text of `state.json`.
  init(decoding bytes: [UInt8], path: String) throws(FileError) {
    let opening = CheckpointState.opening
    func damaged(_ what: String) -> FileError {
      FileError(.damaged, path, "\(path) \(what): use another checkpoint")
    }
    let digits = opening.count..<opening.count + 8
    guard bytes.starts(with: opening), bytes.count > digits.upperBound else {
      throw damaged("does not begin like the state of a checkpoint")
    }
    var blank = bytes
    blank.replaceSubrange(digits, with: CheckpointState.zeros)
    guard Array(hexadecimal(checksum(blank)).utf8) == Array(bytes[digits]) else {
      throw damaged("is damaged, its bytes do not have the checksum they were written with")
    }
    struct Version: Decodable { let format: Int }
    do {
      let data = Data(bytes)
      let version = try JSONValue.decoder.decode(Version.self, from: data).format
      guard version == CheckpointState.format else {
        throw FileError(
          .damaged, path,
          "\(path) has format \(version), and this program reads \(CheckpointState.format): "
            + "use the version of unroll that wrote it")
      }
      self = try JSONValue.decode(from: data)
    } catch let error as FileError {
      throw error
    } catch {
      throw damaged("is not the state of a checkpoint, \(complaint(error))")
    }
    for file in files where file.name.contains("/") || file.name.hasPrefix(".") || file.name.isEmpty
    {
      throw damaged("names a file outside of its folder")
    }
    guard Set(files.map(\.name)).count == files.count else {
      throw damaged("names a file twice")
    }
  }
}
