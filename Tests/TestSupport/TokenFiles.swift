/// Appends a number, little endian.
private func put(_ value: some FixedWidthInteger, _ size: Int, to bytes: inout [UInt8]) {
  for i in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * i))) }
}

/// llm.c's file as its documentation has it.
package func llmC(_ tokens: [Int], magic: Int, version: Int, width: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  for number in [magic, version, tokens.count] { put(number, 4, to: &bytes) }
  bytes += [UInt8](repeating: 0, count: 1024 - bytes.count)
  for token in tokens { put(token, width, to: &bytes) }
  return bytes
}

/// Megatron's pair of files: sequences, and the first sequence of each document.
package func megatron(
  _ sequences: [[Int]], documents: [Int], code: UInt8, width: Int, modes: Bool = false
) -> (bin: [UInt8], idx: [UInt8]) {
  var (bin, idx): ([UInt8], [UInt8]) = ([], Array("MMIDIDX\0\0".utf8))
  put(1, 8, to: &idx)
  idx.append(code)
  put(sequences.count, 8, to: &idx)
  put(documents.count, 8, to: &idx)
  for sequence in sequences { put(sequence.count, 4, to: &idx) }
  for sequence in sequences {
    put(bin.count, 8, to: &idx)
    for token in sequence { put(token, width, to: &bin) }
  }
  for document in documents { put(document, 8, to: &idx) }
  if modes { idx += [UInt8](repeating: 0, count: sequences.count) }
  return (bin, idx)
}
