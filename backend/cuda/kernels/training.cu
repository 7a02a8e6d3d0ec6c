/* The run's scalars, stochastic depth, the gradient norm, AdamW. */
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
static __global__ void drop_path_kernel(float *y, const float *x, int64_t batch, int64_t n,
                                        double rate, uint64_t stream, const vt_scalars *scalars)
{
    for (int64_t b = blockIdx.y; b < batch; b += gridDim.y) {
        double draw = first_word(scalars->seed, stream, scalars->step, (uint64_t)b) * 0x1p-32;
        float scale = draw >= rate ? (float)(1 / (1 - rate)) : 0;
        VT_EACH(i, n)
        y[b * n + i] = scale * x[b * n + i];
    }
}

extern "C" int vt_drop_path(float *y, const float *x, int64_t batch, int64_t n, double rate,
                            uint64_t stream_id, const struct vt_scalars *scalars,
                            cudaStream_t stream)
{
    if (batch * n == 0)
        return 0;
    dim3 grid((unsigned)vt_min(vt_ceil(n, 4 * VT_THREADS), 256),
              (unsigned)vt_min(batch, VT_GRID_MOST));
    return VT_LAUNCH(drop_path_kernel, grid, dim3(VT_THREADS), 0, stream, y, x, batch, n, rate,
                     stream_id, scalars);
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

/* ---- AdamW ----------------------------------------------------------------------------------- */

/* Indices into the block of hyper-parameters: enum adamw_hyper of tensor/ops/ops.h. */
enum { LR, DECAY, NEW1, NEW2, EPS, CLIP, T };

static __global__ void adamw_coefficients_kernel(vt_adamw_step *to, const float *hyper,
                                                 const float *norm_square)
{
    if (threadIdx.x > 0)
        return;
    double norm = sqrt((double)*norm_square), clip = (double)hyper[CLIP];
    double lr = (double)hyper[LR], t = (double)hyper[T];
    double beta1 = 1 - (double)hyper[NEW1], beta2 = 1 - (double)hyper[NEW2];
    vt_adamw_step a;
    a.decay = (float)(1 - lr * (double)hyper[DECAY]);
    a.clip = clip > 0 && norm + 1e-6 > clip ? (float)(clip / (norm + 1e-6)) : 1;
    a.beta1 = (float)beta1;
    a.beta2 = (float)beta2;
    a.new1 = hyper[NEW1];
    a.new2 = hyper[NEW2];
    a.rate = (float)(lr / (1 - pow(beta1, t)));
    a.root = (float)(1 / sqrt(1 - pow(beta2, t)));
    a.eps = hyper[EPS];
    *to = a;
}

static __device__ __forceinline__ void adamw_one(const vt_adamw_step &a, float &p, float &m,
                                                 float &v, float g)
{
    float d = a.clip * g;
    m = a.beta1 * m + a.new1 * d;
    v = a.beta2 * v + a.new2 * d * d;
    p = a.decay * p - a.rate * m / (sqrtf(v) * a.root + a.eps);
}

static __global__ void adamw_kernel(float *p, float *m, float *v, const float *g,
                                    const vt_adamw_step *coefficients, int64_t n)
{
    vt_adamw_step a = *coefficients;
    int64_t fours = n / 4;
    VT_EACH(i, fours)
    {
        float4 pi = vt_io<float>::ld4(p + 4 * i), mi = vt_io<float>::ld4(m + 4 * i);
        float4 vi = vt_io<float>::ld4(v + 4 * i), gi = vt_io<float>::ld4(g + 4 * i);
        adamw_one(a, pi.x, mi.x, vi.x, gi.x);
        adamw_one(a, pi.y, mi.y, vi.y, gi.y);
        adamw_one(a, pi.z, mi.z, vi.z, gi.z);
        adamw_one(a, pi.w, mi.w, vi.w, gi.w);
        vt_io<float>::st4(p + 4 * i, pi);
        vt_io<float>::st4(m + 4 * i, mi);
        vt_io<float>::st4(v + 4 * i, vi);
    }
    VT_EACH(k, n - 4 * fours)
    {
        int64_t i = 4 * fours + k;
        adamw_one(a, p[i], m[i], v[i], g[i]);
    }
}

extern "C" int vt_adamw(float *p, float *m, float *v, const float *g, const float *norm_square,
                        const float *hyper, struct vt_adamw_step *scratch, int64_t n,
                        cudaStream_t stream)
{
    if (n == 0)
        return 0;
    int code = VT_LAUNCH(adamw_coefficients_kernel, dim3(1), dim3(32), 0, stream, scratch, hyper,
                         norm_square);
    if (code)
        return code;
    return VT_LAUNCH(adamw_kernel, vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream, p, m, v, g,
                     scratch, n);
}
