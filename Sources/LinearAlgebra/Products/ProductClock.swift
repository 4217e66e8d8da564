internal import Glibc

/// A count of the time that products with weights take.
public final class ProductClock {
  public private(set) var nanoseconds = 0

  public init() {}

  func time(_ product: () -> Void) {
    let start = Self.now
    product()
    nanoseconds += Self.now - start
  }

  /// The time in nanoseconds on a monotonic clock.
  public static var now: Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
