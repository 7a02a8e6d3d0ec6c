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
    call<E> c = {};
    c.out = out;
    c.lse = lse;
    c.q = (const E *)q;
    c.k = (const E *)k;
    c.v = (const E *)v;
    c.bias = bias;
    c.a = a;
    c.half = half;
    c.stream = stream;
    c.wide = rows_are_wide(c);
    return launch(forwards, c);
}

extern "C" int vt_attention_grad_bf16(void *dq, void *dk, void *dv, const void *q, const void *k,
                                      const void *v, const float *bias, const void *out,
                                      const float *lse, const void *dout, float *delta,
                                      struct vt_attention_size a, unsigned half,
                                      cudaStream_t stream)
{
    call<E> c = {};
    c.dq = dq;
    c.dk = dk;
    c.dv = dv;
    c.q = (const E *)q;
    c.k = (const E *)k;
    c.v = (const E *)v;
    c.dout = (const E *)dout;
    c.bias = bias;
    c.given_lse = lse;
    c.delta = delta;
    c.a = a;
    c.half = half;
    c.stream = stream;
    c.wide = rows_are_wide(c);
    int code = delta_of(delta, (const E *)out, (const E *)dout, a, stream);
    return code ? code : launch(backwards, c);
}
