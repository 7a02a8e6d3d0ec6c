/* The products of backend/cuda/lt.h, with OpenBLAS and plain loops: the same promises, and what
 * cuBLASLt refuses is refused. */
#include "backend/cuda/lt.h"

#include "backend/sim/launch.h"
#include "base/memory.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

struct vt_lt {
    struct vt_lt_plan *prepared;
    int n;
    size_t room;
};

struct vt_lt *vt_lt_new(struct error *err)
{
    (void)err;
    openblas_set_num_threads(1);
    return mem_zalloc(1, sizeof(struct vt_lt));
}

void vt_lt_free(struct vt_lt *lt)
{
    if (!lt)
        return;
    free(lt->prepared);
    free(lt);
}

/* ---- what can be asked for ------------------------------------------------------------------- */

static const char *refusal(const struct vt_lt_plan *p)
{
    int64_t a_row = p->trans_a ? p->m : p->k, b_row = p->trans_b ? p->k : p->n;
    if (p->m < 1 || p->n < 1 || p->k < 1 || p->batch < 1)
        return "an empty matrix";
    if (p->m > INT32_MAX || p->n > INT32_MAX || p->k > INT32_MAX)
        return "more than 2^31 rows or columns";
    if (p->lda < a_row || p->ldb < b_row || p->ldc < p->n)
        return "rows that overlap";
    if (p->has_bias && p->scale != 1)
        return "a bias with a scale";
    if (p->type_ab == VT_BF16 && p->math != VT_MATH_FP32)
        return "tf32 with bf16 operands";
    if (p->type_ab == VT_F32 && p->type_c == VT_BF16)
        return "a bf16 result of single-precision operands";
    return NULL;
}

static int is_prepared(const struct vt_lt *lt, const struct vt_lt_plan *p)
{
    for (int i = 0; i < lt->n; i++)
        if (!memcmp(&lt->prepared[i], p, sizeof *p))
            return 1;
    return 0;
}

int vt_lt_prepare(struct vt_lt *lt, const struct vt_lt_plan *p, cudaStream_t stream,
                  struct error *err)
{
    (void)stream;
    const char *why = refusal(p);
    if (why)
        return error_set(err, "no product of (%lld,%lld) and (%lld,%lld): %s", (long long)p->m,
                         (long long)p->k, (long long)p->k, (long long)p->n, why);
    if (is_prepared(lt, p))
        return 0;
    lt->prepared = mem_grow(lt->prepared, (size_t)lt->n, &lt->room, sizeof *lt->prepared);
    lt->prepared[lt->n++] = *p;
    return 0;
}

/* ---- products -------------------------------------------------------------------------------- */

struct product {
    struct vt_lt_plan plan;
    const char *a, *b;
    const char *bias;
    const char *residual;
    char *c;
};

static float from_bf16(uint16_t bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint16_t to_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return x != x ? 0x7fff : (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

/* To ten bits of mantissa, to even. */
static float to_tf32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7f800000u) != 0x7f800000u)
        u = (u + 0xfffu + (u >> 13 & 1u)) & ~0x1fffu;
    memcpy(&x, &u, sizeof x);
    return x;
}

static size_t size_of(enum vt_type type)
{
    return type == VT_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static float load(const char *p, enum vt_type type, int64_t i)
{
    return type == VT_BF16 ? from_bf16(((const uint16_t *)(const void *)p)[i])
                           : ((const float *)(const void *)p)[i];
}

static void store(char *p, enum vt_type type, int64_t i, float x)
{
    if (type == VT_BF16)
        ((uint16_t *)(void *)p)[i] = to_bf16(x);
    else
        ((float *)(void *)p)[i] = x;
}

/* An operand in single precision, without gaps. */
static float *widened(const struct product *w, const char *from, int64_t rows, int64_t cols,
                      int64_t ld)
{
    float *to = mem_alloc(sizeof *to * (size_t)(rows * cols));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            float x = load(from, w->plan.type_ab, r * ld + c);
            to[r * cols + c] = w->plan.math == VT_MATH_TF32 ? to_tf32(x) : x;
        }
    return to;
}

static void finish(const struct product *w, const float *sums, int64_t offset)
{
    const struct vt_lt_plan *p = &w->plan;
    for (int64_t r = 0; r < p->m; r++)
        for (int64_t c = 0; c < p->n; c++) {
            float x = p->scale * sums[r * p->n + c];
            int64_t at = offset + r * p->ldc + c;
            if (w->residual)
                x += load(w->residual, p->type_c, at);
            if (w->bias)
                x += load(w->bias, p->type_c, c);
            store(w->c, p->type_c, at, x);
        }
}

static void multiply(const void *arguments)
{
    const struct product *w = arguments;
    const struct vt_lt_plan *p = &w->plan;
    int64_t a_rows = p->trans_a ? p->k : p->m, a_cols = p->trans_a ? p->m : p->k;
    int64_t b_rows = p->trans_b ? p->n : p->k, b_cols = p->trans_b ? p->k : p->n;
    size_t size = size_of(p->type_ab);
    float *sums = mem_alloc(sizeof *sums * (size_t)(p->m * p->n));
    for (int64_t i = 0; i < p->batch; i++) {
        float *a = widened(w, w->a + (size_t)(i * p->stride_a) * size, a_rows, a_cols, p->lda);
        float *b = widened(w, w->b + (size_t)(i * p->stride_b) * size, b_rows, b_cols, p->ldb);
        cblas_sgemm(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans,
                    p->trans_b ? CblasTrans : CblasNoTrans, (blasint)p->m, (blasint)p->n,
                    (blasint)p->k, 1, a, (blasint)a_cols, b, (blasint)b_cols, 0, sums,
                    (blasint)p->n);
        finish(w, sums, i * p->stride_c);
        free(a);
        free(b);
    }
    free(sums);
}

static int aligned(const void *p, enum vt_type type)
{
    return (uintptr_t)p % size_of(type) == 0;
}

/* Elements from the first to behind the last of an operand. */
static size_t reach(int64_t batch, int64_t stride, int64_t rows, int64_t cols, int64_t ld)
{
    return (size_t)((batch - 1) * stride + (rows - 1) * ld + cols);
}

/* Whether every operand lies in device memory, to its last element. */
static int operands_right(const struct product *w)
{
    const struct vt_lt_plan *p = &w->plan;
    int64_t a_rows = p->trans_a ? p->k : p->m, a_cols = p->trans_a ? p->m : p->k;
    int64_t b_rows = p->trans_b ? p->n : p->k, b_cols = p->trans_b ? p->k : p->n;
    size_t ab = size_of(p->type_ab), c = size_of(p->type_c);
    size_t c_bytes = c * reach(p->batch, p->stride_c, p->m, p->n, p->ldc);
    return aligned(w->a, p->type_ab) && aligned(w->b, p->type_ab) && aligned(w->c, p->type_c) &&
           sim_is_device(w->a, ab * reach(p->batch, p->stride_a, a_rows, a_cols, p->lda)) &&
           sim_is_device(w->b, ab * reach(p->batch, p->stride_b, b_rows, b_cols, p->ldb)) &&
           sim_is_device(w->c, c_bytes) && (w->bias != NULL) == p->has_bias &&
           (w->residual != NULL) == p->has_residual &&
           (!w->bias || sim_is_device(w->bias, c * (size_t)p->n)) &&
           (!w->residual || sim_is_device(w->residual, c_bytes));
}

int vt_lt_matmul(struct vt_lt *lt, const struct vt_lt_plan *p, const void *a, const void *b,
                 const void *bias, const void *residual, void *c, cudaStream_t stream)
{
    struct product w = {*p, a, b, bias, residual, c};
    if (!is_prepared(lt, p) || !operands_right(&w))
        return cudaErrorInvalidValue;
    return sim_enqueue(stream, multiply, &w, sizeof w);
}
