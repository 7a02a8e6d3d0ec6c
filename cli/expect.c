#include "cli/expect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/rate.h"
#include "cli/run_data.h"
#include "cli/store.h"
#include "data/dataset.h"
#include "results/query.h"
#include "runner/experiment.h"
#include "runner/machine.h"
#include "train/device.h"
#include "train/keys.h"

/* What is known of one data set, in one size. */
struct seen_data {
    const char *dataset, *train_size, *val_size;
    double s_per_mac; /* of finished runs: seconds a forward MAC of an epoch; NAN */
    int counted;
    double train, val;   /* images, once counted; NAN where the set cannot be opened */
    const char *missing; /* why */
    struct seen_data *next;
};

/* ---- finished runs --------------------------------------------------------------------------- */

static double finished_rate(struct expectation *x, const struct seen_data *k)
{
    struct error ignored = {0};
    if (x->store == NULL)
        return NAN;
    struct rows *r =
        store_query(x->store, &ignored,
                    "SELECT sum(wall_s) / sum(\"cost/macs\" * \"train.epochs\") FROM v_runs"
                    " WHERE state = 'done' AND \"data.dataset\" = ?1"
                    " AND CAST(\"data.train_size\" AS TEXT) = ?2 AND \"train.steps\" = 0"
                    " AND device = ?3",
                    "sss", k->dataset, k->train_size, x->class);
    if (r == NULL)
        return NAN; /* a database that has no such columns yet */
    double rate = r->count > 0 ? rows_number(rows_cell(r, 0, 0)) : NAN;
    rows_free(r);
    return rate;
}

/* ---- the device ------------------------------------------------------------------------------ */

/* "HOST: AMD EPYC, avx512, 2 threads". */
static void name_device(struct expectation *x, const struct device *d)
{
    struct machine_process self;
    machine_self(&self);
    snprintf(x->device, sizeof x->device, "%s: %s, %d threads", self.host, d->text,
             d->options.threads);
}

static void keep_rate(struct expectation *x)
{
    struct error err = {0};
    struct store *s = x->store != NULL ? cli_store_open(x->args, STORE_WRITE, &err) : NULL;
    if (s == NULL)
        return; /* no database yet, or one that cannot be written: measured again next time */
    if (store_put_rate(s, x->device, x->macs_per_s, &err))
        warn("%s", err.msg);
    store_close(s);
}

/* Kept from earlier, or measured now and kept. */
static void ask_rate(struct expectation *x)
{
    struct error err = {0};
    const struct device *d = &x->opened;
    x->asked = 1;
    if (x->unusable != NULL) {
        x->why_unknown = x->unusable;
        return;
    }
    name_device(x, d);
    if (x->store != NULL && store_rate(x->store, x->device, &x->macs_per_s, &err) == 1)
        return;
    if (rate_measure(d, &x->macs_per_s, &err)) {
        x->macs_per_s = NAN;
        x->why_unknown = arena_strdup(&x->arena, err.msg);
        return;
    }
    keep_rate(x);
}

static double rate_of(struct expectation *x)
{
    if (!x->asked)
        ask_rate(x);
    return x->macs_per_s;
}

/* ---- data ------------------------------------------------------------------------------------ */

static double count_images(const struct config *c, enum split split, struct error *err)
{
    struct dataset *d;
    if (dataset_open(&d, c, split, err))
        return NAN;
    double n = (double)dataset_count(d);
    dataset_close(d);
    return n;
}

static struct seen_data *look_at(struct expectation *x, const struct config *c)
{
    const char *dataset = config_text(c, "data.dataset"),
               *train = config_text(c, "data.train_size"), *val = config_text(c, "data.val_size");
    struct seen_data *k = x->seen;
    while (k != NULL && (strcmp(k->dataset, dataset) != 0 || strcmp(k->train_size, train) != 0 ||
                         strcmp(k->val_size, val) != 0))
        k = k->next;
    if (k != NULL)
        return k;
    k = ARENA_NEW(&x->arena, struct seen_data);
    *k = (struct seen_data){.dataset = arena_strdup(&x->arena, dataset),
                            .train_size = arena_strdup(&x->arena, train),
                            .val_size = arena_strdup(&x->arena, val),
                            .next = x->seen};
    x->seen = k;
    k->s_per_mac = finished_rate(x, k);
    return k;
}

static void count_both(struct expectation *x, const struct config *c, struct seen_data *k)
{
    struct error err = {0};
    k->counted = 1;
    k->train = count_images(c, SPLIT_TRAIN, &err);
    k->val = isfinite(k->train) ? count_images(c, SPLIT_VAL, &err) : NAN;
    k->missing = err.code ? arena_strdup(&x->arena, err.msg) : NULL;
}

/* ---- a cell ---------------------------------------------------------------------------------- */

/* Training steps and a pass over the validation images each epoch, then the blocks of latency. */
static double by_rate(struct expectation *x, const struct cell *c, struct seen_data *k)
{
    if (!k->counted)
        count_both(x, c->config, k);
    if (k->missing != NULL) {
        x->why_unknown = k->missing;
        return NAN;
    }
    double epochs = (double)config_int(c->config, "train.epochs");
    double images = (double)train_epoch_batches(c->config, (int64_t)k->train) *
                    (double)config_int(c->config, "train.batch");
    double macs = epochs * ((double)c->cost.train_macs * images + (double)c->cost.macs * k->val);
    double latency_s = x->experiment->measure & EXPERIMENT_LATENCY
                           ? config_float(c->config, "latency.min_time")
                           : 0;
    return macs / rate_of(x) + latency_s;
}

double expect_cell(struct expectation *x, const struct cell *c)
{
    const struct experiment *e = x->experiment;
    if (c->state != CELL_PLANNED || c->cost.macs < 0)
        return NAN;
    if (e->measure == EXPERIMENT_COST)
        return 0;
    if (!config_is_active(c->config, "data.dataset") ||
        !config_is_active(c->config, "train.epochs"))
        return NAN;
    struct seen_data *k = look_at(x, c->config);
    double epochs = (double)config_int(c->config, "train.epochs");
    int whole = config_int(c->config, "train.steps") == 0;
    double seconds = isnan(k->s_per_mac) || !whole ? by_rate(x, c, k)
                                                   : k->s_per_mac * (double)c->cost.macs * epochs;
    return seconds * e->n_seeds;
}

/* What this machine lacks is no error: the costs do not depend on it. */
static int open_device(struct expectation *x, struct error *err)
{
    const char *name = args_text(x->args, "device");
    struct error why = {0};
    x->class = arena_strndup(&x->arena, name, strcspn(name, ":"));
    if (device_open(&x->opened, name, 0, &why) == 0) {
        x->class = x->opened.backend->choice.name;
        return 0;
    }
    x->unusable = arena_strdup(&x->arena, why.msg);
    return why.code == EXIT_USAGE ? error_set(err, "--device: %s", why.msg) : 0;
}

int expect_open(struct expectation *x, const struct args *a, const struct experiment *e,
                struct error *err)
{
    struct error ignored = {0};
    *x = (struct expectation){.experiment = e, .args = a, .macs_per_s = NAN};
    if (open_device(x, err)) {
        arena_release(&x->arena);
        return -1;
    }
    if (file_exists(args_db(a)))
        x->store = cli_store_open(a, STORE_READ, &ignored);
    return 0;
}

void expect_close(struct expectation *x)
{
    store_close(x->store);
    arena_release(&x->arena);
}
