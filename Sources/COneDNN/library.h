// The functions of oneDNN that are used here, as pointers into the opened library.

#pragma once
#include "onednn.h"

#include <signal.h>

#if __has_include(<dnnl.h>)
#include <dnnl.h>
#include <dnnl_version.h>

#if DNNL_VERSION_MAJOR == 2
#define EACH_FUNCTION_OF_VERSION(of)                                              \
  of(dnnl_memory_desc_init_by_strides) of(dnnl_memory_desc_init_by_tag)           \
  of(dnnl_matmul_desc_init) of(dnnl_primitive_desc_create)
#else
#define EACH_FUNCTION_OF_VERSION(of)                                              \
  of(dnnl_memory_desc_create_with_strides) of(dnnl_memory_desc_create_with_tag)   \
  of(dnnl_memory_desc_clone) of(dnnl_memory_desc_destroy)                         \
  of(dnnl_matmul_primitive_desc_create)
#endif

#define EACH_FUNCTION(of)                                                         \
  EACH_FUNCTION_OF_VERSION(of)                                                    \
  of(dnnl_version) of(dnnl_get_effective_cpu_isa) of(dnnl_sgemm)                  \
  of(dnnl_engine_create) of(dnnl_engine_destroy)                                  \
  of(dnnl_stream_create) of(dnnl_stream_wait) of(dnnl_stream_destroy)             \
  of(dnnl_memory_desc_get_size) of(dnnl_memory_create) of(dnnl_memory_destroy)    \
  of(dnnl_memory_set_data_handle)                                                 \
  of(dnnl_post_ops_create) of(dnnl_post_ops_append_sum) of(dnnl_post_ops_destroy) \
  of(dnnl_primitive_attr_create) of(dnnl_primitive_attr_set_post_ops)             \
  of(dnnl_primitive_attr_destroy)                                                 \
  of(dnnl_reorder_primitive_desc_create)                                          \
  of(dnnl_primitive_desc_query) of(dnnl_primitive_desc_query_md)                  \
  of(dnnl_primitive_desc_destroy)                                                 \
  of(dnnl_primitive_create) of(dnnl_primitive_execute) of(dnnl_primitive_destroy)

struct functions {
#define POINTER(name) __typeof__(&name) name;
  EACH_FUNCTION(POINTER)
#undef POINTER
};

// NULL until the library is open.
const struct functions *onednn_functions(void);

// Kernels of oneDNN keep numbers below the stack's end, where a signal handler is free to write: seen in
// version 2.6.3, whose sgemm then overwrites memory at random. So no signal is delivered while one
// of them runs; it arrives right afterwards, some milliseconds late.
void onednn_hold_signals(sigset_t *before);
void onednn_release_signals(const sigset_t *before);

#endif
