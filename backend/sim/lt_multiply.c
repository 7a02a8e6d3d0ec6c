/* The arithmetic of cuBLASLt's products: operands widened and rounded, multiplied, finished, added
 * up. */
#include "backend/sim/bf16.h"
#include "backend/sim/lt_internal.h"

#include "base/memory.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

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

static float load(const char *p, cudaDataType_t type, int64_t i)
{
    return type == CUDA_R_16BF ? widen(((const bf16 *)(const void *)p)[i])
                               : ((const float *)(const void *)p)[i];
}

static void store(char *p, cudaDataType_t type, int64_t i, float x)
{
    if (type == CUDA_R_16BF)
        ((bf16 *)(void *)p)[i] = narrow(x);
    else
        ((float *)(void *)p)[i] = x;
}

/* An operand in single precision, without gaps. */
static float *widened(const char *from, const struct cublasLtMatrixLayout *l, int64_t number,
                      int tf32)
{
    float *to = mem_alloc(sizeof *to * (size_t)(l->rows * l->cols));
    for (int64_t c = 0; c < l->cols; c++)
        for (int64_t r = 0; r < l->rows; r++) {
            float x = load(from, l->type, number * l->stride + c * l->ld + r);
            to[c * l->rows + r] = tf32 ? to_tf32(x) : x;
        }
    return to;
}

static void finish(const struct product *x, const float *sums, int64_t number)
{
    const struct cublasLtMatrixLayout *l = &x->p.d;
    for (int64_t c = 0; c < l->cols; c++)
        for (int64_t r = 0; r < l->rows; r++) {
            int64_t at = number * l->stride + c * l->ld + r;
            float y = x->alpha * sums[c * l->rows + r];
            if (x->beta != 0)
                y += x->beta * load(x->c, l->type, at);
            if (x->p.desc.epilogue == CUBLASLT_EPILOGUE_BIAS)
                y += load(x->vector, l->type, r);
            store(x->d, l->type, at, y);
        }
}

/* What op(a), by rows, or op(b), by columns, adds up to along k. */
static void add_up(const struct product *x)
{
    int of_a = x->p.desc.epilogue == CUBLASLT_EPILOGUE_BGRADA;
    const struct cublasLtMatrixLayout *l = of_a ? &x->p.a : &x->p.b;
    int by_rows = of_a ? !x->p.desc.trans_a : x->p.desc.trans_b;
    for (int64_t i = 0; i < (by_rows ? l->rows : l->cols); i++) {
        float sum = 0;
        for (int64_t k = 0; k < (by_rows ? l->cols : l->rows); k++)
            sum += load(of_a ? x->a : x->b, l->type, by_rows ? k * l->ld + i : i * l->ld + k);
        store(x->vector, x->p.d.type, i, sum);
    }
}

void lt_multiply(const void *arguments)
{
    const struct product *x = arguments;
    const struct problem *p = &x->p;
    int tf32 = p->desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    blasint m = (blasint)p->d.rows, n = (blasint)p->d.cols;
    blasint k = (blasint)lt_rows_of(&p->a, !p->desc.trans_a);
    float *sums = mem_alloc(sizeof *sums * (size_t)(p->d.rows * p->d.cols));
    for (int64_t i = 0; i < p->d.batch; i++) {
        float *a = widened(x->a, &p->a, i, tf32), *b = widened(x->b, &p->b, i, tf32);
        cblas_sgemm(CblasColMajor, p->desc.trans_a ? CblasTrans : CblasNoTrans,
                    p->desc.trans_b ? CblasTrans : CblasNoTrans, m, n, k, 1, a, (blasint)p->a.rows,
                    b, (blasint)p->b.rows, 0, sums, m);
        finish(x, sums, i);
        free(a);
        free(b);
    }
    free(sums);
    if (lt_has_sums(p))
        add_up(x);
}
