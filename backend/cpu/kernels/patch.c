/* patchify, unpatchify, pool_grid: images and token grids. */
#include "backend/cpu/kernels/kernel.h"

/* One row of patches: `cols` patches that share `patch` lines of each channel of one image. The
 * line of a channel is cut into pieces of `patch` values, one a patch. */
struct strip {
    int64_t patch, channels, cols; /* cols: patches across */
    int64_t line, plane;           /* elements in a line, in a channel */
};

static void strip_to_tokens(const struct strip *s, real *tokens, const real *image)
{
    int64_t width = s->channels * s->patch * s->patch;
    for (int64_t ch = 0; ch < s->channels; ch++)
        for (int64_t r = 0; r < s->patch; r++) {
            const real *line = image + ch * s->plane + r * s->line;
            real *piece = tokens + (ch * s->patch + r) * s->patch;
            for (int64_t x = 0; x < s->cols; x++, piece += width, line += s->patch)
                for (int64_t i = 0; i < s->patch; i++)
                    piece[i] = line[i];
        }
}

static void strip_to_image(const struct strip *s, real *image, const real *tokens)
{
    int64_t width = s->channels * s->patch * s->patch;
    for (int64_t ch = 0; ch < s->channels; ch++)
        for (int64_t r = 0; r < s->patch; r++) {
            real *line = image + ch * s->plane + r * s->line;
            const real *piece = tokens + (ch * s->patch + r) * s->patch;
            for (int64_t x = 0; x < s->cols; x++, piece += width, line += s->patch)
                for (int64_t i = 0; i < s->patch; i++)
                    line[i] = piece[i];
        }
}

static struct strip strip_of(const struct patch_attr *a)
{
    return (struct strip){a->patch, a->channels, a->width / a->patch, a->width,
                          a->height * a->width};
}

void KERNEL(patchify)(const struct kernel_call *c)
{
    const struct patch_attr *a = c->node->attr;
    struct strip s = strip_of(a);
    int64_t strips = a->height / a->patch, image = a->channels * s.plane;
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->out[0]->shape.dim[0] * strips)
    {
        int64_t b = i / strips, r = i % strips;
        strip_to_tokens(&s, y + b * image + r * s.channels * s.patch * s.line,
                        x + b * image + r * s.patch * s.line);
    }
}

void KERNEL(unpatchify)(const struct kernel_call *c)
{
    const struct patch_attr *a = c->node->attr;
    struct strip s = strip_of(a);
    int64_t strips = a->height / a->patch, image = a->channels * s.plane;
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->out[0]->shape.dim[0] * strips)
    {
        int64_t b = i / strips, r = i % strips;
        strip_to_image(&s, y + b * image + r * s.patch * s.line,
                       x + b * image + r * s.channels * s.patch * s.line);
    }
}

/* ---- pooling of a token grid ----------------------------------------------------------------- */

struct range {
    int64_t first, end;
};

static struct range bin(int64_t i, int64_t size, int64_t bins)
{
    return (struct range){i * size / bins, ceil_div((i + 1) * size, bins)};
}

static void add_scaled(real *y, const real *x, int64_t n, real scale)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += scale * x[i];
}

static void pool_one(const struct pool_attr *a, real *y, const real *x, int64_t width, int64_t cell)
{
    struct range r = bin(cell / a->out_cols, a->rows, a->out_rows);
    struct range q = bin(cell % a->out_cols, a->cols, a->out_cols);
    real share = 1 / (real)((r.end - r.first) * (q.end - q.first));
    memset(y, 0, sizeof(real) * (size_t)width);
    for (int64_t i = r.first; i < r.end; i++)
        for (int64_t j = q.first; j < q.end; j++)
            add_scaled(y, x + (i * a->cols + j) * width, width, 1);
    for (int64_t i = 0; i < width; i++)
        y[i] *= share;
}

void KERNEL(pool_grid)(const struct kernel_call *c)
{
    const struct pool_attr *a = c->node->attr;
    struct shape s = c->node->in[0]->shape;
    int64_t cells = a->out_rows * a->out_cols, width = s.dim[2];
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, s.dim[0] * cells)
    {
        pool_one(a, y + i * width, x + i / cells * s.dim[1] * width, width, i % cells);
    }
}

static void spread_one(const struct pool_attr *a, real *dx, const real *dy, int64_t width,
                       int64_t cell)
{
    struct range r = bin(cell / a->out_cols, a->rows, a->out_rows);
    struct range q = bin(cell % a->out_cols, a->cols, a->out_cols);
    real share = 1 / (real)((r.end - r.first) * (q.end - q.first));
    for (int64_t i = r.first; i < r.end; i++)
        for (int64_t j = q.first; j < q.end; j++)
            add_scaled(dx + (i * a->cols + j) * width, dy, width, share);
}

void KERNEL(pool_grid_grad)(const struct kernel_call *c)
{
    const struct pool_attr *a = c->node->attr;
    struct shape s = c->node->out[0]->shape;
    int64_t cells = a->out_rows * a->out_cols, width = s.dim[2], sample = s.dim[1] * width;
    const real *dy = c->in[0];
    real *dx = c->out[0];
    KERNEL_FOR_BLOCKS(c, b, s.dim[0])
    {
        memset(dx + b * sample, 0, sizeof(real) * (size_t)sample);
        for (int64_t i = 0; i < cells; i++)
            spread_one(a, dx + b * sample, dy + (b * cells + i) * width, width, i);
    }
}
