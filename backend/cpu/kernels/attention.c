/* Multi-head attention, forward and backward. Scores exist for one tile of queries of one head at a
 * time. */
#include "backend/cpu/kernels/math.h"
#include "backend/cpu/kernels/product.h"

enum { TILE = 64 }; /* queries */

/* Where the operands lie. Leading dimensions and batch strides are in elements; head h begins at
 * column h * dim (or h * value_dim). */
struct operands {
    struct attention_size s;
    int64_t ldq, ldk, ldv, ldo;
    real scale;
    int has_bias;
};

static struct operands operands_of(const struct node *n)
{
    const struct attention_attr *a = n->attr;
    struct operands o = {.s = op_attention_size(n), .scale = (real)a->scale};
    o.ldq = shape_last(n->in[0]->shape);
    o.ldk = a->packed ? o.ldq : shape_last(n->in[1]->shape);
    o.ldv = a->packed ? o.ldq : shape_last(n->in[2]->shape);
    o.ldo = o.s.heads * o.s.value_dim;
    o.has_bias = a->has_bias;
    return o;
}

/* Base addresses of q, k, v (or their gradients) in separate tensors or in one packed one. */
static void split(real *qkv[3], void *const *from, const struct node *n)
{
    const struct attention_attr *a = n->attr;
    int64_t width = a->packed ? shape_last(n->in[0]->shape) / 3 : 0;
    for (int i = 0; i < 3; i++)
        qkv[i] = a->packed ? (real *)from[0] + i * width : from[i];
}

static int bias_index(const struct node *n)
{
    const struct attention_attr *a = n->attr;
    return a->packed ? 1 : 3;
}

/* One head of one batch element. */
struct head {
    const real *q, *k, *v, *bias;
};

static struct head head_of(const struct operands *o, real *const qkv[3], const real *bias,
                           int64_t b, int64_t h)
{
    const struct attention_size *s = &o->s;
    return (struct head){
        qkv[0] + b * s->queries * o->ldq + h * s->dim, qkv[1] + b * s->keys * o->ldk + h * s->dim,
        qkv[2] + b * s->keys * o->ldv + h * s->value_dim, o->has_bias ? bias + b * s->keys : NULL};
}

/* scores (rows, keys) = scale q k^T + bias, for queries first .. first+rows-1 */
static void scores_of(real *scores, const struct operands *o, const struct head *x, int64_t first,
                      int64_t rows)
{
    int64_t n = o->s.keys;
    for (int64_t r = 0; x->bias && r < rows; r++)
        memcpy(scores + r * n, x->bias, sizeof(real) * (size_t)n);
    KERNEL(product)
    (scores, n, (struct operand){x->q + first * o->ldq, o->ldq, 0},
     (struct operand){x->k, o->ldk, 1}, rows, n, o->s.dim, o->scale, x->bias != NULL);
}

/* Softmax of a row in place; returns the log of the sum of exponentials. */
static real softmax_row(real *x, int64_t n)
{
    real top = x[0], sum = 0;
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        real e = math_exp(x[i] - top);
        x[i] = e;
        sum += e;
    }
    real share = 1 / sum;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        x[i] *= share;
    return top + math_log(sum);
}

struct kernel_memory KERNEL(attention_memory)(const struct node *n)
{
    struct attention_size s = op_attention_size(n);
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)(TILE * s.keys)};
}

void KERNEL(attention)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const struct attention_size *s = &o.s;
    real *qkv[3], *out = c->out[0], *lse = c->out[1];
    const real *bias = o.has_bias ? c->in[bias_index(c->node)] : NULL;
    split(qkv, c->in, c->node);
    int64_t tiles = ceil_div(s->queries, TILE);
    KERNEL_FOR_BLOCKS(c, i, s->batch * s->heads * tiles)
    {
        int64_t h = i / tiles % s->heads, b = i / tiles / s->heads, first = i % tiles * TILE;
        int64_t rows = min_i64(TILE, s->queries - first);
        struct head x = head_of(&o, qkv, bias, b, h);
        real *p = kernel_work(c);
        scores_of(p, &o, &x, first, rows);
        for (int64_t r = 0; r < rows; r++)
            lse[(b * s->heads + h) * s->queries + first + r] =
                softmax_row(p + r * s->keys, s->keys);
        KERNEL(product)
        (out + (b * s->queries + first) * o.ldo + h * s->value_dim, o.ldo,
         (struct operand){p, s->keys, 0}, (struct operand){x.v, o.ldv, 0}, rows, s->value_dim,
         s->keys, 1, 0);
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

struct kernel_memory KERNEL(attention_grad_memory)(const struct node *n)
{
    struct attention_size s = op_attention_size(n);
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)(2 * TILE * s.keys)};
}

/* p = exp(scores - lse), in place. */
static void probabilities(real *p, const real *lse, int64_t rows, int64_t n)
{
    for (int64_t r = 0; r < rows; r++) {
        real *x = p + r * n, shift = lse[r];
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            x[i] = math_exp(x[i] - shift);
    }
}

static real dot(const real *x, const real *y, int64_t n)
{
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = 0; i < n; i++)
        s += x[i] * y[i];
    return s;
}

/* dscores = p (dp - sum(dp p)), in place of dp; the sum is out . dout. */
static void scores_grad(real *dp, const real *p, const real *out, const real *dout, int64_t ldo,
                        int64_t rows, const struct attention_size *s)
{
    for (int64_t r = 0; r < rows; r++) {
        real delta = dot(out + r * ldo, dout + r * ldo, s->value_dim);
        real *d = dp + r * s->keys;
        const real *x = p + r * s->keys;
#pragma omp simd
        for (int64_t i = 0; i < s->keys; i++)
            d[i] = x[i] * (d[i] - delta);
    }
}

struct gradients {
    real *q, *k, *v;
    const real *out, *dout, *lse;
};

static void head_grad(const struct operands *o, const struct head *x, const struct gradients *g,
                      real *work)
{
    const struct attention_size *s = &o->s;
    real *p = work, *dp = work + TILE * s->keys;
    for (int64_t first = 0; first < s->queries; first += TILE) {
        int64_t rows = min_i64(TILE, s->queries - first);
        const real *dout = g->dout + first * o->ldo;
        struct operand down = {dout, o->ldo, 0};
        scores_of(p, o, x, first, rows);
        probabilities(p, g->lse + first, rows, s->keys);
        KERNEL(product)
        (g->v, o->ldv, (struct operand){p, s->keys, 1}, down, s->keys, s->value_dim, rows, 1,
         first > 0);
        KERNEL(product)
        (dp, s->keys, down, (struct operand){x->v, o->ldv, 1}, rows, s->keys, s->value_dim, 1, 0);
        scores_grad(dp, p, g->out + first * o->ldo, dout, o->ldo, rows, s);
        KERNEL(product)
        (g->q + first * o->ldq, o->ldq, (struct operand){dp, s->keys, 0},
         (struct operand){x->k, o->ldk, 0}, rows, s->dim, s->keys, o->scale, 0);
        KERNEL(product)
        (g->k, o->ldk, (struct operand){dp, s->keys, 1},
         (struct operand){x->q + first * o->ldq, o->ldq, 0}, s->keys, s->dim, rows, o->scale,
         first > 0);
    }
}

void KERNEL(attention_grad)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const struct attention_size *s = &o.s;
    int n_in = c->node->n_in;
    real *qkv[3], *dqkv[3];
    const real *out = c->in[n_in - 3], *lse = c->in[n_in - 2], *dout = c->in[n_in - 1];
    const real *bias = o.has_bias ? c->in[bias_index(c->node)] : NULL;
    split(qkv, c->in, c->node);
    split(dqkv, c->out, c->node);
    KERNEL_FOR_BLOCKS(c, i, s->batch * s->heads)
    {
        int64_t h = i % s->heads, b = i / s->heads;
        struct head x = head_of(&o, qkv, bias, b, h), d = head_of(&o, dqkv, bias, b, h);
        int64_t start = b * s->queries * o.ldo + h * s->value_dim;
        struct gradients g = {(real *)d.q, (real *)d.k,  (real *)d.v,
                              out + start, dout + start, lse + i * s->queries};
        head_grad(&o, &x, &g, kernel_work(c));
    }
}
