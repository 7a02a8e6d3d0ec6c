/* Linear attention, forward and backward, as products of tiles whose operands pass through phi on
 * their way to shared memory. Letters: m queries, n keys, f features, e values; all per head.
 *
 *   kv (f,e) = sum_n phi(k)_nf v_ne        ksum_f = sum_n phi(k)_nf
 *   out_me = z_m sum_f phi(q)_mf kv_fe     z_m = 1 / (phi(q)_m . ksum + eps)
 * and, with w_m = out_m . dout_m and r = z phi(q):
 *   dq_mf = z_m (sum_e dout_me kv_fe - w_m ksum_f) slope(q_mf)
 *   dkv_fe = sum_m r_mf dout_me            dksum_f = - sum_m w_m r_mf
 *   dv_ne = sum_f phi(k)_nf dkv_fe         dk_nf = (sum_e v_ne dkv_fe + dksum_f) slope(k_nf) */
#include "backend/cuda/kernels/tile.h"

/* A block's tile of a result of one head. */
struct place {
    int64_t b, h, bh, row, col;
};

template <int R>
static __device__ __forceinline__ place place_of(const vt_attention_size &a, int64_t rows,
                                                 int64_t cols)
{
    enum { T = TILE_SIDE * R };
    int64_t down = (rows + T - 1) / T, across = (cols + T - 1) / T, i = blockIdx.x;
    int64_t bh = i / across / down;
    return place{bh / a.heads, bh % a.heads, bh, i / across % down * T, i % across * T};
}

/* Calls f(row, col, value) for this thread's part of a tile that is inside the result. */
template <int R, class F>
static __device__ __forceinline__ void each(const float (&acc)[R][R], const place &p, int64_t rows,
                                            int64_t cols, F f)
{
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
        for (int j = 0; j < R; j++) {
            int64_t r = p.row + tile_y() + TILE_SIDE * i, c = p.col + tile_x() + TILE_SIDE * j;
            if (r < rows && c < cols)
                f(r, c, acc[i][j]);
        }
}

/* sums[r] = sum over n < count of f(r, n), for the rows r < T of a tile: 256 / T threads a row take
 * turns in n, and their parts are added in order. */
template <int R, class F>
static __device__ __forceinline__ float row_total(float *parts, int64_t count, F f)
{
    enum { T = TILE_SIDE * R, PARTS = VT_THREADS / T };
    int r = (int)threadIdx.x % T, part = (int)threadIdx.x / T;
    float sum = 0;
    for (int64_t n = part; n < count; n += PARTS)
        sum += f(r, n);
    __syncthreads(); /* shared memory is free */
    parts[part * T + r] = sum;
    __syncthreads();
    sum = 0;
    for (int i = 0; i < PARTS; i++)
        sum += parts[i * T + r];
    return sum;
}

/* ---- forward --------------------------------------------------------------------------------- */

template <int R>
static __global__ void kv_kernel(float *kv, float *ksum, vt_in k, vt_in v, vt_attention_size a)
{
    VT_SHARED(float, shared, [tile_shared<R>::COUNT]);
    place p = place_of<R>(a, a.dim, a.value_dim);
    vt_in kh = k + p.b * a.keys * a.ldk + p.h * a.dim;
    vt_in vh = v + p.b * a.keys * a.ldv + p.h * a.value_dim;
    float acc[R][R] = {};
    auto phi_k = [&](int f, int64_t n) {
        return p.row + f < a.dim ? vt_phi_of(kh[n * a.ldk + p.row + f]) : 0;
    };
    auto of_v = [&](int e, int64_t n) {
        return p.col + e < a.value_dim ? vh[n * a.ldv + p.col + e] : 0;
    };
    tile_product<R, false, false>(acc, shared, a.keys, phi_k, of_v);
    each<R>(acc, p, a.dim, a.value_dim, [&](int64_t f, int64_t e, float value) {
        kv[(p.bh * a.dim + f) * a.value_dim + e] = value;
    });
    if (p.col > 0)
        return;
    float sum = row_total<R>(shared, a.keys, phi_k);
    int64_t f = p.row + threadIdx.x;
    if (threadIdx.x < TILE_SIDE * R && f < a.dim)
        ksum[p.bh * a.dim + f] = sum;
}

template <int R>
static __global__ void out_kernel(vt_out out, vt_in q, const float *kv, const float *ksum,
                                  vt_attention_size a, float eps)
{
    enum { T = TILE_SIDE * R };
    VT_SHARED(float, shared, [tile_shared<R>::COUNT]);
    VT_SHARED(float, inverse, [T]);
    place p = place_of<R>(a, a.queries, a.value_dim);
    vt_in qh = q + p.b * a.queries * a.ldq + p.h * a.dim;
    const float *kvh = kv + p.bh * a.dim * a.value_dim, *sums = ksum + p.bh * a.dim;
    int lane = (int)threadIdx.x & 31;
    for (int r = (int)threadIdx.x >> 5; r < T; r += VT_WARPS) {
        float z = 0;
        for (int64_t f = lane; p.row + r < a.queries && f < a.dim; f += 32)
            z += vt_phi_of(qh[(p.row + r) * a.ldq + f]) * sums[f];
        z = vt_warp_sum(z);
        if (lane == 0)
            inverse[r] = 1 / (z + eps);
    }
    float acc[R][R] = {};
    auto phi_q = [&](int m, int64_t f) {
        return p.row + m < a.queries ? vt_phi_of(qh[(p.row + m) * a.ldq + f]) : 0;
    };
    auto of_kv = [&](int e, int64_t f) {
        return p.col + e < a.value_dim ? kvh[f * a.value_dim + p.col + e] : 0;
    };
    tile_product<R, true, false>(acc, shared, a.dim, phi_q, of_kv);
    each<R>(acc, p, a.queries, a.value_dim, [&](int64_t m, int64_t e, float value) {
        out.put((p.b * a.queries + m) * a.ldo + p.h * a.value_dim + e, value * inverse[m - p.row]);
    });
}

/* ---- backward -------------------------------------------------------------------------------- */

/* inverse (z) and w of every query: a warp each. */
static __global__ void query_sums_kernel(float *inverse, float *w, vt_in q, const float *ksum,
                                         vt_in out, vt_in dout, vt_attention_size a, float eps,
                                         int64_t count)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    for (int64_t i = warp; i < count; i += (int64_t)gridDim.x * VT_WARPS) {
        int64_t m = i % a.queries, bh = i / a.queries, h = bh % a.heads, b = bh / a.heads;
        int64_t of_q = (b * a.queries + m) * a.ldq + h * a.dim;
        int64_t of_out = (b * a.queries + m) * a.ldo + h * a.value_dim;
        float z = 0, sum = 0;
        for (int64_t f = lane; f < a.dim; f += 32)
            z += vt_phi_of(q[of_q + f]) * ksum[bh * a.dim + f];
        for (int64_t e = lane; e < a.value_dim; e += 32)
            sum += out[of_out + e] * dout[of_out + e];
        z = vt_warp_sum(z);
        sum = vt_warp_sum(sum);
        if (lane == 0) {
            inverse[i] = 1 / (z + eps);
            w[i] = sum;
        }
    }
}

/* Sums over the queries: dkv and dksum. */
template <int R>
static __global__ void dkv_kernel(float *dkv, float *dksum, vt_in q, vt_in dout,
                                  const float *inverse, const float *w, vt_attention_size a)
{
    VT_SHARED(float, shared, [tile_shared<R>::COUNT]);
    place p = place_of<R>(a, a.dim, a.value_dim);
    vt_in qh = q + p.b * a.queries * a.ldq + p.h * a.dim;
    vt_in down = dout + p.b * a.queries * a.ldo + p.h * a.value_dim;
    const float *z = inverse + p.bh * a.queries, *wh = w + p.bh * a.queries;
    float acc[R][R] = {};
    auto of_r = [&](int f, int64_t m) {
        return p.row + f < a.dim ? z[m] * vt_phi_of(qh[m * a.ldq + p.row + f]) : 0;
    };
    auto of_dout = [&](int e, int64_t m) {
        return p.col + e < a.value_dim ? down[m * a.ldo + p.col + e] : 0;
    };
    tile_product<R, false, false>(acc, shared, a.queries, of_r, of_dout);
    each<R>(acc, p, a.dim, a.value_dim, [&](int64_t f, int64_t e, float value) {
        dkv[(p.bh * a.dim + f) * a.value_dim + e] = value;
    });
    if (p.col > 0)
        return;
    float sum =
        row_total<R>(shared, a.queries, [&](int f, int64_t m) { return wh[m] * of_r(f, m); });
    int64_t f = p.row + threadIdx.x;
    if (threadIdx.x < TILE_SIDE * R && f < a.dim)
        dksum[p.bh * a.dim + f] = -sum;
}

template <int R>
static __global__ void dq_kernel(vt_out dq, vt_in q, const float *kv, const float *ksum, vt_in dout,
                                 const float *inverse, const float *w, vt_attention_size a)
{
    VT_SHARED(float, shared, [tile_shared<R>::COUNT]);
    place p = place_of<R>(a, a.queries, a.dim);
    vt_in down = dout + p.b * a.queries * a.ldo + p.h * a.value_dim;
    const float *kvh = kv + p.bh * a.dim * a.value_dim, *sums = ksum + p.bh * a.dim;
    float acc[R][R] = {};
    auto of_dout = [&](int m, int64_t e) {
        return p.row + m < a.queries ? down[(p.row + m) * a.ldo + e] : 0;
    };
    auto of_kv = [&](int f, int64_t e) {
        return p.col + f < a.dim ? kvh[(p.col + f) * a.value_dim + e] : 0;
    };
    tile_product<R, true, true>(acc, shared, a.value_dim, of_dout, of_kv);
    each<R>(acc, p, a.queries, a.dim, [&](int64_t m, int64_t f, float value) {
        int64_t at = (p.b * a.queries + m) * a.ldq + p.h * a.dim + f, i = p.bh * a.queries + m;
        dq.put(at, inverse[i] * (value - w[i] * sums[f]) * vt_phi_slope(q[at]));
    });
}

template <int R>
static __global__ void dv_kernel(vt_out dv, vt_in k, const float *dkv, vt_attention_size a)
{
    VT_SHARED(float, shared, [tile_shared<R>::COUNT]);
    place p = place_of<R>(a, a.keys, a.value_dim);
    vt_in kh = k + p.b * a.keys * a.ldk + p.h * a.dim;
    const float *d = dkv + p.bh * a.dim * a.value_dim;
    float acc[R][R] = {};
    auto phi_k = [&](int n, int64_t f) {
        return p.row + n < a.keys ? vt_phi_of(kh[(p.row + n) * a.ldk + f]) : 0;
    };
    auto of_dkv = [&](int e, int64_t f) {
        return p.col + e < a.value_dim ? d[f * a.value_dim + p.col + e] : 0;
    };
    tile_product<R, true, false>(acc, shared, a.dim, phi_k, of_dkv);
    each<R>(acc, p, a.keys, a.value_dim, [&](int64_t n, int64_t e, float value) {
        dv.put((p.b * a.keys + n) * a.ldv + p.h * a.value_dim + e, value);
    });
}

template <int R>
static __global__ void dk_kernel(vt_out dk, vt_in k, vt_in v, const float *dkv, const float *dksum,
                                 vt_attention_size a)
{
    VT_SHARED(float, shared, [tile_shared<R>::COUNT]);
    place p = place_of<R>(a, a.keys, a.dim);
    vt_in vh = v + p.b * a.keys * a.ldv + p.h * a.value_dim;
    const float *d = dkv + p.bh * a.dim * a.value_dim;
    float acc[R][R] = {};
    auto of_v = [&](int n, int64_t e) {
        return p.row + n < a.keys ? vh[(p.row + n) * a.ldv + e] : 0;
    };
    auto of_dkv = [&](int f, int64_t e) {
        return p.col + f < a.dim ? d[(p.col + f) * a.value_dim + e] : 0;
    };
    tile_product<R, true, true>(acc, shared, a.value_dim, of_v, of_dkv);
    each<R>(acc, p, a.keys, a.dim, [&](int64_t n, int64_t f, float value) {
        int64_t at = (p.b * a.keys + n) * a.ldk + p.h * a.dim + f;
        dk.put(at, (value + dksum[p.bh * a.dim + f]) * vt_phi_slope(k[at]));
    });
}

/* ---- launches -------------------------------------------------------------------------------- */

/* A kernel of one result (rows, cols) a head, by tiles of 16, 32 or 64. */
#define LAUNCH_TILES(kernel, a, rows, cols, stream, ...)                                           \
    do {                                                                                           \
        int r_ = tile_rows_for(vt_max_of(rows, cols));                                             \
        int64_t t_ = TILE_SIDE * r_, n_ = (a).batch * (a).heads;                                   \
        dim3 grid_((unsigned)(n_ * vt_ceil(rows, t_) * vt_ceil(cols, t_)));                        \
        int code_ =                                                                                \
            r_ == 1 ? (int)VT_LAUNCH(kernel<1>, grid_, dim3(VT_THREADS), 0, stream, __VA_ARGS__)   \
            : r_ == 2                                                                              \
                ? (int)VT_LAUNCH(kernel<2>, grid_, dim3(VT_THREADS), 0, stream, __VA_ARGS__)       \
                : (int)VT_LAUNCH(kernel<4>, grid_, dim3(VT_THREADS), 0, stream, __VA_ARGS__);      \
        if (code_)                                                                                 \
            return code_;                                                                          \
    } while (0)

extern "C" int vt_linear_attention(void *out, float *kv, float *ksum, const void *q, const void *k,
                                   const void *v, struct vt_attention_size a, float eps,
                                   unsigned half, cudaStream_t stream)
{
    vt_out to = vt_out_of(out, half, 0);
    vt_in of_q = vt_in_of(q, half, 1), of_k = vt_in_of(k, half, 2), of_v = vt_in_of(v, half, 3);
    LAUNCH_TILES(kv_kernel, a, a.dim, a.value_dim, stream, kv, ksum, of_k, of_v, a);
    LAUNCH_TILES(out_kernel, a, a.queries, a.value_dim, stream, to, of_q, kv, ksum, a, eps);
    return 0;
}

extern "C" int64_t vt_linear_attention_parts(struct vt_attention_size a)
{
    return a.batch * a.heads * (2 * a.queries + a.dim * (a.value_dim + 1));
}

extern "C" int vt_linear_attention_grad(void *dq, void *dk, void *dv, const void *q, const void *k,
                                        const void *v, const float *kv, const float *ksum,
                                        const void *out, const void *dout, float *scratch,
                                        struct vt_attention_size a, float eps, unsigned half,
                                        cudaStream_t stream)
{
    vt_out to_q = vt_out_of(dq, half, 0), to_k = vt_out_of(dk, half, 1);
    vt_out to_v = vt_out_of(dv, half, 2);
    vt_in of_q = vt_in_of(q, half, 3), of_k = vt_in_of(k, half, 4), of_v = vt_in_of(v, half, 5);
    vt_in of_out = vt_in_of(out, half, 8), down = vt_in_of(dout, half, 9);
    int64_t heads = a.batch * a.heads, count = heads * a.queries;
    float *inverse = scratch, *w = inverse + count, *dkv = w + count;
    float *dksum = dkv + heads * a.dim * a.value_dim;
    int code = VT_LAUNCH(query_sums_kernel, vt_grid(32 * count), dim3(VT_THREADS), 0, stream,
                         inverse, w, of_q, ksum, of_out, down, a, eps, count);
    if (code)
        return code;
    LAUNCH_TILES(dkv_kernel, a, a.dim, a.value_dim, stream, dkv, dksum, of_q, down, inverse, w, a);
    LAUNCH_TILES(dq_kernel, a, a.queries, a.dim, stream, to_q, of_q, kv, ksum, down, inverse, w, a);
    LAUNCH_TILES(dv_kernel, a, a.keys, a.value_dim, stream, to_v, of_k, dkv, a);
    LAUNCH_TILES(dk_kernel, a, a.keys, a.dim, stream, to_k, of_k, of_v, dkv, dksum, a);
    return 0;
}
