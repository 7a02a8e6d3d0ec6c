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

#include "backend/cuda/kernels/attention.h"
#include "backend/cuda/kernels/mma_tile.h"

/* ---- tiles on their way ---------------------------------------------------------------------- */

/* Rows of a matrix between memory and shared memory: T rows of W values in the registers of THREADS
 * threads, sixteen bytes a time. Rows that do not begin at 16 bytes are read when they are put. */
template <class E, int W, int T, int THREADS> struct rows_ahead {
    enum {
        N = operand<E>::N,
        PER_ROW = W / N,
        ALL = T * PER_ROW,
        MINE = (ALL + THREADS - 1) / THREADS,
        PITCH = tile<E, W>::PITCH
    };
    static_assert(ALL % 32 == 0 && PER_ROW <= 32, "whole warps take part, a row is one warp's");
    const E *from;
    int64_t ld;
    int rows, dim;
    bool wide;
    uint4 x[MINE];

    static __device__ __forceinline__ int place(int p)
    {
        return (int)threadIdx.x + p * THREADS;
    }

    /* Zeros beyond `rows` and `dim`. wide: rows begin at 16 bytes. */
    __device__ __forceinline__ void fetch(const E *first, int64_t pitch, int count, int width,
                                          bool aligned)
    {
        from = first;
        ld = pitch;
        rows = count;
        dim = width;
        wide = aligned;
        if (!wide)
            return;
#pragma unroll
        for (int p = 0; p < MINE; p++) {
            int r = place(p) / PER_ROW, c = place(p) % PER_ROW * N;
            x[p] = make_uint4(0, 0, 0, 0);
            if (place(p) < ALL && r < rows && c < dim)
                x[p] = *reinterpret_cast<const uint4 *>(from + r * ld + c);
        }
    }

    __device__ __forceinline__ uint4 gather(int r, int c) const
    {
        float values[N];
#pragma unroll
        for (int i = 0; i < N; i++)
            values[i] = r < rows && c + i < dim ? vt_io<E>::ld(from + r * ld + c + i) : 0;
        return operand<E>::join(values);
    }

    /* Calls f(piece, row, column) for a thread's pieces: for all lanes of a warp or none. */
    template <class G> __device__ __forceinline__ void each(G f) const
    {
        if (wide) {
#pragma unroll
            for (int p = 0; p < MINE; p++)
                if (place(p) < ALL)
                    f(x[p], place(p) / PER_ROW, place(p) % PER_ROW * N);
            return;
        }
#pragma unroll 1
        for (int i = place(0); i < ALL; i += THREADS)
            f(gather(i / PER_ROW, i % PER_ROW * N), i / PER_ROW, i % PER_ROW * N);
    }

    __device__ __forceinline__ void put(E *to) const
    {
        each([&](uint4 piece, int r, int c) {
            *reinterpret_cast<uint4 *>(to + r * PITCH + c) = operand<E>::of(piece);
        });
    }

    /* phi of a piece, rounded; zeros beyond what there is. */
    __device__ __forceinline__ void phi_of(float (&values)[N], uint4 piece, int r, int c) const
    {
        operand<E>::open(values, piece);
#pragma unroll
        for (int i = 0; i < N; i++)
            values[i] = r < rows && c + i < dim ? vt_mma<E>::rounded(vt_phi_of(values[i])) : 0;
    }

    __device__ __forceinline__ void put_phi(E *to) const
    {
        each([&](uint4 piece, int r, int c) {
            float values[N];
            phi_of(values, piece, r, c);
            *reinterpret_cast<uint4 *>(to + r * PITCH + c) = operand<E>::join(values);
        });
    }

    /* Of queries; with z of each row and, where `scaled` is there, z phi(q) in it. */
    __device__ __forceinline__ void put_queries(E *to, E *scaled, float *z, const float *ksum,
                                                float eps) const
    {
        each([&](uint4 piece, int r, int c) {
            float values[N], sum = 0;
            phi_of(values, piece, r, c);
#pragma unroll
            for (int i = 0; i < N; i++)
                sum += values[i] * ksum[c + i];
#pragma unroll
            for (int o = PER_ROW / 2; o > 0; o >>= 1)
                sum += __shfl_xor_sync(VT_FULL, sum, o);
            sum = r < rows ? 1 / (sum + eps) : 0;
            if (c == 0)
                z[r] = sum;
            *reinterpret_cast<uint4 *>(to + r * PITCH + c) = operand<E>::join(values);
            if (!scaled)
                return;
#pragma unroll
            for (int i = 0; i < N; i++)
                values[i] = vt_mma<E>::rounded(sum * values[i]);
            *reinterpret_cast<uint4 *>(scaled + r * PITCH + c) = operand<E>::join(values);
        });
    }
};

/* ---- products of a warp ---------------------------------------------------------------------- */

/* sums (16, 8 TILES) += the transpose of x, 16 columns, times y; the first `width` columns of y,
 * and T tokens of both of which those from n on are zeros. */
template <class E, int T, int PITCH_X, int PITCH_Y, int TILES, int ROOM>
static __device__ __forceinline__ void add_tokens(float (&sums)[ROOM][4], const E *x, const E *y,
                                                  int n, int width)
{
    enum { DEPTH = vt_mma<E>::DEPTH };
#pragma unroll 2
    for (int t = 0; t < T; t += DEPTH) {
        if (t >= n)
            break;
        uint32_t a[4], b[2][2];
        vt_mma<E>::turned_columns(a, x + t * PITCH_X, PITCH_X);
#pragma unroll
        for (int j = 0; j < TILES; j += 2)
            if (8 * j < width) {
                vt_mma<E>::columns_of(b, y + t * PITCH_Y + 8 * j, PITCH_Y);
                vt_mma<E>::multiply(sums[j], a, b[0]);
                vt_mma<E>::multiply(sums[j + 1], a, b[1]);
            }
    }
}

/* The same for x = 1: sums of 16 columns of y, in each row of the result. */
template <class E, int T, int PITCH>
static __device__ __forceinline__ void add_ones(float (&sums)[2][4], const E *y, int n)
{
    enum { DEPTH = vt_mma<E>::DEPTH };
    float one[2][4] = {{1, 1, 1, 1}, {1, 1, 1, 1}};
    uint32_t a[4], b[2][2];
    vt_mma<E>::from_sums(a, one);
#pragma unroll 1
    for (int t = 0; t < n; t += DEPTH) {
        vt_mma<E>::columns_of(b, y + t * PITCH, PITCH);
        vt_mma<E>::multiply(sums[0], a, b[0]);
        vt_mma<E>::multiply(sums[1], a, b[1]);
    }
}

/* The sums of a warp as operand: see in_two. */
template <class E, int TILES, int ROOM>
static __device__ __forceinline__ void split_sums(uint32_t (&parts)[ROOM][4],
                                                  const float (&sums)[ROOM][4])
{
#pragma unroll
    for (int j = 0; j < TILES; j++)
        vt_mma<E>::in_two(parts[j], sums[j]);
}

/* d (16, 16) = 16 rows of x times the transpose of the sums (16, 8 TILES) in parts. */
template <class E, int PITCH, int TILES, int ROOM>
static __device__ __forceinline__ void multiply_rows(float (&d)[2][4], const E *x,
                                                     const uint32_t (&parts)[ROOM][4], int width)
{
    enum { STEP = vt_mma<E>::DEPTH / 8 };
    float rest[2][4]; /* of the lower parts: chains half as long */
    clear(d);
    clear(rest);
#pragma unroll
    for (int j = 0; j < TILES; j += STEP)
        if (8 * j < width) {
            uint32_t a[4], high[2][2], low[2][2];
            vt_mma<E>::rows_in_turn(a, x + 8 * j, PITCH);
            vt_mma<E>::turned_sums(high, low, &parts[j]);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                vt_mma<E>::multiply(d[i], a, high[i]);
                vt_mma<E>::multiply(rest[i], a, low[i]);
            }
        }
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            d[i][e] += rest[i][e];
}

/* Calls f(i, e, row, column) for the values of a result (16, 16): d[i][e]. */
template <class G> static __device__ __forceinline__ void each_value(G f)
{
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            f(i, e, lane_group() + 8 * (e >> 1), 8 * i + lane_column() + (e & 1));
}

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
    head h = head_of(a, 1, 0);
    int dim = (int)a.dim, value_dim = (int)a.value_dim, own = ((int)threadIdx.x >> 5) * 16;
    const E *queries = q + h.b * a.queries * a.ldq + h.h * dim;
    const E *keys = k + h.b * a.keys * a.ldk + h.h * dim;
    const E *values = v + h.b * a.keys * a.ldv + h.h * value_dim;
    rows_ahead<E, F, T, THREADS> next_x;
    rows_ahead<E, V, T, THREADS> next_y;
    float sums[TILES][4], ones[2][4];
    uint32_t parts[TILES][4];
    clear(sums);
    clear(ones);
    int n = rows_left(0, a.keys, T);
    next_x.fetch(keys, a.ldk, n, dim, wide);
    next_y.fetch(values, a.ldv, n, value_dim, wide);
    for (int64_t first = 0; first < a.keys; first += T) {
        int then = rows_left(first + T, a.keys, T);
        n = rows_left(first, a.keys, T);
        __syncthreads(); /* the last tiles are read */
        next_x.put_phi(of_x);
        next_y.put(of_y);
        __syncthreads();
        if (then > 0) {
            next_x.fetch(keys + (first + T) * a.ldk, a.ldk, then, dim, wide);
            next_y.fetch(values + (first + T) * a.ldv, a.ldv, then, value_dim, wide);
        } else {
            next_x.fetch(queries, a.ldq, rows_left(0, a.queries, T), dim, wide);
        }
        if (own < value_dim)
            add_tokens<E, T, PY, PX, TILES>(sums, of_y + own, of_x, n, dim);
        if (own < F && own < dim)
            add_ones<E, T, PX>(ones, of_x + own, n);
    }
    int64_t bh = h.b * a.heads + h.h;
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
    split_sums<E, TILES>(parts, sums);
    for (int64_t first = 0; first < a.queries; first += T) {
        int64_t row = h.b * a.queries + first;
        n = rows_left(first, a.queries, T);
        __syncthreads(); /* the last tile is read, the sums are there */
        next_x.put_queries(of_x, nullptr, z, total, eps);
        __syncthreads();
        next_x.fetch(queries + (first + T) * a.ldq, a.ldq, rows_left(first + T, a.queries, T), dim,
                     wide);
        out.rows = n;
#pragma unroll 1
        for (int r = 0; r < n && own < value_dim; r += 16) {
            float d[2][4];
            const float scale[2] = {z[r + lane_group()], z[r + lane_group() + 8]};
            multiply_rows<E, PX, TILES>(d, of_x + r * PX, parts, dim);
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

/* Launchers by width of a head: 16 and 64, 64 and 64, 64 and 128. */
template <class E> using linear_launcher = int(const linear_call<E> &);

template <class E>
static int linear_launch(linear_launcher<E> *const (&table)[3], const linear_call<E> &c)
{
    const vt_attention_size &a = c.a;
    if (a.dim > VT_LINEAR_WIDEST || a.value_dim > VT_LINEAR_VALUE_WIDEST)
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
