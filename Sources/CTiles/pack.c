// Packs factors into tiles.
//
// A tile of A has 16 lines of 32 numbers. A tile of B has 16 rows, each with two successive numbers
// of each of its 16 lines. In units of such pairs, a tile of B is a transposed tile of A.

#include "tiles.h"

#include <stdint.h>
#include <string.h>

enum { LINES = 16, PAIRS = 16, DEPTH = 2 * PAIRS };

typedef uint32_t tile[16][16];

size_t tiles_bytes(ptrdiff_t lines, ptrdiff_t depth) {
  return (size_t)((lines + LINES - 1) / LINES) * ((depth + DEPTH - 1) / DEPTH) * sizeof(tile);
}

#if defined(__x86_64__)

bool tiles_can_be_packed(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq");
}

#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq")))

WIDE static inline uint32_t bfloat16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  uint32_t rounded = bits + 0x7FFF + ((bits >> 16) & 1);
  // Rounding could lose a NaN's last bits, so the quiet bit, which is kept, is set.
  return (x == x ? rounded : bits | 0x00400000) >> 16;
}

// Reads pairs of numbers that lie side by side; each row is a line.
WIDE static void pair_along(const float *from, ptrdiff_t stride, tile to) {
  for (int line = 0; line < LINES; line++) {
    const float *numbers = from + line * stride;
    uint16_t *row = (uint16_t *)to[line];
    for (int i = 0; i < DEPTH; i++) row[i] = (uint16_t)bfloat16(numbers[i]);
  }
}

// Reads pairs of numbers that lie one below the other; each column is a line.
WIDE static void pair_across(const float *from, ptrdiff_t stride, tile to) {
  for (int pair = 0; pair < PAIRS; pair++) {
    const float *first = from + 2 * pair * stride, *second = first + stride;
    for (int line = 0; line < LINES; line++)
      to[pair][line] = bfloat16(first[line]) | bfloat16(second[line]) << 16;
  }
}

WIDE static void turn_over(tile from, tile to) {
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 16; j++) to[i][j] = from[j][i];
}

WIDE void tiles_pack(const float *from, ptrdiff_t stride, bool lines_are_contiguous,
                     ptrdiff_t lines, ptrdiff_t depth, enum tiles_side side, void *to) {
  tile *next = to;
  const bool is_turned = lines_are_contiguous == (side == TILES_LEFT);
  for (ptrdiff_t line = 0; line < lines; line += LINES) {
    for (ptrdiff_t at = 0; at < depth; at += DEPTH, next++) {
      const float *corner =
          from + (lines_are_contiguous ? at * stride + line : line * stride + at);
      ptrdiff_t distance = stride;
      float edge[LINES * DEPTH];
      const ptrdiff_t some_lines = lines - line < LINES ? lines - line : LINES;
      const ptrdiff_t some_depth = depth - at < DEPTH ? depth - at : DEPTH;
      if (some_lines < LINES || some_depth < DEPTH) {
        // Numbers beyond the matrix count as zeros.
        memset(edge, 0, sizeof edge);
        distance = lines_are_contiguous ? LINES : DEPTH;
        const ptrdiff_t rows = lines_are_contiguous ? some_depth : some_lines;
        const ptrdiff_t columns = lines_are_contiguous ? some_lines : some_depth;
        for (ptrdiff_t row = 0; row < rows; row++)
          memcpy(edge + row * distance, corner + row * stride, columns * sizeof(float));
        corner = edge;
      }
      tile pairs;
      void (*pair)(const float *, ptrdiff_t, tile) = lines_are_contiguous ? pair_across : pair_along;
      pair(corner, distance, is_turned ? pairs : *next);
      if (is_turned) turn_over(pairs, *next);
    }
  }
}

#else

bool tiles_can_be_packed(void) { return false; }

void tiles_pack(const float *from, ptrdiff_t stride, bool lines_are_contiguous, ptrdiff_t lines,
                ptrdiff_t depth, enum tiles_side side, void *to) {}

#endif
