/* Cross entropy, over classes and binary. */
#include "backend/cpu/kernels/math.h"

#include <math.h>

/* The target of one sample: soft values, or a label with smoothing. */
struct target {
    const real *soft;
    int32_t label;
    real on, off; /* of the label and of every class */
};

static struct target target_of(const struct kernel_call *c, int64_t b, int64_t classes)
{
    const struct loss_attr *a = c->node->attr;
    if (c->node->in[1]->type == TENSOR_VALUE)
        return (struct target){.soft = (const real *)c->in[1] + b * classes};
    struct target t = {.label = ((const int32_t *)c->in[1])[b],
                       .on = (real)(1 - a->smoothing),
                       .off = (real)(a->smoothing / (double)classes)};
    if (t.label < 0 || t.label >= classes)
        BUG("label %d of sample %lld is not one of %lld classes", t.label, (long long)b,
            (long long)classes);
    return t;
}

static real share_of(const struct target *t, int64_t k)
{
    return t->soft ? t->soft[k] : t->off + (k == t->label ? t->on : 0);
}

static real log_sum(const real *x, int64_t n)
{
    real top = x[0], sum = 0;
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += math_exp(x[i] - top);
    return top + math_log(sum);
}

struct kernel_memory KERNEL(cross_entropy_memory)(const struct node *n)
{
    return (struct kernel_memory){.shared = sizeof(double) * (size_t)n->in[0]->shape.dim[0]};
}

void KERNEL(cross_entropy)(const struct kernel_call *c)
{
    int64_t batch = c->node->in[0]->shape.dim[0], classes = c->node->in[0]->shape.dim[1];
    const real *logits = c->in[0];
    double *losses = c->scratch, sum = 0;
    KERNEL_FOR_BLOCKS(c, b, batch)
    {
        const real *x = logits + b * classes;
        struct target t = target_of(c, b, classes);
        real lse = log_sum(x, classes);
        double loss = 0;
        for (int64_t k = 0; k < classes; k++)
            loss += (double)share_of(&t, k) * (double)(lse - x[k]);
        losses[b] = loss;
    }
    for (int64_t b = 0; b < batch; b++)
        sum += losses[b];
    *(real *)c->out[0] = (real)(sum / (double)batch);
}

void KERNEL(cross_entropy_grad)(const struct kernel_call *c)
{
    int64_t batch = c->node->in[0]->shape.dim[0], classes = c->node->in[0]->shape.dim[1];
    const real *logits = c->in[0];
    real *dlogits = c->out[0], scale = *(const real *)c->in[2] / (real)batch;
    KERNEL_FOR_BLOCKS(c, b, batch)
    {
        const real *x = logits + b * classes;
        real *dx = dlogits + b * classes;
        struct target t = target_of(c, b, classes);
        real lse = log_sum(x, classes), total = 0;
        for (int64_t k = 0; k < classes; k++)
            total += share_of(&t, k);
        for (int64_t k = 0; k < classes; k++)
            dx[k] = scale * (total * math_exp(x[k] - lse) - share_of(&t, k));
    }
}

struct kernel_memory KERNEL(bce_memory)(const struct node *n)
{
    return KERNEL(cross_entropy_memory)(n);
}

/* In double: a confident class's term is far below a float's step at 1. */
void KERNEL(bce)(const struct kernel_call *c)
{
    const struct loss_attr *a = c->node->attr;
    int64_t batch = c->node->in[0]->shape.dim[0], classes = c->node->in[0]->shape.dim[1];
    double *losses = c->scratch, sum = 0;
    KERNEL_FOR_BLOCKS(c, b, batch)
    {
        const real *logits = (const real *)c->in[0] + b * classes;
        struct target t = target_of(c, b, classes);
        double loss = 0;
        for (int64_t k = 0; k < classes; k++) {
            double x = (double)logits[k];
            loss += (x > 0 ? x : 0) - x * (double)share_of(&t, k) + log1p(exp(-fabs(x)));
        }
        losses[b] = loss;
    }
    for (int64_t b = 0; b < batch; b++)
        sum += losses[b];
    *(real *)c->out[0] = (real)(a->scale * sum / (double)batch);
}

void KERNEL(bce_grad)(const struct kernel_call *c)
{
    const struct loss_attr *a = c->node->attr;
    int64_t batch = c->node->in[0]->shape.dim[0], classes = c->node->in[0]->shape.dim[1];
    real scale = (real)a->scale * *(const real *)c->in[2] / (real)batch;
    KERNEL_FOR_BLOCKS(c, b, batch)
    {
        const real *x = (const real *)c->in[0] + b * classes;
        real *dx = (real *)c->out[0] + b * classes;
        struct target t = target_of(c, b, classes);
        for (int64_t k = 0; k < classes; k++) {
            real e = math_exp(x[k] > 0 ? -x[k] : x[k]);
            dx[k] = scale * ((x[k] > 0 ? 1 : e) / (1 + e) - share_of(&t, k));
        }
    }
}
