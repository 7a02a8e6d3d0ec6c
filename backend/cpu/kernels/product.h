/* Matrix products. All matrices are row-major with a leading dimension, so a head of a token-major
 * tensor is a matrix like any other. */
#ifndef BACKEND_CPU_KERNELS_PRODUCT_H
#define BACKEND_CPU_KERNELS_PRODUCT_H

#include "backend/cpu/kernels/kernel.h"

/* A matrix or its transpose. */
struct operand {
    const real *x;
    int64_t ld;
    int transposed;
};

/* c (m,n) = scale * a (m,k) b (k,n) + keep * c. One thread. */
void KERNEL(product)(real *c, int64_t ldc, struct operand a, struct operand b, int64_t m, int64_t n,
                     int64_t k, real scale, real keep);

#endif
