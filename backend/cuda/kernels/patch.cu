/* patchify, unpatchify: a permutation of the image's values; of values, or of bytes through a table
 * that stays in the first-level cache. */
#include "backend/cuda/kernels/device.h"

/* Sizes in the type that places are computed in: 32 bits where they are enough, as a division of 64
 * bits takes as long as moving a hundred values. */
template <class I> struct grid_of {
    I channels, height, width, patch, rows, cols;
};

template <class I> static grid_of<I> grid_from(const vt_patches &p)
{
    return grid_of<I>{(I)p.channels,           (I)p.height,           (I)p.width, (I)p.patch,
                      (I)(p.height / p.patch), (I)(p.width / p.patch)};
}

/* Where value i of the tokens lies in the image; the values that follow up to the end of a patch's
 * line lie behind it. */
template <class I> static __device__ __forceinline__ I in_image(I i, const grid_of<I> &g)
{
    I line = i / g.patch, x = i - line * g.patch;
    I plane = line / g.patch, y = line - plane * g.patch;
    I token = plane / g.channels, channel = plane - token * g.channels;
    I strip = token / g.cols, column = token - strip * g.cols;
    I sample = strip / g.rows, row = strip - sample * g.rows;
    return ((sample * g.channels + channel) * g.height + row * g.patch + y) * g.width +
           column * g.patch + x;
}

/* N neighbours at once: 4 where lines of patches are multiples of that, else 1. */
template <class T, class I, int N>
static __global__ void patchify_kernel(T *tokens, const float *image, grid_of<I> g, I n)
{
    VT_EACH(k, n / N)
    {
        I i = (I)k * N, at = in_image(i, g);
        if (N == 4)
            vt_io<T>::st4(tokens + i, vt_io<float>::ld4(image + at));
        else
            vt_io<T>::st(tokens + i, image[at]);
    }
}

template <class I, int N>
static __global__ void unpatchify_kernel(float *image, const float *tokens, grid_of<I> g, I n)
{
    VT_EACH(k, n / N)
    {
        I i = (I)k * N, at = in_image(i, g);
        if (N == 4)
            vt_io<float>::st4(image + at, vt_io<float>::ld4(tokens + i));
        else
            image[at] = tokens[i];
    }
}

static int64_t count_of(const vt_patches &p)
{
    return p.batch * p.channels * p.height * p.width;
}

template <int N> struct number {
    enum { value = N };
};

/* Calls f(an index, 1 or 4 as a type) as sizes allow. Lines of an image are then as aligned as
 * those of a patch, as its width is a multiple of them. */
template <class F> static int sized(const vt_patches &p, F f)
{
    bool fours = p.patch % 4 == 0;
    if (count_of(p) <= INT32_MAX)
        return fours ? f(int32_t(), number<4>()) : f(int32_t(), number<1>());
    return fours ? f(int64_t(), number<4>()) : f(int64_t(), number<1>());
}

template <class T>
static int patchify(T *tokens, const float *image, const vt_patches &p, cudaStream_t stream)
{
    return sized(p, [&](auto index, auto many) {
        typedef decltype(index) I;
        enum { N = decltype(many)::value };
        int64_t n = count_of(p);
        return VT_LAUNCH((patchify_kernel<T, I, N>), vt_grid(n / N), dim3(VT_THREADS), 0, stream,
                         tokens, image, grid_from<I>(p), (I)n);
    });
}

template <class I, int N>
static int unpatchify(float *image, const float *tokens, const vt_patches &p, cudaStream_t stream)
{
    int64_t n = count_of(p);
    return VT_LAUNCH((unpatchify_kernel<I, N>), vt_grid(n / N), dim3(VT_THREADS), 0, stream, image,
                     tokens, grid_from<I>(p), (I)n);
}

extern "C" int vt_patchify(void *tokens, int half, const float *image, struct vt_patches p,
                           cudaStream_t stream)
{
    return half ? patchify((vt_bf16 *)tokens, image, p, stream)
                : patchify((float *)tokens, image, p, stream);
}

extern "C" int vt_unpatchify(float *image, const float *tokens, struct vt_patches p,
                             cudaStream_t stream)
{
    return sized(p, [&](auto index, auto n) {
        return unpatchify<decltype(index), decltype(n)::value>(image, tokens, p, stream);
    });
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* The values of a plane's levels: 256 for each channel. */
template <class I>
static __device__ __forceinline__ const float *levels_of(const float *table, const grid_of<I> &g,
                                                         I at)
{
    return table + at / (g.height * g.width) % g.channels * 256;
}

template <class T, class I, int N>
static __global__ void patch_levels_kernel(T *tokens, const uint8_t *image, const float *table,
                                           grid_of<I> g, I n)
{
    VT_EACH(k, n / N)
    {
        I i = (I)k * N, at = in_image(i, g);
        const float *levels = levels_of(table, g, at);
        if (N == 4) {
            uint32_t b = *reinterpret_cast<const uint32_t *>(image + at);
            vt_io<T>::st4(tokens + i, make_float4(levels[b & 255], levels[b >> 8 & 255],
                                                  levels[b >> 16 & 255], levels[b >> 24]));
        } else {
            vt_io<T>::st(tokens + i, levels[image[at]]);
        }
    }
}

template <class I>
static __global__ void levels_kernel(float *values, const uint8_t *image, const float *table,
                                     grid_of<I> g, I n)
{
    VT_EACH(k, n)
    values[k] = levels_of(table, g, (I)k)[image[k]];
}

template <class T>
static int patch_levels(T *tokens, const uint8_t *image, const float *table, const vt_patches &p,
                        cudaStream_t stream)
{
    return sized(p, [&](auto index, auto many) {
        typedef decltype(index) I;
        enum { N = decltype(many)::value };
        int64_t n = count_of(p);
        return VT_LAUNCH((patch_levels_kernel<T, I, N>), vt_grid(n / N), dim3(VT_THREADS), 0,
                         stream, tokens, image, table, grid_from<I>(p), (I)n);
    });
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
    return sized(p, [&](auto index, auto) {
        typedef decltype(index) I;
        int64_t n = count_of(p);
        return VT_LAUNCH(levels_kernel<I>, vt_grid(n), dim3(VT_THREADS), 0, stream, values, image,
                         table, grid_from<I>(p), (I)n);
    });
}
