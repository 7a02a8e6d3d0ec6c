/* Depthwise convolution along the tokens. The filters (C, 1, K) are turned into rows of C values,
 * one a tap, so that all loops run along the channels. */
#include "backend/cpu/kernels/kernel.h"

struct sizes {
    int64_t batch, tokens, channels, taps;
};

static struct sizes sizes_of(const struct node *n)
{
    const int64_t *x = n->in[0]->shape.dim;
    return (struct sizes){x[0], x[1], x[2], n->in[1]->shape.dim[2]};
}

/* to (cols, rows) = transpose of from (rows, cols) */
static void transpose(real *to, const real *from, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < cols; i++)
            to[i * rows + r] = from[r * cols + i];
}

static void add_product(real *y, const real *a, const real *b, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += a[i] * b[i];
}

struct kernel_memory KERNEL(depthwise_memory)(const struct node *n)
{
    struct sizes s = sizes_of(n);
    return (struct kernel_memory){.shared = sizeof(real) * (size_t)(s.taps * s.channels)};
}

/* y_n += sum over taps k of x_(n + sign (k - K/2)) * w_k, for all tokens of one batch element. */
static void filter(real *y, const real *x, const real *w, const struct sizes *s, int sign)
{
    for (int64_t t = 0; t < s->tokens; t++)
        for (int64_t k = 0; k < s->taps; k++) {
            int64_t from = t + sign * (k - s->taps / 2);
            if (from >= 0 && from < s->tokens)
                add_product(y + t * s->channels, x + from * s->channels, w + k * s->channels,
                            s->channels);
        }
}

void KERNEL(depthwise)(const struct kernel_call *c)
{
    struct sizes s = sizes_of(c->node);
    int64_t sample = s.tokens * s.channels;
    const real *x = c->in[0], *bias = c->in[2];
    real *y = c->out[0], *w = c->scratch;
    transpose(w, c->in[1], s.channels, s.taps);
    KERNEL_FOR_BLOCKS(c, b, s.batch)
    {
        for (int64_t t = 0; t < s.tokens; t++)
            memcpy(y + b * sample + t * s.channels, bias, sizeof(real) * (size_t)s.channels);
        filter(y + b * sample, x + b * sample, w, &s, 1);
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Scratch: the filters, then for each batch element its own gradients of them and of the bias, (K +
 * 1, C). */
struct kernel_memory KERNEL(depthwise_grad_memory)(const struct node *n)
{
    struct sizes s = sizes_of(n);
    int64_t count = s.taps + s.batch * (s.taps + 1);
    return (struct kernel_memory){.shared = sizeof(real) * (size_t)(count * s.channels)};
}

static void weight_grad(real *part, const real *x, const real *dy, const struct sizes *s)
{
    real *dbias = part + s->taps * s->channels;
    memset(part, 0, sizeof(real) * (size_t)((s->taps + 1) * s->channels));
    for (int64_t t = 0; t < s->tokens; t++) {
        const real *down = dy + t * s->channels;
        for (int64_t k = 0; k < s->taps; k++) {
            int64_t from = t + k - s->taps / 2;
            if (from >= 0 && from < s->tokens)
                add_product(part + k * s->channels, x + from * s->channels, down, s->channels);
        }
#pragma omp simd
        for (int64_t i = 0; i < s->channels; i++)
            dbias[i] += down[i];
    }
}

void KERNEL(depthwise_grad)(const struct kernel_call *c)
{
    struct sizes s = sizes_of(c->node);
    int64_t sample = s.tokens * s.channels, part = (s.taps + 1) * s.channels;
    const real *x = c->in[0], *dy = c->in[2];
    real *dx = c->out[0], *w = c->scratch, *parts = w + s.taps * s.channels;
    transpose(w, c->in[1], s.channels, s.taps);
    KERNEL_FOR_BLOCKS(c, b, s.batch)
    {
        memset(dx + b * sample, 0, sizeof(real) * (size_t)sample);
        filter(dx + b * sample, dy + b * sample, w, &s, -1);
        weight_grad(parts + b * part, x + b * sample, dy + b * sample, &s);
    }
    for (int64_t b = 1; b < s.batch; b++)
#pragma omp simd
        for (int64_t i = 0; i < part; i++)
            parts[i] += parts[b * part + i];
    transpose(c->out[1], parts, s.taps, s.channels);
    memcpy(c->out[2], parts + s.taps * s.channels, sizeof(real) * (size_t)s.channels);
}
