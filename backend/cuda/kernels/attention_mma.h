/* Multi-head attention on tensor cores (Dao et al. 2022; Dao 2023), for operands of type E: bf16,
 * or float that is rounded to tf32. Scores exist for one tile at a time, in registers: 16 rows of
 * a tile belong to a warp, what leaves the softmax is the next product's operand without a detour,
 * and sums of several tiles are scaled where they stand. Sums are in float, and each is made by one
 * block in a fixed order: backward computes the scores twice, once where the gradients of keys and
 * values are summed and once for the queries.
 *
 * W: widest head. ROWS: rows of a block's own tile. OTHER: rows of the tiles that it meets. SPLIT:
 * warps that share 16 rows, each with a part of the columns of the result, where a head is too
 * wide for the registers of one. */
#ifndef BACKEND_CUDA_KERNELS_ATTENTION_MMA_H
#define BACKEND_CUDA_KERNELS_ATTENTION_MMA_H

#include "backend/cuda/kernels/attention.h"
#include "backend/cuda/kernels/mma_tile.h"

#define LOG2_E 1.4426950408889634f
#define LN_2   0.6931471805599453f

/* ---- forward --------------------------------------------------------------------------------- */

/* Scores of a tile of n keys to powers of two; the products of what was summed before with shrink.
 * bias: of the first key, or NULL. */
template <int TILES>
static __device__ VT_INLINED void powers(float (&s)[TILES][4], float (&top)[2], float (&sum)[2],
                                         float (&shrink)[2], const float *bias, int n, float scale)
{
    float most[2] = {top[0], top[1]}, part[2] = {0, 0};
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int key = 8 * j + lane_column() + (e & 1);
            float shift = bias && key < n ? LOG2_E * bias[key] : 0;
            s[j][e] = key < n ? scale * s[j][e] + shift : -INFINITY;
            most[e >> 1] = fmaxf(most[e >> 1], s[j][e]);
        }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        most[i] = quad_max(most[i]);
        shrink[i] = exp2f(top[i] - most[i]);
        top[i] = most[i];
    }
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            s[j][e] = exp2f(s[j][e] - most[e >> 1]);
            part[e >> 1] += s[j][e];
        }
#pragma unroll
    for (int i = 0; i < 2; i++)
        sum[i] = shrink[i] * sum[i] + quad_sum(part[i]);
}

template <int COLS>
static __device__ __forceinline__ void scale_rows(float (&x)[COLS][4], const float (&scale)[2])
{
#pragma unroll
    for (int n = 0; n < COLS; n++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            x[n][e] *= scale[e >> 1];
}

template <class E, int W, int ROWS, int OTHER, int SPLIT>
static __global__ void __launch_bounds__(2 * ROWS * SPLIT, 128 / (ROWS * SPLIT))
    attention_mma_kernel(result out, float *lse, const E *q, const E *k, const E *v,
                         const float *bias, vt_attention_size a, int64_t tiles, bool wide)
{
    enum { PITCH = tile<E, W>::PITCH, TILES = OTHER / 8, COLS = W / 8 / SPLIT };
    VT_SHARED_DYN(E, shared);
    E *of_q = shared, *of_k = of_q + ROWS * PITCH, *of_v = of_k + OTHER * PITCH;
    head x = head_of(a, tiles, ROWS);
    int warp = (int)threadIdx.x >> 5, own = warp % (ROWS / 16) * 16;
    int col = warp / (ROWS / 16) * (W / SPLIT), depth = (int)a.dim;
    const E *keys = k + x.b * a.keys * a.ldk + x.h * a.dim;
    const E *values = v + x.b * a.keys * a.ldv + x.h * a.value_dim;
    float sums[COLS][4], top[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0}, shrink[2];
    clear(sums);
    out.rows = rows_left(x.first, a.queries, ROWS);
    load_operand<E, W, ROWS>(of_q, q + (x.b * a.queries + x.first) * a.ldq + x.h * a.dim, a.ldq,
                             out.rows, depth, wide);
    for (int64_t first = 0; first < a.keys; first += OTHER) {
        int n = rows_left(first, a.keys, OTHER);
        float s[TILES][4];
        __syncthreads(); /* the last tiles are read */
        load_operand<E, W, OTHER>(of_k, keys + first * a.ldk, a.ldk, n, depth, wide);
        load_operand<E, W, OTHER>(of_v, values + first * a.ldv, a.ldv, n, (int)a.value_dim, wide);
        __syncthreads();
        scores<E, W>(s, of_q + own * PITCH, of_k, depth, n);
        powers(s, top, sum, shrink, bias ? bias + x.b * a.keys + first : nullptr, n,
               LOG2_E * a.scale);
        scale_rows(sums, shrink);
        add_weighted<E, W>(sums, s, of_v + col, n);
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        int line = own + lane_group() + 8 * i;
        if (lane_column() == 0 && col == 0 && line < out.rows)
            lse[(x.b * a.heads + x.h) * a.queries + x.first + line] =
                LN_2 * (top[i] + log2f(sum[i]));
        sum[i] = 1 / sum[i];
    }
    store_sums(out, (x.b * a.queries + x.first) * a.ldo + x.h * a.value_dim, sums, own, col, sum);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* What belongs to the rows of the scores or to their columns: queries and dout, or keys and
 * values. */
template <class E> struct side {
    const E *x, *y; /* x: dim wide; y: value_dim wide */
    int64_t ldx, ldy, rows;
};

/* KEYS: own rows are keys, first is dk, second is dv; else own rows are queries and first is dq. */
template <class E> struct backward {
    side<E> own, other;
    result first, second;
    const float *bias, *lse, *delta;
    vt_attention_size a;
    int64_t tiles;
    bool wide;
};

/* s becomes p = exp(score - lse) and ds the gradient of the product behind the score; row and
 * column are those of this lane's first value, rows and columns how many there are. */
template <bool KEYS, int TILES>
static __device__ VT_INLINED void score_gradients(float (&s)[TILES][4], float (&ds)[TILES][4],
                                                  int rows, int columns, int row, const float *bias,
                                                  const float *lse, const float *delta, float scale)
{
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int r = row + 8 * (e >> 1), c = 8 * j + lane_column() + (e & 1);
            int key = KEYS ? r : c, query = KEYS ? c : r;
            bool inside = r < rows && c < columns;
            float shift = bias && inside ? bias[key] : 0, of_lse = inside ? lse[query] : 0;
            float power = scale * s[j][e] + shift - of_lse;
            s[j][e] = inside ? exp2f(LOG2_E * power) : 0;
            ds[j][e] = inside ? scale * s[j][e] * (ds[j][e] - delta[query]) : 0;
        }
}

template <class E, int W, int ROWS, int OTHER, int SPLIT, bool KEYS>
static __global__ void __launch_bounds__(2 * ROWS * SPLIT, (KEYS ? 128 : 192) / (ROWS * SPLIT))
    attention_grad_mma_kernel(backward<E> g)
{
    enum { PITCH = tile<E, W>::PITCH, TILES = OTHER / 8, COLS = W / 8 / SPLIT };
    VT_SHARED_DYN(E, shared);
    E *own_x = shared, *own_y = own_x + ROWS * PITCH, *other_x = own_y + ROWS * PITCH;
    E *other_y = other_x + OTHER * PITCH;
    const vt_attention_size &a = g.a;
    head x = head_of(a, g.tiles, ROWS);
    int warp = (int)threadIdx.x >> 5, own = warp % (ROWS / 16) * 16;
    int col = warp / (ROWS / 16) * (W / SPLIT), dim = (int)a.dim, value_dim = (int)a.value_dim;
    int n = rows_left(x.first, g.own.rows, ROWS);
    int64_t row = x.b * g.own.rows + x.first, bh = (x.b * a.heads + x.h) * a.queries;
    const float one[2] = {1, 1};
    float sums_x[COLS][4], sums_y[KEYS ? COLS : 1][4];
    clear(sums_x);
    clear(sums_y);
    load_operand<E, W, ROWS>(own_x, g.own.x + row * g.own.ldx + x.h * dim, g.own.ldx, n, dim,
                             g.wide);
    load_operand<E, W, ROWS>(own_y, g.own.y + row * g.own.ldy + x.h * value_dim, g.own.ldy, n,
                             value_dim, g.wide);
    for (int64_t first = 0; first < g.other.rows; first += OTHER) {
        int m = rows_left(first, g.other.rows, OTHER);
        int64_t at = x.b * g.other.rows + first, query = bh + (KEYS ? first : x.first);
        float s[TILES][4], ds[TILES][4];
        __syncthreads(); /* the last tiles are read */
        load_operand<E, W, OTHER>(other_x, g.other.x + at * g.other.ldx + x.h * dim, g.other.ldx, m,
                                  dim, g.wide);
        load_operand<E, W, OTHER>(other_y, g.other.y + at * g.other.ldy + x.h * value_dim,
                                  g.other.ldy, m, value_dim, g.wide);
        __syncthreads();
        scores<E, W>(s, own_x + own * PITCH, other_x, dim, m);
        scores<E, W>(ds, own_y + own * PITCH, other_y, value_dim, m);
        score_gradients<KEYS>(s, ds, n, m, own + lane_group(),
                              g.bias ? g.bias + (KEYS ? row : at) : nullptr, g.lse + query,
                              g.delta + query, a.scale);
        add_weighted<E, W>(sums_x, ds, other_x + col, m);
        if constexpr (KEYS)
            add_weighted<E, W>(sums_y, s, other_y + col, m);
    }
    g.first.rows = g.second.rows = n;
    store_sums(g.first, row * g.first.ld + x.h * dim, sums_x, own, col, one);
    if constexpr (KEYS)
        store_sums(g.second, row * g.second.ld + x.h * value_dim, sums_y, own, col, one);
}

/* ---- launches -------------------------------------------------------------------------------- */

/* All addresses of a call; half: bit 0 out or dq, bit 1 dk, bit 2 dv are bf16. */
template <class E> struct call {
    void *out, *dq, *dk, *dv;
    float *lse;
    const E *q, *k, *v, *dout;
    const float *bias, *given_lse, *delta;
    vt_attention_size a;
    unsigned half;
    bool wide;
    cudaStream_t stream;
};

template <class E, int W, int ROWS, int OTHER, int SPLIT> static int forward(const call<E> &c)
{
    const vt_attention_size &a = c.a;
    int64_t tiles = vt_ceil(a.queries, ROWS);
    return VT_LAUNCH((attention_mma_kernel<E, W, ROWS, OTHER, SPLIT>),
                     dim3((unsigned)(tiles * a.batch * a.heads)), dim3(2 * ROWS * SPLIT),
                     (bytes_of<E, W>(ROWS + 2 * OTHER)), c.stream,
                     result_of(c.out, c.half & 1, a.ldo, a.value_dim), c.lse, c.q, c.k, c.v, c.bias,
                     a, tiles, c.wide);
}

template <class E, int W, int ROWS, int OTHER, int SPLIT> static int gradients(const call<E> &c)
{
    const vt_attention_size &a = c.a;
    side<E> queries = {c.q, c.dout, a.ldq, a.ldo, a.queries};
    side<E> keys = {c.k, c.v, a.ldk, a.ldv, a.keys};
    size_t bytes = bytes_of<E, W>(2 * ROWS + 2 * OTHER);
    dim3 block(2 * ROWS * SPLIT);
    backward<E> g = {};
    g.bias = c.bias;
    g.lse = c.given_lse;
    g.delta = c.delta;
    g.a = a;
    g.wide = c.wide;
    g.own = keys;
    g.other = queries;
    g.first = result_of(c.dk, c.half & 2, a.ldk, a.dim);
    g.second = result_of(c.dv, c.half & 4, a.ldv, a.value_dim);
    g.tiles = vt_ceil(a.keys, ROWS);
    int code = VT_LAUNCH((attention_grad_mma_kernel<E, W, ROWS, OTHER, SPLIT, true>),
                         dim3((unsigned)(g.tiles * a.batch * a.heads)), block, bytes, c.stream, g);
    if (code)
        return code;
    g.own = queries;
    g.other = keys;
    g.first = result_of(c.dq, c.half & 1, a.ldq, a.dim);
    g.tiles = vt_ceil(a.queries, ROWS);
    return VT_LAUNCH((attention_grad_mma_kernel<E, W, ROWS, OTHER, SPLIT, false>),
                     dim3((unsigned)(g.tiles * a.batch * a.heads)), block, bytes, c.stream, g);
}

/* Launchers by width of a head: 32, 64, 128, 256; those there are. */
template <class E> using launcher = int(const call<E> &);

template <class E, int N> static int launch(launcher<E> *const (&table)[N], const call<E> &c)
{
    int64_t wide = vt_max_of(c.a.dim, c.a.value_dim);
    int i = 0;
    while (i < N && (int64_t)32 << i < wide)
        i++;
    if (i == N)
        return cudaErrorInvalidValue;
    if (c.a.batch * c.a.heads * c.a.queries * c.a.keys == 0)
        return 0;
    return table[i](c);
}

template <class E> static bool rows_are_wide(const call<E> &c)
{
    const vt_attention_size &a = c.a;
    uintptr_t all = (uintptr_t)c.q | (uintptr_t)c.k | (uintptr_t)c.v | (uintptr_t)c.dout;
    return all % 16 == 0 &&
           (a.dim | a.value_dim | a.ldq | a.ldk | a.ldv | a.ldo) % vt_mma<E>::LOADED == 0;
}

/* What both precisions export, with their launchers. */
template <class E, int N>
static int attention(launcher<E> *const (&table)[N], void *out, float *lse, const E *q, const E *k,
                     const E *v, const float *bias, const vt_attention_size &a, unsigned half,
                     cudaStream_t stream)
{
    call<E> c = {};
    c.out = out;
    c.lse = lse;
    c.q = q;
    c.k = k;
    c.v = v;
    c.bias = bias;
    c.a = a;
    c.half = half;
    c.stream = stream;
    c.wide = rows_are_wide(c);
    return launch(table, c);
}

template <class E, int N>
static int attention_grad(launcher<E> *const (&table)[N], void *dq, void *dk, void *dv, const E *q,
                          const E *k, const E *v, const float *bias, const E *out, const float *lse,
                          const E *dout, float *delta, const vt_attention_size &a, unsigned half,
                          cudaStream_t stream)
{
    call<E> c = {};
    c.dq = dq;
    c.dk = dk;
    c.dv = dv;
    c.q = q;
    c.k = k;
    c.v = v;
    c.dout = dout;
    c.bias = bias;
    c.given_lse = lse;
    c.delta = delta;
    c.a = a;
    c.half = half;
    c.stream = stream;
    c.wide = rows_are_wide(c);
    int code = delta_of(delta, out, dout, a, stream);
    return code ? code : launch(table, c);
}

#endif
