/// The floating-point type of every weight, activation and derivative: `Float`, or `Double` when the
/// package is built with `UNROLL_REAL=double`, so that derivatives can be checked to nine digits.
#if REAL_IS_DOUBLE
  public typealias Real = Double
#else
  public typealias Real = Float
#endif
