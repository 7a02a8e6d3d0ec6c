/* Element-wise functions of one tensor, the gradients that are fused, and conversion to and from
 * bf16. A function object holds the op's parameters. */
#include "backend/cuda/kernels/device.h"

template <class T, class F>
static __global__ void unary_kernel(T *y, const float *x, int64_t n, F f)
{
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    {
        float4 v = vt_io<float>::ld4(x + 4 * i);
        vt_io<T>::st4(y + 4 * i, make_float4(f(v.x), f(v.y), f(v.z), f(v.w)));
    }
    VT_EACH(i, n - 4 * fours)
    vt_io<T>::st(y + 4 * fours + i, f(x[4 * fours + i]));
}

/* dx = dy * f(x) */
template <class F>
static __global__ void slope_kernel(float *dx, const float *x, const float *dy, int64_t n, F f)
{
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    {
        float4 v = vt_io<float>::ld4(x + 4 * i), d = vt_io<float>::ld4(dy + 4 * i);
        vt_io<float>::st4(dx + 4 * i,
                          make_float4(f(v.x, d.x), f(v.y, d.y), f(v.z, d.z), f(v.w, d.w)));
    }
    VT_EACH(i, n - 4 * fours)
    dx[4 * fours + i] = f(x[4 * fours + i], dy[4 * fours + i]);
}

template <class T, class F>
static int unary(T *y, const float *x, int64_t n, F f, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH((unary_kernel<T, F>), vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream, y,
                     x, n, f);
}

template <class F>
static int slope(float *dx, const float *x, const float *dy, int64_t n, F f, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH(slope_kernel<F>, vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream, dx, x,
                     dy, n, f);
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

/* The normal distribution's integral up to x. erfc keeps the digits of small values, which 1 + erf
 * does not. */
static __device__ __forceinline__ float normal_integral(float x)
{
    return 0.5f * erfcf(-0.70710678118654752f * x);
}

static __device__ __forceinline__ float normal_density(float x)
{
    return 0.39894228040143268f * expf(-0.5f * x * x);
}

/* Beyond it the product of an infinite x and an integral of 0 would be no number; gelu(x) is 0 in
 * float long before. */
static __device__ __forceinline__ float gelu_at(float x)
{
    return x < -40.0f ? 0.0f : x * normal_integral(x);
}

static __device__ __forceinline__ float gelu_slope(float x)
{
    return x < -40.0f ? 0.0f : x > 40.0f ? 1.0f : normal_integral(x) + x * normal_density(x);
}

UNARY(exp, expf(x))
UNARY(log, logf(x))
UNARY(sqrt, sqrtf(x))
UNARY(erf, erff(x))
UNARY(sigmoid, 1 / (1 + expf(-x)))
UNARY(phi, vt_phi_of(x))
UNARY(relu, x < 0 ? 0 : x)
UNARY(gelu, gelu_at(x))
SLOPE(phi_grad, dy *vt_phi_slope(x))
SLOPE(relu_grad, x > 0 ? dy : 0)
SLOPE(gelu_grad, dy *gelu_slope(x))

extern "C" int vt_gelu_half(void *y, const float *x, int64_t n, cudaStream_t stream)
{
    return unary((vt_bf16 *)y, x, n, gelu_of{}, stream);
}

struct affine_of {
    float scale, shift;
    __device__ __forceinline__ float operator()(float x) const
    {
        return scale * x + shift;
    }
};
extern "C" int vt_affine(float *y, const float *x, int64_t n, float scale, float shift,
                         cudaStream_t stream)
{
    return unary(y, x, n, affine_of{scale, shift}, stream);
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

static __global__ void to_bf16_kernel(vt_bf16 *to, const float *from, int64_t n)
{
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    vt_io<vt_bf16>::st4(to + 4 * i, vt_io<float>::ld4(from + 4 * i));
    VT_EACH(i, n - 4 * fours)
    vt_io<vt_bf16>::st(to + 4 * fours + i, from[4 * fours + i]);
}

extern "C" int vt_to_bf16(void *to, const float *from, int64_t n, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH(to_bf16_kernel, vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream,
                     (vt_bf16 *)to, from, n);
}

static __global__ void from_bf16_kernel(float *to, const vt_bf16 *from, int64_t n)
{
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    vt_io<float>::st4(to + 4 * i, vt_io<vt_bf16>::ld4(from + 4 * i));
    VT_EACH(i, n - 4 * fours)
    to[4 * fours + i] = vt_io<vt_bf16>::ld(from + 4 * fours + i);
}

extern "C" int vt_from_bf16(float *to, const void *from, int64_t n, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH(from_bf16_kernel, vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream, to,
                     (const vt_bf16 *)from, n);
}
