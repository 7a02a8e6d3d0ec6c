/* CUDA's kernel language for a C++17 compiler: what vt_dev.h includes with -DVT_SIM. Only what the
 * kernels use; anything else does not compile. core.h runs it. */
#ifndef BACKEND_SIM_LANGUAGE_H
#define BACKEND_SIM_LANGUAGE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tuple>
#include <type_traits>

#include "backend/sim/warp.h"
#include "backend/sim/include/cuda_runtime_api.h"
#include "backend/sim/launch.h"

/* ---- words ----------------------------------------------------------------------------------- */

#define __global__
#define __device__
#define __host__
#define __constant__    static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__    __attribute__((noinline))
#define __align__(n)    __attribute__((aligned(n)))
#define __launch_bounds__(...)

/* ---- vector types ---------------------------------------------------------------------------- */

typedef sim_dim uint3;

struct dim3 : sim_dim {
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : sim_dim{a, b, c}
    {
    }
};

#define SIM_VECTORS(T, name)                                                                       \
    struct alignas(2 * sizeof(T)) name##2                                                          \
    {                                                                                              \
        T x, y;                                                                                    \
    };                                                                                             \
    struct alignas(4 * sizeof(T)) name##4                                                          \
    {                                                                                              \
        T x, y, z, w;                                                                              \
    };                                                                                             \
    static inline name##2 make_##name##2(T x, T y)                                                 \
    {                                                                                              \
        return {x, y};                                                                             \
    }                                                                                              \
    static inline name##4 make_##name##4(T x, T y, T z, T w)                                       \
    {                                                                                              \
        return {x, y, z, w};                                                                       \
    }
SIM_VECTORS(float, float)
SIM_VECTORS(int, int)
SIM_VECTORS(unsigned, uint)

/* ---- where a thread is ----------------------------------------------------------------------- */

#define threadIdx (sim_now->index)
#define blockIdx  (sim_now->block->index)
#define blockDim  (sim_now->block->size)
#define gridDim   (sim_now->block->grid)
#define warpSize  SIM_WARP

#define VT_SHARED(T, name, dims)                                                                   \
    using name##_shared = T dims;                                                                  \
    static const char name##_key = 0;                                                              \
    name##_shared &name =                                                                          \
        *static_cast<name##_shared *>(sim_shared(&name##_key, sizeof(name##_shared)))
#define VT_SHARED_DYN(T, name) T *name = static_cast<T *>(sim_now->block->dynamic)

/* ---- barriers and warps ---------------------------------------------------------------------- */

/* The place of a call, as default arguments. */
#define SIM_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(SIM_PLACE)
{
    sim_barrier(file, line);
}

static inline void __syncwarp(uint32_t mask = 0xffffffffu, SIM_PLACE)
{
    sim_collective(mask, sim_combine_nothing, nullptr, 1, file, line);
}

template <class T>
static inline T sim_shuffle_sync(sim_combine *shuffle, uint32_t mask, T value, int argument,
                                 int width, const char *file, int line)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
    sim_shuffled s{0, 0, sizeof(T), argument, width};
    memcpy(&s.value, &value, sizeof value);
    sim_collective(mask, shuffle, &s, 0, file, line);
    memcpy(static_cast<void *>(&value), &s.result, sizeof value);
    return value;
}

template <class T>
static inline T __shfl_sync(uint32_t mask, T value, int lane, int width = SIM_WARP, SIM_PLACE)
{
    return sim_shuffle_sync(sim_combine_index, mask, value, lane, width, file, line);
}

template <class T>
static inline T __shfl_xor_sync(uint32_t mask, T value, int bits, int width = SIM_WARP, SIM_PLACE)
{
    return sim_shuffle_sync(sim_combine_xor, mask, value, bits, width, file, line);
}

template <class T>
static inline T __shfl_up_sync(uint32_t mask, T value, unsigned by, int width = SIM_WARP, SIM_PLACE)
{
    return sim_shuffle_sync(sim_combine_up, mask, value, static_cast<int>(by), width, file, line);
}

template <class T>
static inline T __shfl_down_sync(uint32_t mask, T value, unsigned by, int width = SIM_WARP,
                                 SIM_PLACE)
{
    return sim_shuffle_sync(sim_combine_down, mask, value, static_cast<int>(by), width, file, line);
}

static inline uint32_t __ballot_sync(uint32_t mask, int yes, SIM_PLACE)
{
    sim_vote v{yes, 0};
    sim_collective(mask, sim_combine_votes, &v, 0, file, line);
    return v.result;
}

static inline int __any_sync(uint32_t mask, int yes, SIM_PLACE)
{
    return __ballot_sync(mask, yes, file, line) != 0;
}

static inline int __all_sync(uint32_t mask, int yes, SIM_PLACE)
{
    return __ballot_sync(mask, !yes, file, line) == 0;
}

/* ---- atomics on whole numbers; none on floats, whose sums would depend on the order ---------- */

template <class T> static inline T atomicAdd(T *p, T value)
{
    static_assert(std::is_integral_v<T>, "sums of floats by atomics depend on the order");
    return __atomic_fetch_add(p, value, __ATOMIC_RELAXED);
}

template <class T> static inline T atomicCAS(T *p, T expected, T value)
{
    static_assert(std::is_integral_v<T>, "whole numbers only");
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}

template <class T> static inline T atomicMax(T *p, T value)
{
    static_assert(std::is_integral_v<T>, "whole numbers only");
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (old < value &&
           !__atomic_compare_exchange_n(p, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return old;
}

template <class T> static inline T atomicMin(T *p, T value)
{
    static_assert(std::is_integral_v<T>, "whole numbers only");
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (value < old &&
           !__atomic_compare_exchange_n(p, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return old;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

#define SIM_MIN_MAX(T)                                                                             \
    static inline T min(T a, T b)                                                                  \
    {                                                                                              \
        return b < a ? b : a;                                                                      \
    }                                                                                              \
    static inline T max(T a, T b)                                                                  \
    {                                                                                              \
        return a < b ? b : a;                                                                      \
    }
SIM_MIN_MAX(int)
SIM_MIN_MAX(unsigned)
SIM_MIN_MAX(long)
SIM_MIN_MAX(unsigned long)
SIM_MIN_MAX(long long)
SIM_MIN_MAX(unsigned long long)

static inline float min(float a, float b)
{
    return fminf(a, b);
}
static inline float max(float a, float b)
{
    return fmaxf(a, b);
}

template <class T> static inline T __ldg(const T *p)
{
    return *p;
}

template <class To, class From> static inline To sim_bits(From from)
{
    static_assert(sizeof(To) == sizeof(From), "the same number of bits");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

/* The C library has declarations of these two names. */
#define __expf expf
#define __logf logf

#define SIM_FUNCTION(T, name, parameters, value)                                                   \
    static inline T name parameters                                                                \
    {                                                                                              \
        return value;                                                                              \
    }
SIM_FUNCTION(float, rsqrtf, (float x), 1.0f / sqrtf(x))
SIM_FUNCTION(float, __frsqrt_rn, (float x), 1.0f / sqrtf(x))
SIM_FUNCTION(float, __fsqrt_rn, (float x), sqrtf(x))
SIM_FUNCTION(float, __fdividef, (float a, float b), a / b)
SIM_FUNCTION(float, __frcp_rn, (float x), 1.0f / x)
SIM_FUNCTION(float, __fadd_rn, (float a, float b), a + b)
SIM_FUNCTION(float, __fsub_rn, (float a, float b), a - b)
SIM_FUNCTION(float, __fmul_rn, (float a, float b), a *b)
SIM_FUNCTION(float, __fdiv_rn, (float a, float b), a / b)
SIM_FUNCTION(float, __fmaf_rn, (float a, float b, float c), fmaf(a, b, c))
SIM_FUNCTION(int, __float_as_int, (float x), sim_bits<int>(x))
SIM_FUNCTION(unsigned, __float_as_uint, (float x), sim_bits<unsigned>(x))
SIM_FUNCTION(float, __int_as_float, (int x), sim_bits<float>(x))
SIM_FUNCTION(float, __uint_as_float, (unsigned x), sim_bits<float>(x))
SIM_FUNCTION(int, __popc, (unsigned x), __builtin_popcount(x))
SIM_FUNCTION(int, __clz, (int x), x ? __builtin_clz(static_cast<unsigned>(x)) : 32)
SIM_FUNCTION(int, __ffs, (int x), __builtin_ffs(x))
SIM_FUNCTION(unsigned, __umulhi, (unsigned a, unsigned b),
             static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32))

/* ---- bfloat16: the upper half of a float, rounded to even ------------------------------------ */

struct alignas(2) __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    inline __nv_bfloat16(float x);
    inline operator float() const;
};

struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

static inline float __bfloat162float(__nv_bfloat16 x)
{
    return sim_bits<float>(static_cast<uint32_t>(x.bits) << 16);
}

static inline __nv_bfloat16 __float2bfloat16(float x)
{
    uint32_t u = sim_bits<uint32_t>(x);
    __nv_bfloat16 y;
    y.bits = x != x ? 0x7fff : static_cast<uint16_t>((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
    return y;
}

inline __nv_bfloat16::__nv_bfloat16(float x)
{
    *this = __float2bfloat16(x);
}
inline __nv_bfloat16::operator float() const
{
    return __bfloat162float(*this);
}

SIM_FUNCTION(__nv_bfloat16, __float2bfloat16_rn, (float x), __float2bfloat16(x))
SIM_FUNCTION(float, __low2float, (__nv_bfloat162 x), __bfloat162float(x.x))
SIM_FUNCTION(float, __high2float, (__nv_bfloat162 x), __bfloat162float(x.y))

static inline __nv_bfloat162 __floats2bfloat162_rn(float low, float high)
{
    __nv_bfloat162 v;
    v.x = __float2bfloat16(low);
    v.y = __float2bfloat16(high);
    return v;
}

/* ---- launches -------------------------------------------------------------------------------- */

/* A kernel and its arguments, by value. */
template <class... P> struct sim_packed {
    void (*kernel)(P...);
    std::tuple<P...> values;

    static void call(const void *packed)
    {
        auto *p = static_cast<const sim_packed *>(packed);
        std::apply(p->kernel, p->values);
    }
};

template <class T> static inline const void *sim_pointer(const T &value)
{
    if constexpr (std::is_pointer_v<T>)
        return value;
    else
        return nullptr;
}

template <class... P, class... A>
static inline cudaError_t sim_launch_kernel(const char *name, void (*kernel)(P...), dim3 grid,
                                            dim3 block, size_t shared, cudaStream_t stream,
                                            A... args)
{
    static_assert((std::is_trivially_copyable_v<P> && ...), "kernel parameters are plain data");
    sim_packed<P...> packed{kernel, std::tuple<P...>(static_cast<P>(args)...)};
    const void *pointers[] = {sim_pointer<P>(static_cast<P>(args))...};
    sim_launch l = {};
    l.grid.name = name;
    l.grid.grid = grid;
    l.grid.block = block;
    l.grid.shared = shared;
    l.grid.call = sim_packed<P...>::call;
    l.grid.arguments = &packed;
    l.bytes = sizeof packed;
    l.pointers = pointers;
    l.n_pointers = static_cast<int>(sizeof pointers / sizeof *pointers);
    return sim_launch_grid(&l, stream);
}

#define VT_LAUNCH(kernel, grid, block, smem, stream, ...)                                          \
    sim_launch_kernel(#kernel, kernel, grid, block, smem, stream, __VA_ARGS__)

#endif
