/* Matrix products of the cuda backend, by cuBLASLt or by our own kernel.
 *
 * All matrices are row-major. A product is described once, prepared while a program is loaded (the
 * only time that may allocate or time candidates) and then executed in a stream as often as wanted:
 * vt_product_execute neither allocates nor waits, so it can be captured. Sums are made in single
 * precision whatever the operands are. The same product with the same precision on the same device
 * gives the same bits, also in another process: what was chosen is kept in a file (products.c says
 * where). */
#ifndef BACKEND_CUDA_PRODUCTS_H
#define BACKEND_CUDA_PRODUCTS_H

#include "backend/cuda/kernels/launch.h"
#include "base/error.h"

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

enum vt_type { VT_F32, VT_BF16 };

/* How single-precision operands are multiplied. Operands in bf16 need VT_MATH_FP32. */
enum vt_math {
    VT_MATH_FP32, /* every bit */
    VT_MATH_TF32  /* rounded to 10 bits of mantissa */
};

/* Bytes of a value. */
size_t vt_type_size(enum vt_type t);

/* v[i] (m,n) = scale * op(a[i]) (m,k) op(b[i]) (k,n) + residual[i] + bias for i < batch, where
 * op(x) is x or, with trans, the transpose of x as it lies in memory. bias: n values of v's type
 * added to every row. lda, ldb, ldc: elements from one row in memory to the next, at least its
 * length. stride_*: elements from one matrix of the batch to the next; 0 repeats it (a and b only).
 * The residual has the layout of c and may be c itself. c is what the epilogue makes of v; one of
 * GELU needs matrices without gaps (ldc = n, stride_c = m n), and pre has the layout of c. v has
 * the type of pre where that is kept, else c's. Zero-initialise and set what differs: a new field
 * is 0. */
struct vt_product {
    int64_t m, n, k;
    int trans_a, trans_b;
    int64_t lda, ldb, ldc;
    int64_t batch; /* >= 1 */
    int64_t stride_a, stride_b, stride_c;
    /* Elements that addresses may be apart from an aligned one, or a multiple of it: products that
     * are executed on parts of a tensor. 0: addresses are multiples of 16 bytes. */
    int64_t shift_a, shift_b, shift_c;
    int has_bias, has_residual;
    int has_sums; /* what op(a) adds up to along k comes too, m values: one product, no bias, no
                   * epilogue, scale 1, c in single precision */
    float scale;  /* must be 1 with a bias */
    enum vt_type type_ab, type_c;
    enum vt_math math;
    enum vt_epilogue epilogue;
    enum vt_type type_pre; /* where there is one */
};

struct vt_products;

/* Room for products. One stream at a time may use it. */
struct vt_products *vt_products_new(void);
void vt_products_free(struct vt_products *all);

/* The addresses of an execution: multiples of 16 bytes, but for shifts; what the plan has not is
 * NULL. */
struct vt_operands {
    const void *a, *b, *bias, *residual;
    void *c, *pre;
    float *sums;
};

/* Finds the way to compute a product: asked for again, it does nothing. -1 and a message for lack
 * of memory, and where there is none: sums that the library refuses, too many rows or columns. */
int vt_product_prepare(struct vt_products *all, const struct vt_product *p, cudaStream_t stream,
                       struct error *err);

/* Executes a prepared product; 0, or an error code of the CUDA runtime. */
int vt_product_execute(struct vt_products *all, const struct vt_product *p,
                       const struct vt_operands *o, cudaStream_t stream);

#endif
