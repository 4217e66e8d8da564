/// The floating-point type of every weight, activation and gradient: `Float`, or `Double` if the
/// package is built with `UNROLL_REAL=double` to check gradients to nine digits.
#if REAL_IS_DOUBLE
  public typealias Real = Double
#else
  public typealias Real = Float
#endif
