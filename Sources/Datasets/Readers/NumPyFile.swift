/// A NumPy file, `.npy` in format 1.0 or 2.0: an array of float32 or float64 in C order.
///
/// The bytes are `\x93NUMPY`, two bytes of version, the length of the header (2 bytes, or 4 in
/// version 2), the header as a Python dictionary, and the numbers.
struct NumPyFile {
  let array: NumberArray

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  init(_ path: String) throws(DataError) {
    let file = try MappedFile(path)
    array = try file.withText { (bytes) throws(DataError) in try Self.read(bytes, path) }
  }

  private static func read(_ bytes: Span<UInt8>, _ path: String) throws(DataError) -> NumberArray {
    func damaged(_ what: String) -> DataError {
      DataError("\(path) is not a whole NumPy file (\(what)): write it with numpy.save")
    }
    guard bytes.count >= 10, (0..<magic.count).allSatisfy({ bytes[$0] == magic[$0] }) else {
      throw damaged("it does not begin as one")
    }
    let version = Int(bytes[6])
    guard version == 1 || version == 2, bytes[7] == 0 else {
      throw DataError(
        "\(path) has the format \(version).\(bytes[7]) of NumPy's files: write 1.0 or 2.0 with "
          + "numpy.save")
    }
    let width = version == 1 ? 2 : 4
    guard bytes.count >= 8 + width else { throw damaged("\(bytes.count) bytes") }
    let length = Int(bytes.littleEndian(width, at: 8))
    let start = 8 + width + length
    guard start <= bytes.count else {
      throw damaged("a header of \(length) bytes in a file of \(bytes.count)")
    }
    var header = Header(Array((8 + width..<start).map { bytes[$0] }))
    guard header.parse() else { throw damaged("its header is not a dictionary of type and shape") }
    guard header.type == "<f4" || header.type == "<f8" else {
      throw DataError(
        "\(path) has numbers of the type \(header.type ?? ""): save float32 or float64, such as "
          + "array.astype('float32')")
    }
    guard header.isFortran == false else {
      throw DataError(
        "\(path) is stored column by column: save numpy.ascontiguousarray(array)")
    }
    let isDouble = header.type == "<f8"
    let shape = header.shape ?? []
    guard NumberArray.bytes(of: shape, isDouble: isDouble) == bytes.count - start else {
      throw damaged("\(bytes.count - start) bytes do not hold the shape that it names")
    }
    return try NumberArray(bytes, in: start..<bytes.count, shape: shape, isDouble: isDouble, path)
  }

  /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
  private struct Header {
    private(set) var type: String?
    private(set) var isFortran: Bool?
    private(set) var shape: [Int]?
    private let text: [UInt8]
    private var place = 0

    init(_ text: [UInt8]) { self.text = text }

    /// Parses the header; returns true if it has each of the three keys once and nothing else.
    mutating func parse() -> Bool {
      guard take("{") else { return false }
      while !take("}") {
        guard let key = string(), take(":") else { return false }
        switch key {
        case "descr" where type == nil:
          guard let value = string() else { return false }
          type = value
        case "fortran_order" where isFortran == nil:
          if take("False") {
            isFortran = false
          } else if take("True") {
            isFortran = true
          } else {
            return false
          }
        case "shape" where shape == nil:
          guard let value = tuple() else { return false }
          shape = value
        default: return false
        }
        if !take(",") {
          guard take("}") else { return false }
          break
        }
      }
      skip()
      return place == text.count && type != nil && isFortran != nil && shape != nil
    }

    private mutating func skip() {
      while place < text.count, text[place] == 0x20 || text[place] == newline { place += 1 }
    }

    private mutating func take(_ word: String) -> Bool {
      skip()
      guard text[place...].starts(with: word.utf8) else { return false }
      place += word.utf8.count
      return true
    }

    private mutating func string() -> String? {
      skip()
      guard place < text.count, text[place] == UInt8(ascii: "'"),
        let end = text[(place + 1)...].firstIndex(of: UInt8(ascii: "'"))
      else { return nil }
      defer { place = end + 1 }
      return String(decoding: text[place + 1..<end], as: UTF8.self)
    }

    private mutating func tuple() -> [Int]? {
      guard take("(") else { return nil }
      var found: [Int] = []
      while !take(")") {
        skip()
        let digits = text[place...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
        place += digits.count
        found.append(number)
        if !take(",") {
          guard take(")") else { return nil }
          break
        }
      }
      return found
    }
  }
}
