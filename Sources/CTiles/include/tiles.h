// Matrix products in bfloat16 with the tile registers of Intel's AMX: eight registers of 16 rows of
// 64 bytes, and an instruction that adds the product of 16 × 32 and 32 × 16 numbers to a tile of 16
// × 16 sums (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18).
//
// Both factors are packed into tiles first. A factor has *lines*, which are the rows of A or the
// columns of B, and a *depth*, over which the product sums: C = A B has m × n numbers for m lines
// of A and n lines of B.

#pragma once
#include <stdbool.h>
#include <stddef.h>

// Returns NULL if this processor and this kernel support tiles, otherwise one sentence that says
// why not.
const char *tiles_open(void);

// Returns true if the environment selects these products in place of oneDNN's, by UNROLL_AMX=own.
bool tiles_are_wanted(void);

enum tiles_side { TILES_LEFT, TILES_RIGHT };

// Returns the bytes of a factor in tiles.
size_t tiles_bytes(ptrdiff_t lines, ptrdiff_t depth);

// Returns true if this processor has AVX-512, which packing needs.
bool tiles_can_be_packed(void);

// Rounds a factor to the nearest bfloat16, ties to even, and packs it into tiles, 64-byte aligned.
// `stride` is the distance between lines if the numbers of a line are contiguous; otherwise the
// lines are contiguous, and it is the distance between the numbers of a line.
void tiles_pack(const float *from, ptrdiff_t stride, bool lines_are_contiguous, ptrdiff_t lines,
                ptrdiff_t depth, enum tiles_side side, void *to);

// Computes C = A B, or C += A B if `keep` is true: m lines of `a`, n lines of `b`, `depth` numbers
// each. Rows of C are `stride` apart and in float32, as all sums are.
void tiles_multiply(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const void *a, const void *b,
                    bool keep, float *c, ptrdiff_t stride);
