internal import COneDNN
internal import COpenBLAS
internal import CTiles

/// What multiplies matrices on this machine: oneDNN where it is found, and OpenBLAS for small products
/// and everywhere else.
public enum ProductLibrary {
  /// One thread per process: parallelism is processes. Set before the first product.
  static let start: Void = openblas_set_num_threads(1)

  /// Version and build of OpenBLAS, such as `OpenBLAS 0.3.21 … Zen MAX_THREADS=64`.
  public static var description: String { String(cString: openblas_get_config()) }
  /// The processor type whose kernels OpenBLAS chose, such as `SkylakeX`.
  public static var kernels: String { String(cString: openblas_get_corename()) }
  /// The threads that a product uses.
  public static var threads: Int {
    start
    return Int(openblas_get_num_threads())
  }

  /// Whether oneDNN was found.
  public static let hasOneDNN = onednn_open() == nil
  /// Why oneDNN is not used; nil where it is.
  public static var oneDNNProblem: String? { onednn_open().map { String(cString: $0) } }
  /// Such as `oneDNN 2.6.3, AVX-512 with bfloat16`; nil where it was not found.
  public static var oneDNN: String? {
    hasOneDNN
      ? "oneDNN \(String(cString: onednn_version())), \(String(cString: onednn_instructions()))"
      : nil
  }

  /// Whether the processor multiplies bfloat16 numbers itself. Where it does not, factors are rounded
  /// and multiplied in single precision: the same result at no gain in speed.
  public static var hasBFloat16: Bool { onednn_has_bfloat16() }

  /// Whether the processor has the tiles of AMX, and the kernel lets this process use them.
  package static var hasTiles: Bool { tiles_open() == nil }
  /// Whether products in bfloat16 are done in tiles by this program's own kernels: where there are
  /// tiles and `UNROLL_AMX=own` asks for it. oneDNN has kernels for them too.
  public static var usesOwnTiles: Bool { tiles_are_wanted() && hasTiles }
}
