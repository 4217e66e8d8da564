// Checks for tiles.

#define _GNU_SOURCE
#include "tiles.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

enum {
  // Leaf 7 of cpuid.
  AVX512F = 1 << 16,
  AVX512DQ = 1 << 17,
  AVX512BW = 1 << 30,
  AMX_BF16 = 1 << 22,
  AMX_TILE = 1 << 24,
  // The permission of the kernel: a process must request it before its first tile, because the 8
  // KiB of tiles must be saved at every switch between threads (Documentation/arch/x86/xstate.rst).
  REQUEST_PERMISSION = 0x1023,
  TILE_DATA = 18,
};

static void open_tiles(void) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  const unsigned vectors = AVX512F | AVX512DQ | AVX512BW;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & vectors) != vectors ||
      (d & (AMX_BF16 | AMX_TILE)) != (AMX_BF16 | AMX_TILE)) {
    problem = "this processor has no AMX";
    return;
  }
  if (syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) != 0)
    problem = "the kernel gives no permission for AMX; it needs Linux 5.16 or newer";
}

const char *tiles_open(void) {
  pthread_once(&once, open_tiles);
  return problem;
}

#else

const char *tiles_open(void) { return "this processor has no AMX"; }

#endif

bool tiles_are_wanted(void) {
  const char *wish = getenv("UNROLL_AMX");
  return wish && strcmp(wish, "own") == 0;
}
