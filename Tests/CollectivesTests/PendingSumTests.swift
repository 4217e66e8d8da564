import Collectives
import LinearAlgebra
import TestSupport
import Testing

/// Sums that proceed while their rank does other things.
@Suite(.serialized) struct `Sums under way` {
  static let counts = [0, 1, 2, 3, 5, 1_000, 300_001]

  /// Numbers whose sum depends on the order of its terms.
  static func number(_ rank: Int, _ place: Int) -> Real {
    let random = Philox(seed: 4, name: "rank \(rank)")
    return Real(random.normal(UInt64(place % 3_001)) * [1, 1e3, 1e-4][(place + rank) % 3])
  }

  static func filled(_ count: Int, by rank: Int, times: Int = 1) -> Buffer<Real> {
    let buffer = Buffer<Real>(count: count)
    for i in 0..<count { buffer.start[i] = number(rank + 17 * times, i) }
    return buffer
  }

  @Test(arguments: World.upToFour, counts)
  func `have the bits of sums that are waited for, again and again`(
    _ world: World, _ count: Int
  ) throws {
    let locals = try world.run { world -> Bool in
      let values = Self.filled(count + 3, by: world.rank)
      let sum = world.makeSum(of: values.elements(), wire: .float32)
      var isSame = true
      for round in 1...3 {
        // The numbers behind the first `count` take no part.
        let plain = Self.filled(count + 3, by: world.rank, times: round)
        values.copy(from: plain)
        try sum.start(count: count)
        try sum.wait()
        try world.sum(plain.elements(count: count))
        for i in 0..<count + 3 where values.start[i].bitPattern != plain.start[i].bitPattern {
          isSame = false
        }
        if count > 1_000, world.size > 1, sum.bytesSent == 0 { isSame = false }
      }
      return isSame
    }
    for local in locals { #expect(local.value) }
  }

  @Test(arguments: World.upToFour)
  func `may be many at once, beside other collectives`(_ world: World) throws {
    let locals = try world.run { world -> Bool in
      let count = 70_001
      let values = (0..<5).map { Self.filled(count, by: world.rank, times: $0 + 1) }
      let sums = values.map { world.makeSum(of: $0.elements(), wire: .float32) }
      for sum in sums { try sum.start(count: count) }
      var one: [Int32] = [1]
      try world.sum(&one)
      for sum in sums.reversed() { try sum.wait() }
      for (index, values) in values.enumerated() {
        let plain = Self.filled(count, by: world.rank, times: index + 1)
        try world.sum(plain)
        for i in 0..<count where values.start[i].bitPattern != plain.start[i].bitPattern {
          return false
        }
      }
      return one == [Int32(world.size)]
    }
    for local in locals { #expect(local.value) }
  }

  @Test(arguments: World.upToFour, counts)
  func `in bfloat16 are the rounded sums of rounded terms`(_ world: World, _ count: Int) throws {
    let locals = try world.run { world -> Bool in
      let values = Self.filled(count, by: world.rank)
      let sum = world.makeSum(of: values.elements(), wire: .bfloat16)
      try sum.start(count: count)
      try sum.wait()
      for i in 0..<count {
        var total: Float = 0
        for rank in 0..<world.size {
          let term = Float(Self.number(rank + 17, i))
          total = rank == 0 ? Self.rounded(term) : total + Self.rounded(term)
        }
        // One rank alone sends nothing and rounds nothing.
        let expected = world.size == 1 ? Self.number(17, i) : Real(Self.rounded(total))
        if values.start[i] != expected { return false }
      }
      return true
    }
    for local in locals { #expect(local.value) }
  }

  /// The nearest number with 8 bits of significand, of two the one that ends in 0.
  static func rounded(_ x: Float) -> Float {
    guard x != 0 else { return x }
    let unit = Float(sign: .plus, exponent: x.exponent - 7, significand: 1)
    return (x / unit).rounded(.toNearestOrEven) * unit
  }

  @Test(arguments: World.several)
  func `in bfloat16 keep NaN and infinity`(_ world: World) throws {
    let locals = try world.run { world -> [Real] in
      let values = Buffer<Real>(count: 3)
      values.start[0] = world.rank == 0 ? Real(Float(bitPattern: 0x7f80_0001)) : 1
      values.start[1] = world.isRoot ? .infinity : 1
      values.start[2] = 1
      let sum = world.makeSum(of: values.elements(), wire: .bfloat16)
      try sum.start(count: 3)
      try sum.wait()
      return Array(values.elements())
    }
    for local in locals {
      #expect(local.value[0].isNaN && local.value[1] == .infinity)
      #expect(local.value[2] == Real(local.size))
    }
  }
}
