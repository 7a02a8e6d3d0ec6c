/* Stochastic depth, the gradient norm, AdamW. */
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

/* ---- AdamW ----------------------------------------------------------------------------------- */

/* What is the same for all elements. */
struct adamw {
    real decay, clip, beta1, beta2, new1, new2, rate, root, eps;
};

static struct adamw adamw_of(const real *hyper, real norm_square)
{
    double norm = sqrt((double)norm_square), clip = (double)hyper[HYPER_CLIP];
    double lr = (double)hyper[HYPER_LR], t = (double)hyper[HYPER_T];
    double beta1 = 1 - (double)hyper[HYPER_NEW1], beta2 = 1 - (double)hyper[HYPER_NEW2];
    struct adamw a = {
        .decay = (real)(1 - lr * (double)hyper[HYPER_DECAY]),
        .clip = clip > 0 && norm + 1e-6 > clip ? (real)(clip / (norm + 1e-6)) : 1,
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

static void adamw_run(const struct adamw *o, real *p, real *m, real *v, const real *g, int64_t n)
{
    struct adamw a = *o;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        real d = a.clip * g[i];
        m[i] = a.beta1 * m[i] + a.new1 * d;
        v[i] = a.beta2 * v[i] + a.new2 * d * d;
        p[i] = a.decay * p[i] - a.rate * m[i] / (math_sqrt(v[i]) * a.root + a.eps);
    }
}

void KERNEL(adamw)(const struct kernel_call *c)
{
    int64_t n = shape_count(c->node->in[0]->shape);
    struct adamw a = adamw_of(c->in[5], *(const real *)c->in[4]);
    real *p = c->in[0], *m = c->in[1], *v = c->in[2];
    const real *g = c->in[3];
    KERNEL_FOR_BLOCKS(c, b, ceil_div(n, KERNEL_BLOCK))
    {
        int64_t i = b * KERNEL_BLOCK;
        adamw_run(&a, p + i, m + i, v + i, g + i, min_i64(KERNEL_BLOCK, n - i));
    }
}
