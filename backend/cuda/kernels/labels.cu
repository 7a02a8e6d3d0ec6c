/* Cross entropy of many labels, some ignored: a warp a row. */
#include "backend/cuda/kernels/device.h"

enum { BLOCKS = 512 };

static __device__ __forceinline__ float warp_log_sum(const float *x, int64_t n)
{
    int lane = (int)threadIdx.x & 31;
    float top = -INFINITY, sum = 0;
    for (int64_t i = lane; i < n; i += 32)
        top = fmaxf(top, x[i]);
    top = vt_warp_max(top);
    for (int64_t i = lane; i < n; i += 32)
        sum += expf(x[i] - top);
    return top + logf(vt_warp_sum(sum));
}

/* The loss of one row, in every lane; a label out of range gives no number. */
static __device__ __forceinline__ double row_loss(const float *x, int32_t label, const vt_labels &l)
{
    double lse = (double)warp_log_sum(x, l.classes), mean = 0;
    if (label < 0 || label >= l.classes)
        return NAN;
    if (l.smoothing > 0) {
        for (int64_t k = threadIdx.x & 31; k < l.classes; k += 32)
            mean += (lse - (double)x[k]) / (double)l.classes;
        mean = vt_lanes_sum(mean);
    }
    return (1 - l.smoothing) * (lse - (double)x[label]) + l.smoothing * mean;
}

/* parts (2, BLOCKS): sums of losses, then of labels that count. logits NULL: only those. */
static __global__ void label_parts_kernel(double *parts, const float *logits, vt_labels l)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    double loss = 0, counted = 0;
    for (int64_t r = warp; r < l.rows; r += (int64_t)gridDim.x * VT_WARPS) {
        if (l.labels[r] == l.ignore)
            continue;
        double of_row = logits ? row_loss(logits + r * l.classes, l.labels[r], l) : 0;
        loss += lane == 0 ? of_row : 0;
        counted += lane == 0;
    }
    loss = vt_block_sum(loss);
    counted = vt_block_sum(counted);
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = loss;
        parts[BLOCKS + blockIdx.x] = counted;
    }
}

/* parts[2 BLOCKS] = what the sum of losses is divided by; loss, where wanted, the quotient. */
static __global__ void label_mean_kernel(float *loss, double *parts, int blocks, vt_labels l)
{
    double sum = 0, counted = 0;
    for (int i = (int)threadIdx.x; i < blocks; i += VT_THREADS) {
        sum += parts[i];
        counted += parts[BLOCKS + i];
    }
    sum = vt_block_sum(sum);
    counted = vt_block_sum(counted);
    if (threadIdx.x > 0)
        return;
    double by = l.over_all ? (double)l.rows : counted > 1 ? counted : 1;
    parts[2 * BLOCKS] = by;
    if (loss)
        *loss = (float)(sum / by);
}

static __global__ void label_grad_kernel(float *dlogits, const double *parts, const float *logits,
                                         const float *dloss, vt_labels l)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    float scale = *dloss / (float)parts[2 * BLOCKS];
    float on = (float)(1 - l.smoothing), off = (float)(l.smoothing / (double)l.classes);
    for (int64_t r = warp; r < l.rows; r += (int64_t)gridDim.x * VT_WARPS) {
        const float *x = logits + r * l.classes;
        float *dx = dlogits + r * l.classes;
        int32_t label = l.labels[r];
        bool counts = label != l.ignore, known = label >= 0 && label < l.classes;
        float lse = counts ? warp_log_sum(x, l.classes) : 0;
        for (int64_t k = lane; k < l.classes; k += 32) {
            float share = known ? off + (k == label ? on : 0) : NAN;
            dx[k] = counts ? scale * (expf(x[k] - lse) - share) : 0;
        }
    }
}

static int sum_labels(float *loss, double *parts, const float *logits, const vt_labels &l,
                      cudaStream_t stream)
{
    int blocks = (int)vt_max_of(1, vt_min(BLOCKS, vt_ceil(l.rows, VT_WARPS)));
    int code = VT_LAUNCH(label_parts_kernel, dim3((unsigned)blocks), dim3(VT_THREADS), 0, stream,
                         parts, logits, l);
    if (code)
        return code;
    return VT_LAUNCH(label_mean_kernel, dim3(1), dim3(VT_THREADS), 0, stream, loss, parts, blocks,
                     l);
}

extern "C" int64_t vt_label_parts(void)
{
    return 2 * BLOCKS + 1;
}

extern "C" int vt_label_cross_entropy(float *loss, double *parts, const float *logits,
                                      struct vt_labels l, cudaStream_t stream)
{
    return sum_labels(loss, parts, logits, l, stream);
}

extern "C" int vt_label_cross_entropy_grad(float *dlogits, double *parts, const float *logits,
                                           const float *dloss, struct vt_labels l,
                                           cudaStream_t stream)
{
    int code = sum_labels(nullptr, parts, nullptr, l, stream);
    if (code || l.rows == 0)
        return code;
    return VT_LAUNCH(label_grad_kernel, vt_grid(32 * l.rows), dim3(VT_THREADS), 0, stream, dlogits,
                     parts, logits, dloss, l);
}
