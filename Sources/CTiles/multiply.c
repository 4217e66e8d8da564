// Products of factors in tiles.
//
// Two tiles of A and two of B make four products: 32 × 32 sums that stay in registers over a chunk
// of the depth, with 4 KiB read for 64 cycles of multiplication. Chunks and blocks of lines are as
// large as the second-level cache allows (2 MiB on processors with tiles). A block of A stays in
// the cache while all of B is read, and two lines of tiles of B stay there while the block of A is
// read.

#include "tiles.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

#define TILES __attribute__((target("avx512f,amx-tile,amx-bf16")))

enum { SIDE = 16, DEPTH = 32, CHUNK = 32, BLOCK = 512 };

typedef uint32_t tile[SIDE][SIDE];

// Tile registers. Their instructions are written in assembly, because the compiler does not know
// that tiles have different shapes, and may exchange registers in its own intrinsics (seen with
// clang 21 when it tunes for some processors).
#define SUMS_00 "%%tmm0"
#define SUMS_01 "%%tmm1"
#define SUMS_10 "%%tmm2"
#define SUMS_11 "%%tmm3"
#define A_0 "%%tmm4"
#define A_1 "%%tmm5"
#define B_0 "%%tmm6"
#define B_1 "%%tmm7"

#define SHAPES(shape) __asm__ volatile("ldtilecfg %0" : : "m"(shape))
#define RELEASE() __asm__ volatile("tilerelease" : :)
#define ZERO(to) __asm__ volatile("tilezero " to : :)
// Rows with a distance in bytes.
#define LOAD(to, from, bytes) \
  __asm__ volatile("tileloadd (%0,%1,1), " to : : "r"(from), "r"((ptrdiff_t)(bytes)) : "memory")
#define STORE(from, to, bytes) \
  __asm__ volatile("tilestored " from ", (%0,%1,1)" : : "r"(to), "r"((ptrdiff_t)(bytes)) : "memory")
#define MULTIPLY(sums, a, b) __asm__ volatile("tdpbf16ps " b ", " a ", " sums : :)

// The shape of a block: `rows` of A, those of its second line of tiles, and `columns` of C.
struct block {
  const tile *a[2], *b[2];
  ptrdiff_t rows, columns;
  // The depth in tiles.
  ptrdiff_t depth;
  bool keep;
  float *c;
  ptrdiff_t stride;
};

// Configures tiles of 16 rows, or of as many as the block has.
TILES static void configure(ptrdiff_t rows) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } shape = {.palette = 1};
  const uint8_t first = rows < SIDE ? rows : SIDE;
  const uint8_t second = rows > SIDE ? rows - SIDE : SIDE;
  const uint8_t of[8] = {first, first, second, second, first, second, SIDE, SIDE};
  for (int i = 0; i < 8; i++) {
    shape.bytes[i] = 64;
    shape.rows[i] = of[i];
  }
  SHAPES(shape);
}

// A tile of sums at the right edge of C is loaded and stored through a tile with all columns.
TILES static void fetch(tile edge, const float *c, ptrdiff_t stride, ptrdiff_t rows,
                        ptrdiff_t columns) {
  memset(edge, 0, sizeof(tile));
  for (ptrdiff_t i = 0; i < rows; i++) memcpy(edge[i], c + i * stride, columns * sizeof(float));
}
TILES static void put_back(tile edge, float *c, ptrdiff_t stride, ptrdiff_t rows,
                           ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows; i++) memcpy(c + i * stride, edge[i], columns * sizeof(float));
}

#define BEGIN(sums, c, rows, columns)              \
  if (!at->keep) {                                 \
    ZERO(sums);                                    \
  } else if ((columns) >= SIDE) {                  \
    LOAD(sums, c, at->stride * sizeof(float));     \
  } else {                                         \
    fetch(edge, c, at->stride, rows, columns);     \
    LOAD(sums, edge, sizeof edge[0]);              \
  }
#define END(sums, c, rows, columns)                \
  if ((columns) >= SIDE) {                         \
    STORE(sums, c, at->stride * sizeof(float));    \
  } else {                                         \
    STORE(sums, edge, sizeof edge[0]);             \
    put_back(edge, c, at->stride, rows, columns);  \
  }

// Computes the sums of one block. The size of its second line of tiles is known at compile time.
TILES __attribute__((always_inline)) static inline void sum(const struct block *at,
                                                           const bool two_of_a,
                                                           const bool two_of_b) {
  tile edge;
  const ptrdiff_t first = two_of_a ? SIDE : at->rows, second = at->rows - SIDE;
  const ptrdiff_t columns = at->columns, rest = columns - SIDE;
  float *above = at->c, *below = above + SIDE * at->stride;
  BEGIN(SUMS_00, above, first, columns)
  if (two_of_b) { BEGIN(SUMS_01, above + SIDE, first, rest) }
  if (two_of_a) { BEGIN(SUMS_10, below, second, columns) }
  if (two_of_a && two_of_b) { BEGIN(SUMS_11, below + SIDE, second, rest) }
  for (ptrdiff_t i = 0; i < at->depth; i++) {
    LOAD(B_0, at->b[0] + i, SIDE * sizeof(uint32_t));
    LOAD(A_0, at->a[0] + i, SIDE * sizeof(uint32_t));
    MULTIPLY(SUMS_00, A_0, B_0);
    if (two_of_a) {
      LOAD(A_1, at->a[1] + i, SIDE * sizeof(uint32_t));
      MULTIPLY(SUMS_10, A_1, B_0);
    }
    if (two_of_b) {
      LOAD(B_1, at->b[1] + i, SIDE * sizeof(uint32_t));
      MULTIPLY(SUMS_01, A_0, B_1);
      if (two_of_a) { MULTIPLY(SUMS_11, A_1, B_1); }
    }
  }
  END(SUMS_00, above, first, columns)
  if (two_of_b) { END(SUMS_01, above + SIDE, first, rest) }
  if (two_of_a) { END(SUMS_10, below, second, columns) }
  if (two_of_a && two_of_b) { END(SUMS_11, below + SIDE, second, rest) }
}

TILES static void sum_of_block(const struct block *at) {
  const bool two_of_a = at->rows > SIDE, two_of_b = at->columns > SIDE;
  if (two_of_a) {
    if (two_of_b) sum(at, true, true); else sum(at, true, false);
  } else {
    if (two_of_b) sum(at, false, true); else sum(at, false, false);
  }
}

static ptrdiff_t least(ptrdiff_t x, ptrdiff_t y) { return x < y ? x : y; }

TILES void tiles_multiply(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const void *a, const void *b,
                          bool keep, float *c, ptrdiff_t stride) {
  const tile *left = a, *right = b;
  const ptrdiff_t tiles = (depth + DEPTH - 1) / DEPTH;
  struct block at = {.stride = stride};
  ptrdiff_t chunk = 0;
  // At least once, also if there is nothing to sum.
  do {
    at.depth = least(CHUNK, tiles - chunk);
    at.keep = keep || chunk > 0;
    for (ptrdiff_t rows = 0; rows < m; rows += BLOCK) {
      const ptrdiff_t end = least(rows + BLOCK, m);
      // All rows that fill two tiles, then the rest.
      const ptrdiff_t whole = rows + (end - rows) / (2 * SIDE) * (2 * SIDE);
      for (int is_rest = 0; is_rest < 2; is_rest++) {
        const ptrdiff_t from = is_rest ? whole : rows, to = is_rest ? end : whole;
        if (from == to) continue;
        at.rows = least(2 * SIDE, to - from);
        configure(at.rows);
        for (ptrdiff_t column = 0; column < n; column += 2 * SIDE) {
          at.columns = least(2 * SIDE, n - column);
          at.b[0] = right + column / SIDE * tiles + chunk;
          at.b[1] = at.b[0] + tiles;
          for (ptrdiff_t row = from; row < to; row += 2 * SIDE) {
            at.a[0] = left + row / SIDE * tiles + chunk;
            at.a[1] = at.a[0] + tiles;
            at.c = c + row * stride + column;
            sum_of_block(&at);
          }
        }
      }
    }
    chunk += CHUNK;
  } while (chunk < tiles);
  RELEASE();
}

#else

void tiles_multiply(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, const void *a, const void *b,
                    bool keep, float *c, ptrdiff_t stride) {}

#endif
