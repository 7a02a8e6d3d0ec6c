/* Linear attention with operands in bf16 and in tf32, on tensor cores. Shared memory, at most: 35
 * KB. */
#include "backend/cuda/kernels/linear_attention_mma.h"

/* What both passes have. */
template <class E>
static linear_call<E> call_of(const void *q, const void *k, const void *v,
                              const vt_attention_size &a, float eps, unsigned half,
                              cudaStream_t stream)
{
    linear_call<E> c = {};
    c.q = (const E *)q;
    c.k = (const E *)k;
    c.v = (const E *)v;
    c.a = a;
    c.eps = eps;
    c.half = half;
    c.stream = stream;
    return c;
}

template <class E>
static int forward(void *out, float *kv, float *ksum, const void *q, const void *k, const void *v,
                   const vt_attention_size &a, float eps, unsigned half, cudaStream_t stream)
{
    enum { ROWS = 128 / sizeof(E) };
    static linear_launcher<E> *const table[3] = {
        linear_forward<E, 16, 64, ROWS>,
        linear_forward<E, 64, 64, ROWS / 2>,
        linear_forward<E, 32, 128, ROWS / 2>,
    };
    linear_call<E> c = call_of<E>(q, k, v, a, eps, half, stream);
    c.out = out;
    c.kv = kv;
    c.ksum = ksum;
    c.wide = linear_rows_are_wide(c);
    return linear_launch(table, c);
}

template <class E>
static int gradients(void *dq, void *dk, void *dv, const void *q, const void *k, const void *v,
                     const float *kv, const float *ksum, const void *dout,
                     const vt_attention_size &a, float eps, unsigned half, cudaStream_t stream)
{
    enum { ROWS = 128 / sizeof(E) };
    static linear_launcher<E> *const table[3] = {
        linear_gradients<E, 16, 64, ROWS>,
        linear_gradients<E, 64, 64, 32>,
        linear_gradients<E, 32, 128, 32>,
    };
    linear_call<E> c = call_of<E>(q, k, v, a, eps, half, stream);
    c.dq = dq;
    c.dk = dk;
    c.dv = dv;
    c.given_kv = kv;
    c.given_ksum = ksum;
    c.dout = (const E *)dout;
    c.wide = linear_rows_are_wide(c);
    return linear_launch(table, c);
}

extern "C" int vt_linear_attention_bf16(void *out, float *kv, float *ksum, const void *q,
                                        const void *k, const void *v, struct vt_attention_size a,
                                        float eps, unsigned half, cudaStream_t stream)
{
    return forward<vt_bf16>(out, kv, ksum, q, k, v, a, eps, half, stream);
}

extern "C" int vt_linear_attention_tf32(float *out, float *kv, float *ksum, const float *q,
                                        const float *k, const float *v, struct vt_attention_size a,
                                        float eps, cudaStream_t stream)
{
    return forward<float>(out, kv, ksum, q, k, v, a, eps, 0, stream);
}

extern "C" int vt_linear_attention_grad_bf16(void *dq, void *dk, void *dv, const void *q,
                                             const void *k, const void *v, const float *kv,
                                             const float *ksum, const void *dout,
                                             struct vt_attention_size a, float eps, unsigned half,
                                             cudaStream_t stream)
{
    return gradients<vt_bf16>(dq, dk, dv, q, k, v, kv, ksum, dout, a, eps, half, stream);
}

extern "C" int vt_linear_attention_grad_tf32(float *dq, float *dk, float *dv, const float *q,
                                             const float *k, const float *v, const float *kv,
                                             const float *ksum, const float *dout,
                                             struct vt_attention_size a, float eps,
                                             cudaStream_t stream)
{
    return gradients<float>(dq, dk, dv, q, k, v, kv, ksum, dout, a, eps, 0, stream);
}
