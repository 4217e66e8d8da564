/// A library that multiplies matrices.
///
/// A new library is one file in `Backends/` with a type that adopts this protocol, and one line in
/// `productBackends`. Both kinds of products are optional: a library may do plain products, products
/// with weights, or both.
///
/// The choice of a library depends on the machine, the environment, the precision and the shape of a
/// product, and never on earlier products: a resumed run has to compute the same bits.
///
/// The protocol is asked once for a process or a model. The functions and objects that it returns do
/// the work of the time steps without a call through the protocol.
protocol ProductBackend: Sendable {
  /// The name and version for `unroll doctor`, such as `oneDNN 2.6.3, AVX-512 with bfloat16`; nil if
  /// the library is not in use or is not worth a mention.
  var description: String? { get }

  /// The reason why a library that this machine should have is not in use, such as `missing`; nil if
  /// it is in use, or if nobody expects it.
  var problem: String? { get }

  /// The function for plain products; nil if the library has none or cannot be used here.
  var denseKernel: DenseKernel? { get }

  /// All paths for products with weights that this machine can run. The tests run each of them.
  var weightPaths: [WeightPath] { get }

  /// The path that the library offers for the weights of a model on this machine; nil to leave them
  /// to the next library of the registry.
  /// - Parameter rowsAreIndependent: each row of a product has to depend on that row of x and on W
  ///   alone, to the bit. A library that cannot promise this returns nil.
  func weightPath(for precision: Precision, rowsAreIndependent: Bool) -> WeightPath?
}

extension ProductBackend {
  var description: String? { nil }
  var problem: String? { nil }
  var denseKernel: DenseKernel? { nil }
  var weightPaths: [WeightPath] { [] }
  func weightPath(for precision: Precision, rowsAreIndependent: Bool) -> WeightPath? { nil }
}

#if REAL_IS_DOUBLE
  /// The libraries in double precision.
  let productBackends: [any ProductBackend] = [OpenBLAS()]
#else
  /// The libraries, in the order in which they are asked. The last one takes every product.
  let productBackends: [any ProductBackend] = [
    OwnRows(),
    OwnTiles(),
    OneDNN(),
    OpenBLAS(),
  ]
#endif

/// One plain product, C = keep · C + op(A) op(B), of shapes that fit and that are not empty. C is
/// m × n and the sum runs over k.
struct DenseProduct {
  let a: Matrix
  let transposeA: Bool
  let b: Matrix
  let transposeB: Bool
  let c: Matrix
  let keep: Real
  let m, n, k: Int
}

/// Computes a plain product, or returns false for a shape that the libraries after this one multiply
/// faster.
typealias DenseKernel = @Sendable (DenseProduct) -> Bool

/// The functions for plain products in the order of the registry.
let denseKernels = productBackends.compactMap(\.denseKernel)

/// The path for the weights of a model on this machine: that of the first library with an offer. All
/// machines of one kind take the same.
func weightPath(for precision: Precision, rowsAreIndependent: Bool = false) -> WeightPath {
  for backend in productBackends {
    if let path = backend.weightPath(for: precision, rowsAreIndependent: rowsAreIndependent) {
      return path
    }
  }
  preconditionFailure("the last library of the registry has a path for every precision")
}
