// Finds oneDNN, once per process.

#define _GNU_SOURCE
#include "library.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char version[32];

#if __has_include(<dnnl.h>)

#define TEXT_OF(tokens) #tokens
#define TEXT(macro) TEXT_OF(macro)
// The interface differs between major versions, so only the version that was compiled for is
// searched.
#define FILE_NAME "libdnnl.so." TEXT(DNNL_VERSION_MAJOR)

static struct functions functions;
static sigset_t held;
static char problem[512];
static bool is_open;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_library(void) {
  const char *wish = getenv("UNROLL_ONEDNN");
  if (wish && strcmp(wish, "off") == 0) {
    snprintf(problem, sizeof problem, "switched off by UNROLL_ONEDNN=off");
    return;
  }
  // One thread, because parallelism is processes. OpenMP's library reads this when oneDNN loads it.
  setenv("OMP_NUM_THREADS", "1", 1);
  void *library = dlopen(wish && *wish ? wish : FILE_NAME, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(problem, sizeof problem, "not there (%s); install libdnnl%d", dlerror(),
             DNNL_VERSION_MAJOR);
    return;
  }
#define FIND(name) functions.name = (__typeof__(&name))dlsym(library, #name);
  EACH_FUNCTION(FIND)
#undef FIND
#define CHECK(name)                                                              \
  if (!functions.name) {                                                         \
    snprintf(problem, sizeof problem, "%s has no function %s", FILE_NAME, #name); \
    return;                                                                      \
  }
  EACH_FUNCTION(CHECK)
#undef CHECK
  const dnnl_version_t *found = functions.dnnl_version();
  if (found->major != DNNL_VERSION_MAJOR) {
    snprintf(problem, sizeof problem, "%s is of version %d, and this program was built for %d",
             FILE_NAME, found->major, DNNL_VERSION_MAJOR);
    return;
  }
  snprintf(version, sizeof version, "%d.%d.%d", found->major, found->minor, found->patch);
  // For a process that has already loaded OpenMP's library.
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "omp_set_num_threads");
  if (set_threads) set_threads(1);
  // A product allocates megabytes of memory and frees them. By default the C library would return
  // them to the kernel and fetch cleared pages again at the next product, a tenth of the time of a
  // step.
  mallopt(M_MMAP_THRESHOLD, 1 << 25);
  mallopt(M_TRIM_THRESHOLD, 1 << 29);
  // Signals raised by the program's own instructions cannot be blocked.
  sigfillset(&held);
  const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&held, own[i]);
  is_open = true;
}

void onednn_hold_signals(sigset_t *before) { pthread_sigmask(SIG_BLOCK, &held, before); }
void onednn_release_signals(const sigset_t *before) {
  pthread_sigmask(SIG_SETMASK, before, NULL);
}

const char *onednn_open(void) {
  pthread_once(&once, open_library);
  return is_open ? NULL : problem;
}

const struct functions *onednn_functions(void) {
  return onednn_open() ? NULL : &functions;
}

// Returns true if the library uses all instructions of a set on this processor.
static bool uses(const struct functions *f, unsigned set) {
  return ((unsigned)f->dnnl_get_effective_cpu_isa() & set) == set;
}

const char *onednn_instructions(void) {
  const struct functions *f = onednn_functions();
  if (!f) return "";
  if (uses(f, dnnl_cpu_isa_avx512_core_amx)) return "AMX";
  if (uses(f, dnnl_cpu_isa_avx512_core_bf16)) return "AVX-512 with bfloat16";
  if (uses(f, dnnl_cpu_isa_avx512_core)) return "AVX-512";
  if (uses(f, dnnl_cpu_isa_avx2)) return "AVX2";
  return "SSE4.1 or AVX";
}

bool onednn_has_bfloat16(void) {
  const struct functions *f = onednn_functions();
  return f && uses(f, dnnl_cpu_isa_avx512_core_bf16);
}

#else

const char *onednn_open(void) {
  return "this program was built without it (install libdnnl-dev and build again)";
}
const char *onednn_instructions(void) { return ""; }
bool onednn_has_bfloat16(void) { return false; }

#endif

const char *onednn_version(void) { return version; }

bool onednn_prefers_blocked(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_is("intel");
#else
  return false;
#endif
}
