/* Matrix products of any size. All matrices are row-major with a leading dimension, so a head of a
 * token-major tensor is a matrix like any other. */
#ifndef BACKEND_CPU_KERNELS_PRODUCT_H
#define BACKEND_CPU_KERNELS_PRODUCT_H

#include "backend/cpu/kernels/mm.h"

/* A matrix or its transpose. Only b may be ordered: w^T, where product_order made what lies at x.
 */
struct operand {
    const real *x;
    int64_t ld;
    int transposed, ordered;
};

/* The order of weights w that are read as b = w^T. */
extern const struct kernel_order KERNEL(product_order);

/* Private memory that a thread needs for a product of depth k, in bytes. */
size_t KERNEL(product_work)(int64_t k);

/* Memory that the threads of a large product share, in bytes. None is needed where a is transposed.
 */
size_t KERNEL(product_shared)(int64_t m, int64_t n, int64_t k);

/* c (m,n) = start + a (m,k) b (k,n), by one thread, in the precision of the variant's products.
 * Where the call has private memory for other things as well, work says where the product's begins.
 */
void KERNEL(product)(real *c, int64_t ldc, struct operand a, struct operand b, int64_t m, int64_t n,
                     int64_t k, struct start start, void *work);

/* The same with n columns of c packed, cut into blocks for the threads of the call; its scratch is
 * product_shared. */
void KERNEL(large_product)(const struct kernel_call *call, real *c, struct operand a,
                           struct operand b, int64_t m, int64_t n, int64_t k, struct start start);

#endif
