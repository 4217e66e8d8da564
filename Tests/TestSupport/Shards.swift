package import Datasets
internal import Foundation

/// Writes a token shard of a text at a path, and the vocabulary beside it.
package func writeShard(
  _ path: String, of text: String, _ vocabulary: Vocabulary = .bytes,
  document: DocumentBoundary = .line
) throws {
  let folder = TemporaryFolder()
  _ = try Corpus(
    TextFiles([folder.write("text.txt", text)]), vocabulary: vocabulary, document: document,
    cache: folder.cache, writing: true)
  let target = URL(fileURLWithPath: path)
  let files = FileManager.default
  try files.createDirectory(
    at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
  // Several worlds may write the same shard at the same time.
  try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + folder.cached(".tokens")))
    .write(to: target, options: .atomic)
  try Data(vocabulary.json).write(
    to: target.deletingLastPathComponent().appending(path: "vocabulary.json"), options: .atomic)
}
