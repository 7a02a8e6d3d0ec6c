/* mix, patch_mix: images of a batch, of values or of bytes, erased and mixed with each other. A
 * line at a time, which is then where it stays or is cut into patches. Products and sums are
 * rounded apart (the Makefile says so of this file): the same bits on every device and in every
 * variant. */
#include "backend/cpu/kernels/strip.h"

struct images {
    const real *values;
    const uint8_t *bytes; /* in place of values */
    const real *table;    /* of bytes: (channels, 256) */
    const real *plan;     /* (B, MIXED_FIELDS) */
    int64_t channels, height, width;
};

/* Columns from begin to end-1: none where they are equal. */
struct span {
    int64_t begin, end;
};

static struct images images_of(const struct kernel_call *c)
{
    const int64_t *dim = c->node->in[0]->shape.dim;
    struct images m = {.plan = c->in[1], .channels = dim[1], .height = dim[2], .width = dim[3]};
    if (c->node->n_in == 3) {
        m.bytes = c->in[0];
        m.table = c->in[2];
    } else {
        m.values = c->in[0];
    }
    return m;
}

static const real *plan_of(const struct images *m, int64_t sample)
{
    return m->plan + sample * MIXED_FIELDS;
}

/* The part of a box's columns in line y that lies within another span. */
static struct span span_of(const real *box, int64_t y, struct span within)
{
    int64_t top = (int64_t)box[0], left = (int64_t)box[1], end = left + (int64_t)box[3];
    struct span s = {within.begin, within.begin};
    if (y < top || y >= top + (int64_t)box[2])
        return s;
    s.begin = min_i64(max_i64(left, within.begin), within.end);
    s.end = max_i64(min_i64(end, within.end), s.begin);
    return s;
}

static void clear(real *line, struct span s)
{
    for (int64_t x = s.begin; x < s.end; x++)
        line[x] = 0;
}

/* Values of line y of a channel of a sample, as the data set has them. */
static void load(const struct images *m, int64_t sample, int64_t ch, int64_t y, struct span s,
                 real *restrict line)
{
    int64_t at = ((sample * m->channels + ch) * m->height + y) * m->width;
    if (!m->bytes) {
        for (int64_t x = s.begin; x < s.end; x++)
            line[x] = m->values[at + x];
        return;
    }
    const uint8_t *bytes = m->bytes + at;
    const real *level = m->table + ch * 256;
    for (int64_t x = s.begin; x < s.end; x++)
        line[x] = level[bytes[x]];
}

/* What happens in line y of a sample, whatever the channel. */
struct mixed_line {
    int64_t sample, partner, y;
    struct span box;          /* what the partner takes part in */
    struct span erased, gone; /* of the sample's line; of the partner's within the box */
    int sums;
    real own, other; /* weights in a sum */
};

static struct mixed_line line_of(const struct images *m, int64_t sample, int64_t y)
{
    const real *plan = plan_of(m, sample);
    struct span all = {0, m->width};
    struct mixed_line l = {.sample = sample, .partner = (int64_t)plan[MIXED_PARTNER], .y = y};
    l.sums = plan[MIXED_SUM] != 0;
    l.own = plan[MIXED_OWN];
    l.other = plan[MIXED_OTHER];
    l.erased = span_of(plan + MIXED_ERASED, y, all);
    l.box = l.sums ? all : span_of(plan + MIXED_BOX, y, all);
    l.gone = span_of(plan_of(m, l.partner) + MIXED_ERASED, y, l.box);
    return l;
}

static void sum_lines(const struct mixed_line *l, struct span s, real *restrict line,
                      const real *restrict more)
{
    real own = l->own, other = l->other;
    for (int64_t x = s.begin; x < s.end; x++)
        line[x] = line[x] * own + more[x] * other;
}

/* more: a line of temporary memory. */
static void mix_line(const struct images *m, const struct mixed_line *l, int64_t ch, real *line,
                     real *more)
{
    int64_t end = m->width;
    struct span left = {0, l->sums ? end : l->box.begin}, right = {l->box.end, end};
    load(m, l->sample, ch, l->y, left, line);
    load(m, l->sample, ch, l->y, right, line);
    clear(line, l->erased);
    load(m, l->partner, ch, l->y, l->box, l->sums ? more : line);
    if (!l->sums) {
        clear(line, l->gone);
        return;
    }
    sum_lines(l, (struct span){0, l->gone.begin}, line, more);
    for (int64_t x = l->gone.begin; x < l->gone.end; x++)
        line[x] *= l->own;
    sum_lines(l, (struct span){l->gone.end, end}, line, more);
}

void KERNEL(mix)(const struct kernel_call *c)
{
    struct images m = images_of(c);
    real *values = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->in[0]->shape.dim[0] * m.channels)
    for (int64_t y = 0; y < m.height; y++) {
        struct mixed_line l = line_of(&m, i / m.channels, y);
        mix_line(&m, &l, i % m.channels, values + (i * m.height + y) * m.width, kernel_work(c));
    }
}

struct kernel_memory KERNEL(mix_memory)(const struct node *n)
{
    return (struct kernel_memory){.thread = sizeof(real) * (size_t)n->in[0]->shape.dim[3]};
}

void KERNEL(patch_mix)(const struct kernel_call *c)
{
    struct images m = images_of(c);
    struct strip s = strip_of(c->node->attr);
    real *tokens = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->in[0]->shape.dim[0] * s.rows)
    {
        real *line = kernel_work(c), *more = line + s.line;
        for (int64_t r = 0; r < s.patch; r++) {
            struct mixed_line l = line_of(&m, i / s.rows, i % s.rows * s.patch + r);
            for (int64_t ch = 0; ch < s.channels; ch++) {
                mix_line(&m, &l, ch, line, more);
                line_to_tokens(&s, ch, r, tokens + tokens_at(&s, i), line);
            }
        }
    }
}

struct kernel_memory KERNEL(patch_mix_memory)(const struct node *n)
{
    return (struct kernel_memory){.thread = 2 * sizeof(real) * (size_t)n->in[0]->shape.dim[3]};
}
