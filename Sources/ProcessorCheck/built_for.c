// The instruction set that the compiler was told to use, and the size of its largest vectors.

#include "processor_check.h"

#define TEXT_OF(tokens) #tokens
#define TEXT(macro) TEXT_OF(macro)

#if defined(__AVX512F__)
#define VECTORS "AVX-512"
#elif defined(__AVX2__)
#define VECTORS "AVX2"
#elif defined(__AVX__)
#define VECTORS "AVX"
#elif defined(__SSE2__)
#define VECTORS "SSE2"
#elif defined(__ARM_NEON)
#define VECTORS "NEON"
#else
#define VECTORS "no vectors"
#endif

const char *unroll_built_for(void) {
#ifdef UNROLL_MARCH
  return "MARCH=" TEXT(UNROLL_MARCH) " (" VECTORS ")";
#else
  return VECTORS;
#endif
}
