/* tome_match and mctf_match: which tokens are merged. Scores of all pairs are products of tiles;
 * the assignment of a batch element is the work of one block. Nothing is sorted: a candidate's
 * place is the number of candidates that come before it, by falling score and then by index. */
#include "backend/cuda/kernels/tile.h"

/* Scratch of one batch element. A: tokens at even positions, B: at odd ones. */
struct match_work {
    float *length, *info, *size; /* (N) norms, factors of the criteria */
    float *best;                 /* (A) best scores, of rows and then of columns */
    int32_t *partner;            /* (A) where those are */
    int32_t *rank;               /* (A) place among the best scores */
    int32_t *kept, *target;      /* (A) the a's that are left; where a merged a goes */
};

enum { WORK_ROWS = 8 };

static __host__ __device__ __forceinline__ int64_t work_count(int64_t tokens)
{
    return WORK_ROWS * ((tokens + 3) / 4 * 4);
}

static __device__ __forceinline__ match_work work_of(void *scratch, int64_t b, int64_t tokens)
{
    int64_t row = (tokens + 3) / 4 * 4;
    float *at = (float *)scratch + b * work_count(tokens);
    return match_work{at,
                      at + row,
                      at + 2 * row,
                      at + 3 * row,
                      (int32_t *)(at + 4 * row),
                      (int32_t *)(at + 5 * row),
                      (int32_t *)(at + 6 * row),
                      (int32_t *)(at + 7 * row)};
}

/* ---- scores ---------------------------------------------------------------------------------- */

static __global__ void lengths_kernel(void *scratch, const float *x, vt_match m)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    for (int64_t i = warp; i < m.batch * m.tokens; i += (int64_t)gridDim.x * VT_WARPS) {
        float sum = 0;
        for (int64_t c = lane; c < m.channels; c += 32)
            sum += x[i * m.channels + c] * x[i * m.channels + c];
        sum = vt_warp_sum(sum);
        if (lane == 0)
            work_of(scratch, i / m.tokens, m.tokens).length[i % m.tokens] = sqrtf(sum);
    }
}

/* The criterion 1/x as a part of its largest value, to the power 1/tau, at every token; 1 without
 * one. */
static __device__ void criterion(float *factor, const float *x, double tau, int64_t tokens)
{
    float top = 0;
    for (int64_t i = threadIdx.x; x && i < tokens; i += VT_THREADS) {
        factor[i] = 1 / x[i];
        top = factor[i] > top ? factor[i] : top;
    }
    top = vt_block_max(top);
    for (int64_t i = threadIdx.x; i < tokens; i += VT_THREADS)
        factor[i] = x ? (float)pow((double)(factor[i] / top), 1 / tau) : 1;
}

static __global__ void criteria_kernel(void *scratch, const float *received, const float *sizes,
                                       vt_match m)
{
    int64_t b = blockIdx.x;
    match_work w = work_of(scratch, b, m.tokens);
    criterion(w.info, m.tau_info > 0 ? received + b * m.tokens : nullptr, m.tau_info, m.tokens);
    criterion(w.size, m.tau_size > 0 && sizes ? sizes + b * m.tokens : nullptr, m.tau_size,
              m.tokens);
}

/* How a cosine becomes a score. */
struct plain_cosine {
    static __device__ __forceinline__ float at(float cosine, const match_work &, const vt_match &,
                                               int64_t, int64_t)
    {
        return cosine;
    }
};

struct many_criteria {
    static __device__ __forceinline__ float at(float cosine, const match_work &w, const vt_match &m,
                                               int64_t a, int64_t b)
    {
        float score = 1;
        if (m.tau_sim > 0) {
            score = (cosine + 1) / 2;
            score = score < 0 ? 0 : score; /* rounding; not-a-number stays what it is */
            score = m.tau_sim == 1 ? score : (float)pow((double)score, 1 / m.tau_sim);
        }
        return score * (w.info[a] * w.info[b]) * (w.size[a] * w.size[b]);
    }
};

/* scores (batch, A, B); block b is a tile of one batch element. */
template <class SCORE, int R>
static __global__ void scores_kernel(float *scores, const float *x, void *scratch, vt_match m)
{
    enum { T = TILE_SIDE * R };
    VT_SHARED(float, shared, [tile_shared<R>::COUNT]);
    int64_t n_a = (m.tokens + 1) / 2, n_b = m.tokens / 2;
    int64_t down = (n_a + T - 1) / T, across = (n_b + T - 1) / T;
    int64_t b = blockIdx.x / across / down;
    int64_t row = blockIdx.x / across % down * T, col = blockIdx.x % across * T;
    match_work w = work_of(scratch, b, m.tokens);
    const float *tokens = x + b * m.tokens * m.channels;
    float acc[R][R] = {};
    auto of_a = [&](int i, int64_t c) {
        return row + i < n_a ? tokens[2 * (row + i) * m.channels + c] : 0;
    };
    auto of_b = [&](int j, int64_t c) {
        return col + j < n_b ? tokens[(2 * (col + j) + 1) * m.channels + c] : 0;
    };
    tile_product<R, true, true>(acc, shared, m.channels, of_a, of_b);
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
        for (int j = 0; j < R; j++) {
            int64_t r = row + tile_y() + TILE_SIDE * i, c = col + tile_x() + TILE_SIDE * j;
            if (r >= n_a || c >= n_b)
                continue;
            float cosine = acc[i][j] / (w.length[2 * r] * w.length[2 * c + 1]);
            scores[(b * n_a + r) * n_b + c] = SCORE::at(cosine, w, m, 2 * r, 2 * c + 1);
        }
}

template <class SCORE>
static int launch_scores(float *scores, const float *x, void *scratch, const vt_match &m,
                         cudaStream_t stream)
{
    int64_t n_a = (m.tokens + 1) / 2, n_b = m.tokens / 2;
    int r = tile_rows_for(n_a) > 1 ? 2 : 1;
    int64_t t = TILE_SIDE * r;
    dim3 grid((unsigned)(m.batch * vt_ceil(n_a, t) * vt_ceil(n_b, t)));
    int code = VT_LAUNCH(lengths_kernel, vt_grid(32 * m.batch * m.tokens), dim3(VT_THREADS), 0,
                         stream, scratch, x, m);
    if (code || n_b == 0)
        return code;
    if (r == 1)
        return VT_LAUNCH((scores_kernel<SCORE, 1>), grid, dim3(VT_THREADS), 0, stream, scores, x,
                         scratch, m);
    return VT_LAUNCH((scores_kernel<SCORE, 2>), grid, dim3(VT_THREADS), 0, stream, scores, x,
                     scratch, m);
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Each a's best b from column `shut` on; the first `protect` rows take no part. A warp a row: of
 * equal scores the first column wins, and not-a-number never does. */
static __device__ void best_of_rows(const match_work &w, const float *scores, int n_a, int n_b,
                                    int protect, int shut)
{
    int lane = (int)threadIdx.x & 31;
    for (int i = (int)threadIdx.x >> 5; i < n_a; i += VT_WARPS) {
        float best = -INFINITY;
        int partner = 0;
        for (int j = shut + lane; i >= protect && j < n_b; j += 32)
            if (scores[(int64_t)i * n_b + j] > best) {
                best = scores[(int64_t)i * n_b + j];
                partner = j;
            }
        for (int o = 16; o > 0; o >>= 1) {
            float other = __shfl_xor_sync(VT_FULL, best, o);
            int of_other = __shfl_xor_sync(VT_FULL, partner, o);
            bool better = other > best || (other == best && of_other < partner);
            if (better && other > -INFINITY) {
                best = other;
                partner = of_other;
            }
        }
        if (lane == 0) {
            w.best[i] = best;
            w.partner[i] = best > -INFINITY ? partner : 0;
        }
    }
    __syncthreads();
}

/* Each b's best a among the kept ones; the partner is an index of kept. */
static __device__ void best_of_columns(const match_work &w, const float *scores, int n_b,
                                       int n_kept, int protect)
{
    for (int j = (int)threadIdx.x; j < n_b; j += VT_THREADS) {
        float best = -INFINITY;
        int partner = 0;
        for (int k = 0; k < n_kept; k++) {
            float score = scores[(int64_t)w.kept[k] * n_b + j];
            if (w.kept[k] >= protect && score > best) {
                best = score;
                partner = k;
            }
        }
        w.best[j] = best;
        w.partner[j] = partner;
    }
    __syncthreads();
}

/* rank[i] = how many of n candidates come before candidate i. */
static __device__ void rank_all(const match_work &w, int n)
{
    for (int i = (int)threadIdx.x; i < n; i += VT_THREADS) {
        float score = w.best[i];
        int rank = 0;
        for (int j = 0; j < n; j++)
            rank += w.best[j] > score || (w.best[j] == score && j < i);
        w.rank[i] = rank;
    }
    __syncthreads();
}

/* How many a's before a are kept, those with rank `merged` and more. */
static __device__ __forceinline__ int kept_before(const match_work &w, int a, int merged)
{
    int n = 0;
    for (int j = 0; j < a; j++)
        n += w.rank[j] >= merged;
    return n;
}

/* ---- ToMe ------------------------------------------------------------------------------------ */

static __global__ void tome_kernel(int32_t *assigns, const float *all_scores, void *scratch,
                                   vt_match m)
{
    int64_t b = blockIdx.x;
    int n_a = (int)(m.tokens + 1) / 2, n_b = (int)m.tokens / 2, merged = (int)m.merged;
    int n_kept = n_a - merged;
    match_work w = work_of(scratch, b, m.tokens);
    int32_t *assign = assigns + b * m.tokens;
    best_of_rows(w, all_scores + b * n_a * n_b, n_a, n_b, m.protect, m.distill);
    rank_all(w, n_a);
    /* with a distillation token the first b stands second */
    int second = m.distill && n_kept > 0 && n_b > 0;
    for (int i = (int)threadIdx.x; i < n_a; i += VT_THREADS) {
        if (w.rank[i] < merged)
            continue;
        int place = m.protect ? kept_before(w, i, merged) : w.rank[i] - merged;
        assign[2 * i] = place + (second && place > 0);
    }
    for (int j = (int)threadIdx.x; j < n_b; j += VT_THREADS)
        assign[2 * j + 1] = second && j == 0 ? 1 : n_kept + j;
    __syncthreads();
    for (int i = (int)threadIdx.x; i < n_a; i += VT_THREADS)
        if (w.rank[i] < merged)
            assign[2 * i] = assign[2 * w.partner[i] + 1];
}

/* ---- MCTF ------------------------------------------------------------------------------------ */

/* b's are placed before the a's that went into them, which may be carried along to an a. */
static __global__ void mctf_kernel(int32_t *assigns, const float *all_scores, void *scratch,
                                   vt_match m)
{
    int64_t b = blockIdx.x;
    int n_a = (int)(m.tokens + 1) / 2, n_b = (int)m.tokens / 2;
    int merged_a = (int)(m.bidirectional ? m.merged / 2 : m.merged);
    int merged_b = (int)m.merged - merged_a, n_kept = n_a - merged_a;
    match_work w = work_of(scratch, b, m.tokens);
    const float *scores = all_scores + b * n_a * n_b;
    int32_t *assign = assigns + b * m.tokens;
    best_of_rows(w, scores, n_a, n_b, m.protect, 0);
    rank_all(w, n_a);
    for (int i = (int)threadIdx.x; i < n_a; i += VT_THREADS) {
        bool stays = w.rank[i] >= merged_a;
        int place = stays ? kept_before(w, i, merged_a) : -1;
        w.target[i] = stays ? -1 : w.partner[i];
        assign[2 * i] = place;
        if (stays)
            w.kept[place] = i;
    }
    __syncthreads();
    if (m.bidirectional) {
        best_of_columns(w, scores, n_b, n_kept, m.protect);
        rank_all(w, n_b);
    }
    for (int j = (int)threadIdx.x; j < n_b; j += VT_THREADS) {
        int place = m.bidirectional ? w.rank[j] : j;
        assign[2 * j + 1] = place < merged_b ? w.partner[j] : n_kept + place - merged_b;
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < n_a; i += VT_THREADS)
        if (w.target[i] >= 0)
            assign[2 * i] = assign[2 * w.target[i] + 1];
}

/* ---- launches -------------------------------------------------------------------------------- */

extern "C" int64_t vt_match_scratch(int64_t batch, int64_t tokens)
{
    return (int64_t)sizeof(float) * batch * work_count(tokens);
}

extern "C" int vt_tome_match(int32_t *assign, float *scores, const float *x, void *scratch,
                             struct vt_match m, cudaStream_t stream)
{
    int code = launch_scores<plain_cosine>(scores, x, scratch, m, stream);
    if (code)
        return code;
    return VT_LAUNCH(tome_kernel, dim3((unsigned)m.batch), dim3(VT_THREADS), 0, stream, assign,
                     scores, scratch, m);
}

extern "C" int vt_mctf_match(int32_t *assign, float *scores, const float *x, const float *received,
                             const float *sizes, void *scratch, struct vt_match m,
                             cudaStream_t stream)
{
    int code = VT_LAUNCH(criteria_kernel, dim3((unsigned)m.batch), dim3(VT_THREADS), 0, stream,
                         scratch, received, sizes, m);
    if (!code)
        code = launch_scores<many_criteria>(scores, x, scratch, m, stream);
    if (code)
        return code;
    return VT_LAUNCH(mctf_kernel, dim3((unsigned)m.batch), dim3(VT_THREADS), 0, stream, assign,
                     scores, scratch, m);
}
