/* Building sparse maps. */
#include "tensor/ops/mixing.h"

#include <math.h>
#include <stddef.h>

struct builder {
    struct mixing *m;
    int32_t *start, *index;
    double *weight;
    int32_t used;
};

static struct builder begin(struct arena *a, int64_t n_out, int64_t n_in, int64_t entries)
{
    struct builder b = {ARENA_NEW(a, struct mixing), ARENA_ARRAY(a, int32_t, n_out + 1),
                        ARENA_ARRAY(a, int32_t, entries), ARENA_ARRAY(a, double, entries), 0};
    *b.m = (struct mixing){n_out, n_in, b.start, b.index, b.weight};
    return b;
}

static void entry(struct builder *b, int64_t column, double weight)
{
    b->index[b->used] = (int32_t)column;
    b->weight[b->used++] = weight;
}

static void end_row(struct builder *b, int64_t row)
{
    b->start[row + 1] = b->used;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

struct mixing *mixing_pool(struct arena *a, int64_t n_in, int64_t n_out)
{
    struct builder b = begin(a, n_out, n_in, n_out * (n_in / n_out + 2));
    for (int64_t i = 0; i < n_out; i++) {
        int64_t first = i * n_in / n_out, end = ceil_div((i + 1) * n_in, n_out);
        for (int64_t j = first; j < end; j++)
            entry(&b, j, 1.0 / (double)(end - first));
        end_row(&b, i);
    }
    return b.m;
}

struct mixing *mixing_nearest(struct arena *a, int64_t n_in, int64_t n_out)
{
    struct builder b = begin(a, n_out, n_in, n_out);
    for (int64_t i = 0; i < n_out; i++) {
        entry(&b, i * n_in / n_out, 1);
        end_row(&b, i);
    }
    return b.m;
}

struct mixing *mixing_pairs(struct arena *a, int64_t n_in, int64_t stride)
{
    int64_t n_out = n_in < 2 ? 1 : ceil_div(n_in - 2, stride) + 1;
    if ((n_out - 1) * stride >= n_in) /* the last window would begin beyond the end */
        n_out--;
    struct builder b = begin(a, n_out, n_in, 2 * n_out);
    for (int64_t i = 0; i < n_out; i++) {
        int64_t first = i * stride, n = first + 1 < n_in ? 2 : 1;
        for (int64_t j = 0; j < n; j++)
            entry(&b, first + j, 1.0 / (double)n);
        end_row(&b, i);
    }
    return b.m;
}

static double cubic(double x, double a)
{
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void bilinear_row(struct builder *b, double scale, int64_t i)
{
    double at = scale * ((double)i + 0.5) - 0.5;
    at = at < 0 ? 0 : at;
    int64_t left = (int64_t)floor(at);
    entry(b, clamp(left, b->m->n_in), 1 - (at - (double)left));
    entry(b, clamp(left + 1, b->m->n_in), at - (double)left);
}

static void bicubic_row(struct builder *b, double scale, int64_t i)
{
    double at = scale * ((double)i + 0.5) - 0.5;
    int64_t left = (int64_t)floor(at);
    for (int64_t k = -1; k <= 2; k++)
        entry(b, clamp(left + k, b->m->n_in), cubic((double)k - (at - (double)left), -0.75));
}

static void antialias_row(struct builder *b, double scale, int64_t i)
{
    double width = scale > 1 ? scale : 1, support = 2 * width, centre = scale * ((double)i + 0.5);
    int64_t first = (int64_t)(centre - support + 0.5), end = (int64_t)(centre + support + 0.5);
    first = first < 0 ? 0 : first;
    end = end > b->m->n_in ? b->m->n_in : end;
    double sum = 0;
    for (int64_t j = first; j < end; j++)
        sum += cubic(((double)j - centre + 0.5) / width, -0.5);
    for (int64_t j = first; j < end; j++)
        entry(b, j, cubic(((double)j - centre + 0.5) / width, -0.5) / sum);
}

struct mixing *mixing_resize(struct arena *a, enum mixing_kind kind, int64_t n_in, int64_t n_out)
{
    static void (*const rows[])(struct builder * b, double scale, int64_t i) = {
        [MIXING_BILINEAR] = bilinear_row,
        [MIXING_BICUBIC] = bicubic_row,
        [MIXING_BICUBIC_ANTIALIAS] = antialias_row,
    };
    double scale = (double)n_in / (double)n_out;
    int64_t taps =
        kind == MIXING_BICUBIC_ANTIALIAS ? (int64_t)(4 * (scale > 1 ? scale : 1)) + 3 : 4;
    struct builder b = begin(a, n_out, n_in, n_out * taps);
    for (int64_t i = 0; i < n_out; i++) {
        rows[kind](&b, scale, i);
        end_row(&b, i);
    }
    return b.m;
}

struct mixing *mixing_first(struct arena *a, const struct mixing *m, int64_t n_out)
{
    struct mixing *first = ARENA_NEW(a, struct mixing);
    *first = *m;
    first->n_out = n_out;
    return first;
}

static int64_t entries(const struct mixing *m)
{
    return m->start[m->n_out];
}

struct mixing *mixing_grid(struct arena *a, const struct mixing *rows, const struct mixing *cols)
{
    struct builder b =
        begin(a, rows->n_out * cols->n_out, rows->n_in * cols->n_in, entries(rows) * entries(cols));
    for (int64_t i = 0; i < rows->n_out; i++)
        for (int64_t j = 0; j < cols->n_out; j++) {
            for (int32_t p = rows->start[i]; p < rows->start[i + 1]; p++)
                for (int32_t q = cols->start[j]; q < cols->start[j + 1]; q++)
                    entry(&b, rows->index[p] * cols->n_in + cols->index[q],
                          rows->weight[p] * cols->weight[q]);
            end_row(&b, i * cols->n_out + j);
        }
    return b.m;
}

struct mixing *mixing_transpose(struct arena *a, const struct mixing *m)
{
    struct builder b = begin(a, m->n_in, m->n_out, entries(m));
    int32_t *count = b.start; /* counts, then ends, then starts */
    for (int32_t k = 0; k < entries(m); k++)
        count[m->index[k] + 1]++;
    for (int64_t i = 0; i < m->n_in; i++)
        count[i + 1] += count[i];
    int32_t *next = ARENA_ARRAY(a, int32_t, m->n_in);
    for (int64_t i = 0; i < m->n_in; i++)
        next[i] = count[i];
    for (int64_t i = 0; i < m->n_out; i++)
        for (int32_t k = m->start[i]; k < m->start[i + 1]; k++) {
            int32_t at = next[m->index[k]]++;
            b.index[at] = (int32_t)i;
            b.weight[at] = m->weight[k];
        }
    return b.m;
}
