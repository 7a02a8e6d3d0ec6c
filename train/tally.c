#include "train/tally.h"

#include "train/metrics.h"
#include "train/mixer.h"
#include "train/network.h"

#include <math.h>
#include <stdio.h>

static double read_one(const struct network *n, const struct tensor *t)
{
    float value;
    network_read(n, t, &value);
    return (double)value;
}

void tally_read(struct batch_note *b, const struct network *n, const struct mixer *m)
{
    struct mix_mean mean = {.lambda = 1};
    mixer_mean(m, n, &mean);
    *b = (struct batch_note){.loss = read_one(n, n->loss),
                             .norm = sqrt(read_one(n, n->norm_square)),
                             .lambda = mean.lambda,
                             .cutmix = mean.cutmix};
    for (int i = 0; i < n->n_terms; i++)
        b->terms[i] = read_one(n, n->terms[i]);
}

void tally_step(struct step_sums *s, const struct batch_note *b)
{
    s->sum.loss += b->loss;
    s->sum.norm = b->norm;
    s->sum.lambda += b->lambda;
    s->sum.cutmix += b->cutmix;
    for (int i = 0; i < MODEL_TERMS_MAX; i++)
        s->sum.terms[i] += b->terms[i];
    s->batches++;
}

double tally_clip(double norm, double clip)
{
    return clip > 0 ? fmin(1, clip / (norm + 1e-6)) : 1;
}

int tally_epoch(struct epoch_sums *e, const struct batch_note *b, double clip, int last)
{
    e->steps++;
    if (!isfinite(b->loss) || !isfinite(b->norm)) {
        e->nonfinite++;
        return 0;
    }
    e->loss += b->loss;
    for (int i = 0; i < MODEL_TERMS_MAX; i++)
        e->terms[i] += b->terms[i];
    if (last) {
        e->norm += b->norm;
        e->clip += tally_clip(b->norm, clip);
        e->norms++;
    }
    return 1;
}

/* SPLIT/loss, and SPLIT/NAME_loss of its terms. */
static void set_losses(struct metrics *out, const char *split, const struct network *n, double loss,
                       const double *terms, double batches)
{
    char name[48];
    snprintf(name, sizeof name, "%s/loss", split);
    metrics_set(out, name, loss / batches);
    for (int i = 0; i < n->n_terms; i++) {
        snprintf(name, sizeof name, "%s/%s_loss", split, n->term_names[i]);
        metrics_set(out, name, terms[i] / batches);
    }
}

void tally_step_metrics(const struct step_sums *s, const struct network *n, const struct mixer *m,
                        double clip, struct metrics *out)
{
    double batches = (double)s->batches;
    set_losses(out, "step", n, s->sum.loss, s->sum.terms, batches);
    metrics_set(out, "step/grad_norm", s->sum.norm);
    if (clip > 0)
        metrics_set(out, "step/clip_coef", tally_clip(s->sum.norm, clip));
    if (!mixer_has_targets(m))
        return;
    metrics_set(out, "step/mix_lambda", s->sum.lambda / batches);
    if (mix_has_both(&m->mix))
        metrics_set(out, "step/cutmix", s->sum.cutmix / batches);
}

void tally_epoch_metrics(const struct epoch_sums *e, const struct network *n, double clip,
                         struct metrics *out)
{
    set_losses(out, "train", n, e->loss, e->terms, (double)(e->steps - e->nonfinite));
    if (n->n_logits)
        metrics_set(out, "train/top1", 100 * (double)e->top1 / (double)e->images);
    metrics_set(out, "train/grad_norm", e->norm / (double)e->norms);
    if (clip > 0)
        metrics_set(out, "train/clip_coef", e->clip / (double)e->norms);
    if (e->nonfinite)
        metrics_set(out, "train/nonfinite", (double)e->nonfinite);
    if (e->skipped)
        metrics_set(out, "train/skipped", (double)e->skipped);
}
