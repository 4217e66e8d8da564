internal import LinearAlgebra

/// xⁿ by repeated squaring: the same bits on every processor, which a C library does not promise.
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

/// √x of a number that is not negative but for rounding, which counts as 0; a NaN stays one.
///
/// Written so that the compiler sees no negative number: for one it would call the C library, which
/// sets `errno`, and a loop with a call in it does not become vector instructions.
@inline(__always) func root(_ x: Real) -> Real { (x < 0 ? 0 : x).squareRoot() }
