#include "train/evaluate.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "train/loss.h"
#include "train/masker.h"
#include "train/views.h"
#include "train/metrics.h"
#include "train/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int score_rank(const float *logits, int classes, int label)
{
    float own = logits[label];
    int rank = 0;
    if (isnan(own))
        return classes;
    for (int k = 0; k < classes; k++)
        rank += logits[k] > own || (logits[k] == own && k < label);
    return rank;
}

double score_loss(const float *logits, int classes, int label)
{
    double top = (double)logits[0], sum = 0;
    for (int k = 1; k < classes; k++)
        if (!((double)logits[k] <= top))
            top = (double)logits[k];
    for (int k = 0; k < classes; k++)
        sum += exp((double)logits[k] - top);
    return top + log(sum) - (double)logits[label];
}

void score_add(struct score *s, const float *logits, const int32_t *labels, int count, int classes,
               unsigned char *correct)
{
    for (int i = 0; i < count; i++, logits += classes) {
        int rank = score_rank(logits, classes, labels[i]);
        s->top1 += rank < 1;
        s->top5 += rank < 5;
        s->loss += score_loss(logits, classes, labels[i]);
        if (correct)
            correct[i] = rank < 1;
    }
    s->images += count;
}

/* Errors of masked autoencoding, one an image. */
static void add_errors(struct evaluation *e, struct network *n, const struct batch *b)
{
    float *errors = mem_alloc(sizeof *errors * (size_t)n->batch);
    for (int s = 0; s < MAE_STREAMS; s++) {
        network_read(n, n->errors[s], errors);
        for (int i = 0; i < b->count; i++)
            e->scores[s].loss += (double)errors[i];
        e->scores[s].images += b->count;
    }
    free(errors);
}

static void add_own(struct score *s, const struct loss_score *own, const float *logits,
                    const struct batch *b, int classes)
{
    double scale = own->mean ? 1.0 / classes : 1;
    for (int i = 0; i < b->count; i++)
        s->own += scale * own->of(logits + (int64_t)i * classes, classes, b->labels[i]);
}

/* The mean of the classifiers' logits, n values each, into the first one's place. */
static void average(float *logits, int heads, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int h = 0; h < heads; h++)
            sum += logits[h * n + i];
        logits[i] = sum / (float)heads;
    }
}

/* logits has room for those of all classifiers. */
static void add_batch(struct evaluation *e, struct network *n, const struct batch *b, float *logits,
                      unsigned char *right)
{
    int64_t values = n->batch * n->classes;
    views_write_batch(n, b);
    masker_write(n, b, 0, 0);
    network_run(n, 0, 0);
    if (n->mae) {
        add_errors(e, n, b);
        return;
    }
    for (int h = 0; h < n->n_logits; h++) {
        float *own = logits + h * values;
        network_read(n, n->logits[h], own);
        score_add(&e->scores[h], own, b->labels, b->count, n->classes, h == e->head ? right : NULL);
        if (e->own)
            add_own(&e->scores[h], e->own, own, b, n->classes);
    }
    if (e->head == n->n_logits) {
        average(logits, n->n_logits, values);
        score_add(&e->scores[e->head], logits, b->labels, b->count, n->classes, right);
    }
    for (int i = 0; i < b->count; i++)
        if (right[i])
            e->correct[b->indices[i] / 8] |= (unsigned char)(1 << b->indices[i] % 8);
}

int evaluate_options_init(struct evaluate_options *o, const struct config *c, struct error *err)
{
    *o = (struct evaluate_options){.loader_threads = (int)config_int(c, "train.loader_threads"),
                                   .own = loss_score(c)};
    if (config_is_active(c, "train.eval_head"))
        o->head = config_string(c, "train.eval_head");
    return config_is_active(c, "train.segment.stride") ? segment_protocol_init(&o->segment, c, err)
                                                       : 0;
}

static int evaluate_images(struct evaluation *e, struct network *n, const struct dataset *d,
                           const struct evaluate_options *o, struct error *err)
{
    struct loader *l;
    struct loader_options options = {.batch = (int)n->batch,
                                     .image_size = views_side(n),
                                     .channels = (int)n->image->shape.dim[1],
                                     .masks = views_need_masks(n),
                                     .bytes = n->levels != NULL,
                                     .threads = o->loader_threads};
    int rc = 0;
    if (loader_open(&l, d, &options, err))
        return -1;
    views_write_levels(n, d, 0);
    float *logits = mem_alloc(sizeof(float) * (size_t)(n->n_logits * n->batch * n->classes) + 1);
    unsigned char *right = mem_alloc((size_t)n->batch);
    struct error failure = {0};
    if (!n->mae)
        e->correct = mem_zalloc((size_t)(e->images + 7) / 8 + 1, 1);
    for (const struct batch *b; !rc && (b = loader_next(l, &failure));) {
        add_batch(e, n, b, logits, right);
        if (o->stop && *o->stop)
            rc = 1;
    }
    if (failure.code) {
        if (err)
            *err = failure;
        rc = -1;
    }
    free(logits);
    free(right);
    loader_close(l);
    return rc;
}

/* The classifier of that name, else the mean of all. */
static int find_head(const struct network *n, const char *name)
{
    int h = 0;
    while (name && h < n->n_logits && strcmp(n->heads[h], name) != 0)
        h++;
    return h;
}

int evaluate(struct evaluation *e, struct network *n, const struct dataset *d,
             const struct evaluate_options *o, struct error *err)
{
    double start = clock_now();
    *e = (struct evaluation){.images = dataset_count(d),
                             .n_scores = n->mae ? MAE_STREAMS : n->n_logits,
                             .head = find_head(n, o->head),
                             .own = n->n_logits ? o->own : NULL};
    int rc = n->segment ? segmentation_evaluate(e, n, d, o, err) : evaluate_images(e, n, d, o, err);
    e->wall_s = clock_now() - start;
    if (rc)
        evaluation_release(e);
    return rc;
}

void evaluation_release(struct evaluation *e)
{
    free(e->correct);
    confusion_release(&e->confusion);
    *e = (struct evaluation){0};
}

static void set(struct metrics *m, const char *prefix, const char *head, const char *what,
                double value)
{
    char name[48];
    snprintf(name, sizeof name, "val/%s%s%s%s", prefix, head, *head ? "_" : "", what);
    metrics_set(m, name, value);
}

/* val/WHAT, the sum over the classifiers, and val/NAME_WHAT where there are two. */
static void set_losses(struct metrics *m, const struct evaluation *e, const struct network *n,
                       const char *prefix, const char *what, const double *loss)
{
    double sum = 0;
    for (int h = 0; h < e->n_scores; h++)
        sum += loss[h];
    set(m, prefix, "", what, sum);
    for (int h = 0; e->n_scores > 1 && h < e->n_scores; h++)
        set(m, prefix, n->heads[h], what, loss[h]);
}

static void set_accuracy(struct metrics *m, const char *prefix, const char *head,
                         const struct score *s)
{
    double images = (double)s->images;
    set(m, prefix, head, "top1", 100 * (double)s->top1 / images);
    set(m, prefix, head, "top5", 100 * (double)s->top5 / images);
}

void evaluation_metrics(const struct evaluation *e, const struct network *n, const char *prefix,
                        struct metrics *m)
{
    double loss[MODEL_HEADS_MAX], own[MODEL_HEADS_MAX];
    if (n->segment) {
        segmentation_metrics(e, prefix, m);
        return;
    }
    for (int h = 0; h < e->n_scores; h++) {
        const struct score *s = &e->scores[h];
        double images = (double)s->images;
        if (!n->mae)
            set_accuracy(m, prefix, h == e->head ? "" : n->heads[h], s);
        loss[h] = s->loss / images;
        own[h] = s->own / images;
    }
    if (!n->mae && e->head == e->n_scores)
        set_accuracy(m, prefix, "", &e->scores[e->head]);
    set_losses(m, e, n, prefix, "loss", loss);
    if (e->own)
        set_losses(m, e, n, prefix, e->own->name, own);
}
