/* Exact GELU: x times the normal distribution's integral up to x (Hendrycks & Gimpel 2016), and its
 * derivative. */
#ifndef BACKEND_CUDA_KERNELS_GELU_H
#define BACKEND_CUDA_KERNELS_GELU_H

#include "backend/cuda/kernels/vt_dev.h"

/* erfc keeps the digits of small values, which 1 + erf does not. */
static __device__ __forceinline__ float vt_normal_integral(float x)
{
    return 0.5f * erfcf(-0.70710678118654752f * x);
}

static __device__ __forceinline__ float vt_normal_density(float x)
{
    return 0.39894228040143268f * expf(-0.5f * x * x);
}

/* Beyond it the product of an infinite x and an integral of 0 would be no number; gelu(x) is 0 in
 * float long before. */
static __device__ __forceinline__ float vt_gelu_of(float x)
{
    return x < -40.0f ? 0.0f : x * vt_normal_integral(x);
}

static __device__ __forceinline__ float vt_gelu_slope(float x)
{
    return x < -40.0f ? 0.0f : x > 40.0f ? 1.0f : vt_normal_integral(x) + x * vt_normal_density(x);
}

#endif
