/* Attention with operands rounded to tf32, on tensor cores; memory holds floats. Heads up to
 * VT_ATTENTION_TF32_WIDEST: wider tiles would not fit the shared memory of every device. */
#include "backend/cuda/kernels/attention_mma.h"

typedef float E;

/* Shared memory, at most: forward 66 KB, backward 66 KB. */
static launcher<E> *const forwards[] = {
    forward<E, 32, 64, 64, 1>,
    forward<E, 64, 64, 64, 1>,
    forward<E, 128, 64, 32, 1>,
};

static launcher<E> *const backwards[] = {
    gradients<E, 32, 64, 64, 1>,
    gradients<E, 64, 64, 32, 1>,
    gradients<E, 128, 32, 32, 1>,
};

extern "C" int vt_attention_tf32(float *out, float *lse, const float *q, const float *k,
                                 const float *v, const float *bias, struct vt_attention_size a,
                                 cudaStream_t stream)
{
    return attention<E>(forwards, out, lse, q, k, v, bias, a, 0, stream);
}

extern "C" int vt_attention_grad_tf32(float *dq, float *dk, float *dv, const float *q,
                                      const float *k, const float *v, const float *bias,
                                      const float *out, const float *lse, const float *dout,
                                      float *delta, struct vt_attention_size a, cudaStream_t stream)
{
    return attention_grad<E>(backwards, dq, dk, dv, q, k, v, bias, out, lse, dout, delta, a, 0,
                             stream);
}
