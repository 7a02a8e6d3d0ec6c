/* Matrix products of any size: what the kernels by precision share. A block makes a tile (M, N) of
 * the result. Tiles of the operands go through shared memory in STAGES buffers, copied while the
 * ones before them are multiplied; there they lie as in memory: "straight" with the depth along a
 * row, "turned" with the depth down a column. Sums are made in the order of the depth alone, then
 * pass through shared memory so that residual and result are read and written in whole rows.
 *
 * A way to multiply is a struct P with the type of operands, M, N, THREADS, BLOCKS (at once on a
 * multiprocessor), clear, multiply<TA, TB>(tile of a, tile of b) for tiles of that layout, and
 * spill(to) that puts the sums into rows of N + STAGE_PAD values. */
#ifndef BACKEND_CUDA_KERNELS_GEMM_H
#define BACKEND_CUDA_KERNELS_GEMM_H

#include "backend/cuda/kernels/copy.h"
#include "backend/cuda/kernels/device.h"
#include "backend/cuda/kernels/gelu.h"

enum { STAGES = 4, STAGE_PAD = 8 };

/* T rows of op(a), or columns of op(b), in shared memory: four chunks of 16 bytes deep. Both
 * pitches put eight rows, or eight times four, into different banks. */
template <class E, int T, bool TURNED> struct gemm_tile {
    enum {
        CHUNK = 16 / (int)sizeof(E),
        DEPTH = 4 * CHUNK,
        PITCH = TURNED ? T + 8 : DEPTH + CHUNK,
        COUNT = (TURNED ? DEPTH : T) * PITCH
    };
};

/* One operand in memory: value (row, depth) lies at row * row_step + depth * depth_step. wide: it
 * can be copied in chunks to a tile of its layout. */
struct gemm_operand {
    const void *p;
    int64_t row_step, depth_step, stride;
    int rows;
    bool wide;
};

struct gemm_result {
    void *c, *pre;
    const void *residual, *bias;
    float *sums;
    int64_t ld, stride;
    float scale;
    vt_epilogue epilogue;
    bool half_c, half_pre, half_v;
    bool fours; /* four neighbours may be read and written at once */
};

struct gemm_call {
    gemm_operand a, b;
    gemm_result r;
    int depth, across; /* across: tiles side by side */
    int64_t tiles;     /* of one result */
};

/* ---- operands -------------------------------------------------------------------------------- */

/* What one thread copies of each tile of an operand. */
template <class E, int T, bool TURNED, int THREADS> struct gemm_loader {
    typedef gemm_tile<E, T, TURNED> tile;
    enum { CHUNK = tile::CHUNK, COUNT = T * 4 / THREADS, ACROSS = TURNED ? T / CHUNK : 4 };
    const E *from[COUNT];
    int there[COUNT]; /* there: values of a chunk inside the matrix, as far as rows say */

    static __device__ __forceinline__ int line(int i)
    {
        return ((int)threadIdx.x + i * THREADS) / ACROSS;
    }
    static __device__ __forceinline__ int column(int i)
    {
        return ((int)threadIdx.x + i * THREADS) % ACROSS * CHUNK;
    }
    static __device__ __forceinline__ int within(int n)
    {
        return n < 0 ? 0 : n < CHUNK ? n : (int)CHUNK;
    }

    __device__ VT_INLINED void open(const gemm_operand &x, int64_t number, int first_row)
    {
        const E *matrix = (const E *)x.p + number * x.stride;
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            int row = first_row + (TURNED ? column(i) : line(i)), k = TURNED ? line(i) : column(i);
            there[i] = TURNED ? within(x.rows - row) : row < x.rows ? (int)CHUNK : 0;
            from[i] = matrix + row * x.row_step + k * x.depth_step;
        }
    }

    /* The tile from depth k0 on; called for one after the other. */
    __device__ VT_INLINED void load(E *to, const gemm_operand &x, int k0, int depth)
    {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            E *at = to + line(i) * tile::PITCH + column(i);
            int left = depth - k0 - (TURNED ? line(i) : column(i));
            int n = TURNED ? (left > 0 ? there[i] : 0) : there[i] ? within(left) : 0;
            if (x.wide)
                vt_copy_async(at, from[i], n * (int)sizeof(E));
            else
                gather(at, from[i], TURNED ? x.row_step : x.depth_step, n);
            from[i] += tile::DEPTH * x.depth_step;
        }
    }

    /* A chunk value by value: addresses that are no multiples of 16 bytes, or the other layout. */
    static __device__ VT_INLINED void gather(E *to, const E *values, int64_t step, int n)
    {
#pragma unroll 1
        for (int e = 0; e < CHUNK; e++)
            to[e] = e < n ? values[e * step] : E(0.0f);
    }
};

/* What a row of a tile of op(a) adds up to; thread i has row i. */
template <class E, int T, bool TURNED>
static __device__ __forceinline__ float gemm_row_sum(const E *of_a, float sum)
{
    typedef gemm_tile<E, T, TURNED> tile;
    int row = (int)threadIdx.x;
    for (int k = 0; k < tile::DEPTH && row < T; k++)
        sum += vt_io<E>::ld(of_a + (TURNED ? k * tile::PITCH + row : row * tile::PITCH + k));
    return sum;
}

/* ---- results --------------------------------------------------------------------------------- */

struct gemm_four {
    float v[4];
};

/* Values at..at + 3, or the first n of them. */
static __device__ VT_INLINED gemm_four gemm_take(vt_in x, int64_t at, int n, bool whole)
{
    gemm_four f = {{0, 0, 0, 0}};
    if (whole) {
        float4 v = x.half ? vt_io<vt_bf16>::ld4((const vt_bf16 *)x.p + at)
                          : vt_io<float>::ld4((const float *)x.p + at);
        return gemm_four{{v.x, v.y, v.z, v.w}};
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (i < n)
            f.v[i] = x[at + i];
    return f;
}

static __device__ VT_INLINED void gemm_give(vt_out y, int64_t at, const gemm_four &f, int n,
                                            bool whole)
{
    if (whole) {
        float4 v = make_float4(f.v[0], f.v[1], f.v[2], f.v[3]);
        if (y.half)
            vt_io<vt_bf16>::st4((vt_bf16 *)y.p + at, v);
        else
            vt_io<float>::st4((float *)y.p + at, v);
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (i < n)
            y.put(at + i, f.v[i]);
}

/* v, its epilogue, and what is kept of it, at one place of the result. */
static __device__ VT_INLINED void gemm_finish(const gemm_result &r, gemm_four f, int64_t at, int n,
                                              bool whole)
{
    if (r.epilogue == VT_GELU_KEEP)
        gemm_give(vt_out{r.pre, r.half_pre}, at, f, n, whole);
    if (r.epilogue == VT_GELU_SLOPE) {
        gemm_four x = gemm_take(vt_in{r.pre, r.half_pre}, at, n, whole);
#pragma unroll
        for (int i = 0; i < 4; i++)
            f.v[i] *= vt_gelu_slope(x.v[i]);
    } else if (r.epilogue != VT_PLAIN) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            f.v[i] = vt_gelu_of(r.half_v ? __bfloat162float(__float2bfloat16(f.v[i])) : f.v[i]);
    }
    gemm_give(vt_out{r.c, r.half_c}, at, f, n, whole);
}

/* A tile of sums (M, N) from shared memory to the result. */
template <class P>
static __device__ VT_INLINED void gemm_store(const gemm_result &r, const float *sums,
                                             int64_t number, int row0, int col0, int rows, int cols)
{
    for (int i = (int)threadIdx.x; i < P::M * P::N / 4; i += P::THREADS) {
        int line = i / (P::N / 4), column = 4 * (i % (P::N / 4));
        int row = row0 + line, col = col0 + column, n = cols - col;
        if (row >= rows || n <= 0)
            continue;
        bool whole = r.fours && n >= 4;
        int64_t at = number * r.stride + row * r.ld + col;
        float4 s = vt_io<float>::ld4(sums + line * (P::N + STAGE_PAD) + column);
        gemm_four f = {{r.scale * s.x, r.scale * s.y, r.scale * s.z, r.scale * s.w}};
        if (r.residual) {
            gemm_four x = gemm_take(vt_in{r.residual, r.half_v}, at, n, whole);
#pragma unroll
            for (int e = 0; e < 4; e++)
                f.v[e] += x.v[e];
        }
        if (r.bias) {
            gemm_four x = gemm_take(vt_in{r.bias, r.half_v}, col, n, whole);
#pragma unroll
            for (int e = 0; e < 4; e++)
                f.v[e] += x.v[e];
        }
        gemm_finish(r, f, at, n, whole);
    }
}

/* ---- the kernel ------------------------------------------------------------------------------ */

template <class P, bool TA, bool TB> struct gemm_shared {
    typedef typename P::type E;
    enum {
        OF_A = gemm_tile<E, P::M, TA>::COUNT,
        STAGE = OF_A + gemm_tile<E, P::N, TB>::COUNT,
        OPERANDS = STAGES * STAGE * (int)sizeof(E),
        SUMS = P::M * (P::N + STAGE_PAD) * (int)sizeof(float),
        BYTES = (int)OPERANDS > (int)SUMS ? (int)OPERANDS : (int)SUMS
    };
};

template <class P, bool TA, bool TB>
static __global__ void __launch_bounds__(P::THREADS, P::BLOCKS) gemm_kernel(gemm_call g)
{
    typedef typename P::type E;
    typedef gemm_shared<P, TA, TB> room;
    enum { DEPTH = gemm_tile<E, P::M, TA>::DEPTH };
    VT_SHARED_DYN(E, shared);
    int64_t number = blockIdx.x / g.tiles;
    int tile = (int)(blockIdx.x - number * g.tiles);
    int row0 = tile / g.across * P::M, col0 = tile % g.across * P::N;
    int steps = (g.depth + DEPTH - 1) / DEPTH;
    bool adds_up = g.r.sums && col0 == 0 && number == 0;
    float row_sum = 0;
    gemm_loader<E, P::M, TA, P::THREADS> a;
    gemm_loader<E, P::N, TB, P::THREADS> b;
    P product;
    a.open(g.a, number, row0);
    b.open(g.b, number, col0);
    product.clear();
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) {
            a.load(shared + s * room::STAGE, g.a, s * DEPTH, g.depth);
            b.load(shared + s * room::STAGE + room::OF_A, g.b, s * DEPTH, g.depth);
        }
        vt_copies_close();
    }
    for (int t = 0; t < steps; t++) {
        const E *now = shared + t % STAGES * room::STAGE;
        int later = t + STAGES - 1;
        vt_copies_wait<STAGES - 2>();
        __syncthreads(); /* this tile is there, the one before is read */
        if (later < steps) {
            E *to = shared + later % STAGES * room::STAGE;
            a.load(to, g.a, later * DEPTH, g.depth);
            b.load(to + room::OF_A, g.b, later * DEPTH, g.depth);
        }
        vt_copies_close();
        product.template multiply<TA, TB>(now, now + room::OF_A);
        if (adds_up)
            row_sum = gemm_row_sum<E, P::M, TA>(now, row_sum);
    }
    vt_copies_wait<0>();
    __syncthreads(); /* the last tile is read */
    float *sums = reinterpret_cast<float *>(shared);
    product.spill(sums);
    __syncthreads();
    gemm_store<P>(g.r, sums, number, row0, col0, g.a.rows, g.b.rows);
    if (adds_up && (int)threadIdx.x < P::M && row0 + (int)threadIdx.x < g.a.rows)
        g.r.sums[row0 + (int)threadIdx.x] = row_sum;
}

/* ---- launches -------------------------------------------------------------------------------- */

template <class E>
static gemm_operand gemm_operand_of(const void *p, int64_t ld, int64_t stride, int64_t batch,
                                    int64_t rows, bool turned, bool tile_turned)
{
    enum { CHUNK = 16 / (int)sizeof(E) };
    bool aligned = (uintptr_t)p % 16 == 0 && ld % CHUNK == 0 && (batch == 1 || stride % CHUNK == 0);
    return gemm_operand{p,      turned ? 1 : ld, turned ? ld : 1,
                        stride, (int)rows,       aligned && turned == tile_turned};
}

static inline bool gemm_aligned(const void *p, bool half)
{
    return (uintptr_t)p % (half ? 8 : 16) == 0;
}

static inline gemm_result gemm_result_of(const vt_gemm &g)
{
    gemm_result r = {};
    r.c = g.c;
    r.pre = g.pre;
    r.residual = g.residual;
    r.bias = g.bias;
    r.sums = g.sums;
    r.ld = g.ldc;
    r.stride = g.stride_c;
    r.scale = g.scale;
    r.epilogue = g.epilogue;
    r.half_c = g.half_c != 0;
    r.half_pre = g.half_pre != 0;
    r.half_v = g.half_v != 0;
    r.fours = gemm_aligned(g.c, r.half_c) && gemm_aligned(g.pre, r.half_pre) &&
              gemm_aligned(g.residual, r.half_v) && gemm_aligned(g.bias, r.half_v) &&
              g.ldc % 4 == 0 && (g.batch == 1 || g.stride_c % 4 == 0);
    return r;
}

template <class P> static int64_t gemm_blocks(const vt_gemm &g)
{
    return g.batch * vt_ceil(g.m, P::M) * vt_ceil(g.n, P::N);
}

template <class P, bool TA, bool TB> static int gemm_launch(const vt_gemm &g, cudaStream_t stream)
{
    typedef typename P::type E;
    gemm_call c = {};
    c.a = gemm_operand_of<E>(g.a, g.lda, g.stride_a, g.batch, g.m, g.trans_a, TA);
    c.b = gemm_operand_of<E>(g.b, g.ldb, g.stride_b, g.batch, g.n, !g.trans_b, TB);
    c.r = gemm_result_of(g);
    c.depth = (int)g.k;
    c.across = (int)vt_ceil(g.n, P::N);
    c.tiles = c.across * vt_ceil(g.m, P::M);
    return VT_LAUNCH((gemm_kernel<P, TA, TB>), dim3((unsigned)gemm_blocks<P>(g)), dim3(P::THREADS),
                     (size_t)(gemm_shared<P, TA, TB>::BYTES), stream, c);
}

/* By layout. Transposes of both, which no model has, are gathered into the first. */
template <class P> static int gemm_by_layout(const vt_gemm &g, cudaStream_t stream)
{
    bool turned_a = g.trans_a, turned_b = !g.trans_b;
    if (vt_max_of(vt_max_of(g.m, g.n), g.k) > VT_GEMM_MOST || gemm_blocks<P>(g) > VT_GEMM_MOST)
        return cudaErrorInvalidValue;
    if (turned_b)
        return turned_a ? gemm_launch<P, true, true>(g, stream)
                        : gemm_launch<P, false, true>(g, stream);
    return gemm_launch<P, false, false>(g, stream);
}

#endif
