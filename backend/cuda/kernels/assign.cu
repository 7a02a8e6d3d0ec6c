/* scatter_rows, scatter_max and gather_rows: tokens moved by an assignment vector. A column of
 * what is scattered belongs to one thread, which adds the tokens in their order. */
#include "backend/cuda/kernels/device.h"

static __global__ void scatter_kernel(float *y, const float *x, const int32_t *assign, vt_moves m)
{
    VT_EACH(i, m.outer * m.inner)
    {
        int64_t outer = i / m.inner, col = i % m.inner;
        const int32_t *place = assign + outer / m.group * m.length;
        const float *from = x + outer * m.size * m.inner + col;
        float *to = y + outer * m.out_size * m.inner + col;
        for (int64_t k = 0; k < m.out_size; k++)
            to[k * m.inner] = 0;
        for (int64_t k = 0; k < m.size; k++)
            to[place[k] * m.inner] += from[k * m.inner];
    }
}

/* A place that holds the lowest value at the end has no row. */
static __global__ void scatter_max_kernel(float *y, const float *x, const int32_t *assign,
                                          vt_moves m)
{
    const float lowest = -3.4e38f;
    VT_EACH(i, m.outer * m.inner)
    {
        int64_t outer = i / m.inner, col = i % m.inner;
        const int32_t *place = assign + outer / m.group * m.length;
        const float *from = x + outer * m.size * m.inner + col;
        float *to = y + outer * m.out_size * m.inner + col;
        for (int64_t k = 0; k < m.out_size; k++)
            to[k * m.inner] = lowest;
        for (int64_t k = 0; k < m.size; k++)
            if (!(from[k * m.inner] <= to[place[k] * m.inner]))
                to[place[k] * m.inner] = from[k * m.inner];
        for (int64_t k = 0; k < m.out_size; k++)
            if (to[k * m.inner] == lowest)
                to[k * m.inner] = 0;
    }
}

template <class Y, class X>
static __global__ void gather_kernel(Y *y, const X *x, const int32_t *assign, vt_moves m)
{
    VT_EACH(i, m.outer * m.length * m.inner)
    {
        int64_t col = i % m.inner, k = i / m.inner % m.length, outer = i / m.inner / m.length;
        int64_t from = assign[outer / m.group * m.length + k];
        vt_io<Y>::st(y + i, vt_io<X>::ld(x + (outer * m.size + from) * m.inner + col));
    }
}

extern "C" int vt_scatter_rows(float *y, const float *x, const int32_t *assign, struct vt_moves m,
                               cudaStream_t stream)
{
    return VT_LAUNCH(scatter_kernel, vt_grid(m.outer * m.inner), dim3(VT_THREADS), 0, stream, y, x,
                     assign, m);
}

extern "C" int vt_scatter_max(float *y, const float *x, const int32_t *assign, struct vt_moves m,
                              cudaStream_t stream)
{
    return VT_LAUNCH(scatter_max_kernel, vt_grid(m.outer * m.inner), dim3(VT_THREADS), 0, stream, y,
                     x, assign, m);
}

template <class Y, class X>
static int gather(Y *y, const X *x, const int32_t *assign, const vt_moves &m, cudaStream_t stream)
{
    return VT_LAUNCH((gather_kernel<Y, X>), vt_grid(m.outer * m.length * m.inner), dim3(VT_THREADS),
                     0, stream, y, x, assign, m);
}

extern "C" int vt_gather_rows(void *y, const void *x, const int32_t *assign, struct vt_moves m,
                              unsigned half, cudaStream_t stream)
{
    return vt_typed2(half, [&](auto of_y, auto of_x) {
        return gather((decltype(of_y) *)y, (const decltype(of_x) *)x, assign, m, stream);
    });
}
