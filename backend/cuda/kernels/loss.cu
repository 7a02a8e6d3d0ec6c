/* Cross entropy, over classes and binary: a block a sample. Terms are added in double: those of a
 * confident class are far below a float's step at 1. */
#include "backend/cuda/kernels/device.h"

/* The target of one sample: soft values, or a label with smoothing. */
struct target {
    const float *soft;
    int32_t label;
    float on, off; /* of the label and of every class */
};

static __device__ __forceinline__ target target_of(const vt_loss &l, int64_t b)
{
    if (l.soft)
        return target{l.soft + b * l.classes, 0, 0, 0};
    target t = {nullptr, l.labels[b], (float)(1 - l.smoothing),
                (float)(l.smoothing / (double)l.classes)};
    if (t.label < 0 || t.label >= l.classes)
        t.off = NAN;
    return t;
}

static __device__ __forceinline__ float share_of(const target &t, int64_t k)
{
    return t.soft ? t.soft[k] : t.off + (k == t.label ? t.on : 0);
}

static __device__ __forceinline__ float log_sum(const float *x, int64_t n)
{
    float top = -INFINITY, sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += VT_THREADS)
        top = fmaxf(top, x[i]);
    top = vt_block_max(top);
    for (int64_t i = threadIdx.x; i < n; i += VT_THREADS)
        sum += expf(x[i] - top);
    return top + logf(vt_block_sum(sum));
}

static __global__ void cross_entropy_kernel(double *parts, const float *logits, vt_loss l)
{
    const float *x = logits + blockIdx.x * l.classes;
    target t = target_of(l, blockIdx.x);
    float lse = log_sum(x, l.classes);
    double loss = 0;
    for (int64_t k = threadIdx.x; k < l.classes; k += VT_THREADS)
        loss += (double)share_of(t, k) * (double)(lse - x[k]);
    loss = vt_block_sum(loss);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = loss;
}

static __global__ void bce_kernel(double *parts, const float *logits, vt_loss l)
{
    const float *logit = logits + blockIdx.x * l.classes;
    target t = target_of(l, blockIdx.x);
    double loss = 0;
    for (int64_t k = threadIdx.x; k < l.classes; k += VT_THREADS) {
        double x = (double)logit[k];
        loss += (x > 0 ? x : 0) - x * (double)share_of(t, k) + log1p(exp(-fabs(x)));
    }
    loss = vt_block_sum(loss);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = loss;
}

/* The mean over the batch, in one block. */
static __global__ void mean_kernel(float *loss, const double *parts, int64_t batch, double scale)
{
    double sum = 0;
    for (int64_t b = threadIdx.x; b < batch; b += VT_THREADS)
        sum += parts[b];
    sum = vt_block_sum(sum);
    if (threadIdx.x == 0)
        *loss = (float)(scale * sum / (double)batch);
}

static __global__ void cross_entropy_grad_kernel(float *dlogits, const float *logits,
                                                 const float *dloss, vt_loss l)
{
    const float *x = logits + blockIdx.x * l.classes;
    float *dx = dlogits + blockIdx.x * l.classes, scale = *dloss / (float)l.batch, total = 0;
    target t = target_of(l, blockIdx.x);
    float lse = log_sum(x, l.classes);
    for (int64_t k = threadIdx.x; k < l.classes; k += VT_THREADS)
        total += share_of(t, k);
    total = vt_block_sum(total);
    for (int64_t k = threadIdx.x; k < l.classes; k += VT_THREADS)
        dx[k] = scale * (total * expf(x[k] - lse) - share_of(t, k));
}

static __global__ void bce_grad_kernel(float *dlogits, const float *logits, const float *dloss,
                                       vt_loss l)
{
    const float *x = logits + blockIdx.x * l.classes;
    float *dx = dlogits + blockIdx.x * l.classes;
    float scale = (float)l.scale * *dloss / (float)l.batch;
    target t = target_of(l, blockIdx.x);
    for (int64_t k = threadIdx.x; k < l.classes; k += VT_THREADS) {
        float e = expf(-fabsf(x[k]));
        dx[k] = scale * ((x[k] > 0 ? 1 : e) / (1 + e) - share_of(t, k));
    }
}

typedef void part_kernel(double *, const float *, vt_loss);
typedef void grad_kernel(float *, const float *, const float *, vt_loss);

static int mean_of(part_kernel *kernel, float *loss, double *parts, const float *logits,
                   const vt_loss &l, double scale, cudaStream_t stream)
{
    int code =
        VT_LAUNCH(kernel, dim3((unsigned)l.batch), dim3(VT_THREADS), 0, stream, parts, logits, l);
    if (code)
        return code;
    return VT_LAUNCH(mean_kernel, dim3(1), dim3(VT_THREADS), 0, stream, loss, parts, l.batch,
                     scale);
}

static int grad_of(grad_kernel *kernel, float *dlogits, const float *logits, const float *dloss,
                   const vt_loss &l, cudaStream_t stream)
{
    return VT_LAUNCH(kernel, dim3((unsigned)l.batch), dim3(VT_THREADS), 0, stream, dlogits, logits,
                     dloss, l);
}

extern "C" int vt_cross_entropy(float *loss, double *parts, const float *logits, struct vt_loss l,
                                cudaStream_t stream)
{
    return mean_of(cross_entropy_kernel, loss, parts, logits, l, 1, stream);
}

extern "C" int vt_cross_entropy_grad(float *dlogits, const float *logits, const float *dloss,
                                     struct vt_loss l, cudaStream_t stream)
{
    return grad_of(cross_entropy_grad_kernel, dlogits, logits, dloss, l, stream);
}

extern "C" int vt_bce(float *loss, double *parts, const float *logits, struct vt_loss l,
                      cudaStream_t stream)
{
    return mean_of(bce_kernel, loss, parts, logits, l, l.scale, stream);
}

extern "C" int vt_bce_grad(float *dlogits, const float *logits, const float *dloss,
                           struct vt_loss l, cudaStream_t stream)
{
    return grad_of(bce_grad_kernel, dlogits, logits, dloss, l, stream);
}
