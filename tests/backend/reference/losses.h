/* Losses. */
#include "tests/backend/reference/shared.h"

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
