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

/* ---- many labels, some ignored --------------------------------------------------------------- */

struct label_sum {
    double loss;
    int64_t counted;
};

static int64_t label_blocks(const struct node *n, int64_t *block)
{
    *block = rows_a_block(shape_last(n->in[0]->shape));
    return ceil_div(shape_rows(n->in[0]->shape), *block);
}

static int counts(const struct label_loss_attr *a, int32_t label, int64_t row, int64_t classes)
{
    if (label == a->ignore)
        return 0;
    if (label < 0 || label >= classes)
        BUG("label %d of row %lld is not one of %lld classes", label, (long long)row,
            (long long)classes);
    return 1;
}

static double label_loss(const struct label_loss_attr *a, const real *x, int32_t label,
                         int64_t classes)
{
    double lse = (double)log_sum(x, classes), mean = 0;
    for (int64_t k = 0; a->smoothing > 0 && k < classes; k++)
        mean += (lse - (double)x[k]) / (double)classes;
    return (1 - a->smoothing) * (lse - (double)x[label]) + a->smoothing * mean;
}

struct kernel_memory KERNEL(label_cross_entropy_memory)(const struct node *n)
{
    int64_t block;
    return (struct kernel_memory){.shared =
                                      sizeof(struct label_sum) * (size_t)label_blocks(n, &block)};
}

void KERNEL(label_cross_entropy)(const struct kernel_call *c)
{
    const struct label_loss_attr *a = c->node->attr;
    struct shape s = c->node->in[0]->shape;
    int64_t rows = shape_rows(s), classes = shape_last(s), block;
    int64_t blocks = label_blocks(c->node, &block);
    const real *logits = c->in[0];
    const int32_t *labels = c->in[1];
    struct label_sum *sums = c->scratch, total = {0, 0};
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        struct label_sum sum = {0, 0};
        for (int64_t r = b * block; r < min_i64(rows, (b + 1) * block); r++) {
            if (!counts(a, labels[r], r, classes))
                continue;
            sum.loss += label_loss(a, logits + r * classes, labels[r], classes);
            sum.counted++;
        }
        sums[b] = sum;
    }
    for (int64_t b = 0; b < blocks; b++) {
        total.loss += sums[b].loss;
        total.counted += sums[b].counted;
    }
    int64_t by = a->over_all ? rows : max_i64(1, total.counted);
    *(real *)c->out[0] = (real)(total.loss / (double)by);
}

struct kernel_memory KERNEL(label_cross_entropy_grad_memory)(const struct node *n)
{
    return KERNEL(label_cross_entropy_memory)(n);
}

static int64_t count_labels(const struct kernel_call *c, int64_t blocks, int64_t block)
{
    const struct label_loss_attr *a = c->node->attr;
    int64_t rows = shape_rows(c->node->in[0]->shape), total = 0;
    const int32_t *labels = c->in[1];
    struct label_sum *sums = c->scratch;
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        sums[b].counted = 0;
        for (int64_t r = b * block; r < min_i64(rows, (b + 1) * block); r++)
            sums[b].counted += labels[r] != a->ignore;
    }
    for (int64_t b = 0; b < blocks; b++)
        total += sums[b].counted;
    return max_i64(1, total);
}

void KERNEL(label_cross_entropy_grad)(const struct kernel_call *c)
{
    const struct label_loss_attr *a = c->node->attr;
    struct shape s = c->node->in[0]->shape;
    int64_t rows = shape_rows(s), classes = shape_last(s), block;
    int64_t blocks = label_blocks(c->node, &block);
    const int32_t *labels = c->in[1];
    int64_t by = a->over_all ? rows : count_labels(c, blocks, block);
    real scale = *(const real *)c->in[2] / (real)by, on = (real)(1 - a->smoothing),
         off = (real)(a->smoothing / (double)classes);
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        for (int64_t r = b * block; r < min_i64(rows, (b + 1) * block); r++) {
            const real *x = (const real *)c->in[0] + r * classes;
            real *dx = (real *)c->out[0] + r * classes;
            if (!counts(a, labels[r], r, classes)) {
                memset(dx, 0, sizeof(real) * (size_t)classes);
                continue;
            }
            real lse = log_sum(x, classes);
#pragma omp simd
            for (int64_t k = 0; k < classes; k++)
                dx[k] = scale * (math_exp(x[k] - lse) - off);
            dx[labels[r]] -= scale * on;
        }
    }
}
