/* patchify, unpatchify: a permutation of the image's values. */
#include "backend/cuda/kernels/device.h"

/* Where value i of the tokens lies in the image. */
static __device__ __forceinline__ int64_t in_image(int64_t i, const vt_patches &p)
{
    int64_t cols = p.width / p.patch, rows = p.height / p.patch;
    int64_t x = i % p.patch, y = i / p.patch % p.patch;
    i /= p.patch * p.patch;
    int64_t channel = i % p.channels, token = i / p.channels % (rows * cols);
    int64_t sample = i / p.channels / (rows * cols);
    int64_t line = token / cols * p.patch + y, column = token % cols * p.patch + x;
    return ((sample * p.channels + channel) * p.height + line) * p.width + column;
}

static __global__ void patchify_kernel(float *tokens, const float *image, vt_patches p, int64_t n)
{
    VT_EACH(i, n)
    tokens[i] = image[in_image(i, p)];
}

static __global__ void unpatchify_kernel(float *image, const float *tokens, vt_patches p, int64_t n)
{
    VT_EACH(i, n)
    image[in_image(i, p)] = tokens[i];
}

static int64_t count_of(const vt_patches &p)
{
    return p.batch * p.channels * p.height * p.width;
}

extern "C" int vt_patchify(float *tokens, const float *image, struct vt_patches p,
                           cudaStream_t stream)
{
    int64_t n = count_of(p);
    return VT_LAUNCH(patchify_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, tokens, image, p, n);
}

extern "C" int vt_unpatchify(float *image, const float *tokens, struct vt_patches p,
                             cudaStream_t stream)
{
    int64_t n = count_of(p);
    return VT_LAUNCH(unpatchify_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, image, tokens, p,
                     n);
}
