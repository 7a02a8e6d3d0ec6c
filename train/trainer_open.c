/* What a run needs before its first step: data, both networks, starting weights, the folder. */
#include "train/trainer.h"

#include "data/dataset.h"
#include "model/objective.h"
#include "train/keys.h"
#include "train/update.h"
#include "train/views.h"
#include "train/weights_start.h"

#include <math.h>
#include <stdio.h>

int trainer_check_data(const struct config *c, const struct dataset *d, struct error *err)
{
    int64_t channels = config_int(c, "model.channels"), classes = config_int(c, "model.classes");
    const struct objective *objective =
        (const struct objective *)config_choice(c, "train.objective");
    int wanted = objective->dense ? dataset_mask_classes(d) : dataset_classes(d);
    if (objective->dense && !dataset_has_masks(d))
        return config_error(c, err, "data.dataset",
                            "%s has no masks, which train.objective %s learns (shapes, ade20k and "
                            "mask_folder have)",
                            dataset_name(d), objective->choice.name);
    if (!objective->dense && !objective->unlabelled && !dataset_has_labels(d))
        return config_error(c, err, "data.dataset",
                            "%s has classes of pixels, none of images (train.objective)",
                            dataset_name(d));
    if (!objective->unlabelled && classes != wanted)
        return config_error(c, err, "model.classes", "%s has %d classes%s (set model.classes=%d)",
                            dataset_name(d), wanted, objective->dense ? " of pixels" : "", wanted);
    if (channels != 3 && channels != d->channels)
        return config_error(c, err, "model.channels", "images of %s have %d", dataset_name(d),
                            d->channels);
    return views_check(c, d, err);
}

static int64_t epoch_steps(const struct config *c, int64_t images)
{
    int64_t accumulate = config_int(c, "train.accumulate");
    return (train_epoch_batches(c, images) + accumulate - 1) / accumulate;
}

int trainer_check_length(const struct config *c, int64_t images, struct error *err)
{
    struct lr_plan plan;
    if (epoch_steps(c, images) == 0)
        return config_error(c, err, "train.batch", "%s has only %lld training images",
                            config_string(c, "data.dataset"), (long long)images);
    return lr_plan_init(&plan, c, epoch_steps(c, images), err);
}

static int open_data(struct trainer *t, struct error *err)
{
    const struct config *c = t->options.config;
    if (dataset_open(&t->train_set, c, SPLIT_TRAIN, err) ||
        dataset_open(&t->val_set, c, SPLIT_VAL, err))
        return -1;
    t->batches = train_epoch_batches(c, dataset_count(t->train_set));
    t->steps = epoch_steps(c, dataset_count(t->train_set));
    if (trainer_check_length(c, dataset_count(t->train_set), err))
        return -1;
    return trainer_check_data(c, t->train_set, err);
}

static int open_networks(struct trainer *t, struct error *err)
{
    const struct config *c = t->options.config;
    struct network_options train = {.batch = config_int(c, "train.batch"),
                                    .training = 1,
                                    .smoothing = config_float(c, "train.label_smoothing"),
                                    .soft_targets = mixer_has_targets(&t->mixer),
                                    .bytes = views_give_bytes(c, t->train_set, 1),
                                    .mix = mix_is_on(&t->mixer.mix) && !views_derive(c)};
    struct network_options eval = {.batch = config_int(c, "train.eval_batch"),
                                   .bytes = views_give_bytes(c, t->val_set, 0)};
    if (eval.batch > dataset_count(t->val_set))
        eval.batch = dataset_count(t->val_set);
    if (network_open(&t->net, c, t->options.device, &train, err) ||
        network_open(&t->eval_net, c, t->options.device, &eval, err))
        return -1;
    if (t->net.segment && mix_is_on(&t->mixer.mix))
        return config_error(c, err, "train.objective",
                            "segmentation mixes and erases no images (leave data.mix.* and "
                            "data.erase.probability out)");
    views_write_levels(&t->net, t->train_set, 1);
    mixer_open(&t->mixer, &t->net);
    network_init(&t->net, t->options.seed);
    weights_init(&t->weights, &t->net);
    if (t->keeps_best)
        weights_init(&t->best, &t->net);
    return weights_start(&t->net, &t->weights, c, err);
}

static int open_folder(struct trainer *t, struct error *err)
{
    if (!t->options.folder)
        return 0;
    if (journal_open(&t->journal, t->options.folder, err))
        return -1;
    t->owner = (struct checkpoint_owner){t->options.folder, t->options.cell, t->options.seed};
    if (checkpoint_load(&t->owner, &t->at, &t->net, &t->weights, t->keeps_best ? &t->best : NULL))
        fprintf(stderr, "resuming at epoch %lld of %lld, step %lld\n", (long long)t->at.epoch + 1,
                (long long)t->epochs, (long long)t->at.step);
    return 0;
}

int trainer_open(struct trainer *t, const struct trainer_options *o, struct error *err)
{
    const struct config *c = o->config;
    *t = (struct trainer){.options = *o,
                          .epochs = config_int(c, "train.epochs"),
                          .accumulate = config_int(c, "train.accumulate"),
                          .keeps_best = train_selects_best(c),
                          .takes_mean = train_selects_average(c),
                          .average = update_average(c),
                          .journal.events = -1,
                          .last_loss = NAN,
                          .at.best_top1 = NAN};
    if (!train_check(c, err) && !open_data(t, err) && !lr_plan_init(&t->lr, c, t->steps, err) &&
        !mixer_init(&t->mixer, c, err) && !open_networks(t, err) && !open_folder(t, err))
        return 0;
    trainer_close(t);
    return -1;
}

void trainer_close(struct trainer *t)
{
    evaluation_release(&t->evaluation);
    journal_close(&t->journal);
    weights_release(&t->best);
    weights_release(&t->weights);
    mixer_close(&t->mixer);
    network_close(&t->eval_net);
    network_close(&t->net);
    dataset_close(t->val_set);
    dataset_close(t->train_set);
    *t = (struct trainer){.journal.events = -1};
}
