/* mix, patch_mix: images of a batch, of values or of bytes, erased and mixed with each other, as
 * they are or cut into patches. Each value is read once from its image, once from the partner's
 * where that counts, and written once. */
#include "backend/cuda/kernels/device.h"

/* Values of an image, or bytes through a table that stays in the first-level cache: N neighbours,
 * aligned to N. */
struct of_values {
    const float *image;
    template <int N>
    __device__ __forceinline__ void load(int64_t at, int32_t channel, float (&v)[N]) const
    {
        (void)channel;
        if (N == 4) {
            float4 four = vt_io<float>::ld4(image + at);
            v[0] = four.x;
            v[1 % N] = four.y;
            v[2 % N] = four.z;
            v[3 % N] = four.w;
        } else {
            v[0] = image[at];
        }
    }
};

struct of_bytes {
    const uint8_t *image;
    const float *table; /* (channels, 256) */
    template <int N>
    __device__ __forceinline__ void load(int64_t at, int32_t channel, float (&v)[N]) const
    {
        const float *levels = table + channel * 256;
        uint32_t b = N == 4 ? *reinterpret_cast<const uint32_t *>(image + at) : image[at];
#pragma unroll
        for (int i = 0; i < N; i++)
            v[i] = levels[b >> 8 * i & 255];
    }
};

struct pixel {
    int32_t channel, y, x;
};

/* Where value i of an image's result comes from: in the order of the image, or of its tokens. The
 * values that follow up to the end of the line, or of the patch's line, are its neighbours. */
struct in_lines {
    int32_t height, width;
    __device__ __forceinline__ pixel operator()(int32_t i) const
    {
        int32_t line = i / width, channel = line / height;
        return pixel{channel, line - channel * height, i - line * width};
    }
};

struct in_tokens {
    int32_t channels, patch, cols;
    __device__ __forceinline__ pixel operator()(int32_t i) const
    {
        int32_t line = i / patch, x = i - line * patch;
        int32_t plane = line / patch, y = line - plane * patch;
        int32_t token = plane / channels, channel = plane - token * channels;
        int32_t row = token / cols, column = token - row * cols;
        return pixel{channel, row * patch + y, column * patch + x};
    }
};

/* A row of op_mix's plan; boxes are top, left, height, width. */
struct mixed {
    float4 share; /* partner, whether images are summed, the weights of the image and the partner */
    float4 box, erased;
};

static __device__ __forceinline__ mixed row_of(const float *plan, int64_t sample)
{
    const float *row = plan + sample * 12;
    return mixed{vt_io<float>::ld4(row), vt_io<float>::ld4(row + 4), vt_io<float>::ld4(row + 8)};
}

/* Whether a box has columns in line y; then whether x is one of them. */
static __device__ __forceinline__ bool has_line(float4 box, float y)
{
    return y >= box.x && y < box.x + box.z;
}

static __device__ __forceinline__ bool has_column(float4 box, float x)
{
    return x >= box.y && x < box.y + box.w;
}

template <class F, int N>
static __device__ __forceinline__ void load_erased(const F &from, int64_t at, pixel p, float4 box,
                                                   float (&v)[N])
{
    from.template load<N>(at, p.channel, v);
    bool here = has_line(box, (float)p.y);
#pragma unroll
    for (int i = 0; i < N; i++)
        v[i] = here && has_column(box, (float)(p.x + i)) ? 0.0f : v[i];
}

/* Products and sums are rounded apart, as on the host. */
template <class F, int N>
static __device__ __forceinline__ void mix(const F &from, const mixed &own, const float4 &erased,
                                           int64_t at, int64_t partner_at, pixel p, float (&v)[N])
{
    float u[N];
    bool sums = own.share.y != 0.0f, in_box = has_line(own.box, (float)p.y);
    load_erased(from, at, p, own.erased, v);
    if (!sums && !in_box)
        return;
    from.template load<N>(partner_at, p.channel, u);
    bool gone = has_line(erased, (float)p.y);
#pragma unroll
    for (int i = 0; i < N; i++) {
        float x = (float)(p.x + i);
        bool is_gone = gone && has_column(erased, x);
        if (sums) {
            v[i] = __fmul_rn(v[i], own.share.z);
            v[i] = is_gone ? v[i] : __fadd_rn(v[i], __fmul_rn(u[i], own.share.w));
        } else if (has_column(own.box, x)) {
            v[i] = is_gone ? 0.0f : u[i];
        }
    }
}

/* A sample, or several, a row of blocks; places within one fit in 32 bits. */
template <class T, class F, class W, int N>
static __global__ void mix_kernel(T *to, F from, const float *plan, W where, vt_patches s)
{
    const int64_t plane = s.height * s.width, size = s.channels * plane;
    for (int64_t sample = blockIdx.y; sample < s.batch; sample += gridDim.y) {
        const mixed own = row_of(plan, sample);
        const int64_t partner = (int64_t)own.share.x;
        const float4 erased = vt_io<float>::ld4(plan + partner * 12 + 8);
        VT_EACH(k, size / N)
        {
            float v[N];
            pixel p = where((int32_t)k * N);
            int64_t at = p.channel * plane + p.y * s.width + p.x;
            mix(from, own, erased, sample * size + at, partner * size + at, p, v);
            T *y = to + sample * size + k * N;
            if (N == 4)
                vt_io<T>::st4(y, make_float4(v[0], v[1 % N], v[2 % N], v[3 % N]));
            else
                vt_io<T>::st(y, v[0]);
        }
    }
}

template <int N, class T, class F, class W>
static int launch(T *to, F from, const float *plan, W where, const vt_patches &s,
                  cudaStream_t stream)
{
    int64_t size = s.channels * s.height * s.width;
    if (size > INT32_MAX)
        return cudaErrorInvalidValue;
    dim3 grid = vt_grid(size / N);
    grid.y = (unsigned)vt_max_of(1, vt_min(s.batch, VT_GRID_MOST));
    return VT_LAUNCH((mix_kernel<T, F, W, N>), grid, dim3(VT_THREADS), 0, stream, to, from, plan,
                     where, s);
}

/* Four neighbours at once where they are neighbours in the result, and aligned in both. */
template <class T, class F>
static int patch_mix(T *to, F from, const float *plan, const vt_patches &s, cudaStream_t stream)
{
    in_tokens where = {(int32_t)s.channels, (int32_t)s.patch, (int32_t)(s.width / s.patch)};
    return s.patch % 4 ? launch<1>(to, from, plan, where, s, stream)
                       : launch<4>(to, from, plan, where, s, stream);
}

extern "C" int vt_mix(float *values, const float *image, const float *plan, struct vt_patches s,
                      cudaStream_t stream)
{
    in_lines where = {(int32_t)s.height, (int32_t)s.width};
    return s.width % 4 ? launch<1>(values, of_values{image}, plan, where, s, stream)
                       : launch<4>(values, of_values{image}, plan, where, s, stream);
}

extern "C" int vt_patch_mix(void *tokens, int half, const void *image, const float *table,
                            const float *plan, struct vt_patches s, cudaStream_t stream)
{
    return vt_typed((unsigned)half, [&](auto type) {
        auto *to = (decltype(type) *)tokens;
        return table ? patch_mix(to, of_bytes{(const uint8_t *)image, table}, plan, s, stream)
                     : patch_mix(to, of_values{(const float *)image}, plan, s, stream);
    });
}
