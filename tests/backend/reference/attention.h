/* Attention and linear attention. */
#include "tests/backend/reference/shared.h"

/* An operand of attention: element (token, column) of head h of batch element b. */
struct REF(tokens) {
    REF_REAL *x;
    int64_t rows, ld, dim;
};

static REF_REAL *REF(token)(struct REF(tokens) t, int64_t b, int64_t h, int64_t row)
{
    return t.x + (b * t.rows + row) * t.ld + h * t.dim;
}

static void REF(attention_operands)(const struct node *n, REF_REAL *const *from,
                                    struct REF(tokens) * x)
{
    const struct attention_attr *a = n->attr;
    struct attention_size s = op_attention_size(n);
    int64_t width = s.heads * s.dim;
    int64_t rows[3] = {s.queries, s.keys, s.keys}, dim[3] = {s.dim, s.dim, s.value_dim};
    for (int i = 0; i < 3; i++)
        x[i] = (struct REF(tokens)){a->packed ? from[0] + i * width : from[i], rows[i],
                                    a->packed ? 3 * width : s.heads * dim[i], dim[i]};
}

/* p (keys): the probabilities of one query; returns the log of the sum. */
static REF_REAL REF(attend)(const struct node *n, const struct REF(tokens) * x,
                            const REF_REAL *bias, int64_t b, int64_t h, int64_t m, REF_REAL *p)
{
    const struct attention_attr *a = n->attr;
    struct attention_size s = op_attention_size(n);
    REF_REAL top = -INFINITY, sum = 0;
    for (int64_t k = 0; k < s.keys; k++) {
        p[k] = 0;
        for (int64_t i = 0; i < s.dim; i++)
            p[k] +=
                REF_ROUND(REF(token)(x[0], b, h, m)[i]) * REF_ROUND(REF(token)(x[1], b, h, k)[i]);
        p[k] = (REF_REAL)a->scale * p[k] + (bias ? bias[b * s.keys + k] : 0);
        top = p[k] > top ? p[k] : top;
    }
    for (int64_t k = 0; k < s.keys; k++)
        sum += REF(exp_of)(p[k] - top);
    for (int64_t k = 0; k < s.keys; k++)
        p[k] = REF(exp_of)(p[k] - top) / sum;
    return top + REF(log_of)(sum);
}

static void REF(attention)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct attention_attr *a = n->attr;
    struct attention_size s = op_attention_size(n);
    struct REF(tokens) x[3], y = {out[0], s.queries, s.heads * s.value_dim, s.value_dim};
    REF_REAL *p = mem_alloc(sizeof(REF_REAL) * (size_t)s.keys);
    REF(attention_operands)(n, in, x);
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t h = 0; h < s.heads; h++)
            for (int64_t m = 0; m < s.queries; m++) {
                out[1][(b * s.heads + h) * s.queries + m] =
                    REF(attend)(n, x, a->has_bias ? in[n->n_in - 1] : NULL, b, h, m, p);
                for (int64_t i = 0; i < s.value_dim; i++) {
                    REF_REAL sum = 0;
                    for (int64_t k = 0; k < s.keys; k++)
                        sum += REF_ROUND(p[k]) * REF_ROUND(REF(token)(x[2], b, h, k)[i]);
                    REF(token)(y, b, h, m)[i] = sum;
                }
            }
    free(p);
}

static void REF(attention_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct attention_attr *a = n->attr;
    struct attention_size s = op_attention_size(n);
    struct REF(tokens) x[3], d[3];
    struct REF(tokens) dout = {in[n->n_in - 1], s.queries, s.heads * s.value_dim, s.value_dim};
    const REF_REAL *bias = a->has_bias ? in[n->n_in - 4] : NULL;
    REF_REAL *p = mem_alloc(2 * sizeof(REF_REAL) * (size_t)s.keys), *dp = p + s.keys;
    REF(attention_operands)(n, in, x);
    REF(attention_operands)(n, out, d);
    for (int i = 0; i < (a->packed ? 1 : 3); i++)
        memset(out[i], 0, sizeof(REF_REAL) * (size_t)shape_count(n->out[i]->shape));
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t h = 0; h < s.heads; h++)
            for (int64_t m = 0; m < s.queries; m++) {
                REF_REAL delta = 0;
                const REF_REAL *down = REF(token)(dout, b, h, m);
                REF_REAL own = REF(attend)(n, x, bias, b, h, m, p);
                REF_REAL given = in[n->n_in - 2][(b * s.heads + h) * s.queries + m];
                for (int64_t k = 0; k < s.keys; k++) {
                    p[k] *= REF(exp_of)(own - given);
                    dp[k] = 0;
                    for (int64_t i = 0; i < s.value_dim; i++) {
                        dp[k] += REF_ROUND(down[i]) * REF_ROUND(REF(token)(x[2], b, h, k)[i]);
                        REF(token)(d[2], b, h, k)[i] += REF_ROUND(p[k]) * REF_ROUND(down[i]);
                    }
                    delta += dp[k] * p[k];
                }
                for (int64_t k = 0; k < s.keys; k++)
                    for (int64_t i = 0; i < s.dim; i++) {
                        REF_REAL ds = REF_ROUND((REF_REAL)a->scale * p[k] * (dp[k] - delta));
                        REF(token)
                        (d[0], b, h, m)[i] += ds * REF_ROUND(REF(token)(x[1], b, h, k)[i]);
                        REF(token)
                        (d[1], b, h, k)[i] += ds * REF_ROUND(REF(token)(x[0], b, h, m)[i]);
                    }
            }
    free(p);
}

static void REF(linear_operands)(const struct node *n, REF_REAL *const *from,
                                 struct REF(tokens) * x)
{
    struct attention_size s = op_linear_attention_size(n);
    x[0] = (struct REF(tokens)){from[0], s.queries, s.heads * s.dim, s.dim};
    x[1] = (struct REF(tokens)){from[1], s.keys, s.heads * s.dim, s.dim};
    x[2] = (struct REF(tokens)){from[2], s.keys, s.heads * s.value_dim, s.value_dim};
}

/* An operand in all sums, those of the normaliser too. */
static REF_REAL REF(rounded_phi)(REF_REAL x)
{
    return REF_ROUND(REF(phi_of)(x));
}

/* The slope of phi is phi below 1, and 1 above. */
static REF_REAL REF(rounded_slope)(REF_REAL x)
{
    REF_REAL phi = REF(rounded_phi)(x);
    return phi < 1 ? phi : 1;
}

static void REF(linear_attention)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct linear_attention_attr *a = n->attr;
    struct attention_size s = op_linear_attention_size(n);
    struct REF(tokens) x[3], y = {out[0], s.queries, s.heads * s.value_dim, s.value_dim};
    REF(linear_operands)(n, in, x);
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t h = 0; h < s.heads; h++) {
            REF_REAL *kv = out[1] + (b * s.heads + h) * s.dim * s.value_dim;
            REF_REAL *ksum = out[2] + (b * s.heads + h) * s.dim;
            for (int64_t f = 0; f < s.dim; f++) {
                ksum[f] = 0;
                for (int64_t k = 0; k < s.keys; k++)
                    ksum[f] += REF(rounded_phi)(REF(token)(x[1], b, h, k)[f]);
                for (int64_t e = 0; e < s.value_dim; e++) {
                    REF_REAL sum = 0;
                    for (int64_t k = 0; k < s.keys; k++)
                        sum += REF(rounded_phi)(REF(token)(x[1], b, h, k)[f]) *
                               REF_ROUND(REF(token)(x[2], b, h, k)[e]);
                    kv[f * s.value_dim + e] = sum;
                }
            }
            for (int64_t m = 0; m < s.queries; m++) {
                const REF_REAL *q = REF(token)(x[0], b, h, m);
                REF_REAL z = 0;
                for (int64_t f = 0; f < s.dim; f++)
                    z += REF(rounded_phi)(q[f]) * ksum[f];
                z += (REF_REAL)a->eps;
                for (int64_t e = 0; e < s.value_dim; e++) {
                    REF_REAL sum = 0;
                    for (int64_t f = 0; f < s.dim; f++)
                        sum += REF(rounded_phi)(q[f]) * kv[f * s.value_dim + e];
                    REF(token)(y, b, h, m)[e] = sum / z;
                }
            }
        }
}

/* From the quotient rule, term by term. */
static void REF(linear_attention_grad)(const struct node *n, REF_REAL *const *in,
                                       REF_REAL *const *out)
{
    const struct linear_attention_attr *a = n->attr;
    struct attention_size s = op_linear_attention_size(n);
    struct REF(tokens) x[3], d[3];
    struct REF(tokens) dout = {in[6], s.queries, s.heads * s.value_dim, s.value_dim}, y = dout;
    y.x = in[5];
    REF_REAL *dkv = mem_alloc(sizeof(REF_REAL) * (size_t)(s.dim * (s.value_dim + 1)));
    REF_REAL *dksum = dkv + s.dim * s.value_dim;
    REF(linear_operands)(n, in, x);
    REF(linear_operands)(n, out, d);
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t h = 0; h < s.heads; h++) {
            const REF_REAL *kv = in[3] + (b * s.heads + h) * s.dim * s.value_dim;
            const REF_REAL *ksum = in[4] + (b * s.heads + h) * s.dim;
            memset(dkv, 0, sizeof(REF_REAL) * (size_t)(s.dim * (s.value_dim + 1)));
            for (int64_t m = 0; m < s.queries; m++) {
                const REF_REAL *q = REF(token)(x[0], b, h, m), *o = REF(token)(y, b, h, m);
                const REF_REAL *down = REF(token)(dout, b, h, m);
                REF_REAL z = 0, dz = 0;
                for (int64_t f = 0; f < s.dim; f++)
                    z += REF(rounded_phi)(q[f]) * ksum[f];
                z += (REF_REAL)a->eps;
                for (int64_t e = 0; e < s.value_dim; e++)
                    dz -= REF_ROUND(down[e]) * o[e] / z;
                for (int64_t f = 0; f < s.dim; f++) {
                    REF_REAL dphi = dz * ksum[f], phi = REF(rounded_phi)(q[f]);
                    REF_REAL share = REF_ROUND(phi / z);
                    for (int64_t e = 0; e < s.value_dim; e++) {
                        dphi += REF_ROUND(down[e]) / z * kv[f * s.value_dim + e];
                        dkv[f * s.value_dim + e] += share * REF_ROUND(down[e]);
                    }
                    dksum[f] += dz * z * share;
                    REF(token)(d[0], b, h, m)[f] = dphi * REF(rounded_slope)(q[f]);
                }
            }
            for (int64_t k = 0; k < s.keys; k++) {
                const REF_REAL *key = REF(token)(x[1], b, h, k), *v = REF(token)(x[2], b, h, k);
                for (int64_t e = 0; e < s.value_dim; e++) {
                    REF_REAL sum = 0;
                    for (int64_t f = 0; f < s.dim; f++)
                        sum += REF(rounded_phi)(key[f]) * dkv[f * s.value_dim + e];
                    REF(token)(d[2], b, h, k)[e] = sum;
                }
                for (int64_t f = 0; f < s.dim; f++) {
                    REF_REAL sum = dksum[f];
                    for (int64_t e = 0; e < s.value_dim; e++)
                        sum += REF_ROUND(v[e]) * dkv[f * s.value_dim + e];
                    REF(token)(d[1], b, h, k)[f] = sum * REF(rounded_slope)(key[f]);
                }
            }
        }
    free(dkv);
}
