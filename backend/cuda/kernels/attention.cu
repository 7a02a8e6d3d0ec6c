/* Multi-head attention in single precision, forward and backward (Dao et al. 2022; Dao 2023):
 * scores exist for one tile of queries and keys at a time, in shared memory. Backward computes them
 * again twice, once where the gradients of keys and values are summed and once for the queries, so
 * that no sum is shared between blocks and all are made in a fixed order; where all keys fit one
 * tile, once. */
#include "backend/cuda/kernels/attention.h"
#include "backend/cuda/kernels/tile.h"

static __device__ __forceinline__ int up_to_four(int n)
{
    return (n + 3) & ~3;
}

/* to[T][W] = rows of a matrix; beyond `rows` and `dim` zeros. fours: rows begin at 16 bytes. */
template <int T, int W>
static __device__ __forceinline__ void load_tile(float *to, const float *from, int64_t ld, int rows,
                                                 int dim, bool fours)
{
    enum { PITCH = W + TILE_PAD };
    if (fours) {
        for (int i = (int)threadIdx.x; i < T * W / 4; i += VT_THREADS) {
            int r = i / (W / 4), c = 4 * (i % (W / 4));
            bool inside = r < rows && c < dim;
            vt_io<float>::st4(to + r * PITCH + c, inside ? vt_io<float>::ld4(from + r * ld + c)
                                                         : make_float4(0, 0, 0, 0));
        }
        return;
    }
    for (int i = (int)threadIdx.x; i < T * W; i += VT_THREADS) {
        int r = i / W, c = i % W;
        to[r * PITCH + c] = r < rows && c < dim ? from[r * ld + c] : 0;
    }
}

/* Rows ty + 16 i of a result, scaled by scale[i]. */
template <int R, int C, class T>
static __device__ __forceinline__ void store_tile(T *to, int64_t ld, int rows, int dim,
                                                  const float (&acc)[R][C], const float (&scale)[R])
{
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
        for (int c = 0; c < C; c++) {
            int r = tile_y() + TILE_SIDE * i, col = tile_x() + TILE_SIDE * c;
            if (r < rows && col < dim)
                vt_io<T>::st(to + r * ld + col, scale[i] * acc[i][c]);
        }
}

template <int R, int C>
static __device__ __forceinline__ void store_plain(float *to, int64_t ld, int rows, int dim,
                                                   const float (&acc)[R][C])
{
    float one[R];
#pragma unroll
    for (int i = 0; i < R; i++)
        one[i] = 1;
    store_tile<R, C>(to, ld, rows, dim, acc, one);
}

/* Over the 16 threads that share a row. */
static __device__ __forceinline__ float row_max(float v)
{
    for (int o = TILE_SIDE / 2; o > 0; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(VT_FULL, v, o));
    return v;
}

static __device__ __forceinline__ float row_sum(float v)
{
    for (int o = TILE_SIDE / 2; o > 0; o >>= 1)
        v += __shfl_xor_sync(VT_FULL, v, o);
    return v;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Scores of a tile become exponentials against the largest score of their row so far; what was
 * summed before shrinks by `shrink`. */
template <int R>
static __device__ __forceinline__ void online_softmax(float (&s)[R][R], float (&top)[R],
                                                      float (&sum)[R], float (&shrink)[R])
{
#pragma unroll
    for (int i = 0; i < R; i++) {
        float most = s[i][0], part = 0;
#pragma unroll
        for (int j = 1; j < R; j++)
            most = fmaxf(most, s[i][j]);
        most = fmaxf(top[i], row_max(most));
        shrink[i] = expf(top[i] - most);
        top[i] = most;
#pragma unroll
        for (int j = 0; j < R; j++) {
            s[i][j] = expf(s[i][j] - most);
            part += s[i][j];
        }
        sum[i] = shrink[i] * sum[i] + row_sum(part);
    }
}

template <int W, int R>
static __global__ void attention_kernel(float *out, float *lse, const float *q, const float *k,
                                        const float *v, const float *bias, vt_attention_size a,
                                        int64_t tiles, bool fours)
{
    enum { T = TILE_SIDE * R, PITCH = W + TILE_PAD, PITCH_P = T + TILE_PAD, C = W / TILE_SIDE };
    VT_SHARED_DYN(float, shared);
    float *of_q = shared, *of_kv = of_q + T * PITCH, *of_p = of_kv + T * PITCH;
    head x = head_of(a, tiles, T);
    int rows = rows_left(x.first, a.queries, T);
    const float *keys = k + x.b * a.keys * a.ldk + x.h * a.dim;
    const float *values = v + x.b * a.keys * a.ldv + x.h * a.value_dim;
    float acc[R][C], top[R], sum[R], shrink[R];
#pragma unroll
    for (int i = 0; i < R; i++) {
        top[i] = -INFINITY;
        sum[i] = 0;
#pragma unroll
        for (int c = 0; c < C; c++)
            acc[i][c] = 0;
    }
    load_tile<T, W>(of_q, q + (x.b * a.queries + x.first) * a.ldq + x.h * a.dim, a.ldq, rows,
                    (int)a.dim, fours);
    for (int64_t first = 0; first < a.keys; first += T) {
        int n = rows_left(first, a.keys, T);
        float s[R][R] = {};
        __syncthreads(); /* the last values are read */
        load_tile<T, W>(of_kv, keys + first * a.ldk, a.ldk, n, (int)a.dim, fours);
        __syncthreads();
        tile_rows_by_rows<R, PITCH>(s, of_q, of_kv, up_to_four((int)a.dim));
#pragma unroll
        for (int j = 0; j < R; j++) {
            int key = tile_x() + TILE_SIDE * j;
            float shift = bias && key < n ? bias[x.b * a.keys + first + key] : 0;
#pragma unroll
            for (int i = 0; i < R; i++)
                s[i][j] = key < n ? a.scale * s[i][j] + shift : -INFINITY;
        }
        online_softmax<R>(s, top, sum, shrink);
#pragma unroll
        for (int i = 0; i < R; i++) {
#pragma unroll
            for (int j = 0; j < R; j++)
                of_p[(tile_y() + TILE_SIDE * i) * PITCH_P + tile_x() + TILE_SIDE * j] = s[i][j];
#pragma unroll
            for (int c = 0; c < C; c++)
                acc[i][c] *= shrink[i];
        }
        __syncthreads(); /* keys are read, probabilities written */
        load_tile<T, W>(of_kv, values + first * a.ldv, a.ldv, n, (int)a.value_dim, fours);
        __syncthreads();
        tile_rows_by_columns<R, C, PITCH_P, PITCH>(acc, of_p, of_kv, up_to_four(n));
    }
#pragma unroll
    for (int i = 0; i < R; i++) {
        int r = tile_y() + TILE_SIDE * i;
        if (tile_x() == 0 && r < rows)
            lse[(x.b * a.heads + x.h) * a.queries + x.first + r] = top[i] + logf(sum[i]);
        sum[i] = 1 / sum[i];
    }
    store_tile<R, C>(out + (x.b * a.queries + x.first) * a.ldo + x.h * a.value_dim, a.ldo, rows,
                     (int)a.value_dim, acc, sum);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* What a tile of queries meets a tile of keys with. */
struct meeting {
    const float *q, *k, *v, *dout;   /* in shared memory */
    const float *bias, *lse, *delta; /* of the first key, of the first query */
    int queries, keys;
    int dim, value_dim;
    float scale;
};

/* p = exp(score - lse) and ds, the gradient of the product behind the score. */
template <int W, int R>
static __device__ __forceinline__ void score_gradients(float (&p)[R][R], float (&ds)[R][R],
                                                       const meeting &x)
{
    enum { PITCH = W + TILE_PAD };
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
        for (int j = 0; j < R; j++)
            p[i][j] = ds[i][j] = 0;
    tile_rows_by_rows<R, PITCH>(p, x.q, x.k, up_to_four(x.dim));
    tile_rows_by_rows<R, PITCH>(ds, x.dout, x.v, up_to_four(x.value_dim));
#pragma unroll
    for (int j = 0; j < R; j++) {
        int key = tile_x() + TILE_SIDE * j;
        float shift = x.bias && key < x.keys ? x.bias[key] : 0;
#pragma unroll
        for (int i = 0; i < R; i++) {
            int query = tile_y() + TILE_SIDE * i;
            bool inside = key < x.keys && query < x.queries;
            float lse = inside ? x.lse[query] : 0, delta = inside ? x.delta[query] : 0;
            p[i][j] = inside ? expf(x.scale * p[i][j] + shift - lse) : 0;
            ds[i][j] = x.scale * p[i][j] * (ds[i][j] - delta);
        }
    }
}

template <int R> static __device__ __forceinline__ void put(float *to, const float (&x)[R][R])
{
    enum { PITCH = TILE_SIDE * R + TILE_PAD };
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
        for (int j = 0; j < R; j++)
            to[(tile_y() + TILE_SIDE * i) * PITCH + tile_x() + TILE_SIDE * j] = x[i][j];
}

/* Gradients of one tile of keys and values. whole: it has all keys, and dq is made here too. */
template <int W, int R>
static __global__ void attention_keys_kernel(float *dq, float *dk, float *dv, const float *q,
                                             const float *k, const float *v, const float *bias,
                                             const float *lse, const float *dout,
                                             const float *delta, vt_attention_size a, int64_t tiles,
                                             bool fours, bool whole)
{
    enum { T = TILE_SIDE * R, PITCH = W + TILE_PAD, PITCH_P = T + TILE_PAD, C = W / TILE_SIDE };
    VT_SHARED_DYN(float, shared);
    float *of_q = shared, *of_k = of_q + T * PITCH, *of_v = of_k + T * PITCH;
    float *of_dout = of_v + T * PITCH, *of_p = of_dout + T * PITCH;
    head x = head_of(a, tiles, T);
    int n = rows_left(x.first, a.keys, T);
    int64_t row = x.b * a.keys + x.first, bh = (x.b * a.heads + x.h) * a.queries;
    float acc_k[R][C] = {}, acc_v[R][C] = {};
    load_tile<T, W>(of_k, k + row * a.ldk + x.h * a.dim, a.ldk, n, (int)a.dim, fours);
    load_tile<T, W>(of_v, v + row * a.ldv + x.h * a.value_dim, a.ldv, n, (int)a.value_dim, fours);
    for (int64_t first = 0; first < a.queries; first += T) {
        int m = rows_left(first, a.queries, T);
        int64_t at = x.b * a.queries + first;
        float p[R][R], ds[R][R];
        __syncthreads(); /* the last queries and scores are read */
        load_tile<T, W>(of_q, q + at * a.ldq + x.h * a.dim, a.ldq, m, (int)a.dim, fours);
        load_tile<T, W>(of_dout, dout + at * a.ldo + x.h * a.value_dim, a.ldo, m, (int)a.value_dim,
                        fours);
        __syncthreads();
        meeting both = {of_q,
                        of_k,
                        of_v,
                        of_dout,
                        bias ? bias + row : nullptr,
                        lse + bh + first,
                        delta + bh + first,
                        m,
                        n,
                        (int)a.dim,
                        (int)a.value_dim,
                        a.scale};
        score_gradients<W, R>(p, ds, both);
        put<R>(of_p, p);
        __syncthreads();
        tile_columns_by_columns<R, C, PITCH_P, PITCH>(acc_v, of_p, of_dout, m);
        __syncthreads(); /* p is read */
        put<R>(of_p, ds);
        __syncthreads();
        tile_columns_by_columns<R, C, PITCH_P, PITCH>(acc_k, of_p, of_q, m);
        if (whole) {
            float acc_q[R][C] = {};
            tile_rows_by_columns<R, C, PITCH_P, PITCH>(acc_q, of_p, of_k, up_to_four(n));
            store_plain<R, C>(dq + at * a.ldq + x.h * a.dim, a.ldq, m, (int)a.dim, acc_q);
        }
    }
    store_plain<R, C>(dk + row * a.ldk + x.h * a.dim, a.ldk, n, (int)a.dim, acc_k);
    store_plain<R, C>(dv + row * a.ldv + x.h * a.value_dim, a.ldv, n, (int)a.value_dim, acc_v);
}

/* Gradients of one tile of queries. */
template <int W, int R>
static __global__ void attention_queries_kernel(float *dq, const float *q, const float *k,
                                                const float *v, const float *bias, const float *lse,
                                                const float *dout, const float *delta,
                                                vt_attention_size a, int64_t tiles, bool fours)
{
    enum { T = TILE_SIDE * R, PITCH = W + TILE_PAD, PITCH_P = T + TILE_PAD, C = W / TILE_SIDE };
    VT_SHARED_DYN(float, shared);
    float *of_q = shared, *of_k = of_q + T * PITCH, *of_v = of_k + T * PITCH;
    float *of_dout = of_v + T * PITCH, *of_p = of_dout + T * PITCH;
    head x = head_of(a, tiles, T);
    int m = rows_left(x.first, a.queries, T);
    int64_t at = x.b * a.queries + x.first, bh = (x.b * a.heads + x.h) * a.queries + x.first;
    float acc[R][C] = {};
    load_tile<T, W>(of_q, q + at * a.ldq + x.h * a.dim, a.ldq, m, (int)a.dim, fours);
    load_tile<T, W>(of_dout, dout + at * a.ldo + x.h * a.value_dim, a.ldo, m, (int)a.value_dim,
                    fours);
    for (int64_t first = 0; first < a.keys; first += T) {
        int n = rows_left(first, a.keys, T);
        int64_t row = x.b * a.keys + first;
        float p[R][R], ds[R][R];
        __syncthreads();
        load_tile<T, W>(of_k, k + row * a.ldk + x.h * a.dim, a.ldk, n, (int)a.dim, fours);
        load_tile<T, W>(of_v, v + row * a.ldv + x.h * a.value_dim, a.ldv, n, (int)a.value_dim,
                        fours);
        __syncthreads();
        meeting both = {of_q,
                        of_k,
                        of_v,
                        of_dout,
                        bias ? bias + row : nullptr,
                        lse + bh,
                        delta + bh,
                        m,
                        n,
                        (int)a.dim,
                        (int)a.value_dim,
                        a.scale};
        score_gradients<W, R>(p, ds, both);
        put<R>(of_p, ds);
        __syncthreads();
        tile_rows_by_columns<R, C, PITCH_P, PITCH>(acc, of_p, of_k, up_to_four(n));
    }
    store_plain<R, C>(dq + at * a.ldq + x.h * a.dim, a.ldq, m, (int)a.dim, acc);
}

/* ---- launches -------------------------------------------------------------------------------- */

/* All addresses of a call. */
struct operands {
    float *out; /* forward */
    float *lse;
    float *dq, *dk, *dv;
    const float *q, *k, *v, *bias, *given_lse, *dout, *delta;
    vt_attention_size a;
    bool fours;
    cudaStream_t stream;
};

template <int W, int R> static size_t shared_bytes(int operand_tiles)
{
    enum { T = TILE_SIDE * R };
    return sizeof(float) * (size_t)(operand_tiles * T * (W + TILE_PAD) + T * (T + TILE_PAD));
}

template <int W, int R> static int forward(const operands &o)
{
    int64_t tiles = vt_ceil(o.a.queries, TILE_SIDE * R);
    return VT_LAUNCH((attention_kernel<W, R>), dim3((unsigned)(tiles * o.a.batch * o.a.heads)),
                     dim3(VT_THREADS), (shared_bytes<W, R>(2)), o.stream, o.out, o.lse, o.q, o.k,
                     o.v, o.bias, o.a, tiles, o.fours);
}

template <int W, int R> static int backward(const operands &o)
{
    int64_t tiles = vt_ceil(o.a.keys, TILE_SIDE * R), heads = o.a.batch * o.a.heads;
    bool whole = tiles == 1;
    int code =
        VT_LAUNCH((attention_keys_kernel<W, R>), dim3((unsigned)(tiles * heads)), dim3(VT_THREADS),
                  (shared_bytes<W, R>(4)), o.stream, o.dq, o.dk, o.dv, o.q, o.k, o.v, o.bias,
                  o.given_lse, o.dout, o.delta, o.a, tiles, o.fours, whole);
    if (code || whole)
        return code;
    tiles = vt_ceil(o.a.queries, TILE_SIDE * R);
    return VT_LAUNCH((attention_queries_kernel<W, R>), dim3((unsigned)(tiles * heads)),
                     dim3(VT_THREADS), (shared_bytes<W, R>(4)), o.stream, o.dq, o.q, o.k, o.v,
                     o.bias, o.given_lse, o.dout, o.delta, o.a, tiles, o.fours);
}

/* Kernels by width of a head (32, 64, 128, 256), for sequences of up to 32 tokens and longer ones:
 * tiles of wide heads are shorter, so that they fit the shared memory of every device. */
typedef int launcher(const operands &o);
enum { N_WIDTHS = 4, NARROWEST = 32, SHORT = 2 * TILE_SIDE };

static launcher *const forwards[N_WIDTHS][2] = {
    {forward<32, 2>, forward<32, 4>},
    {forward<64, 2>, forward<64, 4>},
    {forward<128, 2>, forward<128, 4>},
    {forward<256, 2>, forward<256, 2>},
};

static launcher *const backwards[N_WIDTHS][2] = {
    {backward<32, 2>, backward<32, 4>},
    {backward<64, 2>, backward<64, 4>},
    {backward<128, 2>, backward<128, 2>},
    {backward<256, 1>, backward<256, 1>},
};

static int launch(launcher *const table[N_WIDTHS][2], const operands &o)
{
    int64_t wide = vt_max_of(o.a.dim, o.a.value_dim), longest = vt_max_of(o.a.queries, o.a.keys);
    int width = 0;
    if (wide > VT_ATTENTION_WIDEST)
        return cudaErrorInvalidValue;
    while ((int64_t)NARROWEST << width < wide)
        width++;
    return table[width][longest > SHORT](o);
}

static bool rows_are_aligned(const operands &o, const vt_attention_size &a)
{
    uintptr_t all = (uintptr_t)o.q | (uintptr_t)o.k | (uintptr_t)o.v | (uintptr_t)o.dout;
    return all % 16 == 0 && (a.dim | a.value_dim | a.ldq | a.ldk | a.ldv | a.ldo) % 4 == 0;
}

extern "C" int vt_attention(float *out, float *lse, const float *q, const float *k, const float *v,
                            const float *bias, struct vt_attention_size a, cudaStream_t stream)
{
    operands o = {};
    o.out = out;
    o.lse = lse;
    o.q = q;
    o.k = k;
    o.v = v;
    o.bias = bias;
    o.a = a;
    o.stream = stream;
    o.fours = rows_are_aligned(o, a);
    return launch(forwards, o);
}

extern "C" int vt_attention_grad(float *dq, float *dk, float *dv, const float *q, const float *k,
                                 const float *v, const float *bias, const float *out,
                                 const float *lse, const float *dout, float *delta,
                                 struct vt_attention_size a, cudaStream_t stream)
{
    int code = delta_of(delta, out, dout, a, stream);
    if (code)
        return code;
    operands o = {};
    o.dq = dq;
    o.dk = dk;
    o.dv = dv;
    o.q = q;
    o.k = k;
    o.v = v;
    o.bias = bias;
    o.given_lse = lse;
    o.dout = dout;
    o.delta = delta;
    o.a = a;
    o.stream = stream;
    o.fours = rows_are_aligned(o, a);
    return launch(backwards, o);
}
