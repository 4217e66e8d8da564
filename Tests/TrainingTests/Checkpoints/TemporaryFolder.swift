import Foundation
import Training

/// Runs a test in an empty folder that is deleted afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let path = NSTemporaryDirectory() + "unroll-checkpoints-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

func put(_ bytes: [UInt8], at path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

func bytes(at path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// What is in a folder, sorted.
func contents(_ path: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: path).sorted()
}

/// A state with something in every part.
func state(step: Int, bestLoss: Double? = 1.25) -> CheckpointState {
  CheckpointState(
    step: step, epoch: 3, tokens: 700 * step, seed: .max - 4,
    streams: .array([.object(["stream": .integer(0), "position": .integer(35 * step)])]),
    random: .object(["dropout": .unsigned(.max)]),
    schedule: .object(["rate": .number(0.1 + 0.2)]), plateau: .object(["factor": .number(0.25)]),
    earlyStop: .object(["patience": .integer(4)]), bestLoss: bestLoss, worldSize: 2, batchSize: 20,
    configuration: .object(["name": .string("a \"test\"/é")]),
    hashes: .init(configuration: "c", model: "m", data: "d", vocabulary: "v"),
    software: "unroll test", time: "2026-01-02T03:04:05Z")
}

/// The files of a checkpoint whose numbers depend on the step.
func files(step: Int, numbers: Int = 300) -> [CheckpointFile] {
  let values = (0..<numbers).map { Float($0) / 7 + Float(step) }
  return [
    CheckpointFile("model.safetensors", tensors: [Tensor("w", shape: [numbers], copying: values)]),
    CheckpointFile(
      "hidden.safetensors", tensors: [Tensor("h", shape: [2, 1], copying: [Float(step), -1])]),
    CheckpointFile("vocabulary.json", bytes: Array("[\"a\", \"b\"]\n".utf8)),
  ]
}
