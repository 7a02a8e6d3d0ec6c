/* Operands of products. */
#include "backend/cuda/ops/product.h"

enum { ALIGN = 128 /* elements */ };

static int64_t padded(int64_t count)
{
    return (count + ALIGN - 1) / ALIGN * ALIGN;
}

void product_precision(struct vt_lt_plan *p, enum precision precision)
{
    p->type_ab = precision == PRECISION_BF16 ? VT_BF16 : VT_F32;
    p->math = precision == PRECISION_TF32 ? VT_MATH_TF32 : VT_MATH_FP32;
}

int product_setup(struct cuda_setup *s, const struct vt_lt_plan *p, int64_t count_a,
                  int64_t count_b, struct error *err)
{
    if (s->precision == PRECISION_BF16)
        s->work_bytes = 2 * (size_t)(padded(count_a) + padded(count_b));
    return vt_lt_prepare(s->lt, p, s->stream, err);
}

int product_operands(struct product_operands *o, const struct cuda_call *c, int64_t count_a,
                     int64_t count_b)
{
    *o = (struct product_operands){c->in[0], c->in[1], sizeof(float)};
    if (c->precision != PRECISION_BF16)
        return 0;
    char *a = c->work, *b = a + 2 * padded(count_a);
    int code = 0;
    *o = (struct product_operands){c->half_in & 1 ? c->in[0] : a, c->half_in & 2 ? c->in[1] : b, 2};
    if (o->a == a)
        code = vt_to_bf16(a, c->in[0], count_a, c->stream);
    if (o->b == b && !code)
        code = vt_to_bf16(b, c->in[1], count_b, c->stream);
    return code;
}
