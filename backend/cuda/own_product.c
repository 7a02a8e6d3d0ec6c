#include "backend/cuda/own_product.h"

#include <stdlib.h>
#include <string.h>

int own_product_decided(struct error *err)
{
    const char *wanted = getenv("VITTM_CUDA_PRODUCTS");
    if (!wanted || !*wanted || !strcmp(wanted, "auto"))
        return 0;
    if (!strcmp(wanted, "own"))
        return 1;
    return error_set(err, "VITTM_CUDA_PRODUCTS is %s: it can be auto or own", wanted);
}

int own_product_fits(const struct vt_product *p)
{
    enum { TILE = 64 };
    int64_t down = (p->m + TILE - 1) / TILE, across = (p->n + TILE - 1) / TILE;
    return p->m <= VT_GEMM_MOST && p->n <= VT_GEMM_MOST && p->k <= VT_GEMM_MOST &&
           p->batch * down * across <= VT_GEMM_MOST;
}

int own_product_execute(const struct vt_product *p, const struct vt_operands *o,
                        cudaStream_t stream)
{
    struct vt_gemm g = {
        .a = o->a,
        .b = o->b,
        .bias = p->has_bias ? o->bias : NULL,
        .residual = p->has_residual ? o->residual : NULL,
        .c = o->c,
        .pre = p->epilogue == VT_GELU_KEEP || p->epilogue == VT_GELU_SLOPE ? o->pre : NULL,
        .sums = p->has_sums ? o->sums : NULL,
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .lda = p->lda,
        .ldb = p->ldb,
        .ldc = p->ldc,
        .batch = p->batch,
        .stride_a = p->stride_a,
        .stride_b = p->stride_b,
        .stride_c = p->stride_c,
        .trans_a = p->trans_a,
        .trans_b = p->trans_b,
        .half_c = p->type_c == VT_BF16,
        .half_v = (p->epilogue == VT_GELU_KEEP ? p->type_pre : p->type_c) == VT_BF16,
        .half_pre = p->type_pre == VT_BF16,
        .scale = p->scale,
        .epilogue = p->epilogue,
    };
    if (p->type_ab == VT_BF16)
        return vt_gemm_bf16(&g, stream);
    return p->math == VT_MATH_TF32 ? vt_gemm_tf32(&g, stream) : vt_gemm_fp32(&g, stream);
}
