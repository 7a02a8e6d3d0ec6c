/* Every op as a plain loop, the way tensor/ops/ops.h defines it: in double the truth, in float the
 * error that a kernel is compared with. Included once a type, with REF_REAL   float or double
 *   REF(name)  the name with the type in it
 *   REF_ROUND(x)  an operand of a product: x, or x rounded where that is what is tested */
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/ops/ops.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What random ops are keyed by, here and in the kernels under test. */
#define TEST_SEED 17
#define TEST_STEP 5
/* At least half of the tokens of any case of matching. */
#define TEST_HALF 128

#ifndef REF_REAL
#define REF_REAL  double
#define REF(name) name##_double
#endif

#ifndef REF_ROUND
#define REF_ROUND(x) (x)
#endif

/* ---- structure ------------------------------------------------------------------------------- */

struct REF(view) {
    int64_t outer, size, inner;
};

static struct REF(view) REF(view)(struct shape s, int first, int count)
{
    struct REF(view) v = {1, 1, 1};
    for (int i = 0; i < s.rank; i++)
        *(i < first ? &v.outer : i < first + count ? &v.size : &v.inner) *= s.dim[i];
    return v;
}

static void REF(reshape)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    memcpy(out[0], in[0], sizeof(REF_REAL) * (size_t)shape_count(n->out[0]->shape));
}

static void REF(slice)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct range_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < a->b; i++)
            for (int64_t j = 0; j < v.inner; j++)
                out[0][(o * a->b + i) * v.inner + j] = in[0][(o * v.size + a->a + i) * v.inner + j];
}

static void REF(pad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct range_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    int64_t size = v.size + a->a + a->b;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < size; i++)
            for (int64_t j = 0; j < v.inner; j++) {
                int64_t from = i - a->a;
                out[0][(o * size + i) * v.inner + j] =
                    from < 0 || from >= v.size ? 0 : in[0][(o * v.size + from) * v.inner + j];
            }
}

static void REF(concat)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct axis_attr *a = n->attr;
    struct REF(view) w = REF(view)(n->out[0]->shape, a->axis, 1);
    int64_t start = 0;
    for (int k = 0; k < n->n_in; k++) {
        struct REF(view) v = REF(view)(n->in[k]->shape, a->axis, 1);
        for (int64_t o = 0; o < v.outer; o++)
            for (int64_t i = 0; i < v.size * v.inner; i++)
                out[0][o * w.size * w.inner + start * w.inner + i] =
                    in[k][o * v.size * v.inner + i];
        start += v.size;
    }
}

static void REF(repeat)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t count = shape_count(n->in[0]->shape), all = shape_count(n->out[0]->shape);
    for (int64_t i = 0; i < all; i++)
        out[0][i] = in[0][i % count];
}

static void REF(swap)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct axis_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    int64_t m = n->in[0]->shape.dim[a->axis + 1], inner = v.inner / m;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.size; i++)
            for (int64_t j = 0; j < m; j++)
                for (int64_t k = 0; k < inner; k++)
                    out[0][((o * m + j) * v.size + i) * inner + k] =
                        in[0][((o * v.size + i) * m + j) * inner + k];
}

/* Copies every pixel of a batch to its place in the tokens, or back. */
static void REF(patches)(const struct node *n, REF_REAL *image, REF_REAL *tokens, int to_tokens)
{
    const struct patch_attr *a = n->attr;
    int64_t p = a->patch, gh = a->height / p, gw = a->width / p, element = 0;
    for (int64_t b = 0; b < n->in[0]->shape.dim[0]; b++)
        for (int64_t y = 0; y < gh; y++)
            for (int64_t x = 0; x < gw; x++)
                for (int64_t ch = 0; ch < a->channels; ch++)
                    for (int64_t i = 0; i < p; i++)
                        for (int64_t j = 0; j < p; j++, element++) {
                            int64_t pixel =
                                ((b * a->channels + ch) * a->height + y * p + i) * a->width +
                                x * p + j;
                            if (to_tokens)
                                tokens[element] = image[pixel];
                            else
                                image[pixel] = tokens[element];
                        }
}

static void REF(patchify)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(patches)(n, in[0], out[0], 1);
}

static void REF(unpatchify)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(patches)(n, out[0], in[0], 0);
}

static void REF(resample)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct resample_attr *a = n->attr;
    const struct mixing *m = a->forward;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < m->n_out; i++)
            for (int64_t j = 0; j < v.inner; j++) {
                REF_REAL sum = 0;
                for (int32_t k = m->start[i]; k < m->start[i + 1]; k++)
                    sum += (REF_REAL)m->weight[k] * in[0][(o * v.size + m->index[k]) * v.inner + j];
                out[0][(o * m->n_out + i) * v.inner + j] = sum;
            }
}

/* Copies window values to their rows, or adds them back to the grid. */
static void REF(windows)(const struct node *n, REF_REAL *grid, REF_REAL *rows, int64_t batch,
                         int back)
{
    const struct unfold_attr *a = n->attr;
    int64_t element = 0;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t oy = 0; oy < a->out_height; oy++)
            for (int64_t ox = 0; ox < a->out_width; ox++)
                for (int64_t ch = 0; ch < a->channels; ch++)
                    for (int64_t k = 0; k < a->kernel * a->kernel; k++, element++) {
                        int64_t y = oy * a->stride - a->pad + k / a->kernel;
                        int64_t x = ox * a->stride - a->pad + k % a->kernel;
                        int inside = y >= 0 && x >= 0 && y < a->height && x < a->width;
                        int64_t at = a->tokens
                                         ? ((b * a->height + y) * a->width + x) * a->channels + ch
                                         : ((b * a->channels + ch) * a->height + y) * a->width + x;
                        if (!back)
                            rows[element] = inside ? grid[at] : 0;
                        else if (inside)
                            grid[at] += rows[element];
                    }
}

static void REF(unfold)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(windows)(n, in[0], out[0], n->in[0]->shape.dim[0], 0);
}

static void REF(fold)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    memset(out[0], 0, sizeof(REF_REAL) * (size_t)shape_count(n->out[0]->shape));
    REF(windows)(n, out[0], in[0], n->in[0]->shape.dim[0], 1);
}

/* Rows move along an axis to the places that assign (B,N) names, or back. */
static void REF(moves)(const struct node *n, REF_REAL *const *in, REF_REAL *y, int back)
{
    const struct assign_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    const int32_t *assign = (const int32_t *)(void *)in[1];
    int64_t length = n->in[1]->shape.dim[1], out = n->out[0]->shape.dim[a->axis];
    int64_t group = v.outer / n->in[0]->shape.dim[0];
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t t = 0; t < length; t++)
            for (int64_t i = 0; i < v.inner; i++) {
                int64_t place = assign[o / group * length + t];
                if (back)
                    y[(o * out + t) * v.inner + i] = in[0][(o * v.size + place) * v.inner + i];
                else
                    y[(o * out + place) * v.inner + i] += in[0][(o * v.size + t) * v.inner + i];
            }
}

static void REF(scatter_rows)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    memset(out[0], 0, sizeof(REF_REAL) * (size_t)shape_count(n->out[0]->shape));
    REF(moves)(n, in, out[0], 0);
}

static void REF(scatter_max)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct assign_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    const int32_t *assign = (const int32_t *)(void *)in[1];
    int64_t length = n->in[1]->shape.dim[1], count = n->out[0]->shape.dim[a->axis];
    int64_t group = v.outer / n->in[0]->shape.dim[0];
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t place = 0; place < count; place++)
            for (int64_t i = 0; i < v.inner; i++) {
                REF_REAL *y = &out[0][(o * count + place) * v.inner + i];
                int rows = 0;
                *y = 0;
                for (int64_t t = 0; t < length; t++) {
                    REF_REAL x = in[0][(o * v.size + t) * v.inner + i];
                    if (assign[o / group * length + t] == place && (!rows++ || x > *y))
                        *y = x;
                }
            }
}

static void REF(gather_rows)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(moves)(n, in, out[0], 1);
}

/* ---- element-wise ---------------------------------------------------------------------------- */

/* Index into a tensor of shape s of the element that broadcasts to element i of shape out. */
static int64_t REF(source)(struct shape out, struct shape s, int64_t i)
{
    int64_t index = 0, stride = 1;
    for (int d = 0; d < out.rank; d++) {
        int64_t size = out.dim[out.rank - 1 - d], at = i % size;
        int64_t mine = d < s.rank ? s.dim[s.rank - 1 - d] : 1;
        i /= size;
        index += (mine == 1 ? 0 : at) * stride;
        stride *= mine;
    }
    return index;
}

#define REF_BINARY(NAME, SIGN)                                                                     \
    static void REF(NAME)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)         \
    {                                                                                              \
        struct shape s = n->out[0]->shape;                                                         \
        for (int64_t i = 0; i < shape_count(s); i++)                                               \
            out[0][i] = in[0][REF(source)(s, n->in[0]->shape, i)] SIGN                             \
                in[1][REF(source)(s, n->in[1]->shape, i)];                                         \
    }
REF_BINARY(add, +)
REF_BINARY(sub, -)
REF_BINARY(mul, *)
REF_BINARY(div, /)
#undef REF_BINARY

#define REF_IS_FLOAT (sizeof(REF_REAL) == sizeof(float))
#define REF_CALL(name, x)                                                                          \
    (REF_IS_FLOAT ? (REF_REAL)name##f((float)(x)) : (REF_REAL)name((double)(x)))

static REF_REAL REF(exp_of)(REF_REAL x)
{
    return REF_CALL(exp, x);
}

static REF_REAL REF(erf_of)(REF_REAL x)
{
    return REF_CALL(erf, x);
}

static REF_REAL REF(log_of)(REF_REAL x)
{
    return REF_CALL(log, x);
}

static REF_REAL REF(sqrt_of)(REF_REAL x)
{
    return REF_CALL(sqrt, x);
}

static REF_REAL REF(phi_of)(REF_REAL x)
{
    return x > 0 ? x + 1 : REF(exp_of)(x);
}

static REF_REAL REF(phi_slope)(REF_REAL x)
{
    return x > 0 ? 1 : REF(exp_of)(x);
}

static REF_REAL REF(gelu_of)(REF_REAL x)
{
    return (REF_REAL)0.5 * x * (1 + REF(erf_of)(x * (REF_REAL)M_SQRT1_2));
}

static REF_REAL REF(gelu_slope)(REF_REAL x)
{
    return (REF_REAL)0.5 * (1 + REF(erf_of)(x * (REF_REAL)M_SQRT1_2)) +
           x * REF(exp_of)((REF_REAL)-0.5 * x * x) * (REF_REAL)0.398942280401432678;
}

#define REF_UNARY(NAME, EXPRESSION)                                                                \
    static void REF(NAME)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)         \
    {                                                                                              \
        for (int64_t i = 0; i < shape_count(n->out[0]->shape); i++) {                              \
            REF_REAL x = in[0][i];                                                                 \
            out[0][i] = EXPRESSION;                                                                \
        }                                                                                          \
    }
REF_UNARY(exp, REF(exp_of)(x))
REF_UNARY(log, REF(log_of)(x))
REF_UNARY(sqrt, REF(sqrt_of)(x))
REF_UNARY(erf, REF(erf_of)(x))
REF_UNARY(sigmoid, 1 / (1 + REF(exp_of)(-x)))
REF_UNARY(phi, REF(phi_of)(x))
REF_UNARY(gelu, REF(gelu_of)(x))
REF_UNARY(relu, x > 0 ? x : 0)
REF_UNARY(above, x > (REF_REAL)((const struct above_attr *)n->attr)->threshold)
REF_UNARY(relu_grad, x > 0 ? in[1][i] : 0)
REF_UNARY(phi_grad, in[1][i] * REF(phi_slope)(x))
REF_UNARY(gelu_grad, in[1][i] * REF(gelu_slope)(x))
#undef REF_UNARY

static void REF(affine)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct affine_attr *a = n->attr;
    for (int64_t i = 0; i < shape_count(n->out[0]->shape); i++)
        out[0][i] = (REF_REAL)a->scale * in[0][i] + (REF_REAL)a->shift;
}

/* ---- reductions ------------------------------------------------------------------------------ */

static void REF(reduce)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out, int max)
{
    const struct reduce_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->first, a->count);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t j = 0; j < v.inner; j++) {
            const REF_REAL *x = in[0] + o * v.size * v.inner + j;
            REF_REAL sum = 0, top = x[0];
            for (int64_t i = 0; i < v.size; i++) {
                sum += x[i * v.inner];
                top = x[i * v.inner] > top ? x[i * v.inner] : top;
            }
            out[0][o * v.inner + j] = max ? top : (REF_REAL)a->scale * sum;
        }
}

static void REF(sum)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(reduce)(n, in, out, 0);
}

static void REF(max)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(reduce)(n, in, out, 1);
}

static void REF(spread)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct spread_attr *a = n->attr;
    for (int64_t i = 0; i < shape_count(a->shape); i++)
        out[0][i] = (REF_REAL)a->scale * in[0][REF(source)(a->shape, n->in[0]->shape, i)];
}

/* ---- products -------------------------------------------------------------------------------- */

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
                    *REF(at)(out[0], sc, t->heads, b, h, i, j) = (REF_REAL)t->scale * sum;
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

/* ---- fused ----------------------------------------------------------------------------------- */

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

static void REF(layer_norm)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct eps_attr *a = n->attr;
    int64_t width = shape_last(n->in[0]->shape);
    for (int64_t r = 0; r < shape_rows(n->in[0]->shape); r++) {
        const REF_REAL *x = in[0] + r * width;
        REF_REAL sum = 0, square = 0;
        for (int64_t i = 0; i < width; i++)
            sum += x[i];
        REF_REAL mean = sum / (REF_REAL)width;
        for (int64_t i = 0; i < width; i++)
            square += (x[i] - mean) * (x[i] - mean);
        REF_REAL rstd = 1 / REF(sqrt_of)(square / (REF_REAL)width + (REF_REAL)a->eps);
        for (int64_t i = 0; i < width; i++)
            out[0][r * width + i] = (x[i] - mean) * rstd * in[1][i] + in[2][i];
        out[1][r] = mean;
        out[2][r] = rstd;
    }
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
                                            (x[i] - mean) * rstd * dot / (REF_REAL)width);
    }
}

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
                    ksum[f] += REF(phi_of)(REF(token)(x[1], b, h, k)[f]);
                for (int64_t e = 0; e < s.value_dim; e++) {
                    REF_REAL sum = 0;
                    for (int64_t k = 0; k < s.keys; k++)
                        sum += REF(phi_of)(REF(token)(x[1], b, h, k)[f]) *
                               REF(token)(x[2], b, h, k)[e];
                    kv[f * s.value_dim + e] = sum;
                }
            }
            for (int64_t m = 0; m < s.queries; m++) {
                const REF_REAL *q = REF(token)(x[0], b, h, m);
                REF_REAL z = 0;
                for (int64_t f = 0; f < s.dim; f++)
                    z += REF(phi_of)(q[f]) * ksum[f];
                z += (REF_REAL)a->eps;
                for (int64_t e = 0; e < s.value_dim; e++) {
                    REF_REAL sum = 0;
                    for (int64_t f = 0; f < s.dim; f++)
                        sum += REF(phi_of)(q[f]) * kv[f * s.value_dim + e];
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
                    z += REF(phi_of)(q[f]) * ksum[f];
                z += (REF_REAL)a->eps;
                for (int64_t e = 0; e < s.value_dim; e++)
                    dz -= down[e] * o[e] / z;
                for (int64_t f = 0; f < s.dim; f++) {
                    REF_REAL dphi = dz * ksum[f];
                    for (int64_t e = 0; e < s.value_dim; e++) {
                        dphi += down[e] / z * kv[f * s.value_dim + e];
                        dkv[f * s.value_dim + e] += REF(phi_of)(q[f]) * down[e] / z;
                    }
                    dksum[f] += dz * REF(phi_of)(q[f]);
                    REF(token)(d[0], b, h, m)[f] = dphi * REF(phi_slope)(q[f]);
                }
            }
            for (int64_t k = 0; k < s.keys; k++) {
                const REF_REAL *key = REF(token)(x[1], b, h, k), *v = REF(token)(x[2], b, h, k);
                for (int64_t e = 0; e < s.value_dim; e++) {
                    REF_REAL sum = 0;
                    for (int64_t f = 0; f < s.dim; f++)
                        sum += REF(phi_of)(key[f]) * dkv[f * s.value_dim + e];
                    REF(token)(d[2], b, h, k)[e] = sum;
                }
                for (int64_t f = 0; f < s.dim; f++) {
                    REF_REAL sum = dksum[f];
                    for (int64_t e = 0; e < s.value_dim; e++)
                        sum += v[e] * dkv[f * s.value_dim + e];
                    REF(token)(d[1], b, h, k)[f] = sum * REF(phi_slope)(key[f]);
                }
            }
        }
    free(dkv);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static REF_REAL REF(share)(const struct node *n, REF_REAL *const *in, int64_t b, int64_t k)
{
    const struct loss_attr *a = n->attr;
    int64_t classes = n->in[0]->shape.dim[1];
    if (n->in[1]->type == TENSOR_VALUE)
        return in[1][b * classes + k];
    int32_t label = ((const int32_t *)(void *)in[1])[b];
    return (REF_REAL)((1 - a->smoothing) * (k == label) + a->smoothing / (double)classes);
}

static REF_REAL REF(log_sum)(const REF_REAL *x, int64_t n)
{
    REF_REAL top = x[0], sum = 0;
    for (int64_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < n; i++)
        sum += REF(exp_of)(x[i] - top);
    return top + REF(log_of)(sum);
}

static void REF(cross_entropy)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t batch = n->in[0]->shape.dim[0], classes = n->in[0]->shape.dim[1];
    REF_REAL sum = 0;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t k = 0; k < classes; k++)
            sum += REF(share)(n, in, b, k) *
                   (REF(log_sum)(in[0] + b * classes, classes) - in[0][b * classes + k]);
    out[0][0] = sum / (REF_REAL)batch;
}

static void REF(cross_entropy_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t batch = n->in[0]->shape.dim[0], classes = n->in[0]->shape.dim[1];
    for (int64_t b = 0; b < batch; b++) {
        REF_REAL total = 0, lse = REF(log_sum)(in[0] + b * classes, classes);
        for (int64_t k = 0; k < classes; k++)
            total += REF(share)(n, in, b, k);
        for (int64_t k = 0; k < classes; k++)
            out[0][b * classes + k] =
                in[2][0] / (REF_REAL)batch *
                (total * REF(exp_of)(in[0][b * classes + k] - lse) - REF(share)(n, in, b, k));
    }
}

static void REF(label_cross_entropy)(const struct node *n, REF_REAL *const *in,
                                     REF_REAL *const *out)
{
    const struct label_loss_attr *a = n->attr;
    int64_t classes = shape_last(n->in[0]->shape), rows = shape_rows(n->in[0]->shape), counted = 0;
    const int32_t *labels = (const int32_t *)(void *)in[1];
    REF_REAL sum = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (labels[r] == a->ignore)
            continue;
        REF_REAL lse = REF(log_sum)(in[0] + r * classes, classes);
        counted++;
        for (int64_t k = 0; k < classes; k++)
            sum += ((REF_REAL)a->smoothing / (REF_REAL)classes +
                    (k == labels[r] ? 1 - (REF_REAL)a->smoothing : 0)) *
                   (lse - in[0][r * classes + k]);
    }
    out[0][0] = sum / (REF_REAL)(a->over_all ? rows : counted ? counted : 1);
}

static void REF(label_cross_entropy_grad)(const struct node *n, REF_REAL *const *in,
                                          REF_REAL *const *out)
{
    const struct label_loss_attr *a = n->attr;
    int64_t classes = shape_last(n->in[0]->shape), rows = shape_rows(n->in[0]->shape), counted = 0;
    const int32_t *labels = (const int32_t *)(void *)in[1];
    for (int64_t r = 0; r < rows; r++)
        counted += labels[r] != a->ignore;
    for (int64_t r = 0; r < rows; r++) {
        REF_REAL lse = REF(log_sum)(in[0] + r * classes, classes);
        for (int64_t k = 0; k < classes; k++)
            out[0][r * classes + k] = labels[r] == a->ignore
                                          ? 0
                                          : in[2][0] / (REF_REAL)(a->over_all ? rows : counted) *
                                                (REF(exp_of)(in[0][r * classes + k] - lse) -
                                                 (REF_REAL)a->smoothing / (REF_REAL)classes -
                                                 (k == labels[r] ? 1 - (REF_REAL)a->smoothing : 0));
    }
}

static void REF(bce)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct loss_attr *a = n->attr;
    int64_t batch = n->in[0]->shape.dim[0], classes = n->in[0]->shape.dim[1];
    REF_REAL sum = 0;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t k = 0; k < classes; k++) {
            REF_REAL x = in[0][b * classes + k];
            sum += (x > 0 ? x : 0) - x * REF(share)(n, in, b, k) +
                   REF(log_of)(1 + REF(exp_of)(x > 0 ? -x : x));
        }
    out[0][0] = (REF_REAL)a->scale * sum / (REF_REAL)batch;
}

static void REF(bce_grad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct loss_attr *a = n->attr;
    int64_t batch = n->in[0]->shape.dim[0], classes = n->in[0]->shape.dim[1];
    for (int64_t b = 0; b < batch; b++)
        for (int64_t k = 0; k < classes; k++)
            out[0][b * classes + k] =
                (REF_REAL)a->scale * in[2][0] / (REF_REAL)batch *
                (1 / (1 + REF(exp_of)(-in[0][b * classes + k])) - REF(share)(n, in, b, k));
}

/* ---- token reduction ------------------------------------------------------------------------- */

static REF_REAL REF(cosine)(const REF_REAL *x, const REF_REAL *y, int64_t n)
{
    REF_REAL xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < n; i++) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
        yy += y[i] * y[i];
    }
    return xy / (REF(sqrt_of)(xx) * REF(sqrt_of)(yy));
}

/* One batch element: a score for every pair, and which tokens may still be chosen. */
struct REF(pairs) {
    const REF_REAL *scores;
    int64_t a, b;
    int open_a[TEST_HALF], open_b[TEST_HALF], protect, shut;
};

/* The partner with the highest score, the lowest index first; -1 where there is none. */
static int64_t REF(partner)(const struct REF(pairs) * p, int64_t i, int from_a)
{
    int64_t best = -1;
    for (int64_t k = from_a ? p->shut : p->protect; k < (from_a ? p->b : p->a); k++) {
        REF_REAL score = from_a ? p->scores[i * p->b + k] : p->scores[k * p->b + i];
        REF_REAL top = best < 0 ? 0
                       : from_a ? p->scores[i * p->b + best]
                                : p->scores[best * p->b + i];
        if ((from_a || p->open_a[k]) && (best < 0 || score > top))
            best = k;
    }
    return best;
}

/* The open token whose best score is highest; -1 where none is left. */
static int64_t REF(next)(const struct REF(pairs) * p, int from_a)
{
    int64_t best = -1;
    REF_REAL top = 0;
    for (int64_t i = from_a ? p->protect : 0; i < (from_a ? p->a : p->b); i++) {
        int64_t k = REF(partner)(p, i, from_a);
        if (k < 0 || !(from_a ? p->open_a[i] : p->open_b[i]))
            continue;
        REF_REAL score = from_a ? p->scores[i * p->b + k] : p->scores[k * p->b + i];
        if (best < 0 || score > top) {
            best = i;
            top = score;
        }
    }
    return best;
}

static struct REF(pairs) REF(open_pairs)(const REF_REAL *scores, int64_t tokens)
{
    struct REF(pairs) p = {.scores = scores, .a = (tokens + 1) / 2, .b = tokens / 2};
    for (int i = 0; i < TEST_HALF; i++)
        p.open_a[i] = p.open_b[i] = 1;
    return p;
}

static void REF(tome_one)(const struct tome_attr *t, const REF_REAL *scores, int64_t tokens,
                          int32_t *assign)
{
    struct REF(pairs) p = REF(open_pairs)(scores, tokens);
    int64_t partner[TEST_HALF], order[TEST_HALF], n = 0, kept = p.a - t->r;
    p.protect = t->class_token;
    p.shut = t->distill;
    for (int64_t i = 0; i < p.a; i++)
        partner[i] = -1;
    for (int64_t i = 0; i < t->r; i++) {
        int64_t a = REF(next)(&p, 1);
        partner[a] = REF(partner)(&p, a, 1);
        p.open_a[a] = 0;
    }
    if (t->class_token) {
        for (int64_t i = 0; i < p.a; i++)
            if (p.open_a[i])
                order[n++] = i;
    } else {
        for (int64_t a = REF(next)(&p, 1); a >= 0; a = REF(next)(&p, 1)) {
            order[n++] = a;
            p.open_a[a] = 0;
        }
    }
    int distill = t->distill && kept > 0;
    for (int64_t i = 0; i < n; i++)
        assign[2 * order[i]] = (int32_t)(i == 0 ? 0 : i + distill);
    for (int64_t j = 0; j < p.b; j++)
        assign[2 * j + 1] = (int32_t)(distill && j == 0 ? 1 : kept + j);
    for (int64_t i = 0; i < p.a; i++)
        if (partner[i] >= 0)
            assign[2 * i] = assign[2 * partner[i] + 1];
}

static void REF(tome_match)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    struct shape s = n->in[0]->shape;
    int64_t tokens = s.dim[1], a = (tokens + 1) / 2, b = tokens / 2, width = s.dim[2];
    for (int64_t k = 0; k < s.dim[0]; k++) {
        const REF_REAL *x = in[0] + k * tokens * width;
        REF_REAL *scores = out[1] + k * a * b;
        for (int64_t i = 0; i < a * b; i++)
            scores[i] = REF(cosine)(x + 2 * (i / b) * width, x + (2 * (i % b) + 1) * width, width);
        REF(tome_one)
        (n->attr, scores, tokens, (int32_t *)(void *)out[0] + k * tokens);
    }
}

/* 1/x as a part of its largest value. */
static REF_REAL REF(rarity)(const REF_REAL *x, int64_t tokens, int64_t i)
{
    REF_REAL least = x[0];
    for (int64_t k = 1; k < tokens; k++)
        least = x[k] < least ? x[k] : least;
    return least / x[i];
}

static REF_REAL REF(power)(REF_REAL x, double tau)
{
    return tau > 0 ? (REF_REAL)pow((double)x, 1 / tau) : 1;
}

static void REF(mctf_one)(const struct mctf_attr *m, const REF_REAL *scores, int64_t tokens,
                          int32_t *assign)
{
    struct REF(pairs) p = REF(open_pairs)(scores, tokens);
    int64_t into_b[TEST_HALF], into_a[TEST_HALF], place[TEST_HALF],
        n1 = m->bidirectional ? m->n / 2 : m->n, kept = 0;
    p.protect = m->protect;
    for (int64_t i = 0; i < TEST_HALF; i++)
        into_b[i] = into_a[i] = -1;
    for (int64_t i = 0; i < n1; i++) {
        int64_t a = REF(next)(&p, 1);
        into_b[a] = REF(partner)(&p, a, 1);
        p.open_a[a] = 0;
    }
    for (int64_t i = 0; i < p.a; i++)
        place[i] = p.open_a[i] ? kept++ : -1;
    int64_t at = kept;
    for (int64_t i = 0; i < p.b; i++) {
        int64_t b = m->bidirectional ? REF(next)(&p, 0) : i;
        if (m->bidirectional && i < m->n - n1)
            into_a[b] = REF(partner)(&p, b, 0);
        assign[2 * b + 1] = (int32_t)(into_a[b] >= 0 ? place[into_a[b]] : at++);
        p.open_b[b] = 0;
    }
    for (int64_t i = 0; i < p.a; i++)
        assign[2 * i] = (int32_t)(place[i] >= 0 ? place[i] : assign[2 * into_b[i] + 1]);
}

static void REF(mctf_match)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct mctf_attr *m = n->attr;
    struct shape s = n->in[0]->shape;
    int64_t tokens = s.dim[1], a = (tokens + 1) / 2, b = tokens / 2, width = s.dim[2];
    for (int64_t k = 0; k < s.dim[0]; k++) {
        const REF_REAL *x = in[0] + k * tokens * width, *info = in[1] + k * tokens;
        const REF_REAL *size = n->n_in == 3 ? in[2] + k * tokens : NULL;
        REF_REAL *scores = out[1] + k * a * b;
        for (int64_t i = 0; i < a * b; i++) {
            int64_t t = 2 * (i / b), u = 2 * (i % b) + 1;
            REF_REAL half = (REF(cosine)(x + t * width, x + u * width, width) + 1) / 2;
            scores[i] = REF(power)(half < 0 ? 0 : half, m->tau_sim);
            scores[i] *= REF(power)(REF(rarity)(info, tokens, t) * REF(rarity)(info, tokens, u),
                                    m->tau_info);
            if (size)
                scores[i] *= REF(power)(REF(rarity)(size, tokens, t) * REF(rarity)(size, tokens, u),
                                        m->tau_size);
        }
        REF(mctf_one)
        (m, scores, tokens, (int32_t *)(void *)out[0] + k * tokens);
    }
}

/* ---- training -------------------------------------------------------------------------------- */

static void REF(drop_path)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct drop_attr *a = n->attr;
    struct shape s = n->in[0]->shape;
    int64_t size = shape_count(s) / s.dim[0];
    for (int64_t b = 0; b < s.dim[0]; b++) {
        struct rng r;
        rng_init_hashed(&r, TEST_SEED, a->stream, TEST_STEP, (uint64_t)b);
        int keep = rng_uniform(&r) >= a->rate;
        for (int64_t i = b * size; i < (b + 1) * size; i++)
            out[0][i] = keep ? in[0][i] / (REF_REAL)(1 - a->rate) : 0;
    }
}

static void REF(norm_square)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF_REAL sum = 0;
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++)
        sum += in[0][i] * in[0][i];
    out[0][0] = sum;
}

static REF_REAL REF(clip_scale)(const REF_REAL *h, REF_REAL norm_square)
{
    REF_REAL scale = h[HYPER_CLIP] / (REF(sqrt_of)(norm_square) + (REF_REAL)1e-6);
    return h[HYPER_CLIP] > 0 && scale < 1 ? scale : 1;
}

static REF_REAL REF(decay_of)(const struct node *n, const REF_REAL *h, int64_t i)
{
    return i < ((const struct update_attr *)n->attr)->decayed ? h[HYPER_DECAY] : 0;
}

/* Changes in[0], in[1], in[2]. */
static void REF(adamw)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    (void)out;
    const REF_REAL *h = in[5];
    REF_REAL clip = REF(clip_scale)(h, in[4][0]);
    double left1 = 1 - pow(1 - (double)h[HYPER_NEW1], (double)h[HYPER_T]);
    double left2 = 1 - pow(1 - (double)h[HYPER_NEW2], (double)h[HYPER_T]);
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++) {
        REF_REAL g = clip * in[3][i];
        REF_REAL *p = &in[0][i], *m = &in[1][i], *v = &in[2][i];
        *p *= 1 - h[HYPER_LR] * REF(decay_of)(n, h, i);
        *m = (1 - h[HYPER_NEW1]) * *m + h[HYPER_NEW1] * g;
        *v = (1 - h[HYPER_NEW2]) * *v + h[HYPER_NEW2] * g * g;
        *p -= h[HYPER_LR] / (REF_REAL)left1 * *m /
              (REF(sqrt_of)(*v) / (REF_REAL)sqrt(left2) + h[HYPER_EPS]);
    }
}

/* Changes in[0], in[1]. */
static void REF(sgd)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    (void)out;
    const REF_REAL *h = in[4];
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++) {
        REF_REAL *p = &in[0][i], *m = &in[1][i];
        REF_REAL d = REF(clip_scale)(h, in[3][0]) * in[2][i] + REF(decay_of)(n, h, i) * *p;
        *m = h[HYPER_MOMENTUM] * *m + d;
        if (h[HYPER_NESTEROV] > 0)
            *p -= h[HYPER_LR] * (d + h[HYPER_MOMENTUM] * *m);
        else
            *p -= h[HYPER_LR] * *m;
    }
}

/* Changes in[0]. */
static void REF(accumulate)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    (void)out;
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++)
        in[0][i] = in[1][i] + (in[2][HYPER_ADD] > 0 ? in[0][i] : 0);
}

/* Changes in[0]. */
static void REF(running_mean)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    (void)out;
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++)
        in[0][i] += in[2][HYPER_SHARE] * (in[1][i] - in[0][i]);
}

/* ---------------------------------------------------------------------------------------------- */

struct REF(row) {
    const char *name;
    void (*run)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out);
};

static const struct REF(row) REF(rows)[] = {
    {"reshape", REF(reshape)},
    {"scatter_rows", REF(scatter_rows)},
    {"scatter_max", REF(scatter_max)},
    {"gather_rows", REF(gather_rows)},
    {"above", REF(above)},
    {"tome_match", REF(tome_match)},
    {"mctf_match", REF(mctf_match)},
    {"slice", REF(slice)},
    {"pad", REF(pad)},
    {"concat", REF(concat)},
    {"repeat", REF(repeat)},
    {"swap", REF(swap)},
    {"patchify", REF(patchify)},
    {"unpatchify", REF(unpatchify)},
    {"resample", REF(resample)},
    {"unfold", REF(unfold)},
    {"fold", REF(fold)},
    {"linear_attention_grad", REF(linear_attention_grad)},
    {"affine", REF(affine)},
    {"sum", REF(sum)},
    {"max", REF(max)},
    {"spread", REF(spread)},
    {"linear", REF(linear)},
    {"matmul", REF(matmul)},
    {"depthwise", REF(depthwise)},
    {"scale_shift", REF(scale_shift)},
    {"depthwise_grad", REF(depthwise_grad)},
    {"softmax", REF(softmax)},
    {"softmax_grad", REF(softmax_grad)},
    {"layer_norm", REF(layer_norm)},
    {"layer_norm_grad", REF(layer_norm_grad)},
    {"attention", REF(attention)},
    {"attention_grad", REF(attention_grad)},
    {"linear_attention", REF(linear_attention)},
    {"cross_entropy", REF(cross_entropy)},
    {"cross_entropy_grad", REF(cross_entropy_grad)},
    {"label_cross_entropy", REF(label_cross_entropy)},
    {"label_cross_entropy_grad", REF(label_cross_entropy_grad)},
    {"bce", REF(bce)},
    {"bce_grad", REF(bce_grad)},
    {"drop_path", REF(drop_path)},
    {"norm_square", REF(norm_square)},
    {"adamw", REF(adamw)},
    {"sgd", REF(sgd)},
    {"accumulate", REF(accumulate)},
    {"running_mean", REF(running_mean)},
    {"exp", REF(exp)},
    {"log", REF(log)},
    {"sqrt", REF(sqrt)},
    {"erf", REF(erf)},
    {"sigmoid", REF(sigmoid)},
    {"phi", REF(phi)},
    {"gelu", REF(gelu)},
    {"relu", REF(relu)},
    {"relu_grad", REF(relu_grad)},
    {"phi_grad", REF(phi_grad)},
    {"gelu_grad", REF(gelu_grad)},
    {"add", REF(add)},
    {"sub", REF(sub)},
    {"mul", REF(mul)},
    {"div", REF(div)},
};

static void REF(reference)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    for (size_t i = 0; i < sizeof REF(rows) / sizeof *REF(rows); i++)
        if (!strcmp(REF(rows)[i].name, n->op->name))
            REF(rows)[i].run(n, in, out);
}
