/* patchify, unpatchify: images as tokens; of values, or of bytes through a table. */
#include "backend/cpu/kernels/kernel.h"

/* One row of patches: `cols` patches that share `patch` lines of each channel of one image. The
 * line of a channel is cut into pieces of `patch` values, one a patch. */
struct strip {
    int64_t patch, channels, cols;    /* cols: patches across */
    int64_t line, plane, rows, image; /* elements in a line and a channel; strips and elements in
                                       * an image */
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

/* The same of bytes: table (channels, 256). */
static void strip_levels(const struct strip *s, real *tokens, const uint8_t *image,
                         const real *table)
{
    int64_t width = s->channels * s->patch * s->patch;
    for (int64_t ch = 0; ch < s->channels; ch++, table += 256)
        for (int64_t r = 0; r < s->patch; r++) {
            const uint8_t *line = image + ch * s->plane + r * s->line;
            real *piece = tokens + (ch * s->patch + r) * s->patch;
            for (int64_t x = 0; x < s->cols; x++, piece += width, line += s->patch)
                for (int64_t i = 0; i < s->patch; i++)
                    piece[i] = table[line[i]];
        }
}

static struct strip strip_of(const struct patch_attr *a)
{
    int64_t plane = a->height * a->width;
    return (struct strip){a->patch, a->channels,          a->width / a->patch, a->width,
                          plane,    a->height / a->patch, a->channels * plane};
}

/* Where strip i of a batch begins among tokens, and its first line in the images. */
static int64_t tokens_at(const struct strip *s, int64_t i)
{
    return i / s->rows * s->image + i % s->rows * s->channels * s->patch * s->line;
}

static int64_t lines_at(const struct strip *s, int64_t i)
{
    return i / s->rows * s->image + i % s->rows * s->patch * s->line;
}

void KERNEL(patchify)(const struct kernel_call *c)
{
    struct strip s = strip_of(c->node->attr);
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->out[0]->shape.dim[0] * s.rows)
    strip_to_tokens(&s, y + tokens_at(&s, i), x + lines_at(&s, i));
}

void KERNEL(unpatchify)(const struct kernel_call *c)
{
    struct strip s = strip_of(c->node->attr);
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->out[0]->shape.dim[0] * s.rows)
    strip_to_image(&s, y + lines_at(&s, i), x + tokens_at(&s, i));
}

void KERNEL(patch_levels)(const struct kernel_call *c)
{
    struct strip s = strip_of(c->node->attr);
    const uint8_t *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->out[0]->shape.dim[0] * s.rows)
    strip_levels(&s, y + tokens_at(&s, i), x + lines_at(&s, i), c->in[1]);
}

void KERNEL(levels)(const struct kernel_call *c)
{
    const int64_t *dim = c->node->in[0]->shape.dim, plane = dim[2] * dim[3];
    const uint8_t *x = c->in[0];
    const real *table = c->in[1];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, dim[0] * dim[1])
    {
        const real *level = table + i % dim[1] * 256;
        for (int64_t k = i * plane; k < (i + 1) * plane; k++)
            y[k] = level[x[k]];
    }
}
