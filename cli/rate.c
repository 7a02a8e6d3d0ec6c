#include "cli/rate.h"

#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/cost.h"
#include "cli/schema.h"
#include "train/measure.h"

/* 64 tokens of 128 channels, a batch of 16: large enough for products to dominate. */
static const char *const reference[][2] = {
    {"model.family", "vit"}, {"model.image_size", "32"}, {"model.patch", "4"},
    {"model.dim", "128"},    {"model.depth", "2"},       {"model.heads", "4"},
    {"model.classes", "10"}, {"train.batch", "16"},      {"latency.batch", "16"}};

static struct config *reference_config(struct error *err)
{
    struct config *c = config_new(cli_schema());
    for (size_t i = 0; i < sizeof reference / sizeof *reference; i++)
        if (config_set(c, reference[i][0], reference[i][1], (struct config_origin){0}, err)) {
            config_free(c);
            return NULL;
        }
    if (config_resolve(c, err) == 0)
        return c;
    config_free(c);
    return NULL;
}

static int measure(const struct config *c, const struct device *d, double *macs_per_s,
                   struct error *err)
{
    struct cell_cost cost;
    struct measure m;
    const struct measure_options o = {.batch = config_int(c, "train.batch"), .training = 1};
    const struct latency_options how = {.min_time = 0.2};
    if (cli_cost(c, &cost, err) || measure_open(&m, c, d, &o, NULL, err))
        return -1;
    latency_measure(&m.subject, 1, &how);
    double step_s = latency_figures(&m.subject).p50_ms * 1e-3;
    measure_close(&m);
    *macs_per_s = (double)(cost.train_macs * o.batch) / step_s;
    return 0;
}

int rate_measure(const struct device *d, double *macs_per_s, struct error *err)
{
    struct config *c = reference_config(err);
    if (c == NULL)
        return -1;
    int rc = measure(c, d, macs_per_s, err);
    config_free(c);
    return rc;
}
