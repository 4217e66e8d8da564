// Matrix products of oneDNN, with one interface for its versions 2 and 3, which have different
// ones. The library is searched at run time, so that the program also starts without it.

#pragma once
#include <stdbool.h>
#include <stddef.h>

// Opens the library. Returns NULL if it can be used, otherwise one sentence that says why not.
const char *onednn_open(void);

// Returns the version of the library, such as "2.6.3", and the instruction sets it uses here, such
// as "AVX-512, bfloat16". Empty before it is opened.
const char *onednn_version(void);
const char *onednn_instructions(void);

// Returns true if the processor has bfloat16 multiplication.
bool onednn_has_bfloat16(void);

// Returns true on processors on which products of few rows are faster with a blocked factor than
// with a plain one.
bool onednn_prefers_blocked(void);

// Computes C = keep · C + op(A) op(B) in row-major order; C is m × n and the sum is over k. A and B
// may be stored transposed. Returns false if there is not enough memory.
bool onednn_sgemm(bool transpose_a, bool transpose_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                  const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float keep,
                  float *c, ptrdiff_t ldc);

enum onednn_type { ONEDNN_FLOAT32, ONEDNN_BFLOAT16 };

// The shape of a product C += op(A) B or C = op(A) B. C is in float32, A and B have the same type.
// Rows of A and C are contiguous if no stride is given.
struct onednn_shape {
  ptrdiff_t m, n, k;
  // The distance between rows of C.
  ptrdiff_t ldc;
  enum onednn_type type;
  bool transpose_a;
  // B in the library's own layout, or row-major.
  bool blocked_b;
  // True to add to C.
  bool keep;
};

struct onednn_product;

// The library's layout of B for a product of this shape, and the reorder into it.
struct onednn_pack;

// NULL if the library does not support it.
struct onednn_pack *onednn_pack_make(struct onednn_shape shape);
size_t onednn_pack_bytes(const struct onednn_pack *pack);
// Reorders B, stored as [k, n] or transposed as [n, k] in float32 without gaps, into `packed`,
// 64-byte aligned.
bool onednn_pack_fill(struct onednn_pack *pack, const float *b, bool transposed, void *packed);
void onednn_pack_free(struct onednn_pack *pack);

// Makes a product of this shape with B in the layout of `pack`, or plain if `pack` is NULL. Returns
// NULL if the library has no fast kernel for it.
struct onednn_product *onednn_product_make(struct onednn_shape shape,
                                           const struct onednn_pack *pack);
bool onednn_product_run(struct onednn_product *product, const void *a, const void *b, float *c);
void onednn_product_free(struct onednn_product *product);
