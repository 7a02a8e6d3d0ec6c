/* The attention of backend/cuda/sdpa.h with plain loops: the same promises, and what cuDNN refuses
 * is refused. Operands and results are bf16, everything between in single precision, but for the
 * probabilities and score gradients that enter products: those are rounded, as cuDNN does. */
#include "backend/cuda/sdpa.h"

#include "backend/sim/bf16.h"
#include "backend/sim/launch.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 128, WIDTH_STEP = 8 };

struct vt_sdpa {
    int unused; /* nothing is kept: loops need no plan */
};

struct vt_sdpa *vt_sdpa_new(void)
{
    return mem_zalloc(1, sizeof(struct vt_sdpa));
}

void vt_sdpa_free(struct vt_sdpa *s)
{
    free(s);
}

int vt_sdpa_prepare(struct vt_sdpa *s, const struct vt_attention_size *a, enum vt_sdpa_pass pass,
                    size_t *workspace_bytes, struct error *err)
{
    (void)s;
    (void)pass;
    *workspace_bytes = 0;
    if (a->dim % WIDTH_STEP || a->value_dim % WIDTH_STEP || a->dim > WIDEST ||
        a->value_dim > WIDEST)
        return error_env(err, "cuDNN has no engine for heads of %lld and %lld channels",
                         (long long)a->dim, (long long)a->value_dim);
    return 0;
}

/* ---- loops ----------------------------------------------------------------------------------- */

static float rounded(float x)
{
    return widen(narrow(x));
}

struct work {
    struct vt_attention_size a;
    const bf16 *q, *k, *v, *of_out, *dout;
    bf16 *out, *dq, *dk, *dv;
    float *lse;
};

/* One head: the first elements of its operands. */
struct head {
    const bf16 *q, *k, *v, *of_out, *dout;
    bf16 *out, *dq, *dk, *dv;
    float *lse;
};

static struct head head_of(const struct work *w, int64_t b, int64_t h)
{
    const struct vt_attention_size *a = &w->a;
    int64_t q = b * a->queries * a->ldq + h * a->dim, k = b * a->keys * a->ldk + h * a->dim;
    int64_t v = b * a->keys * a->ldv + h * a->value_dim;
    int64_t o = b * a->queries * a->ldo + h * a->value_dim;
    struct head x = {.q = w->q + q,
                     .k = w->k + k,
                     .v = w->v + v,
                     .lse = w->lse + (b * a->heads + h) * a->queries};
    if (w->out) {
        x.out = w->out + o;
        return x;
    }
    x.of_out = w->of_out + o;
    x.dout = w->dout + o;
    x.dq = w->dq + q;
    x.dk = w->dk + k;
    x.dv = w->dv + v;
    return x;
}

static float dot(const bf16 *x, const bf16 *y, int64_t n)
{
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += widen(x[i]) * widen(y[i]);
    return sum;
}

static void forward_row(const struct vt_attention_size *a, const struct head *x, int64_t m,
                        float *p, float *sums)
{
    float top = -INFINITY, sum = 0;
    for (int64_t n = 0; n < a->keys; n++) {
        p[n] = a->scale * dot(x->q + m * a->ldq, x->k + n * a->ldk, a->dim);
        top = fmaxf(top, p[n]);
    }
    for (int64_t n = 0; n < a->keys; n++) {
        p[n] = expf(p[n] - top);
        sum += p[n];
    }
    x->lse[m] = top + logf(sum);
    memset(sums, 0, sizeof *sums * (size_t)a->value_dim);
    for (int64_t n = 0; n < a->keys; n++)
        for (int64_t e = 0; e < a->value_dim; e++)
            sums[e] += rounded(p[n] / sum) * widen(x->v[n * a->ldv + e]);
    for (int64_t e = 0; e < a->value_dim; e++)
        x->out[m * a->ldo + e] = narrow(sums[e]);
}

static void forward(const void *arguments)
{
    const struct work *w = arguments;
    const struct vt_attention_size *a = &w->a;
    float *p = mem_alloc(sizeof *p * (size_t)(a->keys + a->value_dim));
    for (int64_t i = 0; i < a->batch * a->heads; i++) {
        struct head x = head_of(w, i / a->heads, i % a->heads);
        for (int64_t m = 0; m < a->queries; m++)
            forward_row(a, &x, m, p, p + a->keys);
    }
    free(p);
}

/* Sums of a head's gradients, in single precision. */
struct sums {
    float *dq, *dk, *dv;
};

static void backward_row(const struct vt_attention_size *a, const struct head *x, int64_t m,
                         struct sums s)
{
    const bf16 *q = x->q + m * a->ldq, *down = x->dout + m * a->ldo;
    float delta = dot(down, x->of_out + m * a->ldo, a->value_dim);
    memset(s.dq, 0, sizeof *s.dq * (size_t)a->dim);
    for (int64_t n = 0; n < a->keys; n++) {
        const bf16 *k = x->k + n * a->ldk;
        float p = expf(a->scale * dot(q, k, a->dim) - x->lse[m]);
        float dp = dot(down, x->v + n * a->ldv, a->value_dim);
        float ds = rounded(a->scale * p * (dp - delta));
        for (int64_t e = 0; e < a->value_dim; e++)
            s.dv[n * a->value_dim + e] += rounded(p) * widen(down[e]);
        for (int64_t d = 0; d < a->dim; d++) {
            s.dq[d] += ds * widen(k[d]);
            s.dk[n * a->dim + d] += ds * widen(q[d]);
        }
    }
    for (int64_t d = 0; d < a->dim; d++)
        x->dq[m * a->ldq + d] = narrow(s.dq[d]);
}

static void store(bf16 *to, int64_t ld, const float *from, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            to[r * ld + c] = narrow(from[r * cols + c]);
}

static void backward(const void *arguments)
{
    const struct work *w = arguments;
    const struct vt_attention_size *a = &w->a;
    size_t of_k = (size_t)(a->keys * a->dim), of_v = (size_t)(a->keys * a->value_dim);
    float *room = mem_alloc(sizeof *room * (of_k + of_v + (size_t)a->dim));
    for (int64_t i = 0; i < a->batch * a->heads; i++) {
        struct head x = head_of(w, i / a->heads, i % a->heads);
        struct sums s = {.dk = room, .dv = room + of_k, .dq = room + of_k + of_v};
        memset(room, 0, sizeof *room * (of_k + of_v));
        for (int64_t m = 0; m < a->queries; m++)
            backward_row(a, &x, m, s);
        store(x.dk, a->ldk, s.dk, a->keys, a->dim);
        store(x.dv, a->ldv, s.dv, a->keys, a->value_dim);
    }
    free(room);
}

int vt_sdpa_forward(struct vt_sdpa *s, const struct vt_attention_size *a, void *out, float *lse,
                    const void *q, const void *k, const void *v, void *workspace,
                    cudaStream_t stream)
{
    (void)s;
    (void)workspace;
    struct work w = {.a = *a, .q = q, .k = k, .v = v, .out = out, .lse = lse};
    return (int)sim_enqueue(stream, forward, &w, sizeof w);
}

int vt_sdpa_backward(struct vt_sdpa *s, const struct vt_attention_size *a, void *dq, void *dk,
                     void *dv, const void *q, const void *k, const void *v, const void *out,
                     const float *lse, const void *dout, void *workspace, cudaStream_t stream)
{
    (void)s;
    (void)workspace;
    struct work w = {.a = *a,
                     .q = q,
                     .k = k,
                     .v = v,
                     .of_out = out,
                     .dout = dout,
                     .dq = dq,
                     .dk = dk,
                     .dv = dv,
                     .lse = (float *)(uintptr_t)lse /* only read backward */};
    return (int)sim_enqueue(stream, backward, &w, sizeof w);
}
