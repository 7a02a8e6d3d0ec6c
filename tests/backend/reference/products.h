/* Products. */
#include "tests/backend/reference/shared.h"

static void REF(linear)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t width = shape_last(n->in[0]->shape), cols = shape_last(n->out[0]->shape);
    for (int64_t r = 0; r < shape_rows(n->in[0]->shape); r++)
        for (int64_t o = 0; o < cols; o++) {
            REF_REAL sum = n->n_in == 3 ? in[2][o] : 0;
            for (int64_t i = 0; i < width; i++)
                sum += REF_ROUND(in[0][r * width + i]) * REF_ROUND(in[1][o * width + i]);
            out[0][r * cols + o] = sum;
        }
}

static void REF(linear_add)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t width = shape_last(n->in[1]->shape), cols = shape_last(n->out[0]->shape);
    for (int64_t r = 0; r < shape_rows(n->in[1]->shape); r++)
        for (int64_t o = 0; o < cols; o++) {
            REF_REAL sum = n->n_in == 4 ? in[3][o] : 0;
            for (int64_t i = 0; i < width; i++)
                sum += REF_ROUND(in[1][r * width + i]) * REF_ROUND(in[2][o * width + i]);
            out[0][r * cols + o] = in[0][r * cols + o] + sum;
        }
}

static void REF(linear_gelu)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t count = shape_count(n->out[0]->shape);
    REF(linear)(n, in, out + 1);
    for (int64_t i = 0; i < count; i++)
        out[0][i] = REF(gelu_of)(out[1][i]);
}

static void REF(matmul_gelu_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t depth = shape_last(n->in[0]->shape), width = shape_last(n->in[1]->shape);
    for (int64_t r = 0; r < n->in[0]->shape.dim[0]; r++)
        for (int64_t i = 0; i < width; i++) {
            REF_REAL sum = 0;
            for (int64_t k = 0; k < depth; k++)
                sum += REF_ROUND(in[0][r * depth + k]) * REF_ROUND(in[1][k * width + i]);
            out[0][r * width + i] = sum * REF(gelu_slope)(in[2][r * width + i]);
        }
}

static void REF(linear_weight_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t rows = n->in[0]->shape.dim[0], cols = shape_last(n->in[0]->shape);
    int64_t width = shape_last(n->in[1]->shape);
    for (int64_t o = 0; o < cols; o++) {
        out[1][o] = 0;
        for (int64_t r = 0; r < rows; r++)
            out[1][o] += REF_ROUND(in[0][r * cols + o]);
        for (int64_t i = 0; i < width; i++) {
            REF_REAL sum = 0;
            for (int64_t r = 0; r < rows; r++)
                sum += REF_ROUND(in[0][r * cols + o]) * REF_ROUND(in[1][r * width + i]);
            out[0][o * width + i] = sum + (n->n_in == 3 ? in[2][o * width + i] : 0);
        }
    }
}

/* Address of element (row, col) of the matrix of batch element b and head h. */
static REF_REAL *REF(at)(REF_REAL *x, struct shape s, int heads, int64_t b, int64_t h, int64_t row,
                         int64_t col)
{
    const int64_t *d = s.dim;
    if (s.rank == 2)
        return x + row * d[1] + col;
    if (s.rank == 3)
        return x + (b * d[1] + row) * d[2] + h * (d[2] / heads) + col;
    return x + ((b * d[1] + h) * d[2] + row) * d[3] + col;
}

static void REF(matmul)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct matmul_attr *t = n->attr;
    struct matmul_size s = op_matmul_size(n);
    struct shape sa = n->in[0]->shape, sb = n->in[1]->shape, sc = n->out[0]->shape;
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t h = 0; h < t->heads; h++)
            for (int64_t i = 0; i < s.m; i++)
                for (int64_t j = 0; j < s.n; j++) {
                    REF_REAL sum = 0;
                    for (int64_t k = 0; k < s.k; k++)
                        sum += REF_ROUND(*REF(at)(in[0], sa, t->heads, b, h, t->trans_a ? k : i,
                                                  t->trans_a ? i : k)) *
                               REF_ROUND(*REF(at)(in[1], sb, t->heads, b, h, t->trans_b ? j : k,
                                                  t->trans_b ? k : j));
                    *REF(at)(out[0], sc, t->heads, b, h, i, j) =
                        (REF_REAL)t->scale * sum + (n->n_in == 3 ? in[2][i * s.n + j] : 0);
                }
}

static void REF(scale_shift)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t width = shape_last(n->in[0]->shape);
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++)
        out[0][i] = in[0][i] * in[1][i % width] + in[2][i % width];
}

static void REF(depthwise)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const int64_t *d = n->in[0]->shape.dim, taps = n->in[1]->shape.dim[2];
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t t = 0; t < d[1]; t++)
            for (int64_t ch = 0; ch < d[2]; ch++) {
                REF_REAL sum = in[2][ch];
                for (int64_t k = 0; k < taps; k++) {
                    int64_t from = t + k - taps / 2;
                    if (from >= 0 && from < d[1])
                        sum += in[0][(b * d[1] + from) * d[2] + ch] * in[1][ch * taps + k];
                }
                out[0][(b * d[1] + t) * d[2] + ch] = sum;
            }
}

static void REF(depthwise_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const int64_t *d = n->in[0]->shape.dim, taps = n->in[1]->shape.dim[2];
    for (int i = 0; i < 3; i++)
        memset(out[i], 0, sizeof(REF_REAL) * (size_t)shape_count(n->out[i]->shape));
    for (int64_t b = 0; b < d[0]; b++)
        for (int64_t t = 0; t < d[1]; t++)
            for (int64_t ch = 0; ch < d[2]; ch++) {
                REF_REAL dy = in[2][(b * d[1] + t) * d[2] + ch];
                out[2][ch] += dy;
                for (int64_t k = 0; k < taps; k++) {
                    int64_t from = t + k - taps / 2;
                    if (from < 0 || from >= d[1])
                        continue;
                    out[0][(b * d[1] + from) * d[2] + ch] += dy * in[1][ch * taps + k];
                    out[1][ch * taps + k] += dy * in[0][(b * d[1] + from) * d[2] + ch];
                }
            }
}
