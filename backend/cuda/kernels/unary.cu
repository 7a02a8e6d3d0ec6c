/* Element-wise functions of one tensor, the gradients that are fused, and conversion to and from
 * bf16. A function object holds the op's parameters. */
#include "backend/cuda/kernels/device.h"
#include "backend/cuda/kernels/gelu.h"

template <class Y, class X, class F>
static __global__ void unary_kernel(Y *y, const X *x, int64_t n, F f)
{
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    {
        float4 v = vt_io<X>::ld4(x + 4 * i);
        vt_io<Y>::st4(y + 4 * i, make_float4(f(v.x), f(v.y), f(v.z), f(v.w)));
    }
    VT_EACH(i, n - 4 * fours)
    vt_io<Y>::st(y + 4 * fours + i, f(vt_io<X>::ld(x + 4 * fours + i)));
}

/* dx = dy * f(x) */
template <class DX, class X, class DY, class F>
static __global__ void slope_kernel(DX *dx, const X *x, const DY *dy, int64_t n, F f)
{
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    {
        float4 v = vt_io<X>::ld4(x + 4 * i), d = vt_io<DY>::ld4(dy + 4 * i);
        vt_io<DX>::st4(dx + 4 * i, make_float4(f(v.x, d.x), f(v.y, d.y), f(v.z, d.z), f(v.w, d.w)));
    }
    VT_EACH(i, n - 4 * fours)
    vt_io<DX>::st(dx + 4 * fours + i,
                  f(vt_io<X>::ld(x + 4 * fours + i), vt_io<DY>::ld(dy + 4 * fours + i)));
}

template <class Y, class X, class F>
static int unary(Y *y, const X *x, int64_t n, F f, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH((unary_kernel<Y, X, F>), vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream,
                     y, x, n, f);
}

template <class F>
static int typed_unary(void *y, const void *x, int64_t n, F f, unsigned half, cudaStream_t stream)
{
    return vt_typed2(half, [&](auto of_y, auto of_x) {
        return unary((decltype(of_y) *)y, (const decltype(of_x) *)x, n, f, stream);
    });
}

template <class DX, class X, class DY, class F>
static int slope(DX *dx, const X *x, const DY *dy, int64_t n, F f, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH((slope_kernel<DX, X, DY, F>), vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0,
                     stream, dx, x, dy, n, f);
}

#define UNARY(name, expression)                                                                    \
    struct name##_of {                                                                             \
        __device__ __forceinline__ float operator()(float x) const                                 \
        {                                                                                          \
            return expression;                                                                     \
        }                                                                                          \
    };                                                                                             \
    extern "C" int vt_##name(float *y, const float *x, int64_t n, cudaStream_t stream)             \
    {                                                                                              \
        return unary(y, x, n, name##_of{}, stream);                                                \
    }

#define SLOPE(name, expression)                                                                    \
    struct name##_of {                                                                             \
        __device__ __forceinline__ float operator()(float x, float dy) const                       \
        {                                                                                          \
            return expression;                                                                     \
        }                                                                                          \
    };                                                                                             \
    extern "C" int vt_##name(float *dx, const float *x, const float *dy, int64_t n,                \
                             cudaStream_t stream)                                                  \
    {                                                                                              \
        return slope(dx, x, dy, n, name##_of{}, stream);                                           \
    }

UNARY(exp, expf(x))
UNARY(log, logf(x))
UNARY(sqrt, sqrtf(x))
UNARY(erf, erff(x))
UNARY(sigmoid, 1 / (1 + expf(-x)))
UNARY(phi, vt_phi_of(x))
UNARY(relu, x < 0 ? 0 : x)
SLOPE(phi_grad, dy *vt_phi_slope(x))
SLOPE(relu_grad, x > 0 ? dy : 0)

struct gelu_of {
    __device__ __forceinline__ float operator()(float x) const
    {
        return vt_gelu_of(x);
    }
};
extern "C" int vt_gelu(void *y, const void *x, int64_t n, unsigned half, cudaStream_t stream)
{
    return typed_unary(y, x, n, gelu_of{}, half, stream);
}

struct gelu_grad_of {
    __device__ __forceinline__ float operator()(float x, float dy) const
    {
        return dy * vt_gelu_slope(x);
    }
};
extern "C" int vt_gelu_grad(void *dx, const void *x, const void *dy, int64_t n, unsigned half,
                            cudaStream_t stream)
{
    return vt_typed3(half, [&](auto of_dx, auto of_x, auto of_dy) {
        return slope((decltype(of_dx) *)dx, (const decltype(of_x) *)x, (const decltype(of_dy) *)dy,
                     n, gelu_grad_of{}, stream);
    });
}

struct affine_of {
    float scale, shift;
    __device__ __forceinline__ float operator()(float x) const
    {
        return scale * x + shift;
    }
};
extern "C" int vt_affine(void *y, const void *x, int64_t n, float scale, float shift, unsigned half,
                         cudaStream_t stream)
{
    return typed_unary(y, x, n, affine_of{scale, shift}, half, stream);
}

struct above_of {
    float threshold;
    __device__ __forceinline__ float operator()(float x) const
    {
        return x > threshold ? 1 : 0;
    }
};
extern "C" int vt_above(float *y, const float *x, int64_t n, float threshold, cudaStream_t stream)
{
    return unary(y, x, n, above_of{threshold}, stream);
}

static __global__ void scale_shift_kernel(float *y, const float *x, const float *gain,
                                          const float *offset, int64_t width, int64_t n)
{
    VT_EACH(i, n)
    y[i] = x[i] * gain[i % width] + offset[i % width];
}

extern "C" int vt_scale_shift(float *y, const float *x, const float *gain, const float *offset,
                              int64_t rows, int64_t width, cudaStream_t stream)
{
    int64_t n = rows * width;
    return VT_LAUNCH(scale_shift_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, y, x, gain,
                     offset, width, n);
}

struct same_of {
    __device__ __forceinline__ float operator()(float x) const
    {
        return x;
    }
};
extern "C" int vt_to_bf16(void *to, const float *from, int64_t n, cudaStream_t stream)
{
    return unary((vt_bf16 *)to, from, n, same_of{}, stream);
}

extern "C" int vt_from_bf16(float *to, const void *from, int64_t n, cudaStream_t stream)
{
    return unary(to, (const vt_bf16 *)from, n, same_of{}, stream);
}
