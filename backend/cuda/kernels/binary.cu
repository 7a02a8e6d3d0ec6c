/* add, sub, mul, div and spread, with broadcasting. */
#include "backend/cuda/kernels/device.h"

struct add_of {
    static __device__ __forceinline__ float at(float a, float b)
    {
        return a + b;
    }
};
struct sub_of {
    static __device__ __forceinline__ float at(float a, float b)
    {
        return a - b;
    }
};
struct mul_of {
    static __device__ __forceinline__ float at(float a, float b)
    {
        return a * b;
    }
};
struct div_of {
    static __device__ __forceinline__ float at(float a, float b)
    {
        return a / b;
    }
};

/* Where element i of the result is in operand o. */
static __device__ __forceinline__ uint32_t operand_index(const vt_broadcast &l, int o, uint32_t i)
{
    uint32_t at = 0;
    for (int d = l.rank - 1; d > 0; d--) {
        uint32_t next = i / l.dim[d];
        at += (i - next * l.dim[d]) * l.stride[o][d];
        i = next;
    }
    return at + i * l.stride[o][0];
}

template <class F>
static __global__ void broadcast_kernel(float *y, vt_in a, vt_in b, vt_broadcast l)
{
    VT_EACH(i, l.count)
    y[i] = F::at(a[operand_index(l, 0, (uint32_t)i)], b[operand_index(l, 1, (uint32_t)i)]);
}

/* Operands of the result's shape. */
template <class F, class A, class B>
static __global__ void plain_kernel(float *y, const A *a, const B *b, int64_t n)
{
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    {
        float4 p = vt_io<A>::ld4(a + 4 * i), q = vt_io<B>::ld4(b + 4 * i);
        vt_io<float>::st4(y + 4 * i, make_float4(F::at(p.x, q.x), F::at(p.y, q.y), F::at(p.z, q.z),
                                                 F::at(p.w, q.w)));
    }
    VT_EACH(i, n - 4 * fours)
    y[4 * fours + i] = F::at(vt_io<A>::ld(a + 4 * fours + i), vt_io<B>::ld(b + 4 * fours + i));
}

static bool is_plain(const vt_broadcast *l)
{
    return l->rank == 1 && l->stride[0][0] == 1 && l->stride[1][0] == 1;
}

template <class F, class A, class B>
static int plain(float *y, const A *a, const B *b, int64_t n, cudaStream_t stream)
{
    return VT_LAUNCH((plain_kernel<F, A, B>), vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream,
                     y, a, b, n);
}

template <class F>
static int binary(float *y, const void *a, const void *b, const vt_broadcast *l, unsigned half,
                  cudaStream_t stream)
{
    if (l->count == 0)
        return 0;
    if (is_plain(l))
        return vt_typed2(half, [&](auto of_a, auto of_b) {
            return plain<F>(y, (const decltype(of_a) *)a, (const decltype(of_b) *)b,
                            (int64_t)l->count, stream);
        });
    return VT_LAUNCH(broadcast_kernel<F>, vt_grid(l->count), dim3(VT_THREADS), 0, stream, y,
                     vt_in_of(a, half, 0), vt_in_of(b, half, 1), *l);
}

#define BINARY(name)                                                                               \
    extern "C" int vt_##name(float *y, const void *a, const void *b, const struct vt_broadcast *l, \
                             unsigned half, cudaStream_t stream)                                   \
    {                                                                                              \
        return binary<name##_of>(y, a, b, l, half, stream);                                        \
    }

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)

static __global__ void spread_kernel(float *y, const float *a, float scale, vt_broadcast l)
{
    VT_EACH(i, l.count)
    y[i] = scale * a[operand_index(l, 0, (uint32_t)i)];
}

extern "C" int vt_spread(float *y, const float *a, float scale, const struct vt_broadcast *l,
                         cudaStream_t stream)
{
    if (l->count == 0)
        return 0;
    return VT_LAUNCH(spread_kernel, vt_grid(l->count), dim3(VT_THREADS), 0, stream, y, a, scale,
                     *l);
}
