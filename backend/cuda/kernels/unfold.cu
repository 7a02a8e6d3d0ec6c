/* unfold and fold. fold gathers: a value of the grid adds up the windows that cover it, in their
 * order. */
#include "backend/cuda/kernels/device.h"

static __global__ void unfold_kernel(float *rows, const float *grid, vt_windows w, int64_t n)
{
    int64_t windows = w.out_height * w.out_width, area = w.kernel * w.kernel;
    int64_t sample = w.channels * w.height * w.width;
    VT_EACH(i, n)
    {
        int64_t k = i % area, channel = i / area % w.channels, at = i / area / w.channels;
        int64_t window = at % windows;
        int64_t y = window / w.out_width * w.stride - w.pad + k / w.kernel;
        int64_t x = window % w.out_width * w.stride - w.pad + k % w.kernel;
        bool inside = y >= 0 && x >= 0 && y < w.height && x < w.width;
        rows[i] = inside ? grid[at / windows * sample + channel * w.channel_stride +
                                (y * w.width + x) * w.pixel_stride]
                         : 0;
    }
}

static __global__ void fold_kernel(float *grid, const float *rows, vt_windows w, int64_t n)
{
    int64_t area = w.kernel * w.kernel, pixels = w.height * w.width, sample = w.channels * pixels;
    VT_EACH(i, n)
    {
        int64_t b = i / sample, pixel = i % sample / w.pixel_stride % pixels;
        int64_t channel = i % sample / w.channel_stride % w.channels;
        int64_t y = pixel / w.width + w.pad, x = pixel % w.width + w.pad;
        float sum = 0;
        for (int64_t oy = 0; oy < w.out_height && oy * w.stride <= y; oy++)
            for (int64_t ox = 0; ox < w.out_width && ox * w.stride <= x; ox++) {
                int64_t ky = y - oy * w.stride, kx = x - ox * w.stride;
                if (ky < w.kernel && kx < w.kernel)
                    sum +=
                        rows[(((b * w.out_height + oy) * w.out_width + ox) * w.channels + channel) *
                                 area +
                             ky * w.kernel + kx];
            }
        grid[i] = sum;
    }
}

extern "C" int vt_unfold(float *rows, const float *grid, struct vt_windows w, cudaStream_t stream)
{
    int64_t n = w.batch * w.out_height * w.out_width * w.channels * w.kernel * w.kernel;
    return VT_LAUNCH(unfold_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, rows, grid, w, n);
}

extern "C" int vt_fold(float *grid, const float *rows, struct vt_windows w, cudaStream_t stream)
{
    int64_t n = w.batch * w.channels * w.height * w.width;
    return VT_LAUNCH(fold_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, grid, rows, w, n);
}
