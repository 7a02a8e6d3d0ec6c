/* Stochastic depth, the gradient norm, the updates of flat blocks. */
#include "backend/cpu/kernels/math.h"

#include "base/rng.h"

/* 0, or 1 / (1 - rate). */
static real keep_scale(const struct kernel_call *c, int64_t sample)
{
    const struct drop_attr *a = c->node->attr;
    struct rng r;
    rng_init_hashed(&r, c->seed, a->stream, c->step, (uint64_t)sample);
    return rng_uniform(&r) >= a->rate ? (real)(1 / (1 - a->rate)) : 0;
}

void KERNEL(drop_path)(const struct kernel_call *c)
{
    struct shape s = c->node->in[0]->shape;
    int64_t batch = s.dim[0], n = shape_count(s) / batch;
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, b, batch)
    {
        real scale = keep_scale(c, b);
#pragma omp simd
        for (int64_t i = b * n; i < (b + 1) * n; i++)
            y[i] = scale * x[i];
    }
}

/* ---- norm ------------------------------------------------------------------------------------ */

struct kernel_memory KERNEL(norm_square_memory)(const struct node *n)
{
    int64_t blocks = ceil_div(shape_count(n->in[0]->shape), KERNEL_BLOCK);
    return (struct kernel_memory){.shared = sizeof(double) * (size_t)blocks};
}

void KERNEL(norm_square)(const struct kernel_call *c)
{
    int64_t n = shape_count(c->node->in[0]->shape), blocks = ceil_div(n, KERNEL_BLOCK);
    const real *x = c->in[0];
    double *parts = c->scratch, total = 0;
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        int64_t end = min_i64(n, (b + 1) * KERNEL_BLOCK);
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = b * KERNEL_BLOCK; i < end; i++)
            sum += (double)x[i] * (double)x[i];
        parts[b] = sum;
    }
    for (int64_t b = 0; b < blocks; b++)
        total += parts[b];
    *(real *)c->out[0] = (real)total;
}

/* ---- updates --------------------------------------------------------------------------------- */

/* The factor of the gradient that keeps its norm within the limit. */
static real clip_scale(const real *hyper, real norm_square)
{
    double norm = sqrt((double)norm_square), clip = (double)hyper[HYPER_CLIP];
    return clip > 0 && norm + 1e-6 > clip ? (real)(clip / (norm + 1e-6)) : 1;
}

static int64_t decayed_until(const struct kernel_call *c, int64_t begin, int64_t end)
{
    const struct update_attr *a = c->node->attr;
    return a->decayed < begin ? begin : min_i64(a->decayed, end);
}

/* What is the same for all elements. */
struct adamw {
    real decay, clip, beta1, beta2, new1, new2, rate, root, eps;
};

static struct adamw adamw_of(const real *hyper, real norm_square)
{
    double lr = (double)hyper[HYPER_LR], t = (double)hyper[HYPER_T];
    double beta1 = 1 - (double)hyper[HYPER_NEW1], beta2 = 1 - (double)hyper[HYPER_NEW2];
    struct adamw a = {
        .decay = (real)(1 - lr * (double)hyper[HYPER_DECAY]),
        .clip = clip_scale(hyper, norm_square),
        .beta1 = (real)beta1,
        .beta2 = (real)beta2,
        .new1 = hyper[HYPER_NEW1],
        .new2 = hyper[HYPER_NEW2],
        .rate = (real)(lr / (1 - pow(beta1, t))),
        .root = (real)(1 / sqrt(1 - pow(beta2, t))),
        .eps = hyper[HYPER_EPS],
    };
    return a;
}

static void adamw_run(const struct adamw *o, real decay, real *p, real *m, real *v, const real *g,
                      int64_t n)
{
    struct adamw a = *o;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        real d = a.clip * g[i];
        m[i] = a.beta1 * m[i] + a.new1 * d;
        v[i] = a.beta2 * v[i] + a.new2 * d * d;
        p[i] = decay * p[i] - a.rate * m[i] / (math_sqrt(v[i]) * a.root + a.eps);
    }
}

void KERNEL(adamw)(const struct kernel_call *c)
{
    int64_t n = shape_count(c->node->in[0]->shape);
    const real *hyper = c->in[5], *g = c->in[3];
    struct adamw a = adamw_of(hyper, *(const real *)c->in[4]);
    real *p = c->in[0], *m = c->in[1], *v = c->in[2];
    if (!(hyper[HYPER_T] > 0))
        return;
    KERNEL_FOR_BLOCKS(c, b, ceil_div(n, KERNEL_BLOCK))
    {
        int64_t i = b * KERNEL_BLOCK, end = min_i64(n, i + KERNEL_BLOCK);
        int64_t k = decayed_until(c, i, end);
        adamw_run(&a, a.decay, p + i, m + i, v + i, g + i, k - i);
        adamw_run(&a, 1, p + k, m + k, v + k, g + k, end - k);
    }
}

struct sgd {
    real lr, clip, momentum, ahead; /* p moves by lr (d + ahead m), or lr m without Nesterov */
};

static void sgd_run(const struct sgd *o, real decay, real *p, real *m, const real *g, int64_t n)
{
    struct sgd a = *o;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        real d = a.clip * g[i] + decay * p[i];
        m[i] = a.momentum * m[i] + d;
        p[i] -= a.lr * (a.ahead > 0 ? d + a.ahead * m[i] : m[i]);
    }
}

void KERNEL(sgd)(const struct kernel_call *c)
{
    int64_t n = shape_count(c->node->in[0]->shape);
    const real *hyper = c->in[4], *g = c->in[2];
    struct sgd a = {.lr = hyper[HYPER_LR],
                    .clip = clip_scale(hyper, *(const real *)c->in[3]),
                    .momentum = hyper[HYPER_MOMENTUM],
                    .ahead = hyper[HYPER_NESTEROV] > 0 ? hyper[HYPER_MOMENTUM] : 0};
    real *p = c->in[0], *m = c->in[1];
    if (!(hyper[HYPER_T] > 0))
        return;
    KERNEL_FOR_BLOCKS(c, b, ceil_div(n, KERNEL_BLOCK))
    {
        int64_t i = b * KERNEL_BLOCK, end = min_i64(n, i + KERNEL_BLOCK);
        int64_t k = decayed_until(c, i, end);
        sgd_run(&a, hyper[HYPER_DECAY], p + i, m + i, g + i, k - i);
        sgd_run(&a, 0, p + k, m + k, g + k, end - k);
    }
}

void KERNEL(accumulate)(const struct kernel_call *c)
{
    int64_t n = shape_count(c->node->in[0]->shape);
    real *sum = c->in[0];
    const real *g = c->in[1], *hyper = c->in[2];
    int add = hyper[HYPER_ADD] > 0;
    KERNEL_FOR_BLOCKS(c, b, ceil_div(n, KERNEL_BLOCK))
    {
        int64_t end = min_i64(n, (b + 1) * KERNEL_BLOCK);
#pragma omp simd
        for (int64_t i = b * KERNEL_BLOCK; i < end; i++)
            sum[i] = add ? sum[i] + g[i] : g[i];
    }
}

void KERNEL(running_mean)(const struct kernel_call *c)
{
    int64_t n = shape_count(c->node->in[0]->shape);
    real *mean = c->in[0];
    const real *p = c->in[1], *hyper = c->in[2];
    real share = hyper[HYPER_SHARE];
    if (!(hyper[HYPER_T] > 0))
        return;
    KERNEL_FOR_BLOCKS(c, b, ceil_div(n, KERNEL_BLOCK))
    {
        int64_t end = min_i64(n, (b + 1) * KERNEL_BLOCK);
#pragma omp simd
        for (int64_t i = b * KERNEL_BLOCK; i < end; i++)
            mean[i] += share * (p[i] - mean[i]);
    }
}
