internal import COpenBLAS

/// Sums of products from which linear maps are fitted by least squares: XᵀX and XᵀY.
///
/// Terms are added to a grid of 2⁻²⁰ and what is left of them to one of 2⁻⁵³, where sums of up to 2³²
/// are exact: in whatever order and on however many ranks terms are added, the sums have the same bits.
/// Larger ones agree to rounding.
public final class NormalSums {
  /// The columns of X, and those of Y.
  public let inputs: Int
  public let outputs: Int
  /// The number of rows so far.
  public private(set) var rows = 0
  /// Of [X Y]ᵀ X, the coarse sums and then the fine ones.
  public let sums: Buffer<Double>
  private let width: Int
  private let product: Buffer<Double>

  public init(inputs: Int, outputs: Int) {
    self.inputs = inputs
    self.outputs = outputs
    width = inputs + outputs
    sums = Buffer(count: 2 * width * inputs)
    product = Buffer(count: width * inputs)
  }

  /// Adds rows [x y], one after the other. Only rows that are added together are multiplied together,
  /// so that it must not depend on the number of ranks which these are.
  public func add(_ values: [Double]) {
    let count = values.count / width
    precondition(values.count == count * width, "\(values.count) numbers in rows of \(width)")
    guard count > 0 else { return }
    ProductLibrary.start
    cblas_dgemm(
      CblasRowMajor, CblasTrans, CblasNoTrans, Int32(width), Int32(inputs), Int32(count), 1,
      values, Int32(width), values, Int32(width), 0, product.start, Int32(inputs))
    let (terms, sums) = (product.elements(), sums.elements())
    let half = terms.count
    for index in 0..<half {
      let coarse = (terms[index] + Self.coarse) - Self.coarse
      sums[index] += coarse
      sums[half + index] += (terms[index] - coarse + Self.fine) - Self.fine
    }
    rows += count
  }

  // What rounds a number to a multiple of a power of 2 when it is added and taken away.
  private static let coarse = 0x1.8p52 * 0x1p-20
  private static let fine = 0x1.8p52 * 0x1p-53

  /// B that minimises ‖X B − Y‖² + λ ‖B‖² (Hoerl & Kennard 1970), row by row of `inputs` × `outputs`,
  /// from (XᵀX + λ I) B = XᵀY by Cholesky's decomposition; nil where that is not positive definite.
  public func solve(ridge: Double) -> [Double]? {
    let half = width * inputs
    let all = sums.elements()
    var gram = (0..<inputs * inputs).map { all[$0] + all[half + $0] }
    for index in 0..<inputs { gram[index * (inputs + 1)] += ridge }
    // LAPACK is column-major: a row here is a column of the right side there.
    var right = (inputs * inputs..<half).map { all[$0] + all[half + $0] }
    var (n, m, info) = (Int32(inputs), Int32(outputs), Int32(0))
    ProductLibrary.start
    var triangle = CChar(UInt8(ascii: "L"))
    dposv_(&triangle, &n, &m, &gram, &n, &right, &n, &info)
    precondition(info >= 0, "LAPACK's dposv refused argument \(-info)")
    guard info == 0, right.allSatisfy(\.isFinite) else { return nil }
    return (0..<inputs * outputs).map { right[$0 % outputs * inputs + $0 / outputs] }
  }
}
