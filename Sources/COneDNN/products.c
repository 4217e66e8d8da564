// Products and packs.

#define _GNU_SOURCE
#include "library.h"

#include <stdlib.h>
#include <string.h>

#if __has_include(<dnnl.h>)

enum { ORIENTATIONS = 2 };

bool onednn_sgemm(bool transpose_a, bool transpose_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                  const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float keep,
                  float *c, ptrdiff_t ldc) {
  sigset_t before;
  onednn_hold_signals(&before);
  dnnl_status_t status =
      onednn_functions()->dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1, a,
                                     lda, b, ldb, keep, c, ldc);
  onednn_release_signals(&before);
  return status == dnnl_success;
}

// Descriptions of memory are structures in version 2 and handles in version 3.
#if DNNL_VERSION_MAJOR == 2
typedef dnnl_memory_desc_t description;
typedef const dnnl_memory_desc_t *description_reference;
#define REFERENCE(d) (&(d))
static dnnl_status_t describe_rows(description *d, const dnnl_dims_t sizes,
                                   const dnnl_dims_t strides, dnnl_data_type_t type) {
  return onednn_functions()->dnnl_memory_desc_init_by_strides(d, 2, sizes, type, strides);
}
static dnnl_status_t describe_any(description *d, const dnnl_dims_t sizes, dnnl_data_type_t type) {
  return onednn_functions()->dnnl_memory_desc_init_by_tag(d, 2, sizes, type,
                                                          dnnl_format_tag_any);
}
static dnnl_status_t copy_description(description *d, description_reference from) {
  *d = *from;
  return dnnl_success;
}
static void forget(description *d) { (void)d; }
static dnnl_status_t describe_product(dnnl_primitive_desc_t *p, dnnl_engine_t engine,
                                      description *a, description *b, description *c,
                                      dnnl_primitive_attr_t attributes) {
  const struct functions *f = onednn_functions();
  dnnl_matmul_desc_t operation;
  dnnl_status_t status = f->dnnl_matmul_desc_init(&operation, a, b, NULL, c);
  if (status != dnnl_success) return status;
  return f->dnnl_primitive_desc_create(p, &operation, attributes, engine, NULL);
}
static dnnl_status_t append_sum(dnnl_post_ops_t operations) {
  return onednn_functions()->dnnl_post_ops_append_sum(operations, 1);
}
#else
typedef dnnl_memory_desc_t description;
typedef const_dnnl_memory_desc_t description_reference;
#define REFERENCE(d) (d)
static dnnl_status_t describe_rows(description *d, const dnnl_dims_t sizes,
                                   const dnnl_dims_t strides, dnnl_data_type_t type) {
  return onednn_functions()->dnnl_memory_desc_create_with_strides(d, 2, sizes, type, strides);
}
static dnnl_status_t describe_any(description *d, const dnnl_dims_t sizes, dnnl_data_type_t type) {
  return onednn_functions()->dnnl_memory_desc_create_with_tag(d, 2, sizes, type,
                                                              dnnl_format_tag_any);
}
static dnnl_status_t copy_description(description *d, description_reference from) {
  return onednn_functions()->dnnl_memory_desc_clone(d, from);
}
static void forget(description *d) {
  if (*d) onednn_functions()->dnnl_memory_desc_destroy(*d);
}
static dnnl_status_t describe_product(dnnl_primitive_desc_t *p, dnnl_engine_t engine,
                                      description *a, description *b, description *c,
                                      dnnl_primitive_attr_t attributes) {
  return onednn_functions()->dnnl_matmul_primitive_desc_create(p, engine, *a, *b, NULL, *c,
                                                               attributes);
}
static dnnl_status_t append_sum(dnnl_post_ops_t operations) {
  return onednn_functions()->dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef);
}
#endif

// A primitive with its engine, its stream and the memory objects for its arguments.
struct primitive {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  dnnl_memory_t memories[3];
  int arguments[3];
  int count;
};

static void free_primitive(struct primitive *p) {
  const struct functions *f = onednn_functions();
  for (int i = 0; i < p->count; i++)
    if (p->memories[i]) f->dnnl_memory_destroy(p->memories[i]);
  if (p->primitive) f->dnnl_primitive_destroy(p->primitive);
  if (p->stream) f->dnnl_stream_destroy(p->stream);
  if (p->engine) f->dnnl_engine_destroy(p->engine);
}

static bool open_primitive(struct primitive *p) {
  const struct functions *f = onednn_functions();
  return f->dnnl_engine_create(&p->engine, dnnl_cpu, 0) == dnnl_success &&
         f->dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) == dnnl_success;
}

static bool add_memory(struct primitive *p, int argument, description_reference d) {
  p->arguments[p->count] = argument;
  p->memories[p->count] = NULL;
  p->count += 1;
  return onednn_functions()->dnnl_memory_create(&p->memories[p->count - 1], d, p->engine,
                                                DNNL_MEMORY_NONE) == dnnl_success;
}

static bool run(struct primitive *p, const void *const data[]) {
  const struct functions *f = onednn_functions();
  dnnl_exec_arg_t arguments[3];
  for (int i = 0; i < p->count; i++) {
    // The library never writes through the pointer of a read-only argument.
    if (f->dnnl_memory_set_data_handle(p->memories[i], (void *)data[i]) != dnnl_success)
      return false;
    arguments[i] = (dnnl_exec_arg_t){p->arguments[i], p->memories[i]};
  }
  sigset_t before;
  onednn_hold_signals(&before);
  bool good =
      f->dnnl_primitive_execute(p->primitive, p->stream, p->count, arguments) == dnnl_success &&
      f->dnnl_stream_wait(p->stream) == dnnl_success;
  onednn_release_signals(&before);
  return good;
}

static dnnl_data_type_t data_type(struct onednn_shape s) {
  return s.type == ONEDNN_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
}

// Makes the primitive of a shape; `layout` describes the blocked layout of B, or is NULL to let the
// library choose it.
static dnnl_primitive_desc_t describe(struct onednn_shape s, dnnl_engine_t engine,
                                      description_reference layout) {
  const struct functions *f = onednn_functions();
  description a = {0}, b = {0}, c = {0};
  dnnl_post_ops_t operations = NULL;
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t made = NULL;
  dnnl_dims_t size_a = {s.m, s.k}, size_b = {s.k, s.n}, size_c = {s.m, s.n};
  dnnl_dims_t stride_a = {s.transpose_a ? 1 : s.k, s.transpose_a ? s.m : 1};
  dnnl_dims_t stride_b = {s.n, 1}, stride_c = {s.ldc, 1};
  bool good = describe_rows(&a, size_a, stride_a, data_type(s)) == dnnl_success &&
              describe_rows(&c, size_c, stride_c, dnnl_f32) == dnnl_success;
  if (good) {
    dnnl_status_t status = layout        ? copy_description(&b, layout)
                           : s.blocked_b ? describe_any(&b, size_b, data_type(s))
                                         : describe_rows(&b, size_b, stride_b, data_type(s));
    good = status == dnnl_success && f->dnnl_primitive_attr_create(&attributes) == dnnl_success;
  }
  if (good && s.keep) {
    good = f->dnnl_post_ops_create(&operations) == dnnl_success &&
           append_sum(operations) == dnnl_success &&
           f->dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success;
  }
  if (good && describe_product(&made, engine, &a, &b, &c, attributes) != dnnl_success) made = NULL;
  if (made) {
    // Any other implementation than a generated kernel ("brg:…", "jit:…") is a slow loop.
    const char *kernel = "";
    f->dnnl_primitive_desc_query(made, dnnl_query_impl_info_str, 0, &kernel);
    if (strstr(kernel, "ref")) {
      f->dnnl_primitive_desc_destroy(made);
      made = NULL;
    }
  }
  if (operations) f->dnnl_post_ops_destroy(operations);
  if (attributes) f->dnnl_primitive_attr_destroy(attributes);
  forget(&a);
  forget(&b);
  forget(&c);
  return made;
}

struct onednn_pack {
  struct onednn_shape shape;
  description layout;
  size_t bytes;
  // Reorders of a B that is stored as [k, n], or transposed.
  struct primitive reorderings[ORIENTATIONS];
};

static bool make_reordering(struct onednn_pack *pack, bool transposed) {
  const struct functions *f = onednn_functions();
  struct primitive *p = &pack->reorderings[transposed];
  struct onednn_shape s = pack->shape;
  dnnl_dims_t sizes = {s.k, s.n};
  dnnl_dims_t strides = {transposed ? 1 : s.n, transposed ? s.k : 1};
  description from = {0};
  dnnl_primitive_desc_t made = NULL;
  bool good = open_primitive(p) && describe_rows(&from, sizes, strides, dnnl_f32) == dnnl_success &&
              f->dnnl_reorder_primitive_desc_create(&made, REFERENCE(from), p->engine,
                                                    REFERENCE(pack->layout), p->engine,
                                                    NULL) == dnnl_success &&
              f->dnnl_primitive_create(&p->primitive, made) == dnnl_success &&
              add_memory(p, DNNL_ARG_FROM, REFERENCE(from)) &&
              add_memory(p, DNNL_ARG_TO, REFERENCE(pack->layout));
  if (made) f->dnnl_primitive_desc_destroy(made);
  forget(&from);
  return good;
}

struct onednn_pack *onednn_pack_make(struct onednn_shape shape) {
  const struct functions *f = onednn_functions();
  if (!f) return NULL;
  dnnl_engine_t engine = NULL;
  if (f->dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) return NULL;
  shape.blocked_b = true;
  struct onednn_pack *pack = NULL;
  dnnl_primitive_desc_t product = describe(shape, engine, NULL);
  if (product) pack = calloc(1, sizeof *pack);
  if (pack) {
    description_reference liked =
        f->dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0);
    pack->shape = shape;
    if (copy_description(&pack->layout, liked) == dnnl_success) {
      pack->bytes = f->dnnl_memory_desc_get_size(REFERENCE(pack->layout));
    } else {
      free(pack);
      pack = NULL;
    }
  }
  if (product) f->dnnl_primitive_desc_destroy(product);
  f->dnnl_engine_destroy(engine);
  return pack;
}

size_t onednn_pack_bytes(const struct onednn_pack *pack) { return pack->bytes; }

bool onednn_pack_fill(struct onednn_pack *pack, const float *b, bool transposed, void *packed) {
  struct primitive *p = &pack->reorderings[transposed];
  if (!p->primitive && !make_reordering(pack, transposed)) return false;
  const void *data[] = {b, packed};
  return run(p, data);
}

void onednn_pack_free(struct onednn_pack *pack) {
  for (int i = 0; i < ORIENTATIONS; i++) free_primitive(&pack->reorderings[i]);
  forget(&pack->layout);
  free(pack);
}

struct onednn_product {
  struct primitive primitive;
};

static bool make_product(struct onednn_product *product, struct onednn_shape shape,
                         const struct onednn_pack *pack) {
  const struct functions *f = onednn_functions();
  struct primitive *p = &product->primitive;
  if (!open_primitive(p)) return false;
  shape.blocked_b = pack != NULL;
  dnnl_primitive_desc_t made =
      describe(shape, p->engine, pack ? REFERENCE(pack->layout) : NULL);
  if (!made) return false;
  bool good =
      f->dnnl_primitive_create(&p->primitive, made) == dnnl_success &&
      add_memory(p, DNNL_ARG_SRC, f->dnnl_primitive_desc_query_md(made, dnnl_query_src_md, 0)) &&
      add_memory(p, DNNL_ARG_WEIGHTS,
                 f->dnnl_primitive_desc_query_md(made, dnnl_query_weights_md, 0)) &&
      add_memory(p, DNNL_ARG_DST, f->dnnl_primitive_desc_query_md(made, dnnl_query_dst_md, 0));
  f->dnnl_primitive_desc_destroy(made);
  return good;
}

struct onednn_product *onednn_product_make(struct onednn_shape shape,
                                           const struct onednn_pack *pack) {
  if (!onednn_functions()) return NULL;
  struct onednn_product *product = calloc(1, sizeof *product);
  if (product && !make_product(product, shape, pack)) {
    onednn_product_free(product);
    return NULL;
  }
  return product;
}

bool onednn_product_run(struct onednn_product *product, const void *a, const void *b, float *c) {
  const void *data[] = {a, b, c};
  return run(&product->primitive, data);
}

void onednn_product_free(struct onednn_product *product) {
  free_primitive(&product->primitive);
  free(product);
}

#else

// Never called, because `onednn_open` reports that there is no library.
bool onednn_sgemm(bool transpose_a, bool transpose_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                  const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float keep,
                  float *c, ptrdiff_t ldc) {
  return false;
}
struct onednn_pack *onednn_pack_make(struct onednn_shape shape) { return NULL; }
size_t onednn_pack_bytes(const struct onednn_pack *pack) { return 0; }
bool onednn_pack_fill(struct onednn_pack *pack, const float *b, bool transposed, void *packed) {
  return false;
}
void onednn_pack_free(struct onednn_pack *pack) {}
struct onednn_product *onednn_product_make(struct onednn_shape shape,
                                           const struct onednn_pack *pack) {
  return NULL;
}
bool onednn_product_run(struct onednn_product *product, const void *a, const void *b, float *c) {
  return false;
}
void onednn_product_free(struct onednn_product *product) {}

#endif
