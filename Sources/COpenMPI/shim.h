#pragma once
#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// Swift cannot import macros that cast addresses, so there is one function for each that is used.
static inline MPI_Comm unroll_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Datatype unroll_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype unroll_double(void) { return MPI_DOUBLE; }
static inline MPI_Datatype unroll_int(void) { return MPI_INT; }
static inline MPI_Datatype unroll_short(void) { return MPI_UINT16_T; }
static inline MPI_Datatype unroll_byte(void) { return MPI_BYTE; }
static inline MPI_Op unroll_sum(void) { return MPI_SUM; }
static inline MPI_Op unroll_max(void) { return MPI_MAX; }
static inline void *unroll_in_place(void) { return MPI_IN_PLACE; }
static inline MPI_Errhandler unroll_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline MPI_Status *unroll_status_ignore(void) { return MPI_STATUS_IGNORE; }

static inline MPI_Status *unroll_statuses_ignore(void) { return MPI_STATUSES_IGNORE; }

// The ranks that can share memory with this one.
static inline int unroll_split_by_node(MPI_Comm world, int rank, MPI_Comm *node) {
  return MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, node);
}

// MPI_Abort may return before the launcher ends this process.
_Noreturn static inline void unroll_abort(int code) {
  fflush(NULL);
  MPI_Abort(MPI_COMM_WORLD, code);
  _exit(code);
}

// Returns true if the system lets this process read another's memory, as Open MPI's shared memory
// transport does. It is tried on the process's own memory, because containers forbid the call
// itself.
static inline int unroll_can_read_across(void) {
  int from = 1, to = 0;
  struct iovec source = {&from, sizeof from}, target = {&to, sizeof to};
  long count = syscall(SYS_process_vm_readv, getpid(), &target, 1UL, &source, 1UL, 0UL);
  return count == (long)sizeof from && to == from;
}

// Makes a file of zeros in memory, without a name, whose pages take memory once they are written.
// Returns -1 on failure.
static inline int unroll_memory_file(long bytes) {
  // 1: closed by exec; 8: never executable, which systems may require and old ones do not know.
  int file = (int)syscall(SYS_memfd_create, "unroll", 1U | 8U);
  if (file < 0) file = (int)syscall(SYS_memfd_create, "unroll", 1U);
  if (file >= 0 && ftruncate(file, bytes) != 0) {
    close(file);
    return -1;
  }
  return file;
}

// Opens a memory file of another process. Returns -1 on failure.
static inline int unroll_open_memory_file(int process, int file) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", process, file);
  return open(path, O_RDWR | O_CLOEXEC);
}

// Maps a file at a multiple of `alignment` bytes. Returns null on failure.
static inline void *unroll_map_shared(int file, long bytes, long alignment) {
  char *room = (char *)mmap(0, bytes + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == (char *)MAP_FAILED) return 0;
  char *start = (char *)(((unsigned long)room + alignment - 1) & ~(unsigned long)(alignment - 1));
  void *mapped = mmap(start, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
  if (mapped == MAP_FAILED) {
    munmap(room, bytes + alignment);
    return 0;
  }
  if (start > room) munmap(room, start - room);
  munmap(start + bytes, room + alignment - start);
  return mapped;
}
