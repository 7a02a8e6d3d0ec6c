/* A warp's row of a layer normalisation: its columns, and rows that lie in registers. */
#ifndef BACKEND_CUDA_KERNELS_LAYER_NORM_H
#define BACKEND_CUDA_KERNELS_LAYER_NORM_H

#include "backend/cuda/kernels/device.h"

/* Four columns at a time where the width allows it: FOURS is 4 or 1. */
template <int FOURS> struct columns;
template <> struct columns<4> {
    typedef float4 value;
    template <class T> static __device__ __forceinline__ float4 ld(const T *p)
    {
        return vt_io<T>::ld4(p);
    }
    template <class T> static __device__ __forceinline__ void st(T *p, float4 v)
    {
        vt_io<T>::st4(p, v);
    }
    static __device__ __forceinline__ float4 add(float4 a, float4 b)
    {
        return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
    }
    static __device__ __forceinline__ float sum(float4 v)
    {
        return (v.x + v.y) + (v.z + v.w);
    }
    static __device__ __forceinline__ float square(float4 v, float mean)
    {
        float a = v.x - mean, b = v.y - mean, c = v.z - mean, d = v.w - mean;
        return (a * a + b * b) + (c * c + d * d);
    }
    static __device__ __forceinline__ float4 norm(float4 v, float mean, float rstd, float4 gamma,
                                                  float4 beta)
    {
        return make_float4(
            (v.x - mean) * rstd * gamma.x + beta.x, (v.y - mean) * rstd * gamma.y + beta.y,
            (v.z - mean) * rstd * gamma.z + beta.z, (v.w - mean) * rstd * gamma.w + beta.w);
    }
};
template <> struct columns<1> {
    typedef float value;
    template <class T> static __device__ __forceinline__ float ld(const T *p)
    {
        return vt_io<T>::ld(p);
    }
    template <class T> static __device__ __forceinline__ void st(T *p, float v)
    {
        vt_io<T>::st(p, v);
    }
    static __device__ __forceinline__ float add(float a, float b)
    {
        return a + b;
    }
    static __device__ __forceinline__ float sum(float v)
    {
        return v;
    }
    static __device__ __forceinline__ float square(float v, float mean)
    {
        return (v - mean) * (v - mean);
    }
    static __device__ __forceinline__ float norm(float v, float mean, float rstd, float gamma,
                                                 float beta)
    {
        return (v - mean) * rstd * gamma + beta;
    }
};

/* A row of up to 1024 columns, of a number that is a multiple of four, lies in a warp's registers:
 * it is read once, with all reads under way at once. Value k of quarter j of a lane is column
 * column_of(j) + k. */
enum { QUARTERS = 8, HELD_MOST = 32 * 4 * QUARTERS };

static inline bool is_held(int64_t width)
{
    return width % 4 == 0 && width <= HELD_MOST;
}

static __device__ __forceinline__ int column_of(int quarter)
{
    return 4 * (((int)threadIdx.x & 31) + 32 * quarter);
}

template <class X>
static __device__ __forceinline__ float4 quarter_of(const X *row, int i, int width)
{
    return i < width ? vt_io<X>::ld4(row + i) : make_float4(0, 0, 0, 0);
}

#endif
