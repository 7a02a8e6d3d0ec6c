/* The dialect of the kernels: the only header that a .cu file includes. The same file is compiled
 * by nvcc for GPUs and, with -DVT_SIM, by a C++17 compiler against backend/sim, which runs it on
 * the CPU.
 *
 * Rules (backend/sim checks most of them while kernels run):
 *   no <<< >>>, no inline PTX, no cooperative groups, no textures, no allocation, no std::
 *   blocks are multiples of 32 threads; whole warps leave early, never single lanes before a
 *   collective; masks are VT_FULL unless a comment proves otherwise
 *   every hand-over through shared memory inside a warp needs __syncwarp: shuffles order nothing
 *   __syncthreads is reached by all threads of a block, in the same line
 *   copies that go on while a thread computes (copy.h): a wait for them, then a barrier
 *   sums in float, in a fixed order: no float atomics
 *   launchers are extern "C" int (a cudaError_t), check shapes, take the stream, allocate nothing
 *
 *   VT_SHARED(float, tile, [32][33]);         static shared memory
 *   VT_SHARED_DYN(float, rows);               the dynamic shared memory of the launch, 128-aligned
 *   return VT_LAUNCH((kernel<float, 4>), grid, block, smem, stream, x, n);
 */
#ifndef BACKEND_CUDA_KERNELS_VT_DEV_H
#define BACKEND_CUDA_KERNELS_VT_DEV_H

#ifdef VT_SIM
#include "backend/sim/language.h"
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define VT_SHARED(T, name, dims) __shared__ T name dims
#define VT_SHARED_DYN(T, name)                                                                     \
    extern __shared__ __align__(128) unsigned char vt_dynamic_shared[];                            \
    T *name = reinterpret_cast<T *>(vt_dynamic_shared)

/* Shared memory that a kernel gets without asking for more. */
#define VT_SHARED_DEFAULT (48 * 1024)

/* The launch behind VT_LAUNCH: arguments are converted to the kernel's own types. */
template <class... P, class... A>
static inline cudaError_t vt_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t smem,
                                    cudaStream_t stream, A... args)
{
    if (smem > VT_SHARED_DEFAULT) {
        cudaError_t e =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
        if (e != cudaSuccess)
            return e;
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = smem;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
}
#define VT_LAUNCH(kernel, grid, block, smem, stream, ...)                                          \
    vt_launch(kernel, grid, block, smem, stream, __VA_ARGS__)
#endif

#define VT_FULL 0xffffffffu

/* Of a large function that is called in several places: on a device registers must not go through
 * memory, the emulator's compiler would take long. */
#ifdef VT_SIM
#define VT_INLINED inline
#else
#define VT_INLINED __forceinline__
#endif

typedef __nv_bfloat16 vt_bf16;

/* Values in memory as floats: one, or four at an address of 16 bytes (float) or 8 (bf16). */
template <class T> struct vt_io;

template <> struct vt_io<float> {
    static __device__ __forceinline__ float ld(const float *p)
    {
        return *p;
    }
    static __device__ __forceinline__ void st(float *p, float v)
    {
        *p = v;
    }
    static __device__ __forceinline__ float4 ld4(const float *p)
    {
        return *reinterpret_cast<const float4 *>(p);
    }
    static __device__ __forceinline__ void st4(float *p, float4 v)
    {
        *reinterpret_cast<float4 *>(p) = v;
    }
};

template <> struct vt_io<vt_bf16> {
    struct __align__(8) four
    {
        __nv_bfloat162 low, high;
    };
    static __device__ __forceinline__ float ld(const vt_bf16 *p)
    {
        return __bfloat162float(*p);
    }
    static __device__ __forceinline__ void st(vt_bf16 *p, float v)
    {
        *p = __float2bfloat16(v);
    }
    static __device__ __forceinline__ float4 ld4(const vt_bf16 *p)
    {
        four v = *reinterpret_cast<const four *>(p);
        return make_float4(__low2float(v.low), __high2float(v.low), __low2float(v.high),
                           __high2float(v.high));
    }
    static __device__ __forceinline__ void st4(vt_bf16 *p, float4 v)
    {
        four o;
        o.low = __floats2bfloat162_rn(v.x, v.y);
        o.high = __floats2bfloat162_rn(v.z, v.w);
        *reinterpret_cast<four *>(p) = o;
    }
};

/* Over the 32 lanes of a warp, the result in every lane; additions in a fixed order. */
static __device__ __forceinline__ float vt_warp_sum(float v)
{
    for (int o = 16; o > 0; o >>= 1)
        v += __shfl_xor_sync(VT_FULL, v, o);
    return v;
}

static __device__ __forceinline__ float vt_warp_max(float v)
{
    for (int o = 16; o > 0; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(VT_FULL, v, o));
    return v;
}

#endif
