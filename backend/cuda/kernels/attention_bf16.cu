/* Attention with operands in bf16, on tensor cores. */
#include "backend/cuda/kernels/attention_mma.h"

typedef vt_bf16 E;

/* Shared memory, at most: forward 66 KB, backward 66 KB. */
static launcher<E> *const forwards[] = {
    forward<E, 32, 64, 64, 1>,
    forward<E, 64, 64, 64, 1>,
    forward<E, 128, 64, 64, 1>,
    forward<E, 256, 64, 32, 2>,
};

static launcher<E> *const backwards[] = {
    gradients<E, 32, 64, 64, 1>,
    gradients<E, 64, 64, 64, 1>,
    gradients<E, 128, 64, 32, 1>,
    gradients<E, 256, 32, 32, 2>,
};

extern "C" int vt_attention_bf16(void *out, float *lse, const void *q, const void *k, const void *v,
                                 const float *bias, struct vt_attention_size a, unsigned half,
                                 cudaStream_t stream)
{
    return attention<E>(forwards, out, lse, (const E *)q, (const E *)k, (const E *)v, bias, a, half,
                        stream);
}

extern "C" int vt_attention_grad_bf16(void *dq, void *dk, void *dv, const void *q, const void *k,
                                      const void *v, const float *bias, const void *out,
                                      const float *lse, const void *dout, float *delta,
                                      struct vt_attention_size a, unsigned half,
                                      cudaStream_t stream)
{
    return attention_grad<E>(backwards, dq, dk, dv, (const E *)q, (const E *)k, (const E *)v, bias,
                             (const E *)out, lse, (const E *)dout, delta, a, half, stream);
}
