/* The run's scalars, stochastic depth, the gradient norm. */
#include "backend/cuda/kernels/device.h"

static __global__ void set_scalars_kernel(vt_scalars *to, vt_scalars value)
{
    if (threadIdx.x == 0)
        *to = value;
}

extern "C" int vt_set_scalars(struct vt_scalars *to, uint64_t seed, uint64_t step,
                              cudaStream_t stream)
{
    return VT_LAUNCH(set_scalars_kernel, dim3(1), dim3(32), 0, stream, to, vt_scalars{seed, step});
}

/* ---- stochastic depth ------------------------------------------------------------------------ */

/* The twin of base/rng.c: Philox-4x32-10 (Salmon et al., SC 2011) and its keys, bit by bit. */
static __device__ __forceinline__ uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* The first word of stream (seed, purpose, a, b). */
static __device__ __forceinline__ uint32_t first_word(uint64_t seed, uint64_t purpose, uint64_t a,
                                                      uint64_t b)
{
    uint64_t key = mix(seed ^ mix(purpose)), stream = mix(mix(key ^ a) ^ b);
    uint32_t c0 = 0, c1 = 0, c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c0;
}

/* Block (x, b) has a part of sample b. */
template <class Y, class X>
static __global__ void drop_path_kernel(Y *y, const X *x, int64_t batch, int64_t n, double rate,
                                        uint64_t stream, const vt_scalars *scalars)
{
    for (int64_t b = blockIdx.y; b < batch; b += gridDim.y) {
        double draw = first_word(scalars->seed, stream, scalars->step, (uint64_t)b) * 0x1p-32;
        float scale = draw >= rate ? (float)(1 / (1 - rate)) : 0;
        VT_EACH(i, n)
        vt_io<Y>::st(y + b * n + i, scale * vt_io<X>::ld(x + b * n + i));
    }
}

template <class Y, class X>
static int drop_path(Y *y, const X *x, int64_t batch, int64_t n, double rate, uint64_t stream_id,
                     const vt_scalars *scalars, cudaStream_t stream)
{
    dim3 grid((unsigned)vt_min(vt_ceil(n, 4 * VT_THREADS), 256),
              (unsigned)vt_min(batch, VT_GRID_MOST));
    return VT_LAUNCH((drop_path_kernel<Y, X>), grid, dim3(VT_THREADS), 0, stream, y, x, batch, n,
                     rate, stream_id, scalars);
}

extern "C" int vt_drop_path(void *y, const void *x, int64_t batch, int64_t n, double rate,
                            uint64_t stream_id, const struct vt_scalars *scalars, unsigned half,
                            cudaStream_t stream)
{
    if (batch * n == 0)
        return 0;
    return vt_typed2(half, [&](auto of_y, auto of_x) {
        return drop_path((decltype(of_y) *)y, (const decltype(of_x) *)x, batch, n, rate, stream_id,
                         scalars, stream);
    });
}

/* ---- norm ------------------------------------------------------------------------------------ */

enum { NORM_PARTS = 1024, NORM_PIECE = 16 * VT_THREADS };

static __global__ void square_parts_kernel(double *parts, const float *x, int64_t n)
{
    double sum = 0;
    VT_EACH(i, n)
    sum += (double)x[i] * (double)x[i];
    sum = vt_block_sum(sum);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = sum;
}

static __global__ void add_parts_kernel(float *y, const double *parts, int64_t n)
{
    double sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += VT_THREADS)
        sum += parts[i];
    sum = vt_block_sum(sum);
    if (threadIdx.x == 0)
        *y = (float)sum;
}

extern "C" int64_t vt_norm_parts(int64_t n)
{
    return vt_max_of(1, vt_min(NORM_PARTS, vt_ceil(n, NORM_PIECE)));
}

extern "C" int vt_norm_square(float *y, const float *x, double *parts, int64_t n,
                              cudaStream_t stream)
{
    int64_t blocks = vt_norm_parts(n);
    int code = VT_LAUNCH(square_parts_kernel, dim3((unsigned)blocks), dim3(VT_THREADS), 0, stream,
                         parts, x, n);
    if (code)
        return code;
    return VT_LAUNCH(add_parts_kernel, dim3(1), dim3(VT_THREADS), 0, stream, y, parts, blocks);
}
