/* tome_match and mctf_match: which tokens are merged. One batch element is one block of work. */
#include "backend/cpu/kernels/mm.h"

#include <math.h>
#include <stdlib.h>

/* A candidate: its best score and where that is. */
struct best {
    real score;
    int32_t index, partner;
};

/* Private memory of a batch element. A: tokens at even positions, B: at odd ones. */
struct match_work {
    real *columns;     /* (C,B) the odd tokens transposed */
    real *factor;      /* (N) */
    struct best *best; /* (max(A,B)) sorted by falling score */
    int32_t *kept;     /* (A) tokens of A that are left, by position */
    int32_t *place;    /* (A) where an a of that index stands */
};

struct match_size {
    int64_t tokens, channels, a, b;
};

static struct match_size size_of(const struct node *n)
{
    const int64_t *x = n->in[0]->shape.dim;
    return (struct match_size){x[1], x[2], (x[1] + 1) / 2, x[1] / 2};
}

/* The parts of the private memory. */
static void divide(struct match_work *w, char *start, const struct match_size *s)
{
    w->columns = (real *)(void *)start;
    w->factor = w->columns + s->b * s->channels;
    w->best = (struct best *)(void *)(w->factor + s->tokens + (s->tokens & 1));
    w->kept = (int32_t *)(void *)(w->best + s->a);
    w->place = w->kept + s->a;
}

struct kernel_memory KERNEL(match_memory)(const struct node *n)
{
    struct match_size s = size_of(n);
    size_t bytes = sizeof(real) * (size_t)(s.b * s.channels + s.tokens + 1) +
                   (sizeof(struct best) + 2 * sizeof(int32_t)) * (size_t)s.a;
    return (struct kernel_memory){.thread = bytes};
}

/* ---- common ---------------------------------------------------------------------------------- */

static real length_of(const real *row, int64_t n)
{
    real sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += row[i] * row[i];
    return (real)sqrt((double)sum);
}

/* Cosines of all pairs (A, B): products of the tokens as they are, divided by the lengths. */
static void cosines(real *scores, const real *x, const struct match_size *s,
                    const struct match_work *w)
{
    int64_t width = s->channels;
    for (int64_t t = 0; t < s->tokens; t++)
        w->factor[t] = length_of(x + t * width, width);
    KERNEL(transpose)(w->columns, s->b, s->b, x + width, 2 * width, s->b, width);
    KERNEL(mm)
    (scores, s->b, (struct strided){x, 2 * width, 1}, w->columns, s->b, s->a, s->b, width,
     FROM_ZERO);
    for (int64_t i = 0; i < s->a; i++)
        for (int64_t j = 0; j < s->b; j++)
            scores[i * s->b + j] /= w->factor[2 * i] * w->factor[2 * j + 1];
}

/* Falling scores, the lower index first among equals. */
static int by_score(const void *x, const void *y)
{
    const struct best *p = x, *q = y;
    if (p->score != q->score)
        return p->score > q->score ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

static void sort(struct best *best, int64_t n)
{
    qsort(best, (size_t)n, sizeof *best, by_score);
}

/* Each a's best b, sorted. The first `protect` rows and the first `shut` columns take no part. */
static void best_of_rows(struct best *best, const real *scores, const struct match_size *s,
                         int64_t protect, int64_t shut)
{
    for (int64_t i = 0; i < s->a; i++) {
        best[i] = (struct best){-INFINITY, (int32_t)i, 0};
        for (int64_t j = shut; j < s->b && i >= protect; j++)
            if (scores[i * s->b + j] > best[i].score) {
                best[i].score = scores[i * s->b + j];
                best[i].partner = (int32_t)j;
            }
    }
    sort(best, s->a);
}

static int by_index(const void *x, const void *y)
{
    const int32_t *p = x, *q = y;
    return (*p > *q) - (*p < *q);
}

/* The a's behind the first `merged` of best, by position or as they stand. */
static int64_t keep_rest(int32_t *kept, const struct best *best, int64_t n, int64_t merged,
                         int sorted)
{
    for (int64_t i = merged; i < n; i++)
        kept[i - merged] = best[i].index;
    if (sorted)
        qsort(kept, (size_t)(n - merged), sizeof *kept, by_index);
    return n - merged;
}

/* ---- ToMe ------------------------------------------------------------------------------------ */

/* Places of the kept a's and of all b's; with a distillation token the first b stands second. */
static void place_in_order(int32_t *assign, const struct match_size *s, const int32_t *kept,
                           int64_t n_kept, int distill)
{
    int second = distill && n_kept > 0 && s->b > 0;
    for (int64_t i = 0; i < n_kept; i++)
        assign[2 * kept[i]] = (int32_t)(i + (second && i > 0));
    for (int64_t j = 0; j < s->b; j++)
        assign[2 * j + 1] = (int32_t)(second && j == 0 ? 1 : n_kept + j);
}

void KERNEL(tome_match)(const struct kernel_call *c)
{
    const struct tome_attr *t = c->node->attr;
    struct match_size s = size_of(c->node);
    int64_t batch = c->node->in[0]->shape.dim[0];
    KERNEL_FOR_BLOCKS(c, b, batch)
    {
        struct match_work w;
        divide(&w, kernel_work(c), &s);
        real *scores = (real *)c->out[1] + b * s.a * s.b;
        int32_t *assign = (int32_t *)c->out[0] + b * s.tokens;
        cosines(scores, (const real *)c->in[0] + b * s.tokens * s.channels, &s, &w);
        best_of_rows(w.best, scores, &s, t->class_token, t->distill);
        int64_t n_kept = keep_rest(w.kept, w.best, s.a, t->r, t->class_token);
        place_in_order(assign, &s, w.kept, n_kept, t->distill);
        for (int64_t i = 0; i < t->r; i++)
            assign[2 * w.best[i].index] = assign[2 * w.best[i].partner + 1];
    }
}

/* ---- MCTF ------------------------------------------------------------------------------------ */

static void similarity(real *scores, int64_t n, double tau)
{
    for (int64_t i = 0; i < n; i++) {
        real half = (scores[i] + 1) / 2;
        half = half < 0 ? 0 : half; /* rounding; not-a-number stays what it is */
        scores[i] = tau == 1 ? half : (real)pow((double)half, 1 / tau);
    }
}

/* The criterion 1/x, as a part of its largest value, to the power 1/tau, at every token; multiplied
 * to the scores of all pairs. (f_a f_b)^p is f_a^p f_b^p, which needs no power a pair. */
static void criterion(real *scores, const real *x, double tau, const struct match_size *s,
                      const struct match_work *w)
{
    real top = 0;
    for (int64_t i = 0; i < s->tokens; i++) {
        w->factor[i] = 1 / x[i];
        top = w->factor[i] > top ? w->factor[i] : top;
    }
    for (int64_t i = 0; i < s->tokens; i++)
        w->factor[i] = (real)pow((double)(w->factor[i] / top), 1 / tau);
    for (int64_t i = 0; i < s->a; i++)
        for (int64_t j = 0; j < s->b; j++)
            scores[i * s->b + j] *= w->factor[2 * i] * w->factor[2 * j + 1];
}

/* Each b's best a among the kept ones, sorted. The partner is a place: an index of kept. */
static void best_of_columns(struct best *best, const real *scores, const struct match_size *s,
                            const int32_t *kept, int64_t n_kept, int64_t protect)
{
    for (int64_t j = 0; j < s->b; j++) {
        best[j] = (struct best){-INFINITY, (int32_t)j, 0};
        for (int64_t k = 0; k < n_kept; k++)
            if (kept[k] >= protect && scores[kept[k] * s->b + j] > best[j].score) {
                best[j].score = scores[kept[k] * s->b + j];
                best[j].partner = (int32_t)k;
            }
    }
    sort(best, s->b);
}

/* w->best is sorted for the first direction. b's are placed before the a's that went into them,
 * which may be carried along to an a. */
static void assign_mctf(int32_t *assign, const real *scores, const struct mctf_attr *m,
                        const struct match_size *s, const struct match_work *w)
{
    int64_t n1 = m->bidirectional ? m->n / 2 : m->n, n2 = m->n - n1;
    int64_t n_kept = keep_rest(w->kept, w->best, s->a, n1, 1);
    for (int64_t i = 0; i < n1; i++)
        w->place[w->best[i].index] = w->best[i].partner;
    if (m->bidirectional)
        best_of_columns(w->best, scores, s, w->kept, n_kept, m->protect);
    for (int64_t j = 0; j < s->b; j++) {
        int64_t which = m->bidirectional ? w->best[j].index : j;
        assign[2 * which + 1] = (int32_t)(j < n2 ? w->best[j].partner : n_kept + j - n2);
    }
    for (int64_t i = 0; i < s->a; i++)
        assign[2 * i] = -1;
    for (int64_t i = 0; i < n_kept; i++)
        assign[2 * w->kept[i]] = (int32_t)i;
    for (int64_t i = 0; i < s->a; i++)
        if (assign[2 * i] < 0)
            assign[2 * i] = assign[2 * w->place[i] + 1];
}

void KERNEL(mctf_match)(const struct kernel_call *c)
{
    const struct mctf_attr *m = c->node->attr;
    struct match_size s = size_of(c->node);
    int64_t batch = c->node->in[0]->shape.dim[0];
    KERNEL_FOR_BLOCKS(c, b, batch)
    {
        struct match_work w;
        divide(&w, kernel_work(c), &s);
        real *scores = (real *)c->out[1] + b * s.a * s.b;
        int32_t *assign = (int32_t *)c->out[0] + b * s.tokens;
        if (m->tau_sim > 0) {
            cosines(scores, (const real *)c->in[0] + b * s.tokens * s.channels, &s, &w);
            similarity(scores, s.a * s.b, m->tau_sim);
        } else {
            for (int64_t i = 0; i < s.a * s.b; i++)
                scores[i] = 1;
        }
        if (m->tau_info > 0)
            criterion(scores, (const real *)c->in[1] + b * s.tokens, m->tau_info, &s, &w);
        if (m->tau_size > 0 && c->node->n_in == 3)
            criterion(scores, (const real *)c->in[2] + b * s.tokens, m->tau_size, &s, &w);
        best_of_rows(w.best, scores, &s, m->protect, 0);
        assign_mctf(assign, scores, m, &s, &w);
    }
}
