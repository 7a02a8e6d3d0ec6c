/* Drop path and updates of the flat blocks. */
#include "tests/backend/reference/shared.h"

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
