/* The own kernels of products at sizes that fit no tile, against plain loops in double: all
 * transposes, gaps between rows, addresses that fit nothing, batches, residual, bias, sums, every
 * epilogue; then again from a captured graph, to the same bits. tests/sim/test_products.sh runs it.
 */
#include "backend/cuda/kernels/launch.h"

#include <initializer_list>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t sizes[] = {1, 7, 49, 64, 65, 129, 197};

enum { SIZES = sizeof sizes / sizeof *sizes, CASES = 36, MOST_WORK = 300000, SPARE = 8 };

struct way {
    const char *name;
    int (*multiply)(const struct vt_gemm *g, cudaStream_t stream);
    bool half, tf32, has_large;
};

static const way ways[] = {{"fp32", vt_gemm_fp32, false, false, false},
                           {"tf32", vt_gemm_tf32, false, true, true},
                           {"bf16", vt_gemm_bf16, true, false, true}};

/* ---- numbers --------------------------------------------------------------------------------- */

static uint64_t state;

static int64_t draw(int64_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(state >> 33) % n;
}

static float to_half(float x)
{
    return __bfloat162float(__float2bfloat16(x));
}

static float to_tf32(float x)
{
    return __uint_as_float((__float_as_uint(x) + 0x1000u) & ~0x1fffu);
}

/* An array on both sides, of floats that bf16 holds where half. The host's copy begins at the first
 * value, the device's so many elements after a multiple of 16 bytes. */
struct array {
    float *host;
    char *memory;
    int64_t count, shift;
    bool half;
    size_t size() const
    {
        return half ? 2 : 4;
    }
    void *device() const
    {
        return memory ? memory + size() * (size_t)shift : nullptr;
    }
};

static void send(const array &a)
{
    char *copy = static_cast<char *>(malloc(a.size() * (size_t)a.count));
    for (int64_t i = 0; i < a.count; i++) {
        __nv_bfloat16 x = __float2bfloat16(a.host[i]);
        memcpy(copy + a.size() * (size_t)i, a.half ? (const void *)&x : &a.host[i], a.size());
    }
    cudaMemcpy(a.device(), copy, a.size() * (size_t)a.count, cudaMemcpyHostToDevice);
    free(copy);
}

static array array_new(int64_t count, bool half, int64_t shift)
{
    array a = {static_cast<float *>(malloc(sizeof(float) * (size_t)count)), nullptr, count, shift,
               half};
    void *p = nullptr;
    for (int64_t i = 0; i < count; i++) {
        a.host[i] = (float)(draw(1 << 20) - (1 << 19)) / (1 << 18);
        a.host[i] = half ? to_half(a.host[i]) : a.host[i];
    }
    cudaMalloc(&p, a.size() * (size_t)(count + shift));
    a.memory = static_cast<char *>(p);
    send(a);
    return a;
}

static void array_free(array *a)
{
    free(a->host);
    cudaFree(a->memory);
    *a = {};
}

/* All of an array as it is on the device now. */
static void fetch(const array &a, float *to)
{
    char *copy = static_cast<char *>(malloc(a.size() * (size_t)a.count));
    cudaMemcpy(copy, a.device(), a.size() * (size_t)a.count, cudaMemcpyDeviceToHost);
    for (int64_t i = 0; i < a.count; i++) {
        uint32_t bits = 0;
        memcpy(&bits, copy + a.size() * (size_t)i, a.size());
        to[i] = __uint_as_float(a.half ? bits << 16 : bits);
    }
    free(copy);
}

/* ---- a case ---------------------------------------------------------------------------------- */

struct trial {
    vt_gemm g;
    array a, b, c, pre, residual, bias, sums;
    bool in_place;
};

static bool keeps(const vt_gemm &g)
{
    return g.epilogue == VT_GELU_KEEP;
}

static trial trial_new(const way &w)
{
    trial t = {};
    vt_gemm &g = t.g;
    do {
        g.m = sizes[draw(SIZES)];
        g.n = sizes[draw(SIZES)];
        g.k = sizes[draw(SIZES)];
        g.batch = draw(3) ? 1 : 2 + draw(2);
    } while (g.batch * g.m * g.n * g.k > MOST_WORK);
    g.trans_a = (int)draw(2);
    g.trans_b = (int)draw(2);
    bool even = draw(2); /* rows that begin at multiples of 16 bytes */
    int64_t gap = draw(2) ? 0 : draw(SPARE), unit = even ? 8 : 1;
    g.lda = ((g.trans_a ? g.m : g.k) + gap + unit - 1) / unit * unit;
    g.ldb = ((g.trans_b ? g.k : g.n) + gap + unit - 1) / unit * unit;
    g.ldc = (g.n + gap + unit - 1) / unit * unit;
    int64_t rows_a = g.trans_a ? g.k : g.m, rows_b = g.trans_b ? g.n : g.k;
    g.stride_a = draw(4) ? rows_a * g.lda : 0;
    g.stride_b = draw(4) ? rows_b * g.ldb : 0;
    g.stride_c = g.m * g.ldc + (even ? 0 : draw(3));
    g.epilogue = (vt_epilogue)draw(4);
    g.half_c = w.half && draw(2);
    g.half_pre = w.half && draw(2);
    g.half_v = keeps(g) ? g.half_pre : g.half_c;
    g.tile = w.has_large ? (int)(64 * draw(3)) : 0;
    g.scale = draw(2) ? 1 : 0.7f;
    int64_t shift = even || draw(2) ? 0 : 1;
    /* exactly to the last value: the sanitizer knows the end */
    t.a = array_new((g.batch - 1) * g.stride_a + (rows_a - 1) * g.lda + (g.trans_a ? g.m : g.k),
                    w.half, shift);
    t.b = array_new((g.batch - 1) * g.stride_b + (rows_b - 1) * g.ldb + (g.trans_b ? g.k : g.n),
                    w.half, shift);
    int64_t count = (g.batch - 1) * g.stride_c + (g.m - 1) * g.ldc + g.n;
    t.c = array_new(count, g.half_c, shift);
    if (keeps(g) || g.epilogue == VT_GELU_SLOPE)
        t.pre = array_new(count, g.half_pre, shift);
    if (draw(2))
        t.bias = array_new(g.n, g.half_v, shift);
    t.in_place = draw(4) == 0 && g.half_v == g.half_c;
    if (!t.in_place && draw(2))
        t.residual = array_new(count, g.half_v, shift);
    if (draw(2))
        t.sums = array_new(g.m, false, shift);
    g.a = t.a.device();
    g.b = t.b.device();
    g.c = t.c.device();
    g.pre = t.pre.device();
    g.bias = t.bias.device();
    g.residual = t.in_place ? g.c : t.residual.device();
    g.sums = static_cast<float *>(t.sums.device());
    return t;
}

static void trial_free(trial *t)
{
    array *all[] = {&t->a, &t->b, &t->c, &t->pre, &t->residual, &t->bias, &t->sums};
    for (array *a : all)
        array_free(a);
}

static double gelu(double x)
{
    return 0.5 * x * erfc(-x * M_SQRT1_2);
}

static double gelu_slope(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) / sqrt(2 * M_PI);
}

static double operand(const way &w, float x)
{
    return (double)(w.tf32 ? to_tf32(x) : x);
}

/* v of one element, and what its terms add up to in size. */
static double value(const way &w, const trial &t, int64_t i, int64_t row, int64_t col, double *size)
{
    const vt_gemm &g = t.g;
    const float *a = t.a.host + i * g.stride_a, *b = t.b.host + i * g.stride_b;
    double sum = 0, all = 0;
    for (int64_t k = 0; k < g.k; k++) {
        double term = operand(w, a[g.trans_a ? k * g.lda + row : row * g.lda + k]) *
                      operand(w, b[g.trans_b ? col * g.ldb + k : k * g.ldb + col]);
        sum += term;
        all += fabs(term);
    }
    const array &residual = t.in_place ? t.c : t.residual;
    double more = residual.host ? (double)residual.host[i * g.stride_c + row * g.ldc + col] : 0;
    more += t.bias.host ? (double)t.bias.host[col] : 0;
    *size = all + fabs(more);
    return (double)g.scale * sum + more;
}

static bool near(double got, double truth, double size, bool half)
{
    return fabs(got - truth) <= 2e-6 * size + (half ? fabs(truth) / 250 : 0) + 1e-6;
}

/* GELU's steepest slope is 1.13; v rounded to bf16 before it may be off by another step. */
static bool element_right(const way &w, const trial &t, int64_t i, int64_t row, int64_t col,
                          const float *c, const float *pre)
{
    const vt_gemm &g = t.g;
    int64_t at = i * g.stride_c + row * g.ldc + col;
    double size, v = value(w, t, i, row, col, &size), truth = v;
    double margin = g.half_v ? fabs(v) / 250 : 0;
    if (keeps(g) && !near((double)pre[at], v, size, g.half_pre))
        return false;
    if (g.epilogue == VT_PLAIN)
        return near((double)c[at], v, size, g.half_c);
    if (g.epilogue == VT_GELU_SLOPE)
        return near((double)c[at], v * gelu_slope((double)t.pre.host[at]), 2 * size, g.half_c);
    truth = gelu(keeps(g) ? (double)pre[at] : v);
    return fabs((double)c[at] - truth) <=
           4e-6 * size + (keeps(g) ? 0 : 1.2 * margin) + (g.half_c ? fabs(truth) / 250 : 0) + 1e-6;
}

/* What lies between rows and matrices is as it was. */
static bool gaps_intact(const trial &t, const float *c)
{
    const vt_gemm &g = t.g;
    for (int64_t at = 0; at < t.c.count; at++) {
        int64_t in_matrix = at % g.stride_c;
        if ((in_matrix >= g.m * g.ldc || in_matrix % g.ldc >= g.n) && c[at] != t.c.host[at])
            return false;
    }
    return true;
}

static bool sums_right(const trial &t, const float *sums)
{
    const vt_gemm &g = t.g;
    for (int64_t row = 0; row < g.m; row++) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < g.k; k++) {
            double x = (double)t.a.host[g.trans_a ? k * g.lda + row : row * g.lda + k];
            sum += x;
            size += fabs(x);
        }
        if (!near((double)sums[row], sum, size, false))
            return false;
    }
    return true;
}

static bool right(const way &w, const trial &t, const float *c, const float *pre, const float *sums)
{
    bool all = gaps_intact(t, c) && (!sums || sums_right(t, sums));
    for (int64_t i = 0; i < t.g.batch; i++)
        for (int64_t row = 0; row < t.g.m; row++)
            for (int64_t col = 0; col < t.g.n; col++)
                all = all && element_right(w, t, i, row, col, c, pre);
    return all;
}

static cudaError_t captured(const way &w, const trial &t, cudaStream_t stream)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    int code = w.multiply(&t.g, stream);
    cudaError_t end = cudaStreamEndCapture(stream, &graph);
    if (code || end != cudaSuccess || cudaGraphInstantiate(&exec, graph, 0) != cudaSuccess)
        return cudaErrorUnknown;
    cudaGraphLaunch(exec, stream);
    cudaError_t e = cudaStreamSynchronize(stream);
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    return e;
}

static float *fetched(const array &a)
{
    float *x = a.host ? static_cast<float *>(malloc(sizeof(float) * (size_t)a.count)) : nullptr;
    if (x)
        fetch(a, x);
    return x;
}

static bool same(const array &a, const float *before)
{
    float *now = fetched(a);
    bool equal = !now || !memcmp(now, before, sizeof(float) * (size_t)a.count);
    free(now);
    return equal;
}

static void tell(const way &w, const trial &t, const char *what)
{
    const vt_gemm &g = t.g;
    printf("%s (%lld,%lld,%lld) x %lld, trans %d %d, ld %lld %lld %lld, shift %lld, tile %d, "
           "epilogue %d, halves %d%d%d, %s%s%s: %s\n",
           w.name, (long long)g.m, (long long)g.n, (long long)g.k, (long long)g.batch, g.trans_a,
           g.trans_b, (long long)g.lda, (long long)g.ldb, (long long)g.ldc, (long long)t.a.shift,
           g.tile, (int)g.epilogue, g.half_c, g.half_v, g.half_pre, g.bias ? "bias " : "",
           g.residual ? "residual " : "", g.sums ? "sums" : "", what);
}

static int check(const way &w, int number, cudaStream_t stream)
{
    state = (uint64_t)number;
    for (int i = 0; i < 3; i++)
        draw(2); /* small seeds are alike at first */
    trial t = trial_new(w);
    int code = w.multiply(&t.g, stream);
    cudaStreamSynchronize(stream);
    float *c = fetched(t.c), *pre = fetched(t.pre), *sums = fetched(t.sums);
    int bad = code || !right(w, t, c, pre, sums);
    if (bad)
        tell(w, t, code ? "refused" : "wrong");
    send(t.c); /* the residual may be there */
    if (captured(w, t, stream) != cudaSuccess || !same(t.c, c) || !same(t.pre, pre) ||
        !same(t.sums, sums)) {
        bad = 1;
        tell(w, t, "captured, other bits");
    }
    free(c);
    free(pre);
    free(sums);
    trial_free(&t);
    return bad;
}

/* Long sums in single precision: the largest of 256 relative errors of sums of one sign, where
 * adding one product after the other errs by 1.5e-6. */
static int check_depth(cudaStream_t stream)
{
    enum { SIDE = 16, DEPTH = 6000 };
    array a = array_new(SIDE * DEPTH, false, 0), b = array_new(SIDE * DEPTH, false, 0);
    array c = array_new(SIDE * SIDE, false, 0);
    double worst = 0;
    for (const array *x : {&a, &b}) {
        for (int64_t i = 0; i < x->count; i++)
            x->host[i] = fabsf(x->host[i]);
        send(*x);
    }
    vt_gemm g = {};
    g.a = a.device();
    g.b = b.device();
    g.c = c.device();
    g.m = g.n = g.ldc = SIDE;
    g.k = g.lda = g.ldb = DEPTH;
    g.batch = g.trans_b = 1;
    g.scale = 1;
    int code = vt_gemm_fp32(&g, stream);
    cudaStreamSynchronize(stream);
    float *got = fetched(c);
    for (int i = 0; i < SIDE * SIDE; i++) {
        double sum = 0;
        for (int k = 0; k < DEPTH; k++)
            sum += (double)a.host[i / SIDE * DEPTH + k] * (double)b.host[i % SIDE * DEPTH + k];
        worst = fmax(worst, fabs((double)got[i] - sum) / sum);
    }
    int bad = code || !(worst < 6e-7);
    if (bad)
        printf("fp32, %d deep: relative error %.2g\n", (int)DEPTH, worst);
    free(got);
    array_free(&a);
    array_free(&b);
    array_free(&c);
    return bad;
}

/* products PARTS PART: every PARTS-th case from case PART on. */
int main(int argc, char **argv)
{
    int parts = argc == 3 ? atoi(argv[1]) : 1, part = argc == 3 ? atoi(argv[2]) : 0, bad = 0;
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    for (const way &w : ways)
        for (int i = part; i < CASES; i += parts)
            bad += check(w, i, stream);
    if (part == 0)
        bad += check_depth(stream);
    cudaStreamDestroy(stream);
    return bad != 0;
}
