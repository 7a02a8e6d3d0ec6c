/* The gradient of linear attention on tensor cores: linear_attention_mma.h says how. */
#ifndef BACKEND_CUDA_KERNELS_LINEAR_ATTENTION_GRAD_MMA_H
#define BACKEND_CUDA_KERNELS_LINEAR_ATTENTION_GRAD_MMA_H

#include "backend/cuda/kernels/linear_tile.h"

template <class E> struct linear_backward {
    result dq, dk, dv;
    const E *q, *k, *v, *dout;
    const float *kv, *ksum;
    vt_attention_size a;
    float eps;
    bool wide;
};

/* The warps of a block: V / 16 own values, then F / 16 features, then F / 16 queries' features. */
enum linear_role { OWNS_VALUES, OWNS_FEATURES, OWNS_QUERIES, OWNS_NOTHING };

template <int F, int V> struct linear_warps {
    enum { VALUES = V / 16, FEATURES = F / 16, THREADS = 32 * (VALUES + 2 * FEATURES) };
    linear_role role;
    int own; /* first column */

    __device__ VT_INLINED linear_warps()
    {
        int warp = (int)threadIdx.x >> 5, other = warp - VALUES;
        role = other < 0 ? OWNS_VALUES : other < FEATURES ? OWNS_FEATURES : OWNS_QUERIES;
        own = 16 * (other < 0 ? warp : other % FEATURES);
    }
};

/* Rows `own` and on of kv, as a result has them; zeros beyond dim and value_dim. */
template <int TILES>
static __device__ VT_INLINED void load_sums(float (&sums)[TILES][4], const float *kv, int own,
                                            int dim, int value_dim)
{
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int f = own + lane_group() + 8 * (e >> 1), c = 8 * j + lane_column() + (e & 1);
            sums[j][e] = f < dim && c < value_dim ? kv[f * value_dim + c] : 0;
        }
}

/* products (T, F) = dout kv^T, 16 columns of it; dots: this warp's part of its rows' products with
 * phi. Only the lane that writes a product will read it. */
template <class E, int F, int V>
static __device__ VT_INLINED void query_products(float *products, float *dots, const E *phi,
                                                 const E *dout, const float (&kv)[V / 8][4], int n,
                                                 int value_dim)
{
    enum { PX = tile<E, F>::PITCH, PY = tile<E, V>::PITCH, PITCH = tile<float, F>::PITCH };
#pragma unroll 1
    for (int r = 0; r < n; r += 16) {
        float d[2][4], sum[2] = {0, 0};
        multiply_rows<E, PY, V / 8>(d, dout + r * PY, kv, value_dim);
        each_value([&](int i, int e, int row, int column) {
            sum[e >> 1] += vt_io<E>::ld(phi + (r + row) * PX + column) * d[i][e];
            products[(r + row) * PITCH + column] = d[i][e];
        });
#pragma unroll
        for (int i = 0; i < 2; i++) {
            sum[i] = quad_sum(sum[i]);
            if (lane_column() == 0)
                dots[r + lane_group() + 8 * i] = sum[i];
        }
    }
}

/* totals[0..15] += the sums of the lanes that hold the same columns. */
static __device__ VT_INLINED void add_columns(float *totals, const float (&sums)[2][2])
{
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int c = 0; c < 2; c++) {
            float sum = sums[i][c];
#pragma unroll
            for (int o = 4; o < 32; o <<= 1)
                sum += __shfl_xor_sync(VT_FULL, sum, o);
            if (lane_group() == 0)
                totals[8 * i + lane_column() + c] += sum;
        }
}

/* dq of those columns; these rows go into dksum. */
template <class E, int F, int T>
static __device__ VT_INLINED void query_results(const result &dq, int64_t at, float *dksum,
                                                const float *products, const float (*dots)[T],
                                                const float *z, const float *ksum, const E *phi,
                                                const E *scaled, int own, int n, int dim)
{
    enum { PX = tile<E, F>::PITCH, PITCH = tile<float, F>::PITCH };
    const float one[2] = {1, 1};
    float sums[2][2] = {};
#pragma unroll 1
    for (int r = 0; r < n; r += 16) {
        float d[2][4], w[2], of_row[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int line = r + lane_group() + 8 * i;
            w[i] = 0;
            for (int k = 0; 16 * k < dim; k++)
                w[i] += dots[k][line];
            of_row[i] = z[line];
            w[i] *= of_row[i];
        }
        each_value([&](int i, int e, int row, int column) {
            int line = r + row, x = line * PX + own + column;
            float slope = fminf(vt_io<E>::ld(phi + x), 1);
            float product = products[line * PITCH + own + column];
            sums[i][e & 1] -= w[e >> 1] * vt_io<E>::ld(scaled + x);
            d[i][e] = of_row[e >> 1] * (product - w[e >> 1] * ksum[own + column]) * slope;
        });
        store_sums(dq, at, d, r, own, one);
    }
    add_columns(dksum + own, sums);
}

/* Tiles of a block: first those of queries and dout, then those of keys and values. */
template <class E, int T> struct linear_tiles {
    const linear_backward<E> &g;
    linear_head h;
    int of_queries, all;

    __device__ VT_INLINED explicit linear_tiles(const linear_backward<E> &backward)
        : g(backward), h(backward.a)
    {
        of_queries = ((int)g.a.queries + T - 1) / T;
        all = of_queries + ((int)g.a.keys + T - 1) / T;
    }

    /* The first row of a tile among those of all batch elements; n: how many it has. */
    __device__ VT_INLINED int64_t row(int tile, int &n) const
    {
        bool query = tile < of_queries;
        int64_t rows = query ? g.a.queries : g.a.keys;
        int64_t first = (int64_t)(query ? tile : tile - of_queries) * T;
        n = rows_left(first, rows, T);
        return h.b * rows + first;
    }

    __device__ VT_INLINED rows_from<E> x(int tile) const
    {
        int n;
        int64_t at = row(tile, n);
        bool query = tile < of_queries;
        int ld = (int)(query ? g.a.ldq : g.a.ldk), dim = (int)g.a.dim;
        return rows_from<E>{(query ? g.q : g.k) + at * ld + h.h * dim, ld, n, dim, g.wide};
    }

    __device__ VT_INLINED rows_from<E> y(int tile) const
    {
        int n;
        int64_t at = row(tile, n);
        bool query = tile < of_queries;
        int ld = (int)(query ? g.a.ldo : g.a.ldv), dim = (int)g.a.value_dim;
        return rows_from<E>{(query ? g.dout : g.v) + at * ld + h.h * dim, ld, n, dim, g.wide};
    }
};

/* 16 columns of dk, features, or of dv in a tile of keys. */
template <class E, int F, int V>
static __device__ VT_INLINED void
key_results(const result &to, int64_t at, const float *dksum, const E *phi, const E *values,
            const float (&sums)[V / 8][4], bool features, int own, int dim, int value_dim)
{
    enum { PX = tile<E, F>::PITCH, PY = tile<E, V>::PITCH };
    const float one[2] = {1, 1};
#pragma unroll 1
    for (int r = 0; r < to.rows; r += 16) {
        float d[2][4];
        if (features) {
            multiply_rows<E, PY, V / 8>(d, values + r * PY, sums, value_dim);
            each_value([&](int i, int e, int line, int column) {
                float x = vt_io<E>::ld(phi + (r + line) * PX + own + column);
                d[i][e] = (d[i][e] + dksum[own + column]) * fminf(x, 1);
            });
        } else {
            multiply_rows<E, PX, F / 8>(d, phi + r * PX, sums, dim);
        }
        store_sums(to, at, d, r, own, one);
    }
}

template <class E, int F, int V, int T>
static __global__ void __launch_bounds__(linear_warps<F, V>::THREADS, F > 16 ? 1 : 3)
    linear_attention_grad_mma_kernel(linear_backward<E> g)
{
    typedef linear_warps<F, V> warps;
    enum { THREADS = warps::THREADS, PX = tile<E, F>::PITCH, PY = tile<E, V>::PITCH };
    enum { PITCH = tile<float, F>::PITCH };
    VT_SHARED_DYN(E, shared);
    VT_SHARED(float, ksum, [F]);
    VT_SHARED(float, dksum, [F]);
    VT_SHARED(float, z, [T]);
    VT_SHARED(float, dots, [warps::FEATURES][T]);
    VT_SHARED(float, products, [T * PITCH]);
    E *of_x = shared, *scaled = of_x + T * PX, *of_y = scaled + T * PX;
    const warps w;
    const linear_tiles<E, T> tiles(g);
    const linear_head &h = tiles.h;
    int dim = (int)g.a.dim, value_dim = (int)g.a.value_dim;
    int64_t bh = blockIdx.x;
    linear_role role = w.own < (w.role == OWNS_VALUES ? value_dim : dim) ? w.role : OWNS_NOTHING;
    rows_ahead<E, F, T, THREADS> next_x;
    rows_ahead<E, V, T, THREADS> next_y;
    float sums[V / 8][4];
    next_x.fetch(tiles.x(0));
    next_y.fetch(tiles.y(0));
    for (int f = (int)threadIdx.x; f < F; f += THREADS) {
        ksum[f] = f < dim ? g.ksum[bh * dim + f] : 0;
        dksum[f] = 0;
    }
    clear(sums);
    if (role == OWNS_QUERIES) {
        load_sums(sums, g.kv + bh * dim * value_dim, w.own, dim, value_dim);
        split_sums<E>(sums);
    }
#pragma unroll 1
    for (int i = 0; i < tiles.all; i++) {
        int n;
        int64_t row = tiles.row(i, n);
        bool query = i < tiles.of_queries;
        if (i == tiles.of_queries && role != OWNS_QUERIES)
            split_sums<E>(sums);
        __syncthreads(); /* the last tiles are read, ksum and dksum are there */
        if (query)
            next_x.put_queries(tiles.x(i), of_x, scaled, z, ksum, g.eps);
        else
            next_x.put_phi(tiles.x(i), of_x);
        next_y.put(tiles.y(i), of_y);
        __syncthreads();
        next_x.fetch(tiles.x(i + 1));
        next_y.fetch(tiles.y(i + 1));
        if (!query && (role == OWNS_VALUES || role == OWNS_FEATURES)) {
            bool features = role == OWNS_FEATURES;
            result to = features ? g.dk : g.dv;
            to.rows = n;
            key_results<E, F, V>(to, row * to.ld + h.h * to.dim, dksum, of_x, of_y, sums, features,
                                 w.own, dim, value_dim);
        }
        if (!query)
            continue;
        if (role == OWNS_VALUES)
            add_tokens<E, T, PY, PX, F / 8>(sums, of_y + w.own, scaled, n, dim);
        if (role == OWNS_FEATURES)
            add_tokens<E, T, PX, PY, V / 8>(sums, scaled + w.own, of_y, n, value_dim);
        if (role == OWNS_QUERIES)
            query_products<E, F, V>(products + w.own, dots[w.own / 16], of_x + w.own, of_y, sums, n,
                                    value_dim);
        __syncthreads(); /* the dots are there */
        if (role == OWNS_QUERIES) {
            result dq = g.dq;
            dq.rows = n;
            query_results<E, F, T>(dq, row * dq.ld + h.h * dim, dksum, products, dots, z, ksum,
                                   of_x, scaled, w.own, n, dim);
        }
    }
}

#endif
