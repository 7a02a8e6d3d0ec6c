#include "train/run_config.h"

#include "base/arena.h"
#include "base/config_file.h"
#include "base/error.h"
#include "base/number.h"
#include "base/yaml.h"
#include "train/keys.h"

#include <stdio.h>
#include <string.h>

static int refuse(const struct yaml_node *n, struct error *err, const char *what)
{
    return error_set(err, "%s:%d:%d: %s: %s", n->file, n->line, n->column, n->key, what);
}

static int take_number(const struct yaml_node *n, int64_t max, int64_t *value, struct error *err)
{
    if (!n->text || number_int(n->text, value) || *value < 0 || *value > max)
        return refuse(n, err, "a whole number is expected");
    return 1;
}

static int take_text(const struct yaml_node *n, char *text, size_t size, struct error *err)
{
    if (!n->text || strlen(n->text) >= size)
        return refuse(n, err, "a short text is expected");
    snprintf(text, size, "%s", n->text);
    return 1;
}

static int take_measure(const struct yaml_node *list, unsigned *measure, struct error *err)
{
    static const char *const names[] = {"cost", "accuracy", "latency"};
    *measure = 0;
    for (const struct yaml_node *n = list->child; n; n = n->next) {
        unsigned known = 0;
        for (unsigned i = 0; n->text && i < 3; i++)
            known |= strcmp(n->text, names[i]) ? 0u : 1u << i;
        if (!known)
            return error_set(err, "%s:%d:%d: measure: cost, accuracy or latency is expected",
                             n->file, n->line, n->column);
        *measure |= known;
    }
    return list->kind == YAML_LIST ? 1 : refuse(list, err, "a list is expected");
}

static int take_other(void *ctx, const struct yaml_node *n, struct error *err)
{
    struct run_config *r = ctx;
    int64_t value = 0;
    int rc = 0;
    if (!strcmp(n->key, "seed")) {
        rc = take_number(n, INT64_MAX, &value, err);
        r->seed = (uint64_t)value;
    } else if (!strcmp(n->key, "threads")) {
        rc = take_number(n, 4096, &value, err);
        r->threads = (int)value;
    } else if (!strcmp(n->key, "device")) {
        rc = take_text(n, r->device, sizeof r->device, err);
    } else if (!strcmp(n->key, "cell")) {
        rc = take_text(n, r->cell, sizeof r->cell, err);
    } else if (!strcmp(n->key, "measure")) {
        rc = take_measure(n, &r->measure, err);
    }
    return rc;
}

int run_config_load(struct run_config *r, const char *path, struct error *err)
{
    *r = (struct run_config){.config = config_new(train_schema),
                             .device = "auto",
                             .measure =
                                 RUN_MEASURE_COST | RUN_MEASURE_ACCURACY | RUN_MEASURE_LATENCY};
    if (!config_load(r->config, path, take_other, r, err) && !config_resolve(r->config, err) &&
        !train_check(r->config, err))
        return 0;
    run_config_release(r);
    return -1;
}

void run_config_release(struct run_config *r)
{
    config_free(r->config);
    *r = (struct run_config){0};
}

static int set_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                   struct error *err)
{
    return config_set(ctx, key, text, origin, err);
}

int run_config_parse(struct config **c, const char *name, const char *text, size_t size,
                     struct error *err)
{
    struct arena a = {0};
    struct yaml_node *root;
    *c = config_new(train_schema);
    struct config_visitor visitor = {.assign = set_key, .ctx = *c};
    int rc = yaml_parse(&a, name, text, size, &root, err) ||
                     config_walk(*c, &a, root, &visitor, err) || config_resolve(*c, err)
                 ? -1
                 : 0;
    arena_release(&a);
    if (rc) {
        config_free(*c);
        *c = NULL;
    }
    return rc;
}
