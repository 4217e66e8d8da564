#pragma once
#include <mpi.h>
#include <stdio.h>
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
