internal import COpenBLAS

/// The libraries that multiply matrices on this machine, for reports: OpenBLAS, which is always there,
/// and the others of the registry `productBackends`.
public enum ProductLibrary {
  /// The version and build of OpenBLAS, such as `OpenBLAS 0.3.21 … Zen MAX_THREADS=64`.
  public static var description: String { String(cString: openblas_get_config()) }
  /// The processor type whose kernels OpenBLAS chose, such as `SkylakeX`.
  public static var kernels: String { String(cString: openblas_get_corename()) }
  /// The threads that a product uses.
  public static var threads: Int {
    OpenBLAS.start
    return Int(openblas_get_num_threads())
  }

  /// The libraries that were found beside OpenBLAS, such as `oneDNN 2.6.3, AVX-512 with bfloat16`; nil
  /// if there is none.
  public static var additional: String? {
    let found = productBackends.compactMap(\.description)
    return found.isEmpty ? nil : found.joined(separator: "; ")
  }
  /// The reason why a library that this machine should have is not used; nil if all are.
  public static var additionalProblem: String? {
    productBackends.lazy.compactMap(\.problem).first
  }

  /// True if the processor multiplies bfloat16 numbers itself. Otherwise factors are rounded and
  /// multiplied in single precision: the same result without a gain in speed.
  public static var hasBFloat16: Bool { weightPath(for: .bfloat16).bytesOfRounded == 2 }
  /// True if bfloat16 numbers are multiplied in the tiles of AMX by this program's own kernels.
  public static var usesOwnTiles: Bool { weightPath(for: .bfloat16).name == "tiles" }

  /// All paths for products with weights that this machine can run.
  package static var paths: [WeightPath] { productBackends.flatMap(\.weightPaths) }
}
