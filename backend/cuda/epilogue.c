/* Products with GELU behind them, in two launches: the product, then GELU where it stands. */
#include "backend/cuda/kernels/launch.h"
#include "backend/cuda/lt.h"

struct vt_lt_plan vt_lt_plain(const struct vt_lt_plan *p)
{
    struct vt_lt_plan plain = *p;
    plain.epilogue = VT_PLAIN;
    plain.type_pre = VT_F32;
    if (p->epilogue == VT_GELU_KEEP)
        plain.type_c = p->type_pre;
    return plain;
}

int vt_lt_matmul_gelu(struct vt_lt *lt, const struct vt_lt_plan *p, const void *a, const void *b,
                      const void *bias, const void *residual, void *c, void *pre,
                      cudaStream_t stream)
{
    struct vt_lt_plan plain = vt_lt_plain(p);
    void *v = p->epilogue == VT_GELU_KEEP ? pre : c;
    unsigned of_c = p->type_c == VT_BF16, of_v = plain.type_c == VT_BF16;
    unsigned of_pre = p->type_pre == VT_BF16;
    int64_t count = p->batch * p->m * p->n;
    int code = vt_lt_matmul(lt, &plain, a, b, bias, residual, v, stream);
    if (code || p->epilogue == VT_PLAIN)
        return code;
    if (p->epilogue == VT_GELU_SLOPE)
        return vt_gelu_grad(c, pre, c, count, of_c | of_pre << 1 | of_c << 2, stream);
    return vt_gelu(c, v, count, of_c | of_v << 1, stream);
}
