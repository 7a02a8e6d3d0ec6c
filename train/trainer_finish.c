/* The end of a run: its final metrics, and the files that stay. */
#include "train/trainer_internal.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "train/examples.h"
#include "train/update.h"
#include "train/weights_file.h"

int trainer_finish(struct trainer *t, struct metrics *m, struct error *err)
{
    *m = t->at.last;
    trainer_select_weights(t);
    if (!t->evaluation.images || (t->keeps_best && t->at.best_epoch != t->epochs)) {
        int rc = trainer_evaluate(t, "", m, err);
        if (rc)
            return rc;
    }
    evaluation_metrics(&t->evaluation, &t->eval_net, "", m);
    if (t->net.segment)
        metrics_set(m, "val/best_miou", t->at.best_top1);
    else if (t->net.n_logits)
        metrics_set(m, "val/best_top1", t->at.best_top1);
    else
        metrics_set(m, "val/best_loss", -t->at.best_top1);
    metrics_set(m, "val/best_epoch", (double)t->at.best_epoch);
    return 0;
}

static int save_weights(const struct trainer *t, const char *name, int64_t epoch, char digest[65],
                        struct error *err)
{
    struct arena a = {0};
    const struct safetensors_pair pairs[] = {
        {"cell", t->options.cell},
        {"seed", arena_printf(&a, "%llu", (unsigned long long)t->options.seed)},
        {"epoch", arena_printf(&a, "%lld", (long long)epoch)}};
    struct weights_about about = {
        .config = t->options.config, .pairs = pairs, .n_pairs = sizeof pairs / sizeof *pairs};
    const char *path = arena_printf(&a, "%s/%s", t->options.folder, name);
    int rc = weights_write(&t->weights, path, &about, digest, err);
    arena_release(&a);
    return rc;
}

static int save_correct(const struct trainer *t, struct error *err)
{
    const struct evaluation *e = &t->evaluation;
    struct strbuf path = STRBUF_INIT;
    if (!e->correct)
        return 0;
    strbuf_addf(&path, "%s/correct.bits", t->options.folder);
    int rc = file_write(path.text, e->correct, (size_t)(e->images + 7) / 8, err);
    strbuf_release(&path);
    return rc;
}

/* Of segmentation: what a few images look like. */
static int save_examples(struct trainer *t, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    struct evaluate_options o;
    if (!t->net.segment)
        return 0;
    strbuf_addf(&path, "%s/%s", t->options.folder, EXAMPLES_FILE);
    int rc = evaluate_options_init(&o, t->options.config, err) ||
                     examples_write(&t->eval_net, t->val_set, &o.segment, path.text, err)
                 ? -1
                 : 0;
    strbuf_release(&path);
    return rc;
}

int trainer_save(struct trainer *t, char digest[65], struct error *err)
{
    int64_t epoch = t->keeps_best ? t->at.best_epoch : t->at.epoch;
    if (save_correct(t, err) || save_examples(t, err) ||
        save_weights(t, "weights.safetensors", epoch, digest, err))
        return -1;
    if (!t->average->prefix || t->takes_mean)
        return 0;
    weights_get_mean(&t->weights, &t->net);
    int rc = save_weights(t, "average.safetensors", t->at.epoch, NULL, err);
    trainer_select_weights(t);
    return rc;
}
