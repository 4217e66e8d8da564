import LinearAlgebra
import Testing

@Suite struct `Matrix and Row` {
  @Test func `slices and parts are views of the same numbers`() {
    let whole = FramedMatrix(rows: 5, columns: 12, key: 51)
    let m = whole.matrix
    #expect(m.slice(rows: 2..<4)[1, 7] == m[3, 7])
    #expect(m.slice(columns: 3..<9)[4, 2] == m[4, 5])
    #expect(m.part(2, of: 4)[1, 1] == m[1, 7])
    #expect(m[3].part(1, of: 3)[2] == m[3, 6])
    #expect(m[3][4..<8][1] == m[3, 5])
    m.part(1, of: 4).slice(rows: 4..<5)[0, 2] = 77
    #expect(m[4, 5] == 77)
    #expect(whole.frameIsIntact)
  }

  @Test func `copying, adding and filling stay inside a view`() {
    let a = FramedMatrix(rows: 3, columns: 17, margin: 1, key: 52)
    let b = FramedMatrix(rows: 3, columns: 17, margin: 4)
    b.matrix.copy(a.matrix)
    #expect(b.numbers == a.numbers)
    b.matrix.add(a.matrix)
    #expect(b.numbers == a.numbers.map { $0 + $0 })
    let bias = FramedMatrix(rows: 1, columns: 17, key: 53)
    b.matrix.fillEveryRow(bias.matrix[0])
    #expect(b.numbers == bias.numbers + bias.numbers + bias.numbers)
    b.matrix.copy(a.matrix)
    b.matrix.addToEveryRow(bias.matrix[0])
    #expect(b.numbers == zip(a.numbers, bias.numbers + bias.numbers + bias.numbers).map(+))
    b.matrix.fill(2)
    #expect(b.numbers.allSatisfy { $0 == 2 })
    #expect(a.frameIsIntact && b.frameIsIntact && bias.frameIsIntact)
  }

  @Test func `a matrix over a buffer starts at the offset and lies without gaps`() {
    let buffer = Buffer<Real>(count: 20)
    for j in 0..<20 { buffer.start[j] = Real(j) }
    let m = Matrix(buffer, offset: 5, rows: 3, columns: 4)
    #expect(m[0, 0] == 5 && m[2, 3] == 16 && m.stride == 4)
    withExtendedLifetime(buffer) {}
  }
}

@Suite struct `Buffers` {
  @Test(arguments: [0, 1, 7, 64, 100_001])
  func `memory is zeroed and starts on a cache line`(_ count: Int) {
    let numbers = Buffer<Real>(count: count)
    let bytes = Buffer<UInt8>(count: count)
    #expect(Int(bitPattern: numbers.start) % 64 == 0 && Int(bitPattern: bytes.start) % 64 == 0)
    #expect(numbers.count == count && numbers.elements().count == count)
    #expect(numbers.elements().allSatisfy { $0 == 0 } && bytes.elements().allSatisfy { $0 == 0 })
  }

  @Test func `clearing and copying touch what they are told to`() {
    let a = Buffer<Int32>(count: 9)
    for j in 0..<9 { a.start[j] = Int32(j + 1) }
    let b = Buffer<Int32>(count: 9)
    b.copy(from: a)
    b.clear(2..<5)
    #expect(Array(b.elements()) == [1, 2, 0, 0, 0, 6, 7, 8, 9])
    #expect(Array(b.elements(from: 5, count: 2)) == [6, 7])
    #expect(Array(b.elements(from: 7)) == [8, 9])
    b.clear()
    #expect(b.elements().allSatisfy { $0 == 0 })
    #expect(Array(a.elements()) == [1, 2, 3, 4, 5, 6, 7, 8, 9])
  }

  @Test func `adopted memory is released once, after the last reference`() {
    let memory = UnsafeMutablePointer<Real>.allocate(capacity: 6)
    memory.initialize(repeating: 4, count: 6)
    var releases = 0
    var first: Buffer<Real>? = Buffer(adopting: memory, count: 6) {
      releases += 1
      memory.deallocate()
    }
    var second = first
    #expect(first?.start == memory && first?.elements().reduce(0, +) == 24)
    first = nil
    #expect(releases == 0 && second?.elements().reduce(0, +) == 24)
    second = nil
    #expect(releases == 1)
  }
}
