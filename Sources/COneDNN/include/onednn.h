// Matrix products of oneDNN, of its versions 2 and 3, which have different interfaces, behind one.
// The library is looked for when the program runs, so that the program also starts without it.

#pragma once
#include <stdbool.h>
#include <stddef.h>

// Opens the library; NULL where it can be used, and otherwise one sentence that says why not.
const char *onednn_open(void);

// Version of the library, such as "2.6.3", and the instruction sets it uses here, such as
// "AVX-512, bfloat16". Empty before it is opened.
const char *onednn_version(void);
const char *onednn_instructions(void);

// The processor multiplies numbers in bfloat16 by itself.
bool onednn_has_bfloat16(void);

// The processor is one on which products of few rows by a blocked factor are faster than those by a
// plain one.
bool onednn_prefers_blocked(void);

// C = keep · C + op(A) op(B) in row-major order, C of m × n and a sum over k; whether A and B are
// stored transposed. False where there is no memory for it.
bool onednn_sgemm(bool transpose_a, bool transpose_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                  const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float keep,
                  float *c, ptrdiff_t ldc);

enum onednn_type { ONEDNN_FLOAT32, ONEDNN_BFLOAT16 };

// One product by its shape: C += op(A) B or C = op(A) B, C in float32, A and B of one type, rows of A
// and C contiguous where no stride is given.
struct onednn_shape {
  ptrdiff_t m, n, k;
  // The distance between rows of C.
  ptrdiff_t ldc;
  enum onednn_type type;
  bool transpose_a;
  // B lies as the library likes it best, or in rows one after the other.
  bool blocked_b;
  // Adds to C.
  bool keep;
};

struct onednn_product;

// How the library likes B to lie for a product of this shape, and what brings it there.
struct onednn_pack;

// NULL where the library cannot.
struct onednn_pack *onednn_pack_make(struct onednn_shape shape);
size_t onednn_pack_bytes(const struct onednn_pack *pack);
// Brings B, stored [k, n] or transposed [n, k] in float32 without gaps, into `packed`, 64-byte aligned.
bool onednn_pack_fill(struct onednn_pack *pack, const float *b, bool transposed, void *packed);
void onednn_pack_free(struct onednn_pack *pack);

// A product of this shape whose B lies as `pack` has it; a NULL pack for a plain B. NULL where the library
// has no fast kernel for it.
struct onednn_product *onednn_product_make(struct onednn_shape shape,
                                           const struct onednn_pack *pack);
bool onednn_product_run(struct onednn_product *product, const void *a, const void *b, float *c);
void onednn_product_free(struct onednn_product *product);
