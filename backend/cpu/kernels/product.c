/* Products through BLAS. */
#include "backend/cpu/kernels/product.h"

#include <cblas.h>

static enum CBLAS_TRANSPOSE trans(struct operand a)
{
    return a.transposed ? CblasTrans : CblasNoTrans;
}

void KERNEL(product)(real *c, int64_t ldc, struct operand a, struct operand b, int64_t m, int64_t n,
                     int64_t k, real scale, real keep)
{
    blasint rows = (blasint)m, cols = (blasint)n, depth = (blasint)k;
    if (sizeof(real) == sizeof(float))
        cblas_sgemm(CblasRowMajor, trans(a), trans(b), rows, cols, depth, (float)scale,
                    (const void *)a.x, (blasint)a.ld, (const void *)b.x, (blasint)b.ld, (float)keep,
                    (void *)c, (blasint)ldc);
    else
        cblas_dgemm(CblasRowMajor, trans(a), trans(b), rows, cols, depth, (double)scale,
                    (const void *)a.x, (blasint)a.ld, (const void *)b.x, (blasint)b.ld,
                    (double)keep, (void *)c, (blasint)ldc);
}
