#define _GNU_SOURCE
#include "allocation_counter.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// glibc's own entry points, below the names that are replaced here.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

// Of this thread alone: the test runner allocates on others meanwhile.
static _Thread_local bool counting;
static _Thread_local long count;
static _Thread_local long bytes;

// Counts an allocation, unless a product library made it, which allocate for themselves: oneDNN through
// C++'s operator new.
static void note(void *caller, size_t size) {
  static const char *const libraries[] = {"openblas", "dnnl", "stdc++", "gomp"};
  if (!counting) return;
  Dl_info object;
  if (dladdr(caller, &object) && object.dli_fname)
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
      if (strstr(object.dli_fname, libraries[i])) return;
  count += 1;
  bytes += (long)size;
}

void *malloc(size_t size) {
  note(__builtin_return_address(0), size);
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  note(__builtin_return_address(0), number * size);
  return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size) {
  note(__builtin_return_address(0), size);
  return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
  note(__builtin_return_address(0), size);
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
  void *made = memalign(alignment, size);
  if (!made) return ENOMEM;
  *block = made;
  return 0;
}

void allocation_counter_start(void) {
  count = 0;
  bytes = 0;
  counting = true;
}

long allocation_counter_stop(void) {
  counting = false;
  return count;
}

long allocation_counter_bytes(void) { return bytes; }
