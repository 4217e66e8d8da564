import LinearAlgebra
import Testing

@Suite
struct `A pool of buffers` {
  @Test
  func `gives memory again once nobody refers to it, and not before`() {
    var pool = BufferPool<Float>()
    var first: Buffer<Float>? = pool.take(5)
    let place = first!.start
    let second = pool.take(5)
    #expect(second.start != place)
    #expect(pool.take(7).count == 7)
    first = nil
    let again = pool.take(5)
    #expect(again.start == place)
    #expect(pool.take(5).start != place)
    #expect(pool.take(5).start != second.start)
  }
}
