/* Linear attention, forward and backward; phi(q) and phi(k) exist for one head at a time. */
#include "backend/cpu/kernels/math.h"
#include "backend/cpu/kernels/product.h"

/* Leading dimensions of the token-major operands and the sizes. */
struct operands {
    struct attention_size s;
    int64_t ldq, ldk, ldv, ldo;
    real eps;
};

static struct operands operands_of(const struct node *n)
{
    const struct linear_attention_attr *a = n->attr;
    struct operands o = {.s = op_linear_attention_size(n), .eps = (real)a->eps};
    o.ldq = o.ldk = o.s.heads * o.s.dim;
    o.ldv = o.ldo = o.s.heads * o.s.value_dim;
    return o;
}

/* y (rows, dim), packed = phi(x) */
static void phi_rows(real *y, const real *x, int64_t ld, int64_t rows, int64_t dim)
{
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < dim; i++)
            y[r * dim + i] = math_phi(x[r * ld + i]);
}

static void sum_rows(real *y, const real *x, int64_t rows, int64_t dim)
{
    memset(y, 0, sizeof(real) * (size_t)dim);
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < dim; i++)
            y[i] += x[r * dim + i];
}

static real dot(const real *x, const real *y, int64_t n)
{
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = 0; i < n; i++)
        s += x[i] * y[i];
    return s;
}

static void scale_row(real *x, int64_t n, real scale)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        x[i] *= scale;
}

struct kernel_memory KERNEL(linear_attention_memory)(const struct node *n)
{
    struct attention_size s = op_linear_attention_size(n);
    return (struct kernel_memory){.thread =
                                      sizeof(real) * (size_t)(max_i64(s.keys, s.queries) * s.dim)};
}

/* The addresses of one head of one batch element. */
struct head {
    const real *q, *k, *v;
    real *out, *kv, *ksum;
};

static void head_forward(const struct operands *o, const struct head *x, real *phi)
{
    const struct attention_size *s = &o->s;
    phi_rows(phi, x->k, o->ldk, s->keys, s->dim);
    sum_rows(x->ksum, phi, s->keys, s->dim);
    KERNEL(product)
    (x->kv, s->value_dim, (struct operand){phi, s->dim, 1}, (struct operand){x->v, o->ldv, 0},
     s->dim, s->value_dim, s->keys, 1, 0);
    phi_rows(phi, x->q, o->ldq, s->queries, s->dim);
    KERNEL(product)
    (x->out, o->ldo, (struct operand){phi, s->dim, 0}, (struct operand){x->kv, s->value_dim, 0},
     s->queries, s->value_dim, s->dim, 1, 0);
    for (int64_t m = 0; m < s->queries; m++)
        scale_row(x->out + m * o->ldo, s->value_dim,
                  1 / (dot(phi + m * s->dim, x->ksum, s->dim) + o->eps));
}

void KERNEL(linear_attention)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const struct attention_size *s = &o.s;
    const real *q = c->in[0], *k = c->in[1], *v = c->in[2];
    real *out = c->out[0], *kv = c->out[1], *ksum = c->out[2];
    KERNEL_FOR_BLOCKS(c, i, s->batch * s->heads)
    {
        int64_t h = i % s->heads, b = i / s->heads;
        struct head x = {q + b * s->queries * o.ldq + h * s->dim,
                         k + b * s->keys * o.ldk + h * s->dim,
                         v + b * s->keys * o.ldv + h * s->value_dim,
                         out + b * s->queries * o.ldo + h * s->value_dim,
                         kv + i * s->dim * s->value_dim,
                         ksum + i * s->dim};
        head_forward(&o, &x, kernel_work(c));
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

/* With z_m = phi(q_m) . ksum + eps, t_m = dout_m / z_m and u_m = -(out_m . t_m):
 *   dphi(q_m) = kv t_m + u_m ksum
 *   dkv = sum_m phi(q_m)^T t_m,   dksum = sum_m u_m phi(q_m)
 *   dphi(k_n) = dkv v_n + dksum,  dv_n = phi(k_n) dkv */
struct head_grad {
    const real *q, *k, *v, *kv, *ksum, *out, *dout;
    real *dq, *dk, *dv;
};

/* Work: phi (queries or keys, dim), t (queries, value_dim), dkv (dim, value_dim), dksum (dim), u
 * (queries). */
struct kernel_memory KERNEL(linear_attention_grad_memory)(const struct node *n)
{
    struct attention_size s = op_linear_attention_size(n);
    int64_t count = max_i64(s.keys, s.queries) * s.dim + s.queries * (s.value_dim + 1) +
                    s.dim * (s.value_dim + 1);
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)count};
}

/* t and u. */
static void weigh(real *t, real *u, const real *phi, const struct operands *o,
                  const struct head_grad *x)
{
    const struct attention_size *s = &o->s;
    for (int64_t m = 0; m < s->queries; m++) {
        real share = 1 / (dot(phi + m * s->dim, x->ksum, s->dim) + o->eps);
        const real *dout = x->dout + m * o->ldo;
        real *row = t + m * s->value_dim;
#pragma omp simd
        for (int64_t i = 0; i < s->value_dim; i++)
            row[i] = share * dout[i];
        u[m] = -dot(x->out + m * o->ldo, row, s->value_dim);
    }
}

/* d <- (d + weight_r * row) * slope of phi at x, for each row r. */
static void through_phi(real *d, const real *x, int64_t ld, const real *weight, const real *row,
                        int64_t rows, int64_t dim)
{
    for (int64_t r = 0; r < rows; r++) {
        real w = weight ? weight[r] : 1;
#pragma omp simd
        for (int64_t i = 0; i < dim; i++)
            d[r * ld + i] = (d[r * ld + i] + w * row[i]) * math_phi_slope(x[r * ld + i]);
    }
}

static void head_backward(const struct operands *o, const struct head_grad *x, real *work)
{
    const struct attention_size *s = &o->s;
    int64_t f = s->dim, e = s->value_dim;
    real *phi = work, *t = phi + max_i64(s->keys, s->queries) * f, *u = t + s->queries * e;
    real *dkv = u + s->queries, *dksum = dkv + f * e;
    struct operand kv = {x->kv, e, 1}, down = {t, e, 0};

    phi_rows(phi, x->q, o->ldq, s->queries, f);
    weigh(t, u, phi, o, x);
    KERNEL(product)(x->dq, o->ldq, down, kv, s->queries, f, e, 1, 0);
    through_phi(x->dq, x->q, o->ldq, u, x->ksum, s->queries, f);
    KERNEL(product)(dkv, e, (struct operand){phi, f, 1}, down, f, e, s->queries, 1, 0);
    memset(dksum, 0, sizeof(real) * (size_t)f);
    for (int64_t m = 0; m < s->queries; m++)
#pragma omp simd
        for (int64_t i = 0; i < f; i++)
            dksum[i] += u[m] * phi[m * f + i];

    phi_rows(phi, x->k, o->ldk, s->keys, f);
    KERNEL(product)
    (x->dv, o->ldv, (struct operand){phi, f, 0}, (struct operand){dkv, e, 0}, s->keys, e, f, 1, 0);
    KERNEL(product)
    (x->dk, o->ldk, (struct operand){x->v, o->ldv, 0}, (struct operand){dkv, e, 1}, s->keys, f, e,
     1, 0);
    through_phi(x->dk, x->k, o->ldk, NULL, dksum, s->keys, f);
}

void KERNEL(linear_attention_grad)(const struct kernel_call *c)
{
    struct operands o = operands_of(c->node);
    const struct attention_size *s = &o.s;
    const real *q = c->in[0], *k = c->in[1], *v = c->in[2], *kv = c->in[3], *ksum = c->in[4];
    const real *out = c->in[5], *dout = c->in[6];
    real *dq = c->out[0], *dk = c->out[1], *dv = c->out[2];
    KERNEL_FOR_BLOCKS(c, i, s->batch * s->heads)
    {
        int64_t h = i % s->heads, b = i / s->heads;
        int64_t at_q = b * s->queries * o.ldq + h * s->dim;
        int64_t at_k = b * s->keys * o.ldk + h * s->dim;
        int64_t at_v = b * s->keys * o.ldv + h * s->value_dim;
        int64_t at_o = b * s->queries * o.ldo + h * s->value_dim;
        struct head_grad x = {
            q + at_q,          k + at_k,   v + at_v,    kv + i * s->dim * s->value_dim,
            ksum + i * s->dim, out + at_o, dout + at_o, dq + at_q,
            dk + at_k,         dv + at_v};
        head_backward(&o, &x, kernel_work(c));
    }
}
