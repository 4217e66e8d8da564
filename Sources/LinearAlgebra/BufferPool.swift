/// Buffers that are used again once nobody else refers to them, because the system takes longer to give
/// memory anew than to copy numbers into it.
public struct BufferPool<Element: BitwiseCopyable> {
  private var buffers: [Buffer<Element>] = []

  /// Makes a pool without buffers.
  public init() {}

  /// Returns a buffer of `count` elements that nobody else refers to: one of the pool, with whatever it
  /// held, or a new one, which joins the pool.
  public mutating func take(_ count: Int) -> Buffer<Element> {
    for index in buffers.indices
    where buffers[index].count == count && isKnownUniquelyReferenced(&buffers[index]) {
      return buffers[index]
    }
    let buffer = Buffer<Element>(count: count)
    buffers.append(buffer)
    return buffer
  }
}
