/* The cuda backend: what a kernel of it is.
 *
 * A kernel has two halves. backend/cuda/ops/NAME.c, in C, reads the node's attributes and shapes
 * and calls launchers; backend/cuda/kernels/NAME.cu holds those and the device code
 * (kernels/launch.h declares them). kernels.def lists the ops. A call enqueues work in the
 * program's stream and does nothing else: no allocation, no waiting, no decision that depends on a
 * value. So the calls of a program can be captured once and replayed. */
#ifndef BACKEND_CUDA_CUDA_H
#define BACKEND_CUDA_CUDA_H

#include "backend/cuda/kernels/launch.h"
#include "backend/cuda/products.h"
#include "backend/cuda/sdpa.h"
#include "backend/precision.h"
#include "tensor/compile/plan.h"
#include "tensor/ops/op.h"
#include "tensor/ops/ops.h"

#include <cuda_runtime_api.h>
#include <stddef.h>

/* One kernel call: device addresses, fixed for the life of the program. */
struct cuda_call {
    const struct node *node;
    void *const *in, *const *out;
    void *const *out_copy;            /* where a result's bf16 copy goes too, or NULL */
    unsigned half_in, half_out;       /* bit i: in[i] or out[i] is bf16 (half.c) */
    unsigned unread;                  /* bit i: nobody reads out[i]: it need not be written */
    void *copy;                       /* bf16 values of in[0], parameters to be updated; or NULL */
    void *scratch;                    /* cuda_kernel.scratch bytes: partial sums */
    void *work;                       /* cuda_setup.work_bytes, shared by all steps */
    const void *table;                /* cuda_setup.table on the device */
    const struct vt_scalars *scalars; /* on the device: seed and step of the run */
    struct vt_products *products;
    struct vt_sdpa *sdpa; /* bf16 only; NULL where there is no cuDNN */
    const void *state;    /* cuda_setup.state */
    enum precision precision;
    cudaStream_t stream;
};

/* What a kernel prepares once, while the program is loaded. */
struct cuda_setup {
    const struct node *node;
    struct vt_products *products;
    struct vt_sdpa *sdpa;
    enum precision precision;
    unsigned half_in, half_out;
    cudaStream_t stream;
    void *state;       /* set by the kernel, from mem_alloc: what its calls must know */
    size_t work_bytes; /* set by the kernel: memory that its call may use as it likes */
    void *table;       /* set by the kernel, from mem_alloc: constants copied to the device */
    size_t table_bytes;
};

struct cuda_kernel {
    const char *name; /* of the op */
    /* 0 or an error code of the CUDA runtime. */
    int (*run)(const struct cuda_call *c);
    size_t (*scratch)(const struct node *n);
    /* 0, or -1 and a message where this device cannot compute this node. */
    int (*setup)(struct cuda_setup *s, struct error *err);
    void (*halves)(const struct node *n, struct half_rule *r); /* struct capability */
};

/* The kernel of an op, or NULL. */
const struct cuda_kernel *cuda_kernel_find(const struct op *op);

#define KERNEL_ROW(name, scratch, setup, halves)                                                   \
    int cuda_##name(const struct cuda_call *c);                                                    \
    size_t cuda_##scratch##_scratch(const struct node *n);                                         \
    int cuda_##setup##_setup(struct cuda_setup *s, struct error *err);                             \
    void cuda_##halves##_halves(const struct node *n, struct half_rule *r);
#include "backend/cuda/kernels.def"
#undef KERNEL_ROW

/* Element i of a tensor of bf16 or float. */
static inline void *cuda_element(const void *p, int half, int64_t i)
{
    return (char *)(uintptr_t)p + (half ? 2 : 4) * i;
}

/* The types of the first n_out results and n_in operands, as launchers take them. */
static inline unsigned cuda_types(const struct cuda_call *c, int n_out, int n_in)
{
    return (c->half_out & ((1u << n_out) - 1)) | (c->half_in & ((1u << n_in) - 1)) << n_out;
}

/* A shape seen from one axis: outer x size x inner. */
struct axis_view {
    int64_t outer, size, inner;
};

static inline struct axis_view axis_view(struct shape s, int first, int count)
{
    struct axis_view v = {1, 1, 1};
    for (int i = 0; i < s.rank; i++)
        *(i < first ? &v.outer : i < first + count ? &v.size : &v.inner) *= s.dim[i];
    return v;
}

#endif
