// Arithmetic that Swift has no word for.

#ifndef UNROLL_ARITHMETIC_H
#define UNROLL_ARITHMETIC_H

/// a b + c: one instruction with one rounding where the processor has it, two instructions elsewhere.
///
/// Swift's `addingProduct` always rounds once, which is a call of the C library wherever the processor
/// has no such instruction, and its `a * b + c` always twice.
static inline float multiplyAdd(float a, float b, float c) {
#pragma STDC FP_CONTRACT ON
  return a * b + c;
}

/// √x, for x not below zero.
///
/// Swift's `squareRoot` asks the C library where x might be negative, for its `errno`, and a loop with a
/// call does not become vector instructions.
static inline double squareRoot(double x) { return __builtin_elementwise_sqrt(x); }

#endif
