/* What every kernel file includes. Each file is compiled once a variant, with
 *   KERNEL_VARIANT  portable, avx2, avx512, avx512_bf16 or judge: part of every symbol's name
 *   KERNEL_REAL     float, or double in judge
 *   KERNEL_BF16     defined where operands of products are rounded to bfloat16
 * No file has a switch over types: `real` is the type. */
#ifndef BACKEND_CPU_KERNELS_KERNEL_H
#define BACKEND_CPU_KERNELS_KERNEL_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels/shares.h"
#include "tensor/ops/ops.h"

#include <omp.h>
#include <string.h>

typedef KERNEL_REAL real;

#define KERNEL_PASTE_(a, b, c) a##b##_##c
#define KERNEL_PASTE(a, b, c)  KERNEL_PASTE_(a, b, c)
#define KERNEL_TEXT_(x)        #x
#define KERNEL_TEXT(x)         KERNEL_TEXT_(x)
/* kernel_softmax_avx512 */
#define KERNEL(name) KERNEL_PASTE(kernel_, name, KERNEL_VARIANT)

/* A loop over blocks, shared out among the call's threads (shares.h). Blocks cost about the same.
 */
#define KERNEL_PRAGMA(x) _Pragma(#x)
#define KERNEL_FOR_BLOCKS(c, i, n)                                                                 \
    for (struct shares shares_, *work_ = shares_begin(&shares_, (n), (c)->threads); work_;         \
         work_ = NULL)                                                                             \
        KERNEL_PRAGMA(omp parallel num_threads((c)->threads) if ((c)->threads > 1))                \
    for (int64_t i; (i = shares_next(work_)) >= 0;)

/* The calling thread's private memory, within KERNEL_FOR_BLOCKS. */
static inline void *kernel_work(const struct kernel_call *c)
{
    return c->work + c->work_stride * (size_t)omp_get_thread_num();
}

/* Asks for memory that the next block reads: tiles of heads are too short for the hardware to
 * foresee. */
static inline void kernel_prefetch(const void *from, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)from + i, 0, 2);
}

/* The same for memory that the next block writes. */
static inline void kernel_prefetch_to_write(void *to, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((char *)to + i, 1, 2);
}

#define KERNEL_BLOCK 16384 /* elements in one block of element-wise work */

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Rows of `width` elements to a block of KERNEL_BLOCK elements. */
static inline int64_t rows_a_block(int64_t width)
{
    return max_i64(1, KERNEL_BLOCK / max_i64(1, width));
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

#define KERNEL_ROW(name, memory)                                                                   \
    void KERNEL(name)(const struct kernel_call *c);                                                \
    struct kernel_memory KERNEL(memory##_memory)(const struct node *n);
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL_ROW

#endif
