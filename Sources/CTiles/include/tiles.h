// Matrix products in bfloat16 by the tile registers of Intel's AMX: eight registers of 16 rows of 64
// bytes, and an instruction that adds to a tile of 16 × 16 sums the product of 16 × 32 and 32 × 16
// numbers (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18).
//
// Both factors are brought into tiles first. A factor has *lines*, the rows of A or the columns of B,
// and a *depth*, over which the product sums: C = A B has m × n numbers for m lines of A and n of B.

#pragma once
#include <stdbool.h>
#include <stddef.h>

// NULL where this processor and this kernel have tiles, and otherwise one sentence that says why not.
const char *tiles_open(void);

// Whether the environment asks for these products, by UNROLL_AMX=own, in place of oneDNN's.
bool tiles_are_wanted(void);

enum tiles_side { TILES_LEFT, TILES_RIGHT };

// The bytes of a factor in tiles.
size_t tiles_bytes(ptrdiff_t lines, ptrdiff_t depth);

// Whether this processor has AVX-512, which packing takes.
bool tiles_can_be_packed(void);

// Rounds a factor to the nearest bfloat16, ties to even, and brings it into tiles, 64-byte aligned.
// `stride` is the distance between lines where the numbers of a line are contiguous, and otherwise
// between numbers of one line, the lines being contiguous.
void tiles_pack(const float *from, ptrdiff_t stride, bool lines_are_contiguous, ptrdiff_t lines,
                ptrdiff_t depth, enum tiles_side side, void *to);

// C = A B, or C += A B where `keep`: m lines of `a`, n lines of `b`, `depth` numbers each; rows of C
// `stride` apart, in float32, as all sums are.
void tiles_multiply(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const void *a, const void *b,
                    bool keep, float *c, ptrdiff_t stride);
