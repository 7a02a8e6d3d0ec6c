/* Reductions and their adjoint. */
#include "tests/backend/reference/shared.h"

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
