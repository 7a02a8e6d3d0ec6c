/* Linear attention with operands in bf16 and in tf32, on tensor cores. Shared memory, at most: 35
 * KB. */
#include "backend/cuda/kernels/linear_attention_mma.h"

template <class E>
static int forward(void *out, float *kv, float *ksum, const void *q, const void *k, const void *v,
                   const vt_attention_size &a, float eps, unsigned half, cudaStream_t stream)
{
    enum { ROWS = 128 / sizeof(E) };
    static linear_launcher<E> *const table[3] = {
        linear_forward<E, 16, 64, ROWS>,
        linear_forward<E, 64, 64, ROWS / 2>,
        linear_forward<E, 64, 128, ROWS / 2>,
    };
    linear_call<E> c = {};
    c.out = out;
    c.kv = kv;
    c.ksum = ksum;
    c.q = (const E *)q;
    c.k = (const E *)k;
    c.v = (const E *)v;
    c.a = a;
    c.eps = eps;
    c.half = half;
    c.stream = stream;
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
