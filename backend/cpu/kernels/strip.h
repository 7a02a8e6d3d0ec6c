/* How images are cut into tokens: shared by patch.c and mix.c. */
#ifndef BACKEND_CPU_KERNELS_STRIP_H
#define BACKEND_CPU_KERNELS_STRIP_H

#include "backend/cpu/kernels/kernel.h"

/* One row of patches: `cols` patches that share `patch` lines of each channel of one image. The
 * line of a channel is cut into pieces of `patch` values, one a patch. */
struct strip {
    int64_t patch, channels, cols;    /* cols: patches across */
    int64_t line, plane, rows, image; /* elements in a line and a channel; strips and elements in
                                       * an image */
};

static inline struct strip strip_of(const struct patch_attr *a)
{
    int64_t plane = a->height * a->width;
    return (struct strip){a->patch, a->channels,          a->width / a->patch, a->width,
                          plane,    a->height / a->patch, a->channels * plane};
}

/* Where strip i of a batch begins among tokens, and its first line in the images. */
static inline int64_t tokens_at(const struct strip *s, int64_t i)
{
    return i / s->rows * s->image + i % s->rows * s->channels * s->patch * s->line;
}

static inline int64_t lines_at(const struct strip *s, int64_t i)
{
    return i / s->rows * s->image + i % s->rows * s->patch * s->line;
}

static inline __attribute__((always_inline)) void
cut_line(int64_t patch, int64_t cols, int64_t width, real *piece, const real *line)
{
    for (int64_t x = 0; x < cols; x++, piece += width, line += patch)
        for (int64_t i = 0; i < patch; i++)
            piece[i] = line[i];
}

/* Line r of channel ch to the tokens of its strip. Short pieces are moved without a loop. */
static inline void line_to_tokens(const struct strip *s, int64_t ch, int64_t r, real *tokens,
                                  const real *line)
{
    int64_t width = s->channels * s->patch * s->patch;
    real *piece = tokens + (ch * s->patch + r) * s->patch;
    if (s->patch == 4)
        cut_line(4, s->cols, width, piece, line);
    else if (s->patch == 8)
        cut_line(8, s->cols, width, piece, line);
    else
        cut_line(s->patch, s->cols, width, piece, line);
}

#endif
