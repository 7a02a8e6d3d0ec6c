/* Depthwise convolution along the tokens, a thread a channel. */
#include "backend/cuda/kernels/device.h"

/* y_n = start + sum over taps k of x_(n + sign (k - K/2)) w_k */
static __global__ void depthwise_kernel(float *y, const float *x, const float *w, const float *bias,
                                        vt_depthwise_size s, int sign, int64_t n)
{
    VT_EACH(i, n)
    {
        int64_t c = i % s.channels, t = i / s.channels % s.tokens;
        const float *sample = x + i / s.channels / s.tokens * s.tokens * s.channels + c;
        float sum = bias ? bias[c] : 0;
        for (int64_t k = 0; k < s.taps; k++) {
            int64_t from = t + sign * (k - s.taps / 2);
            if (from >= 0 && from < s.tokens)
                sum += sample[from * s.channels] * w[c * s.taps + k];
        }
        y[i] = sum;
    }
}

/* parts (batch, taps + 1, channels): gradients of the filters, then of the bias, of one sample. */
static __global__ void weight_parts_kernel(float *parts, const float *x, const float *dy,
                                           vt_depthwise_size s, int64_t n)
{
    VT_EACH(i, n)
    {
        int64_t c = i % s.channels, k = i / s.channels % (s.taps + 1);
        int64_t sample = i / s.channels / (s.taps + 1) * s.tokens * s.channels + c;
        float sum = 0;
        for (int64_t t = 0; t < s.tokens; t++) {
            int64_t from = t + k - s.taps / 2;
            float down = dy[sample + t * s.channels];
            if (k == s.taps)
                sum += down;
            else if (from >= 0 && from < s.tokens)
                sum += x[sample + from * s.channels] * down;
        }
        parts[i] = sum;
    }
}

static __global__ void weight_sum_kernel(float *dw, float *dbias, const float *parts,
                                         vt_depthwise_size s, int64_t n)
{
    VT_EACH(i, n)
    {
        int64_t c = i % s.channels, k = i / s.channels;
        float sum = 0;
        for (int64_t b = 0; b < s.batch; b++)
            sum += parts[b * n + i];
        if (k == s.taps)
            dbias[c] = sum;
        else
            dw[c * s.taps + k] = sum;
    }
}

static int filter(float *y, const float *x, const float *w, const float *bias, vt_depthwise_size s,
                  int sign, cudaStream_t stream)
{
    int64_t n = s.batch * s.tokens * s.channels;
    return VT_LAUNCH(depthwise_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, y, x, w, bias, s,
                     sign, n);
}

extern "C" int vt_depthwise(float *y, const float *x, const float *w, const float *bias,
                            struct vt_depthwise_size s, cudaStream_t stream)
{
    return filter(y, x, w, bias, s, 1, stream);
}

extern "C" int vt_depthwise_grad(float *dx, float *dw, float *dbias, const float *x, const float *w,
                                 const float *dy, float *parts, struct vt_depthwise_size s,
                                 cudaStream_t stream)
{
    int64_t sums = (s.taps + 1) * s.channels;
    int code = filter(dx, dy, w, nullptr, s, -1, stream);
    if (!code)
        code = VT_LAUNCH(weight_parts_kernel, vt_grid(s.batch * sums), dim3(VT_THREADS), 0, stream,
                         parts, x, dy, s, s.batch * sums);
    if (code)
        return code;
    return VT_LAUNCH(weight_sum_kernel, vt_grid(sums), dim3(VT_THREADS), 0, stream, dw, dbias,
                     parts, s, sums);
}
