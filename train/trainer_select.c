/* Which weights a run ends with (train.select): those of each epoch are evaluated, the best are
 * kept. */
#include "train/trainer_internal.h"

#include "train/update.h"

#include <stdio.h>

int trainer_evaluate(struct trainer *t, const char *prefix, struct metrics *m, struct error *err)
{
    struct evaluate_options o;
    if (evaluate_options_init(&o, t->options.config, err))
        return -1;
    o.stop = t->options.stop;
    evaluation_release(&t->evaluation);
    weights_put(&t->weights, &t->eval_net);
    int rc = evaluate(&t->evaluation, &t->eval_net, t->val_set, &o, err);
    if (rc)
        return rc;
    t->eval_s += t->evaluation.wall_s;
    evaluation_metrics(&t->evaluation, &t->eval_net, prefix, m);
    return 0;
}

static void take_weights(struct trainer *t, int mean)
{
    if (mean)
        weights_get_mean(&t->weights, &t->net);
    else
        weights_get(&t->weights, &t->net);
}

int trainer_evaluate_epoch(struct trainer *t, struct metrics *m, struct error *err)
{
    int kinds = t->average->prefix ? 2 : 1;
    t->eval_s = 0;
    for (int i = 0; i < kinds; i++) {
        int mean = kinds == 2 && (i == 0) != t->takes_mean;
        take_weights(t, mean);
        int rc = trainer_evaluate(t, mean ? t->average->prefix : "", m, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* What a run is judged by: the higher the better, but for a loss. */
static const char *merit_name(const struct trainer *t)
{
    return t->net.segment ? "miou" : t->net.n_logits ? "top1" : "loss";
}

static double merit_of(const struct trainer *t, const struct metrics *m)
{
    char name[48];
    int is_loss = !t->net.segment && !t->net.n_logits;
    snprintf(name, sizeof name, "val/%s%s", t->takes_mean ? t->average->prefix : "", merit_name(t));
    return (is_loss ? -1 : 1) * metrics_get(m, name);
}

void trainer_keep_best(struct trainer *t, int64_t epoch, const struct metrics *m)
{
    double merit = merit_of(t, m);
    if (t->at.best_epoch && !(merit > t->at.best_top1))
        return;
    t->at.best_top1 = merit;
    t->at.best_epoch = epoch;
    if (t->keeps_best)
        weights_copy(&t->best, &t->weights);
}

void trainer_select_weights(struct trainer *t)
{
    if (t->keeps_best)
        weights_copy(&t->weights, &t->best);
    else
        take_weights(t, t->takes_mean);
}
