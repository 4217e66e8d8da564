internal import LinearAlgebra

/// Returns xⁿ by repeated squaring, with the same bits on every processor, which a C library does
/// not guarantee.
func power(_ x: Double, _ n: Int) -> Double {
  precondition(n >= 0, "the power \(n) of \(x)")
  var result = 1.0, square = x, rest = n
  while rest > 0 {
    if rest & 1 == 1 { result *= square }
    square *= square
    rest >>= 1
  }
  return result
}

/// Returns √x of a number that is negative only by rounding, which then counts as 0; a NaN stays
/// NaN.
///
/// The code shows the compiler that no number is negative. Otherwise it would call the C library,
/// which sets `errno`, and a loop with a call does not become vector instructions.
@inline(__always) func root(_ x: Real) -> Real { (x < 0 ? 0 : x).squareRoot() }
