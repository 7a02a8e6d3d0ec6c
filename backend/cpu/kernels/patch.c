/* patchify, unpatchify: images as tokens; of values, or of bytes through a table. */
#include "backend/cpu/kernels/strip.h"

static void strip_to_tokens(const struct strip *s, real *tokens, const real *image)
{
    for (int64_t ch = 0; ch < s->channels; ch++)
        for (int64_t r = 0; r < s->patch; r++)
            line_to_tokens(s, ch, r, tokens, image + ch * s->plane + r * s->line);
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
