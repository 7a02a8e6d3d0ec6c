/* What linear and matmul share: products in the precision of the program. In bf16 operands that
 * are not stored so are rounded into the program's work memory first, each tensor once a call. */
#ifndef BACKEND_CUDA_OPS_PRODUCT_H
#define BACKEND_CUDA_OPS_PRODUCT_H

#include "backend/cuda/cuda.h"

/* The operands of a call as the product reads them. */
struct product_operands {
    const char *a, *b;
    size_t size; /* bytes of an element */
};

/* Sets the fields of a plan that follow from the precision. */
void product_precision(struct vt_lt_plan *p, enum precision precision);

/* Prepares a plan; count_a and count_b are the elements of the two tensors. */
int product_setup(struct cuda_setup *s, const struct vt_lt_plan *p, int64_t count_a,
                  int64_t count_b, struct error *err);

/* Rounds the operands where the precision asks for it. 0 or an error code. */
int product_operands(struct product_operands *o, const struct cuda_call *c, int64_t count_a,
                     int64_t count_b);

#endif
