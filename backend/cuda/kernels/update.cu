/* Updates of flat blocks: AdamW, SGD, the sum of gradients, the running mean of the weights.
 * Whether a run updates at all is a value on the device, so that micro-batches and updates are one
 * graph. */
#include "backend/cuda/kernels/device.h"

/* The factor of the gradient that keeps its norm within the limit. */
static __device__ __forceinline__ float clip_scale(const float *hyper, const float *norm_square)
{
    double norm = sqrt((double)*norm_square), clip = (double)hyper[VT_HYPER_CLIP];
    return clip > 0 && norm + 1e-6 > clip ? (float)(clip / (norm + 1e-6)) : 1;
}

/* ---- AdamW ----------------------------------------------------------------------------------- */

static __global__ void adamw_step_kernel(vt_adamw_step *to, const float *hyper,
                                         const float *norm_square)
{
    if (threadIdx.x > 0)
        return;
    double lr = (double)hyper[VT_HYPER_LR], t = (double)hyper[VT_HYPER_T];
    double beta1 = 1 - (double)hyper[VT_HYPER_NEW1], beta2 = 1 - (double)hyper[VT_HYPER_NEW2];
    vt_adamw_step a;
    a.decay = (float)(1 - lr * (double)hyper[VT_HYPER_DECAY]);
    a.clip = clip_scale(hyper, norm_square);
    a.beta1 = (float)beta1;
    a.beta2 = (float)beta2;
    a.new1 = hyper[VT_HYPER_NEW1];
    a.new2 = hyper[VT_HYPER_NEW2];
    a.rate = (float)(lr / (1 - pow(beta1, t)));
    a.root = (float)(1 / sqrt(1 - pow(beta2, t)));
    a.eps = hyper[VT_HYPER_EPS];
    a.update = t > 0;
    *to = a;
}

static __device__ __forceinline__ void adamw_one(const vt_adamw_step &a, float decay, float &p,
                                                 float &m, float &v, float g)
{
    float d = a.clip * g;
    m = a.beta1 * m + a.new1 * d;
    v = a.beta2 * v + a.new2 * d * d;
    p = decay * p - a.rate * m / (sqrtf(v) * a.root + a.eps);
}

static __global__ void adamw_kernel(float *p, vt_bf16 *copy, float *m, float *v, const float *g,
                                    const vt_adamw_step *step, int64_t n, int64_t decayed)
{
    vt_adamw_step a = *step;
    int64_t fours = a.update ? n / 4 : 0, rest = a.update ? n % 4 : 0;
    VT_EACH(k, fours)
    {
        int64_t i = 4 * k;
        float4 pi = vt_io<float>::ld4(p + i), mi = vt_io<float>::ld4(m + i);
        float4 vi = vt_io<float>::ld4(v + i), gi = vt_io<float>::ld4(g + i);
        adamw_one(a, i < decayed ? a.decay : 1, pi.x, mi.x, vi.x, gi.x);
        adamw_one(a, i + 1 < decayed ? a.decay : 1, pi.y, mi.y, vi.y, gi.y);
        adamw_one(a, i + 2 < decayed ? a.decay : 1, pi.z, mi.z, vi.z, gi.z);
        adamw_one(a, i + 3 < decayed ? a.decay : 1, pi.w, mi.w, vi.w, gi.w);
        vt_io<float>::st4(p + i, pi);
        if (copy)
            vt_io<vt_bf16>::st4(copy + i, pi);
        vt_io<float>::st4(m + i, mi);
        vt_io<float>::st4(v + i, vi);
    }
    VT_EACH(k, rest)
    {
        int64_t i = n - rest + k;
        adamw_one(a, i < decayed ? a.decay : 1, p[i], m[i], v[i], g[i]);
        if (copy)
            vt_io<vt_bf16>::st(copy + i, p[i]);
    }
}

extern "C" int vt_adamw(float *p, void *copy, float *m, float *v, const float *g,
                        const float *norm_square, const float *hyper, struct vt_adamw_step *scratch,
                        int64_t n, int64_t decayed, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    int code =
        VT_LAUNCH(adamw_step_kernel, dim3(1), dim3(32), 0, stream, scratch, hyper, norm_square);
    if (code)
        return code;
    return VT_LAUNCH(adamw_kernel, vt_grid(vt_ceil(n, 4)), dim3(VT_THREADS), 0, stream, p,
                     (vt_bf16 *)copy, m, v, g, scratch, n, decayed);
}

/* ---- the others ------------------------------------------------------------------------------ */

static __global__ void sgd_kernel(float *p, vt_bf16 *copy, float *m, const float *g,
                                  const float *norm_square, const float *hyper, int64_t n,
                                  int64_t decayed)
{
    float lr = hyper[VT_HYPER_LR], momentum = hyper[VT_HYPER_MOMENTUM];
    float clip = clip_scale(hyper, norm_square), decay = hyper[VT_HYPER_DECAY];
    bool ahead = hyper[VT_HYPER_NESTEROV] > 0;
    int64_t count = hyper[VT_HYPER_T] > 0 ? n : 0;
    VT_EACH(i, count)
    {
        float d = clip * g[i] + (i < decayed ? decay * p[i] : 0);
        float mi = momentum * m[i] + d;
        m[i] = mi;
        p[i] -= lr * (ahead ? d + momentum * mi : mi);
        if (copy)
            vt_io<vt_bf16>::st(copy + i, p[i]);
    }
}

static __global__ void accumulate_kernel(float *sum, const float *g, const float *hyper, int64_t n)
{
    bool add = hyper[VT_HYPER_ADD] > 0;
    VT_EACH(i, n)
    sum[i] = add ? sum[i] + g[i] : g[i];
}

static __global__ void running_mean_kernel(float *mean, const float *p, const float *hyper,
                                           int64_t n)
{
    float share = hyper[VT_HYPER_SHARE];
    int64_t count = hyper[VT_HYPER_T] > 0 ? n : 0;
    VT_EACH(i, count)
    mean[i] += share * (p[i] - mean[i]);
}

extern "C" int vt_sgd(float *p, void *copy, float *m, const float *g, const float *norm_square,
                      const float *hyper, int64_t n, int64_t decayed, cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH(sgd_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, p, (vt_bf16 *)copy, m, g,
                     norm_square, hyper, n, decayed);
}

extern "C" int vt_accumulate(float *sum, const float *g, const float *hyper, int64_t n,
                             cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH(accumulate_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, sum, g, hyper, n);
}

extern "C" int vt_running_mean(float *mean, const float *p, const float *hyper, int64_t n,
                               cudaStream_t stream)
{
    if (n == 0)
        return 0;
    return VT_LAUNCH(running_mean_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, mean, p, hyper,
                     n);
}
