internal import COpenBLAS

/// The sums of products XᵀX and XᵀY, from which a linear map is fitted by least squares.
///
/// Each term is split into a multiple of 2⁻²⁰ and a remainder rounded to a multiple of 2⁻⁵³. Sums
/// of up to 2³² are exact in this form, so they have the same bits for any order of terms and any
/// world size. Larger sums agree to rounding.
public final class NormalSums {
  /// The number of columns of X; `outputs` is that of Y.
  public let inputs: Int
  public let outputs: Int
  /// The number of rows added so far.
  public private(set) var rows = 0
  /// The sums [X Y]ᵀ X: first the coarse part, then the fine part.
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

  /// Adds rows [x y], which lie one after another. Only rows of the same call are multiplied
  /// together, so the grouping of rows into calls must not depend on the world size.
  public func add(_ values: [Double]) {
    let count = values.count / width
    precondition(values.count == count * width, "\(values.count) numbers in rows of \(width)")
    guard count > 0 else { return }
    OpenBLAS.start
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

  // Adding and subtracting this number rounds to a multiple of a power of 2.
  private static let coarse = 0x1.8p52 * 0x1p-20
  private static let fine = 0x1.8p52 * 0x1p-53

  /// Returns the B that minimises ‖X B − Y‖² + λ ‖B‖² (Hoerl & Kennard 1970), row by row, `inputs`
  /// × `outputs`. Solves (XᵀX + λ I) B = XᵀY by Cholesky decomposition; returns nil if the matrix
  /// is not positive definite.
  public func solve(ridge: Double) -> [Double]? {
    let half = width * inputs
    let all = sums.elements()
    var gram = (0..<inputs * inputs).map { all[$0] + all[half + $0] }
    for index in 0..<inputs { gram[index * (inputs + 1)] += ridge }
    // LAPACK is column-major: a row here is a column of its right-hand side.
    var right = (inputs * inputs..<half).map { all[$0] + all[half + $0] }
    var (n, m, info) = (Int32(inputs), Int32(outputs), Int32(0))
    OpenBLAS.start
    var triangle = CChar(UInt8(ascii: "L"))
    dposv_(&triangle, &n, &m, &gram, &n, &right, &n, &info)
    precondition(info >= 0, "LAPACK's dposv refused argument \(-info)")
    guard info == 0, right.allSatisfy(\.isFinite) else { return nil }
    return (0..<inputs * outputs).map { right[$0 % outputs * inputs + $0 / outputs] }
  }
}
