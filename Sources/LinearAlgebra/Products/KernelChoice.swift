internal import COpenBLAS
internal import Glibc

/// The choice of OpenBLAS's kernels on processors that are newer than the library.
///
/// OpenBLAS knows processors by their model numbers. For an unknown one it takes kernels of 2004, which reach
/// a fifth of the speed. It chooses when it is loaded, and only the environment can change that.
public enum KernelChoice {
  /// The kernels that use AVX2 or more.
  private static let wide: Set = ["haswell", "zen", "skylakex", "cooperlake", "sapphirerapids"]

  /// Returns the value of `OPENBLAS_CORETYPE` with which OpenBLAS would use the vectors of this processor; nil
  /// if it does.
  /// - Parameters:
  ///   - kernels: The name of the kernels that OpenBLAS has chosen.
  ///   - vectorBits: The width of the processor's vectors: 512, 256, or 0 for less.
  package static func better(than kernels: String, vectorBits: Int) -> String? {
    guard !wide.contains(kernels.lowercased()) else { return nil }
    return switch vectorBits {
    case 512: "SkylakeX"
    case 256: "Haswell"
    default: nil
    }
  }

  /// Starts this program anew with better kernels, if there are any and the user has chosen none. Call it
  /// first of all; it returns only if nothing has to change.
  public static func restartIfBetter() {
    guard getenv("OPENBLAS_CORETYPE") == nil,
      let kernels = better(
        than: ProductLibrary.kernels, vectorBits: Int(unroll_vector_bits()))
    else { return }
    var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else { return }
    setenv("OPENBLAS_CORETYPE", kernels, 1)
    // If it fails, the program goes on, only slower.
    execv(path, CommandLine.unsafeArgv)
  }
}
