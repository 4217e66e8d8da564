// Arithmetic that Swift lacks.

#ifndef UNROLL_ARITHMETIC_H
#define UNROLL_ARITHMETIC_H

/// a b + c: one instruction with one rounding if the processor has it, otherwise two instructions.
///
/// Swift's `addingProduct` always rounds once, which is a call of the C library on processors
/// without such an instruction; its `a * b + c` always rounds twice.
static inline float multiplyAdd(float a, float b, float c) {
#pragma STDC FP_CONTRACT ON
  return a * b + c;
}

/// √x, for x not below zero.
///
/// Swift's `squareRoot` calls the C library if x might be negative, to set `errno`, and a loop with
/// a call does not become vector instructions.
static inline double squareRoot(double x) { return __builtin_elementwise_sqrt(x); }

#endif
