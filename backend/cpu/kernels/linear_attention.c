/* Linear attention, forward and backward. A unit of work is a group of neighbouring heads of one
 * batch element, several where one head's features do not fill a vector: phi runs over whole rows
 * of the group. */
#include "backend/cpu/kernels/math.h"
#include "backend/cpu/kernels/mm.h"

enum { WIDE = 16 /* features that a group should have */ };

/* Sizes, leading dimensions of the token-major operands, and the group. */
struct operands {
    struct attention_size s;
    int64_t ldq, ldv;     /* of q and k, of v and out */
    int64_t heads, width; /* of a group; its features */
    real eps;
};

static struct operands operands_of(const struct node *n)
{
    const struct linear_attention_attr *a = n->attr;
    struct operands o = {.s = op_linear_attention_size(n), .eps = (real)a->eps};
    o.ldq = o.s.heads * o.s.dim;
    o.ldv = o.s.heads * o.s.value_dim;
    o.heads = 1;
    while (o.heads < o.s.heads && (o.heads * o.s.dim < WIDE || o.s.heads % o.heads))
        o.heads++;
    o.width = o.heads * o.s.dim;
    return o;
}

static int64_t units(const struct operands *o)
{
    return o->s.batch * (o->s.heads / o->heads);
}

/* Where unit i begins in its operands. */
struct origin {
    int64_t q, k, v, out, kv, ksum;
};

static struct origin origin_of(const struct operands *o, int64_t i)
{
    const struct attention_size *s = &o->s;
    int64_t groups = s->heads / o->heads, b = i / groups, h = i % groups * o->heads;
    return (struct origin){
        .q = b * s->queries * o->ldq + h * s->dim,
        .k = b * s->keys * o->ldq + h * s->dim,
        .v = b * s->keys * o->ldv + h * s->value_dim,
        .out = b * s->queries * o->ldv + h * s->value_dim,
        .kv = (b * s->heads + h) * s->dim * s->value_dim,
        .ksum = (b * s->heads + h) * s->dim,
    };
}

/* The next unit's part of an operand with `count` elements a batch element, where a unit is all
 * heads of one. One of `parts` pieces, so that asking for it does not hold up the work. */
static void fetch(const real *x, int64_t count, const struct operands *o, int64_t part,
                  int64_t parts)
{
    int64_t piece = ceil_div(count, parts), start = part * piece;
    if (o->heads == o->s.heads)
        kernel_prefetch(x + count + start, min_i64(piece, count - start) * (int64_t)sizeof *x);
}

/* y (rows, width), packed = phi(x) */
static void phi_rows(real *y, const real *x, int64_t ld, int64_t rows, int64_t width)
{
    if (ld == width) {
        width *= rows;
        rows = 1;
    }
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            y[r * width + i] = math_phi(x[r * ld + i]);
}

static void sum_rows(real *y, const real *x, int64_t rows, int64_t width)
{
    memset(y, 0, sizeof(real) * (size_t)width);
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            y[i] += x[r * width + i];
}

/* Queries are worked on transposed, features by queries, so that loops over queries fill vectors.
 * Columns beyond the last query are zero queries. */
static int64_t padded(const struct operands *o)
{
    return ceil_div(o->s.queries, WIDE) * WIDE;
}

/* inverse (padded) = 1 / (phi . ksum + eps) for one head; phi (dim, padded). */
static void normalisers(real *inverse, const real *phi, const real *ksum, const struct operands *o)
{
    int64_t n = padded(o);
    for (int64_t m = 0; m < n; m++)
        inverse[m] = o->eps;
    for (int64_t i = 0; i < o->s.dim; i++)
#pragma omp simd
        for (int64_t m = 0; m < n; m++)
            inverse[m] += phi[i * n + m] * ksum[i];
#pragma omp simd
    for (int64_t m = 0; m < n; m++)
        inverse[m] = 1 / inverse[m];
}

/* y (dim, padded) = phi * inverse */
static void normalise(real *y, const real *phi, const real *inverse, const struct operands *o)
{
    int64_t n = padded(o);
    for (int64_t i = 0; i < o->s.dim; i++)
#pragma omp simd
        for (int64_t m = 0; m < n; m++)
            y[i * n + m] = phi[i * n + m] * inverse[m];
}

/* phi (width, padded) of the group's queries. */
static void phi_queries(real *phi, const real *q, const struct operands *o)
{
    KERNEL(transpose)(phi, padded(o), padded(o), q, o->ldq, o->s.queries, o->width);
    phi_rows(phi, phi, padded(o), o->width, padded(o));
}

struct kernel_memory KERNEL(linear_attention_memory)(const struct node *n)
{
    struct operands o = operands_of(n);
    int64_t count = max_i64(o.s.keys, padded(&o)) * o.width + padded(&o);
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)count};
}

struct forward {
    const real *q, *k, *v;
    real *out, *kv, *ksum;
};

static void group_forward(const struct operands *o, const struct forward *x, real *work)
{
    const struct attention_size *s = &o->s;
    int64_t f = s->dim, e = s->value_dim, n = padded(o);
    real *inverse = work, *phi = work + n;
    phi_rows(phi, x->k, o->ldq, s->keys, o->width);
    sum_rows(x->ksum, phi, s->keys, o->width);
    for (int64_t h = 0; h < o->heads; h++) {
        fetch(x->v, s->keys * o->ldv, o, h, o->heads);
        KERNEL(mm)
        (x->kv + h * f * e, e, (struct strided){phi + h * f, 1, o->width}, x->v + h * e, o->ldv, f,
         e, s->keys, FROM_ZERO);
    }
    phi_queries(phi, x->q, o);
    for (int64_t h = 0; h < o->heads; h++) {
        real *at = phi + h * f * n;
        fetch(x->k, s->keys * o->ldq, o, h, o->heads);
        fetch(x->q, s->queries * o->ldq, o, h, o->heads);
        normalisers(inverse, at, x->ksum + h * f, o);
        normalise(at, at, inverse, o);
        KERNEL(mm)
        (x->out + h * e, o->ldv, (struct strided){at, 1, n}, x->kv + h * f * e, e, s->queries, e, f,
         FROM_ZERO);
    }
}

void KERNEL(linear_attention)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const real *q = c->in[0], *k = c->in[1], *v = c->in[2];
    real *out = c->out[0], *kv = c->out[1], *ksum = c->out[2];
    KERNEL_FOR_BLOCKS(c, i, units(&o))
    {
        struct origin at = origin_of(&o, i);
        struct forward x = {q + at.q, k + at.k, v + at.v, out + at.out, kv + at.kv, ksum + at.ksum};
        group_forward(&o, &x, kernel_work(c));
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

/* With z_m = phi(q_m) . ksum + eps, r_m = phi(q_m) / z_m, g_m = kv dout_m and w_m = r_m . g_m =
 * out_m . dout_m: dphi(q_m) = (g_m - w_m ksum) / z_m dkv = sum_m r_m^T dout_m,     dksum = - sum_m
 * w_m r_m dphi(k_n) = dkv v_n + dksum,  dv_n = phi(k_n) dkv and the slope of phi is min(phi, 1). */
struct backward {
    const real *q, *k, *v, *kv, *ksum, *dout;
    real *dq, *dk, *dv;
};

/* Private memory: phi of queries or keys; of the queries also r, and g (width, padded); inverse and
 * w (padded); a transpose and dkv (heads, value_dim, dim); dksum (width). */
struct kernel_memory KERNEL(linear_attention_grad_memory)(const struct node *n)
{
    struct operands o = operands_of(n);
    int64_t count = (max_i64(o.s.keys, padded(&o)) + 2 * padded(&o) + 1) * o.width +
                    2 * padded(&o) + 2 * o.width * o.s.value_dim;
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)count};
}

static real slope(real phi)
{
    return phi < 1 ? phi : 1;
}

/* dq of one head, transposed, in place of g; dksum. w is room for one value a query. */
static void query_grad(real *g, real *dksum, real *w, const real *phi, const real *r,
                       const real *inverse, const real *ksum, const struct operands *o)
{
    int64_t n = padded(o);
    memset(w, 0, sizeof(real) * (size_t)n);
    for (int64_t i = 0; i < o->s.dim; i++)
#pragma omp simd
        for (int64_t m = 0; m < n; m++)
            w[m] += r[i * n + m] * g[i * n + m];
    for (int64_t i = 0; i < o->s.dim; i++) {
        real sum = 0, weight = ksum[i];
#pragma omp simd reduction(+ : sum)
        for (int64_t m = 0; m < n; m++) {
            sum += w[m] * r[i * n + m];
            g[i * n + m] = inverse[m] * (g[i * n + m] - w[m] * weight) * slope(phi[i * n + m]);
        }
        dksum[i] = -sum;
    }
}

static void through_phi(real *d, int64_t ld, const real *phi, int64_t rows, int64_t width)
{
    if (ld == width) {
        width *= rows;
        rows = 1;
    }
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            d[r * ld + i] *= slope(phi[r * width + i]);
}

/* Where the private memory's parts begin. */
struct parts {
    real *phi, *r, *g, *inverse, *w, *turned, *dkv, *dksum;
};

static struct parts parts_of(const struct operands *o, real *work)
{
    int64_t n = padded(o);
    struct parts p = {.phi = work};
    p.r = p.phi + max_i64(o->s.keys, n) * o->width;
    p.g = p.r + n * o->width;
    p.inverse = p.g + n * o->width;
    p.w = p.inverse + n;
    p.turned = p.w + n;
    p.dkv = p.turned + o->width * o->s.value_dim;
    p.dksum = p.dkv + o->width * o->s.value_dim;
    return p;
}

/* dq, dkv and dksum. g = dout kv^T is made in the place of dq. */
static void queries_backward(const struct operands *o, const struct backward *x, struct parts p)
{
    const struct attention_size *s = &o->s;
    int64_t f = s->dim, e = s->value_dim, n = padded(o);
    phi_queries(p.phi, x->q, o);
    for (int64_t h = 0; h < o->heads; h++) {
        fetch(x->dout, s->queries * o->ldv, o, h, o->heads);
        KERNEL(transpose)(p.turned, f, f, x->kv + h * f * e, e, f, e);
        KERNEL(mm)
        (x->dq + h * f, o->ldq, (struct strided){x->dout + h * e, o->ldv, 1}, p.turned, f,
         s->queries, f, e, FROM_ZERO);
    }
    KERNEL(transpose)(p.g, n, n, x->dq, o->ldq, s->queries, o->width);
    for (int64_t h = 0; h < o->heads; h++) {
        real *phi = p.phi + h * f * n, *r = p.r + h * f * n;
        fetch(x->q, s->queries * o->ldq, o, h, o->heads);
        fetch(x->k, s->keys * o->ldq, o, h, o->heads);
        normalisers(p.inverse, phi, x->ksum + h * f, o);
        normalise(r, phi, p.inverse, o);
        query_grad(p.g + h * f * n, p.dksum + h * f, p.w, phi, r, p.inverse, x->ksum + h * f, o);
        KERNEL(mm)
        (p.dkv + h * f * e, e, (struct strided){r, n, 1}, x->dout + h * e, o->ldv, f, e, s->queries,
         FROM_ZERO);
    }
    KERNEL(transpose)(x->dq, o->ldq, o->width, p.g, n, o->width, s->queries);
}

static void keys_backward(const struct operands *o, const struct backward *x, struct parts p)
{
    const struct attention_size *s = &o->s;
    int64_t f = s->dim, e = s->value_dim;
    phi_rows(p.phi, x->k, o->ldq, s->keys, o->width);
    for (int64_t h = 0; h < o->heads; h++) {
        fetch(x->v, s->keys * o->ldv, o, h, o->heads);
        KERNEL(mm)
        (x->dv + h * e, o->ldv, (struct strided){p.phi + h * f, o->width, 1}, p.dkv + h * f * e, e,
         s->keys, e, f, FROM_ZERO);
        KERNEL(transpose)(p.turned, f, f, p.dkv + h * f * e, e, f, e);
        KERNEL(mm)
        (x->dk + h * f, o->ldq, (struct strided){x->v + h * e, o->ldv, 1}, p.turned, f, s->keys, f,
         e, (struct start){.row = p.dksum + h * f});
    }
    through_phi(x->dk, o->ldq, p.phi, s->keys, o->width);
}

static void group_backward(const struct operands *o, const struct backward *x, real *work)
{
    struct parts p = parts_of(o, work);
    queries_backward(o, x, p);
    keys_backward(o, x, p);
}

void KERNEL(linear_attention_grad)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const real *q = c->in[0], *k = c->in[1], *v = c->in[2], *kv = c->in[3], *ksum = c->in[4];
    const real *dout = c->in[6];
    real *dq = c->out[0], *dk = c->out[1], *dv = c->out[2];
    KERNEL_FOR_BLOCKS(c, i, units(&o))
    {
        struct origin at = origin_of(&o, i);
        struct backward x = {q + at.q,      k + at.k,  v + at.v,  kv + at.kv, ksum + at.ksum,
                             dout + at.out, dq + at.q, dk + at.k, dv + at.v};
        group_backward(&o, &x, kernel_work(c));
    }
}
