/* What linear and matmul share: products in the precision of the program. In bf16 their operands
 * are stored so, or the plan gives them a copy (half.c). */
#ifndef BACKEND_CUDA_OPS_PRODUCT_H
#define BACKEND_CUDA_OPS_PRODUCT_H

#include "backend/cuda/cuda.h"

/* Sets the fields of a plan that follow from the precision, and from whether the result is stored
 * in bf16. */
void product_types(struct vt_product *p, enum precision precision, unsigned half_out);

/* x w^T, plus the bias where n has three inputs: n's are x, w and maybe a bias. */
struct vt_product product_of_linear(const struct node *n, enum precision precision,
                                    unsigned half_out);

#endif
