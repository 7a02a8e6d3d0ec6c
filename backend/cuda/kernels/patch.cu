/* patchify, unpatchify: a permutation of the image's values; of values, or of bytes through a table
 * that stays in the first-level cache. */
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

/* The value of element i of an image (B,C,H,W). */
static __device__ __forceinline__ float level_of(const uint8_t *image, const float *table,
                                                 const vt_patches &p, int64_t i)
{
    return table[i / (p.height * p.width) % p.channels * 256 + image[i]];
}

template <class T>
static __global__ void patch_levels_kernel(T *tokens, const uint8_t *image, const float *table,
                                           vt_patches p, int64_t n)
{
    VT_EACH(i, n)
    vt_io<T>::st(tokens + i, level_of(image, table, p, in_image(i, p)));
}

static __global__ void levels_kernel(float *values, const uint8_t *image, const float *table,
                                     vt_patches p, int64_t n)
{
    VT_EACH(i, n)
    values[i] = level_of(image, table, p, i);
}

template <class T>
static int patch_levels(T *tokens, const uint8_t *image, const float *table, vt_patches p,
                        cudaStream_t stream)
{
    int64_t n = count_of(p);
    return VT_LAUNCH(patch_levels_kernel<T>, vt_grid(n), dim3(VT_THREADS), 0, stream, tokens, image,
                     table, p, n);
}

extern "C" int vt_patch_levels(void *tokens, int half, const uint8_t *image, const float *table,
                               struct vt_patches p, cudaStream_t stream)
{
    return half ? patch_levels((vt_bf16 *)tokens, image, table, p, stream)
                : patch_levels((float *)tokens, image, table, p, stream);
}

extern "C" int vt_levels(float *values, const uint8_t *image, const float *table,
                         struct vt_patches p, cudaStream_t stream)
{
    int64_t n = count_of(p);
    return VT_LAUNCH(levels_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, values, image, table,
                     p, n);
}
