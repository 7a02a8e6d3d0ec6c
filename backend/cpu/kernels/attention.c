/* Multi-head attention, forward and backward. Scores exist for one tile of queries of one head at a
 * time, and transposed, keys by queries: so softmax runs down the columns without adding across a
 * vector, and every product reads its second operand as it lies in memory but for the small q and
 * dout, which are transposed once a tile. */
#include "backend/cpu/kernels/math.h"
#include "backend/cpu/kernels/mm.h"

enum {
    GROUP = 16,   /* columns that a softmax loop keeps in registers */
    FETCHED = 64, /* tokens up to which the next batch element is asked for ahead */
    TILE = 32     /* queries; columns beyond the last query are zero queries */
};

/* Sizes and where the operands lie: leading dimensions in elements; head h begins at column h * dim
 * (or h * value_dim). */
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
    real *q, *k, *v;
    const real *bias;
};

static struct head head_of(const struct operands *o, real *const qkv[3], const real *bias,
                           int64_t b, int64_t h)
{
    const struct attention_size *s = &o->s;
    return (struct head){
        qkv[0] + b * s->queries * o->ldq + h * s->dim, qkv[1] + b * s->keys * o->ldk + h * s->dim,
        qkv[2] + b * s->keys * o->ldv + h * s->value_dim, bias ? bias + b * s->keys : NULL};
}

/* A piece, one of the number of heads, of the next batch element's rows of an operand: asked for
 * while a head of this one is worked on. Long sequences need no help. */
static void fetch(const real *x, int64_t b, int64_t rows, int64_t ld, int64_t h, int64_t heads)
{
    int64_t count = rows * ld, piece = ceil_div(count, heads);
    if (rows <= FETCHED)
        kernel_prefetch(x + (b + 1) * count + h * piece, piece * (int64_t)sizeof *x);
}

static void fetch_operands(const struct operands *o, real *const qkv[3], int64_t b, int64_t h)
{
    const struct attention_size *s = &o->s;
    fetch(qkv[0], b, s->queries, o->ldq, h, s->heads);
    if (qkv[1] - qkv[0] == s->heads * s->dim) /* packed: one piece of memory */
        return;
    fetch(qkv[1], b, s->keys, o->ldk, h, s->heads);
    fetch(qkv[2], b, s->keys, o->ldv, h, s->heads);
}

/* A tile: queries first .. first+rows-1 in `cols` columns, a multiple of GROUP. */
struct tile {
    int64_t first, rows, cols;
};

static struct tile tile_at(int64_t first, int64_t queries)
{
    int64_t rows = min_i64(TILE, queries - first);
    return (struct tile){first, rows, ceil_div(rows, GROUP) * GROUP};
}

/* products (keys, cols) = k q^T, without scale and bias; qt is room for q transposed. */
static void products_of(real *products, real *qt, const struct operands *o, const struct head *x,
                        struct tile t)
{
    KERNEL(transpose)(qt, t.cols, t.cols, x->q + t.first * o->ldq, o->ldq, t.rows, o->s.dim);
    KERNEL(mm_model)
    (products, t.cols, (struct strided){x->k, o->ldk, 1}, qt, t.cols, o->s.keys, t.cols, o->s.dim,
     FROM_ZERO);
}

/* GROUP columns of products become probabilities; lse gets the logs of the sums of exponentials. */
static void softmax_group(real *x, const struct operands *o, const real *bias, int64_t ld,
                          real *lse)
{
    real top[GROUP], sum[GROUP] = {0}, scale = o->scale;
    for (int i = 0; i < GROUP; i++)
        top[i] = -INFINITY;
    for (int64_t r = 0; r < o->s.keys; r++) {
        real shift = bias ? bias[r] : 0;
#pragma omp simd
        for (int i = 0; i < GROUP; i++) {
            real score = scale * x[r * ld + i] + shift;
            x[r * ld + i] = score;
            top[i] = top[i] > score ? top[i] : score;
        }
    }
    for (int64_t r = 0; r < o->s.keys; r++)
#pragma omp simd
        for (int i = 0; i < GROUP; i++) {
            real e = math_exp(x[r * ld + i] - top[i]);
            x[r * ld + i] = e;
            sum[i] += e;
        }
#pragma omp simd
    for (int i = 0; i < GROUP; i++) {
        lse[i] = top[i] + math_log(sum[i]);
        sum[i] = 1 / sum[i];
    }
    for (int64_t r = 0; r < o->s.keys; r++)
#pragma omp simd
        for (int i = 0; i < GROUP; i++)
            x[r * ld + i] *= sum[i];
}

struct kernel_memory KERNEL(attention_memory)(const struct node *n)
{
    struct attention_size s = op_attention_size(n);
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)(TILE * (s.keys + s.dim))};
}

static void tile_forward(const struct operands *o, const struct head *x, struct tile t, real *out,
                         real *lse, real *work)
{
    real *p = work, *qt = work + TILE * o->s.keys, sums[TILE];
    products_of(p, qt, o, x, t);
    for (int64_t i = 0; i < t.cols; i += GROUP)
        softmax_group(p + i, o, x->bias, t.cols, sums + i);
    memcpy(lse + t.first, sums, sizeof(real) * (size_t)t.rows);
    KERNEL(mm_model)
    (out + t.first * o->ldo, o->ldo, (struct strided){p, 1, t.cols}, x->v, o->ldv, t.rows,
     o->s.value_dim, o->s.keys, FROM_ZERO);
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
        int64_t h = i / tiles % s->heads, b = i / tiles / s->heads;
        struct head x = head_of(&o, qkv, bias, b, h);
        if (i % tiles == 0)
            fetch_operands(&o, qkv, b, h);
        tile_forward(&o, &x, tile_at(i % tiles * TILE, s->queries),
                     out + b * s->queries * o.ldo + h * s->value_dim,
                     lse + (b * s->heads + h) * s->queries, kernel_work(c));
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

struct kernel_memory KERNEL(attention_grad_memory)(const struct node *n)
{
    struct attention_size s = op_attention_size(n);
    int64_t wide = max_i64(s.dim, s.value_dim);
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)(TILE * (2 * s.keys + wide))};
}

/* For GROUP columns: products p become probabilities exp(score - lse), and their gradients dp
 * become those of the products, scale p (dp - sum(p dp)). */
static void softmax_group_grad(real *p, real *dp, const struct operands *o, const real *bias,
                               int64_t ld, const real *lse)
{
    real sum[GROUP] = {0}, scale = o->scale;
    for (int64_t r = 0; r < o->s.keys; r++) {
        real shift = bias ? bias[r] : 0;
#pragma omp simd
        for (int i = 0; i < GROUP; i++) {
            real e = math_exp(scale * p[r * ld + i] + shift - lse[i]);
            p[r * ld + i] = e;
            sum[i] += e * dp[r * ld + i];
        }
    }
    for (int64_t r = 0; r < o->s.keys; r++)
#pragma omp simd
        for (int i = 0; i < GROUP; i++)
            dp[r * ld + i] = scale * p[r * ld + i] * (dp[r * ld + i] - sum[i]);
}

/* Gradients of one head: first tile writes dk and dv, the others add. */
static void tile_backward(const struct operands *o, const struct head *x, const struct head *d,
                          struct tile t, const real *dout, const real *lse, real *work)
{
    int64_t n = o->s.keys, dim = o->s.dim, value_dim = o->s.value_dim;
    struct start from = {.add = t.first > 0};
    real *p = work, *dp = p + TILE * n, *turned = dp + TILE * n, sums[TILE] = {0};
    const real *down = dout + t.first * o->ldo;
    memcpy(sums, lse + t.first, sizeof(real) * (size_t)t.rows);

    products_of(p, turned, o, x, t);
    KERNEL(transpose)(turned, t.cols, t.cols, down, o->ldo, t.rows, value_dim);
    KERNEL(mm_model)
    (dp, t.cols, (struct strided){x->v, o->ldv, 1}, turned, t.cols, n, t.cols, value_dim,
     FROM_ZERO);
    for (int64_t i = 0; i < t.cols; i += GROUP)
        softmax_group_grad(p + i, dp + i, o, x->bias, t.cols, sums + i);

    KERNEL(mm_model)
    (d->v, o->ldv, (struct strided){p, t.cols, 1}, down, o->ldo, n, value_dim, t.rows, from);
    KERNEL(mm_model)
    (d->q + t.first * o->ldq, o->ldq, (struct strided){dp, 1, t.cols}, x->k, o->ldk, t.rows, dim, n,
     FROM_ZERO);
    KERNEL(mm_model)
    (d->k, o->ldk, (struct strided){dp, t.cols, 1}, x->q + t.first * o->ldq, o->ldq, n, dim, t.rows,
     from);
}

void KERNEL(attention_grad)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const struct attention_size *s = &o.s;
    int n_in = c->node->n_in;
    real *qkv[3], *dqkv[3];
    const real *lse = c->in[n_in - 2], *dout = c->in[n_in - 1];
    const real *bias = o.has_bias ? c->in[bias_index(c->node)] : NULL;
    split(qkv, c->in, c->node);
    split(dqkv, c->out, c->node);
    KERNEL_FOR_BLOCKS(c, i, s->batch * s->heads)
    {
        int64_t h = i % s->heads, b = i / s->heads;
        struct head x = head_of(&o, qkv, bias, b, h), d = head_of(&o, dqkv, NULL, b, h);
        const real *down = dout + b * s->queries * o.ldo + h * s->value_dim;
        fetch_operands(&o, qkv, b, h);
        fetch(dout, b, s->queries, o.ldo, h, s->heads);
        for (int64_t first = 0; first < s->queries; first += TILE)
            tile_backward(&o, &x, &d, tile_at(first, s->queries), down, lse + i * s->queries,
                          kernel_work(c));
    }
}
