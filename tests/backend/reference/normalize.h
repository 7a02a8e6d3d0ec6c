/* Softmax and layer norm. */
#include "tests/backend/reference/shared.h"

static void REF(softmax)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct axis_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t j = 0; j < v.inner; j++) {
            const REF_REAL *x = in[0] + o * v.size * v.inner + j;
            REF_REAL *y = out[0] + o * v.size * v.inner + j, top = x[0], sum = 0;
            for (int64_t i = 0; i < v.size; i++)
                top = x[i * v.inner] > top ? x[i * v.inner] : top;
            for (int64_t i = 0; i < v.size; i++)
                sum += REF(exp_of)(x[i * v.inner] - top);
            for (int64_t i = 0; i < v.size; i++)
                y[i * v.inner] = REF(exp_of)(x[i * v.inner] - top) / sum;
        }
}

static void REF(softmax_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct axis_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t j = 0; j < v.inner; j++) {
            int64_t start = o * v.size * v.inner + j;
            REF_REAL dot = 0;
            for (int64_t i = start; i < start + v.size * v.inner; i += v.inner)
                dot += in[0][i] * in[1][i];
            for (int64_t i = start; i < start + v.size * v.inner; i += v.inner)
                out[0][i] = in[0][i] * (in[1][i] - dot);
        }
}

/* x and gamma, beta -> the norm, mean, rstd */
static void REF(norm_rows)(const struct node *n, const REF_REAL *from, REF_REAL *const *param,
                           REF_REAL *const *out)
{
    const struct eps_attr *a = n->attr;
    int64_t width = shape_last(n->in[0]->shape);
    for (int64_t r = 0; r < shape_rows(n->in[0]->shape); r++) {
        const REF_REAL *x = from + r * width;
        REF_REAL sum = 0, square = 0;
        for (int64_t i = 0; i < width; i++)
            sum += x[i];
        REF_REAL mean = sum / (REF_REAL)width;
        for (int64_t i = 0; i < width; i++)
            square += (x[i] - mean) * (x[i] - mean);
        REF_REAL rstd = 1 / REF(sqrt_of)(square / (REF_REAL)width + (REF_REAL)a->eps);
        for (int64_t i = 0; i < width; i++)
            out[0][r * width + i] = (x[i] - mean) * rstd * param[0][i] + param[1][i];
        out[1][r] = mean;
        out[2][r] = rstd;
    }
}

static void REF(layer_norm)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(norm_rows)(n, in[0], in + 1, out);
}

static void REF(add_layer_norm)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++)
        out[0][i] = in[0][i] + in[1][i];
    REF(norm_rows)(n, out[0], in + 2, out + 1);
}

static void REF(layer_norm_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t width = shape_last(n->in[1]->shape);
    memset(out[1], 0, sizeof(REF_REAL) * (size_t)width);
    memset(out[2], 0, sizeof(REF_REAL) * (size_t)width);
    for (int64_t r = 0; r < shape_rows(n->in[1]->shape); r++) {
        const REF_REAL *dy = in[0] + r * width, *x = in[1] + r * width;
        REF_REAL mean = in[3][r], rstd = in[4][r], sum = 0, dot = 0;
        for (int64_t i = 0; i < width; i++) {
            REF_REAL xhat = (x[i] - mean) * rstd, g = dy[i] * in[2][i];
            sum += g;
            dot += g * xhat;
            out[1][i] += dy[i] * xhat;
            out[2][i] += dy[i];
        }
        for (int64_t i = 0; i < width; i++)
            out[0][r * width + i] = rstd * (dy[i] * in[2][i] - sum / (REF_REAL)width -
                                            (x[i] - mean) * rstd * dot / (REF_REAL)width) +
                                    (n->n_in == 6 ? in[5][r * width + i] : 0);
    }
}
