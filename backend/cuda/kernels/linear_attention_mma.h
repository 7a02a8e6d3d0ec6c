/* Linear attention on tensor cores, forward and backward, a block a head; the formulas are those of
 * linear_attention.cu. E: operands in bf16, or float that is rounded to tf32.
 *
 * Who owns what: a warp owns 16 columns of one result and, in registers, the 16 rows of the matrix
 * that its rows are multiplied by, which is a sum over the tokens of the other side:
 *   values     kv^T, then out = z phi(q) kv            backward: dkv^T, then dv = phi(k) dkv
 *   queries    kv as given, then dq                    (backward only)
 *   features   dkv, then dk = v dkv^T + dksum          (backward only)
 * So tokens of both sides are read once, in tiles of T rows; the next tile is on its way to
 * registers while the warps multiply one. kv and ksum are written where somebody reads them.
 *
 * Rounded to E are phi(q), phi(k), z phi(q), v and dout. Sums are in float, of rounded values
 * throughout, so that out is a mean of rounded values with positive weights and the differences in
 * dq and dk are those of one function. Sums that are multiplied again, kv and dkv, go in as two
 * values of type E that add up to 16 bits of mantissa or more: in one they would lose what is left
 * of dq where values have a common mean. For the same reason w = out . dout is computed here, from
 * dout kv^T, and not from out as it was stored. Slopes are those of rounded phi: min(phi, 1).
 *
 * F, V: widest dim and value_dim. */
#ifndef BACKEND_CUDA_KERNELS_LINEAR_ATTENTION_MMA_H
#define BACKEND_CUDA_KERNELS_LINEAR_ATTENTION_MMA_H

#include "backend/cuda/kernels/linear_attention_grad_mma.h"

/* ---- forward --------------------------------------------------------------------------------- */

template <class E, int F, int V, int T>
static __global__ void __launch_bounds__(2 * V, (F > 16 ? 512 : 640) / (2 * V))
    linear_attention_mma_kernel(result out, float *kv, float *ksum, const E *q, const E *k,
                                const E *v, vt_attention_size a, float eps, bool wide)
{
    enum { THREADS = 2 * V, PX = tile<E, F>::PITCH, PY = tile<E, V>::PITCH, TILES = F / 8 };
    static_assert(F <= V, "a warp sums the keys' features that it shares 16 columns with");
    VT_SHARED_DYN(E, shared);
    VT_SHARED(float, total, [F]);
    VT_SHARED(float, z, [T]);
    E *of_x = shared, *of_y = of_x + T * PX;
    const linear_head h(a);
    int dim = (int)a.dim, value_dim = (int)a.value_dim, own = ((int)threadIdx.x >> 5) * 16;
    rows_ahead<E, F, T, THREADS> next_x;
    rows_ahead<E, V, T, THREADS> next_y;
    float sums[TILES][4], ones[2][4];
    clear(sums);
    clear(ones);
    rows_from<E> of_q = {q + h.b * a.queries * a.ldq + h.h * dim, (int)a.ldq, 0, dim, wide};
    rows_from<E> of_k = {k + h.b * a.keys * a.ldk + h.h * dim, (int)a.ldk, 0, dim, wide};
    rows_from<E> of_v = {v + h.b * a.keys * a.ldv + h.h * value_dim, (int)a.ldv, 0, value_dim,
                         wide};
    next_x.fetch(rows_of(of_k, 0, a.keys, T));
    next_y.fetch(rows_of(of_v, 0, a.keys, T));
    for (int64_t first = 0; first < a.keys; first += T) {
        int n = rows_left(first, a.keys, T);
        __syncthreads(); /* the last tiles are read */
        next_x.put_phi(rows_of(of_k, first, a.keys, T), of_x);
        next_y.put(rows_of(of_v, first, a.keys, T), of_y);
        __syncthreads();
        bool last = first + T >= a.keys;
        next_x.fetch(last ? rows_of(of_q, 0, a.queries, T) : rows_of(of_k, first + T, a.keys, T));
        next_y.fetch(rows_of(of_v, first + T, a.keys, T));
        if (own < value_dim)
            add_tokens<E, T, PY, PX, TILES>(sums, of_y + own, of_x, n, dim);
        if (own < F && own < dim)
            add_ones<E, T, PX>(ones, of_x + own, n);
    }
    int64_t bh = blockIdx.x;
    if (own < F)
        each_value([&](int i, int e, int row, int column) {
            if (row > 0)
                return;
            total[own + column] = ones[i][e];
            if (ksum && own + column < dim)
                ksum[bh * dim + own + column] = ones[i][e];
        });
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int f = 8 * j + lane_column() + (e & 1), c = own + lane_group() + 8 * (e >> 1);
            if (kv && f < dim && c < value_dim)
                kv[(bh * dim + f) * value_dim + c] = sums[j][e];
        }
    split_sums<E>(sums);
    for (int64_t first = 0; first < a.queries; first += T) {
        int64_t row = h.b * a.queries + first;
        int n = rows_left(first, a.queries, T);
        __syncthreads(); /* the last tile is read, the sums are there */
        next_x.put_queries(rows_of(of_q, first, a.queries, T), of_x, nullptr, z, total, eps);
        __syncthreads();
        next_x.fetch(rows_of(of_q, first + T, a.queries, T));
        out.rows = n;
#pragma unroll 1
        for (int r = 0; r < n && own < value_dim; r += 16) {
            float d[2][4];
            const float scale[2] = {z[r + lane_group()], z[r + lane_group() + 8]};
            multiply_rows<E, PX, TILES>(d, of_x + r * PX, sums, dim);
            store_sums(out, row * out.ld + h.h * value_dim, d, r, own, scale);
        }
    }
}

/* ---- launches -------------------------------------------------------------------------------- */

/* All addresses of a call; half: bit 0 out or dq, bit 1 dk, bit 2 dv are bf16. */
template <class E> struct linear_call {
    void *out, *dq, *dk, *dv;
    float *kv, *ksum;
    const E *q, *k, *v, *dout;
    const float *given_kv, *given_ksum;
    vt_attention_size a;
    float eps;
    unsigned half;
    bool wide;
    cudaStream_t stream;
};

template <class E, int F, int V, int T> static int linear_forward(const linear_call<E> &c)
{
    const vt_attention_size &a = c.a;
    return VT_LAUNCH((linear_attention_mma_kernel<E, F, V, T>), dim3((unsigned)(a.batch * a.heads)),
                     dim3(2 * V), (bytes_of<E, F>(T) + bytes_of<E, V>(T)), c.stream,
                     result_of(c.out, c.half & 1, a.ldo, a.value_dim), c.kv, c.ksum, c.q, c.k, c.v,
                     a, c.eps, c.wide);
}

template <class E, int F, int V, int T> static int linear_gradients(const linear_call<E> &c)
{
    const vt_attention_size &a = c.a;
    linear_backward<E> g = {};
    g.dq = result_of(c.dq, c.half & 1, a.ldq, a.dim);
    g.dk = result_of(c.dk, c.half & 2, a.ldk, a.dim);
    g.dv = result_of(c.dv, c.half & 4, a.ldv, a.value_dim);
    g.q = c.q;
    g.k = c.k;
    g.v = c.v;
    g.dout = c.dout;
    g.kv = c.given_kv;
    g.ksum = c.given_ksum;
    g.a = a;
    g.eps = c.eps;
    g.wide = c.wide;
    return VT_LAUNCH((linear_attention_grad_mma_kernel<E, F, V, T>),
                     dim3((unsigned)(a.batch * a.heads)), dim3(linear_warps<F, V>::THREADS),
                     (bytes_of<E, F>(2 * T) + bytes_of<E, V>(T)), c.stream, g);
}

/* Launchers by width of a head: 16 and 64, 64 and 64, 32 and 128. */
template <class E> using linear_launcher = int(const linear_call<E> &);

template <class E>
static int linear_launch(linear_launcher<E> *const (&table)[3], const linear_call<E> &c)
{
    const vt_attention_size &a = c.a;
    if (!vt_linear_fits(a.dim, a.value_dim))
        return cudaErrorInvalidValue;
    if (a.batch * a.heads * a.queries * a.keys == 0)
        return 0;
    return table[a.value_dim > 64 ? 2 : a.dim > 16](c);
}

template <class E> static bool linear_rows_are_wide(const linear_call<E> &c)
{
    const vt_attention_size &a = c.a;
    uintptr_t all = (uintptr_t)c.q | (uintptr_t)c.k | (uintptr_t)c.v | (uintptr_t)c.dout;
    return all % 16 == 0 &&
           (a.dim | a.value_dim | a.ldq | a.ldk | a.ldv | a.ldo) % vt_mma<E>::LOADED == 0;
}

#endif
