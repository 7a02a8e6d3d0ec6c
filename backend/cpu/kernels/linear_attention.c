/* Linear attention, forward and backward. A unit of work is a group of neighbouring heads of one
 * batch element, several where one head's features do not fill a vector: phi runs over whole rows
 * of the group. */
#include "backend/cpu/kernels/math.h"
#include "backend/cpu/kernels/mm.h"
#include "backend/cpu/kernels/vector.h"

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

/* Whether a unit's rows lie apart. */
static int apart(const struct operands *o)
{
    return o->heads < o->s.heads;
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
    if (!apart(o))
        kernel_prefetch(x + count + start, min_i64(piece, count - start) * (int64_t)sizeof *x);
}

/* What the next unit writes and, where its rows lie apart, what it reads: asked for by the
 * products, a line a step, in the order of the list. */
enum { SOON = 7 };
struct soon {
    struct ahead of[SOON];
    int n;
};

static void add_soon(struct soon *s, const real *x, int64_t ld, int64_t rows, int64_t cols)
{
    if (s->n)
        s->of[s->n - 1].then = &s->of[s->n];
    s->of[s->n++] = ahead_of(x, ld, rows, cols);
}

/* y (rows, width), packed = phi(x). Rows that lie apart are short: WIDE columns at a time, a number
 * that the compiler knows. */
static void phi_rows(real *y, const real *x, int64_t ld, int64_t rows, int64_t width)
{
    int64_t whole = ld == width ? 0 : width / WIDE * WIDE;
    if (ld == width) {
        width *= rows;
        rows = 1;
    }
    for (int64_t j = 0; j < whole; j += WIDE)
        for (int64_t r = 0; r < rows; r++)
#pragma omp simd
            for (int i = 0; i < WIDE; i++)
                y[r * width + j + i] = math_phi(x[r * ld + j + i]);
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = whole; i < width; i++)
            y[r * width + i] = math_phi(x[r * ld + i]);
}

static vec load(const real *x)
{
    return *(const vec *)x;
}

static void store(real *x, vec value)
{
    *(vec *)x = value;
}

/* Of the first 4 * (rows / 4) rows four sums side by side: one would wait for itself. */
static void sum_rows(real *y, const real *x, int64_t rows, int64_t width)
{
    int64_t whole = width / LANES * LANES, fours = rows / 4 * 4;
    for (int64_t i = 0; i < whole; i += LANES) {
        vec sum[4] = {0};
        for (int64_t r = 0; r < fours; r += 4)
            KERNEL_PRAGMA(GCC unroll 4)
        for (int k = 0; k < 4; k++)
            sum[k] += load(x + (r + k) * width + i);
        for (int64_t r = fours; r < rows; r++)
            sum[0] += load(x + r * width + i);
        store(y + i, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    for (int64_t i = whole; i < width; i++) {
        real sum[4] = {0};
        for (int64_t r = 0; r < fours; r += 4)
            for (int k = 0; k < 4; k++)
                sum[k] += x[(r + k) * width + i];
        for (int64_t r = fours; r < rows; r++)
            sum[0] += x[r * width + i];
        y[i] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

/* Queries are worked on transposed, features by queries, so that loops over queries fill vectors.
 * Columns beyond the last query are zero queries. */
static int64_t padded(const struct operands *o)
{
    return ceil_div(o->s.queries, WIDE) * WIDE;
}

/* inverse (padded) = 1 / (phi . ksum + eps) and y (dim, padded) = phi * inverse for one head; phi
 * (dim, padded). */
static void normalise(real *y, real *inverse, const real *phi, const real *ksum,
                      const struct operands *o)
{
    int64_t n = padded(o), dim = o->s.dim;
    for (int64_t m = 0; m < n; m += LANES) {
        vec sum = o->eps - (vec){0};
        for (int64_t i = 0; i < dim; i++)
            sum += load(phi + i * n + m) * ksum[i];
        sum = 1 / sum;
        store(inverse + m, sum);
        for (int64_t i = 0; i < dim; i++)
            store(y + i * n + m, load(phi + i * n + m) * sum);
    }
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
    struct soon soon;
};

static void group_forward(const struct operands *o, struct forward *x, real *work)
{
    const struct attention_size *s = &o->s;
    int64_t f = s->dim, e = s->value_dim, n = padded(o);
    real *inverse = work, *phi = work + n;
    phi_rows(phi, x->k, o->ldq, s->keys, o->width);
    sum_rows(x->ksum, phi, s->keys, o->width);
    for (int64_t h = 0; h < o->heads; h++) {
        fetch(x->v, s->keys * o->ldv, o, h, o->heads);
        KERNEL(mm_ahead)
        (x->kv + h * f * e, e, (struct strided){phi + h * f, 1, o->width}, x->v + h * e, o->ldv, f,
         e, s->keys, FROM_ZERO, x->soon.of);
    }
    phi_queries(phi, x->q, o);
    for (int64_t h = 0; h < o->heads; h++) {
        real *at = phi + h * f * n;
        fetch(x->k, s->keys * o->ldq, o, h, o->heads);
        fetch(x->q, s->queries * o->ldq, o, h, o->heads);
        normalise(at, inverse, at, x->ksum + h * f, o);
        KERNEL(mm_ahead)
        (x->out + h * e, o->ldv, (struct strided){at, 1, n}, x->kv + h * f * e, e, s->queries, e, f,
         FROM_ZERO, x->soon.of);
    }
}

static void forward_soon(struct soon *s, const struct operands *o, struct origin at,
                         const struct kernel_call *c)
{
    const real *q = c->in[0], *k = c->in[1], *v = c->in[2], *out = c->out[0];
    int64_t values = o->heads * o->s.value_dim;
    if (apart(o)) {
        add_soon(s, v + at.v, o->ldv, o->s.keys, values);
        add_soon(s, k + at.k, o->ldq, o->s.keys, o->width);
        add_soon(s, q + at.q, o->ldq, o->s.queries, o->width);
    }
    add_soon(s, out + at.out, o->ldv, o->s.queries, values);
}

void KERNEL(linear_attention)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const real *q = c->in[0], *k = c->in[1], *v = c->in[2];
    real *out = c->out[0], *kv = c->out[1], *ksum = c->out[2];
    KERNEL_FOR_BLOCKS(c, i, units(&o))
    {
        struct origin at = origin_of(&o, i);
        struct forward x = {q + at.q,   k + at.k,       v + at.v, out + at.out,
                            kv + at.kv, ksum + at.ksum, {.n = 0}};
        if (i + 1 < units(&o))
            forward_soon(&x.soon, &o, origin_of(&o, i + 1), c);
        group_forward(&o, &x, kernel_work(c));
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

/* With z_m = phi(q_m) . ksum + eps, r_m = phi(q_m) / z_m, g_m = kv dout_m and w_m = r_m . g_m =
 * out_m . dout_m:
 *   dphi(q_m) = (g_m - w_m ksum) / z_m
 *   dkv = sum_m r_m^T dout_m,     dksum = - sum_m w_m r_m
 *   dphi(k_n) = dkv v_n + dksum,  dv_n = phi(k_n) dkv
 * and the slope of phi is min(phi, 1). */
struct backward {
    const real *q, *k, *v, *kv, *ksum, *dout;
    real *dq, *dk, *dv;
    struct soon soon;
};

/* Private memory: phi of queries or keys; of the queries also r, and g (width, padded); inverse
 * (padded); sums (dim, LANES); a transpose and dkv (heads, value_dim, dim); dksum (width). */
struct kernel_memory KERNEL(linear_attention_grad_memory)(const struct node *n)
{
    struct operands o = operands_of(n);
    int64_t count = (max_i64(o.s.keys, padded(&o)) + 2 * padded(&o) + 1) * o.width + padded(&o) +
                    o.s.dim * LANES + 2 * o.width * o.s.value_dim;
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)count};
}

static real slope(real phi)
{
    return phi < 1 ? phi : 1;
}

/* dq of one head, transposed, in place of g; dksum (dim), where sums is room for a vector each. */
static void query_grad(real *g, real *dksum, real *sums, const real *phi, const real *r,
                       const real *inverse, const real *ksum, const struct operands *o)
{
    int64_t n = padded(o), dim = o->s.dim;
    memset(sums, 0, sizeof(vec) * (size_t)dim);
    for (int64_t m = 0; m < n; m += LANES) {
        vec w = {0}, factor = load(inverse + m);
        for (int64_t i = 0; i < dim; i++)
            w += load(r + i * n + m) * load(g + i * n + m);
        for (int64_t i = 0; i < dim; i++) {
            const real *at = phi + i * n + m;
            real *to = g + i * n + m, slopes[LANES];
            for (int l = 0; l < LANES; l++)
                slopes[l] = slope(at[l]);
            store(sums + i * LANES, load(sums + i * LANES) + w * load(r + i * n + m));
            store(to, factor * (load(to) - w * ksum[i]) * load(slopes));
        }
    }
    for (int64_t i = 0; i < dim; i++)
        dksum[i] = -vec_sum(load(sums + i * LANES));
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
    real *phi, *r, *g, *inverse, *sums, *turned, *dkv, *dksum;
};

static struct parts parts_of(const struct operands *o, real *work)
{
    int64_t n = padded(o);
    struct parts p = {.phi = work};
    p.r = p.phi + max_i64(o->s.keys, n) * o->width;
    p.g = p.r + n * o->width;
    p.inverse = p.g + n * o->width;
    p.sums = p.inverse + n;
    p.turned = p.sums + o->s.dim * LANES;
    p.dkv = p.turned + o->width * o->s.value_dim;
    p.dksum = p.dkv + o->width * o->s.value_dim;
    return p;
}

/* dq, dkv and dksum. g = dout kv^T is made in the place of dq. */
static void queries_backward(const struct operands *o, struct backward *x, struct parts p)
{
    const struct attention_size *s = &o->s;
    int64_t f = s->dim, e = s->value_dim, n = padded(o);
    phi_queries(p.phi, x->q, o);
    for (int64_t h = 0; h < o->heads; h++) {
        fetch(x->dout, s->queries * o->ldv, o, h, o->heads);
        KERNEL(transpose)(p.turned, f, f, x->kv + h * f * e, e, f, e);
        KERNEL(mm_ahead)
        (x->dq + h * f, o->ldq, (struct strided){x->dout + h * e, o->ldv, 1}, p.turned, f,
         s->queries, f, e, FROM_ZERO, x->soon.of);
    }
    KERNEL(transpose)(p.g, n, n, x->dq, o->ldq, s->queries, o->width);
    for (int64_t h = 0; h < o->heads; h++) {
        real *phi = p.phi + h * f * n, *r = p.r + h * f * n;
        fetch(x->q, s->queries * o->ldq, o, h, o->heads);
        fetch(x->k, s->keys * o->ldq, o, h, o->heads);
        normalise(r, p.inverse, phi, x->ksum + h * f, o);
        query_grad(p.g + h * f * n, p.dksum + h * f, p.sums, phi, r, p.inverse, x->ksum + h * f, o);
        KERNEL(mm_ahead)
        (p.dkv + h * f * e, e, (struct strided){r, n, 1}, x->dout + h * e, o->ldv, f, e, s->queries,
         FROM_ZERO, x->soon.of);
    }
    KERNEL(transpose)(x->dq, o->ldq, o->width, p.g, n, o->width, s->queries);
}

static void keys_backward(const struct operands *o, struct backward *x, struct parts p)
{
    const struct attention_size *s = &o->s;
    int64_t f = s->dim, e = s->value_dim;
    phi_rows(p.phi, x->k, o->ldq, s->keys, o->width);
    for (int64_t h = 0; h < o->heads; h++) {
        fetch(x->v, s->keys * o->ldv, o, h, o->heads);
        KERNEL(mm_ahead)
        (x->dv + h * e, o->ldv, (struct strided){p.phi + h * f, o->width, 1}, p.dkv + h * f * e, e,
         s->keys, e, f, FROM_ZERO, x->soon.of);
        KERNEL(transpose)(p.turned, f, f, p.dkv + h * f * e, e, f, e);
        KERNEL(mm_ahead)
        (x->dk + h * f, o->ldq, (struct strided){x->v + h * e, o->ldv, 1}, p.turned, f, s->keys, f,
         e, (struct start){.row = p.dksum + h * f}, x->soon.of);
    }
    through_phi(x->dk, o->ldq, p.phi, s->keys, o->width);
}

static void group_backward(const struct operands *o, struct backward *x, real *work)
{
    struct parts p = parts_of(o, work);
    queries_backward(o, x, p);
    keys_backward(o, x, p);
}

static void backward_soon(struct soon *s, const struct operands *o, struct origin at,
                          const struct kernel_call *c)
{
    const real *q = c->in[0], *k = c->in[1], *v = c->in[2], *dout = c->in[6];
    const real *dq = c->out[0], *dk = c->out[1], *dv = c->out[2];
    int64_t values = o->heads * o->s.value_dim;
    if (apart(o)) {
        add_soon(s, dout + at.out, o->ldv, o->s.queries, values);
        add_soon(s, q + at.q, o->ldq, o->s.queries, o->width);
        add_soon(s, k + at.k, o->ldq, o->s.keys, o->width);
        add_soon(s, v + at.v, o->ldv, o->s.keys, values);
    }
    add_soon(s, dq + at.q, o->ldq, o->s.queries, o->width);
    add_soon(s, dv + at.v, o->ldv, o->s.keys, values);
    add_soon(s, dk + at.k, o->ldq, o->s.keys, o->width);
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
                             dout + at.out, dq + at.q, dk + at.k, dv + at.v,  {.n = 0}};
        if (i + 1 < units(&o))
            backward_soon(&x.soon, &o, origin_of(&o, i + 1), c);
        group_backward(&o, &x, kernel_work(c));
    }
}
