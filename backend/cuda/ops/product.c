/* Types of products. */
#include "backend/cuda/ops/product.h"

void product_types(struct vt_product *p, enum precision precision, unsigned half_out)
{
    p->type_ab = precision == PRECISION_BF16 ? VT_BF16 : VT_F32;
    p->type_c = half_out & 1 ? VT_BF16 : VT_F32;
    p->math = precision == PRECISION_TF32 ? VT_MATH_TF32 : VT_MATH_FP32;
}
