/* What products share. */
#include "backend/cuda/ops/product.h"

void product_types(struct vt_product *p, enum precision precision, unsigned half_out)
{
    p->type_ab = precision == PRECISION_BF16 ? VT_BF16 : VT_F32;
    p->type_c = half_out & 1 ? VT_BF16 : VT_F32;
    p->math = precision == PRECISION_TF32 ? VT_MATH_TF32 : VT_MATH_FP32;
}

struct vt_product product_of_linear(const struct node *n, enum precision precision,
                                    unsigned half_out)
{
    int64_t in = shape_last(n->in[0]->shape), out = shape_last(n->out[0]->shape);
    struct vt_product p = {
        .m = shape_rows(n->in[0]->shape),
        .n = out,
        .k = in,
        .trans_b = 1,
        .lda = in,
        .ldb = in,
        .ldc = out,
        .batch = 1,
        .has_bias = n->n_in == 3,
        .scale = 1,
    };
    product_types(&p, precision, half_out);
    return p;
}
