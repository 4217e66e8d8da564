// Runs before main and ends a program that was compiled for another processor with one sentence.
// Otherwise it would die from an illegal instruction later.
//
// The compiler's macros tell the instruction sets for which this binary was compiled, because every
// file is compiled with the same -march. Only instruction sets that a compiler uses unasked are
// compared.
//
// The code here may use only instructions of the first x86-64 processors: every function, with its
// constants and loops, is compiled for these, and no function is inlined from a header.

#define _GNU_SOURCE
#include "processor_check.h"

#if defined(__x86_64__) && defined(__clang__)

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_OF(tokens) #tokens
#define TEXT(macro) TEXT_OF(macro)

#pragma clang attribute push( \
    __attribute__((target("arch=x86-64,no-sse3,no-avx,no-cx16,no-sahf,no-popcnt,no-bmi,no-bmi2," \
                          "no-lzcnt,no-movbe,no-xsave,no-adx,no-tbm,no-crc32"))), \
    apply_to = function)

enum { EAX, EBX, ECX, EDX };

// The pages of cpuid that are read.
enum { LEAF_1, LEAF_7, LEAF_7_1, LEAF_80000001, LEAVES };

// The registers that the operating system must save when it switches threads: a bit mask of XCR0.
enum { NOTHING = 0, YMM = 0x6, ZMM = 0xe6, TILES = 0x60000 };

struct instruction_set {
  const char *name;
  uint8_t leaf, word, bit;
  uint32_t saved;
};

static const struct instruction_set required[] = {
#ifdef __SSE3__
  {"SSE3", LEAF_1, ECX, 0, NOTHING},
#endif
#ifdef __SSSE3__
  {"SSSE3", LEAF_1, ECX, 9, NOTHING},
#endif
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16
  {"CMPXCHG16B", LEAF_1, ECX, 13, NOTHING},
#endif
#ifdef __SSE4_1__
  {"SSE4.1", LEAF_1, ECX, 19, NOTHING},
#endif
#ifdef __SSE4_2__
  {"SSE4.2", LEAF_1, ECX, 20, NOTHING},
#endif
#ifdef __MOVBE__
  {"MOVBE", LEAF_1, ECX, 22, NOTHING},
#endif
#ifdef __POPCNT__
  {"POPCNT", LEAF_1, ECX, 23, NOTHING},
#endif
#ifdef __AVX__
  {"AVX", LEAF_1, ECX, 28, YMM},
#endif
#ifdef __F16C__
  {"F16C", LEAF_1, ECX, 29, YMM},
#endif
#ifdef __FMA__
  {"FMA", LEAF_1, ECX, 12, YMM},
#endif
#ifdef __LZCNT__
  {"LZCNT", LEAF_80000001, ECX, 5, NOTHING},
#endif
#ifdef __XOP__
  {"XOP", LEAF_80000001, ECX, 11, YMM},
#endif
#ifdef __FMA4__
  {"FMA4", LEAF_80000001, ECX, 16, YMM},
#endif
#ifdef __TBM__
  {"TBM", LEAF_80000001, ECX, 21, NOTHING},
#endif
#ifdef __BMI__
  {"BMI1", LEAF_7, EBX, 3, NOTHING},
#endif
#ifdef __AVX2__
  {"AVX2", LEAF_7, EBX, 5, YMM},
#endif
#ifdef __BMI2__
  {"BMI2", LEAF_7, EBX, 8, NOTHING},
#endif
#ifdef __AVX512F__
  {"AVX512F", LEAF_7, EBX, 16, ZMM},
#endif
#ifdef __AVX512DQ__
  {"AVX512DQ", LEAF_7, EBX, 17, ZMM},
#endif
#ifdef __AVX512IFMA__
  {"AVX512IFMA", LEAF_7, EBX, 21, ZMM},
#endif
#ifdef __AVX512CD__
  {"AVX512CD", LEAF_7, EBX, 28, ZMM},
#endif
#ifdef __AVX512BW__
  {"AVX512BW", LEAF_7, EBX, 30, ZMM},
#endif
#ifdef __AVX512VL__
  {"AVX512VL", LEAF_7, EBX, 31, ZMM},
#endif
#ifdef __AVX512VBMI__
  {"AVX512VBMI", LEAF_7, ECX, 1, ZMM},
#endif
#ifdef __AVX512VBMI2__
  {"AVX512VBMI2", LEAF_7, ECX, 6, ZMM},
#endif
#ifdef __GFNI__
  {"GFNI", LEAF_7, ECX, 8, NOTHING},
#endif
#ifdef __AVX512VNNI__
  {"AVX512VNNI", LEAF_7, ECX, 11, ZMM},
#endif
#ifdef __AVX512BITALG__
  {"AVX512BITALG", LEAF_7, ECX, 12, ZMM},
#endif
#ifdef __AVX512VPOPCNTDQ__
  {"AVX512VPOPCNTDQ", LEAF_7, ECX, 14, ZMM},
#endif
#ifdef __AVX512FP16__
  {"AVX512FP16", LEAF_7, EDX, 23, ZMM},
#endif
#ifdef __AVXVNNI__
  {"AVX-VNNI", LEAF_7_1, EAX, 4, YMM},
#endif
#ifdef __AVX512BF16__
  {"AVX512BF16", LEAF_7_1, EAX, 5, ZMM},
#endif
#ifdef __AMX_TILE__
  {"AMX-TILE", LEAF_7, EDX, 24, TILES},
#endif
#ifdef __AMX_BF16__
  {"AMX-BF16", LEAF_7, EDX, 22, TILES},
#endif
#ifdef __AMX_INT8__
  {"AMX-INT8", LEAF_7, EDX, 25, TILES},
#endif
  // Every x86-64 processor has it, so the list is never empty.
  {"SSE2", LEAF_1, EDX, 26, NOTHING},
};

// The levels of the x86-64 ABI, each without the one below.
static const struct instruction_set level2[] = {
  {"SSE3", LEAF_1, ECX, 0, NOTHING}, {"SSSE3", LEAF_1, ECX, 9, NOTHING},
  {"CMPXCHG16B", LEAF_1, ECX, 13, NOTHING}, {"SSE4.1", LEAF_1, ECX, 19, NOTHING},
  {"SSE4.2", LEAF_1, ECX, 20, NOTHING}, {"POPCNT", LEAF_1, ECX, 23, NOTHING},
  {"LAHF", LEAF_80000001, ECX, 0, NOTHING},
};
static const struct instruction_set level3[] = {
  {"AVX", LEAF_1, ECX, 28, YMM}, {"AVX2", LEAF_7, EBX, 5, YMM}, {"FMA", LEAF_1, ECX, 12, YMM},
  {"F16C", LEAF_1, ECX, 29, YMM}, {"MOVBE", LEAF_1, ECX, 22, NOTHING},
  {"BMI1", LEAF_7, EBX, 3, NOTHING}, {"BMI2", LEAF_7, EBX, 8, NOTHING},
  {"LZCNT", LEAF_80000001, ECX, 5, NOTHING},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t words[4]) {
  __asm__ volatile("cpuid"
                   : "=a"(words[EAX]), "=b"(words[EBX]), "=c"(words[ECX]), "=d"(words[EDX])
                   : "a"(leaf), "c"(subleaf));
}

struct processor {
  uint32_t words[LEAVES][4];
  // The registers that the operating system saves; none if it does not support XSAVE.
  uint32_t saved;
};

// Reads everything once, because in a virtual machine each cpuid takes microseconds.
static void read_processor(struct processor *processor) {
  memset(processor, 0, sizeof *processor);
  uint32_t last[4];
  cpuid(0, 0, last);
  cpuid(1, 0, processor->words[LEAF_1]);
  if (last[EAX] >= 7) {
    cpuid(7, 0, processor->words[LEAF_7]);
    if (processor->words[LEAF_7][EAX] >= 1) cpuid(7, 1, processor->words[LEAF_7_1]);
  }
  cpuid(0x80000000, 0, last);
  if (last[EAX] >= 0x80000001) cpuid(0x80000001, 0, processor->words[LEAF_80000001]);

  if (processor->words[LEAF_1][ECX] >> 27 & 1) {
    uint32_t high;
    __asm__ volatile("xgetbv" : "=a"(processor->saved), "=d"(high) : "c"(0));
  }
}

static int offers(const struct processor *processor, const struct instruction_set *set) {
  return (processor->words[set->leaf][set->word] >> set->bit & 1) != 0
         && (processor->saved & set->saved) == set->saved;
}

static int offers_all(
    const struct processor *processor, const struct instruction_set *sets, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!offers(processor, &sets[i])) return 0;
  }
  return 1;
}

// One rank prints on each machine, because the machines of a cluster may differ. If the launcher
// does not number the ranks of a machine, rank 0 prints.
static int speaks(void) {
  static const char *const variables[] = {
    "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID",
    "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID",
  };
  for (size_t i = 0; i < COUNT(variables); i++) {
    const char *rank = getenv(variables[i]);
    if (rank != NULL) return strcmp(rank, "0") == 0;
  }
  return 1;
}

// The most missing instruction sets to name; more would only make the sentence longer.
enum { NAMED = 4 };

struct sentence {
  char text[2048];
  size_t length;
};

static void append(struct sentence *sentence, const char *more) {
  size_t length = strlen(more), room = sizeof sentence->text - sentence->length;
  if (length > room) length = room;
  memcpy(sentence->text + sentence->length, more, length);
  sentence->length += length;
}

static void explain(const struct processor *processor) {
  struct sentence sentence;
  sentence.length = 0;
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) != 0) strcpy(host, "this machine");
  append(&sentence, "The processor of ");
  append(&sentence, host);
  append(&sentence, " lacks ");
  size_t missing = 0;
  for (size_t i = 0; i < COUNT(required); i++) {
    if (offers(processor, &required[i])) continue;
    if (missing < NAMED) {
      append(&sentence, missing > 0 ? ", " : "");
      append(&sentence, required[i].name);
    }
    missing++;
  }
  append(&sentence, missing > NAMED ? " and other instruction sets" : "");
  append(&sentence, ", for which this program was built");
#ifdef UNROLL_MARCH
  append(&sentence, " (MARCH=" TEXT(UNROLL_MARCH) ")");
#endif
  append(
      &sentence,
      ": build it again with `MARCH=native launch/build` on this machine, or with `MARCH=");
  append(&sentence, !offers_all(processor, level2, COUNT(level2)) ? "x86-64"
                    : !offers_all(processor, level3, COUNT(level3)) ? "x86-64-v2"
                                                                    : "x86-64-v3");
  append(&sentence, " launch/build` for this machine and newer ones.\n");
  // Nothing is left to do if even this fails.
  ssize_t written = write(STDERR_FILENO, sentence.text, sentence.length);
  (void)written;
}

__attribute__((constructor(101), used)) static void check_processor(void) {
  struct processor processor;
  read_processor(&processor);
  if (offers_all(&processor, required, COUNT(required))) return;
  if (speaks()) explain(&processor);
  _exit(70);
}

#pragma clang attribute pop

#endif
