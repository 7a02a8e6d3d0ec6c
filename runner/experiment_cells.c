/* grid and zip, cells by hand, baseline: what makes cells. */
#include "runner/experiment_internal.h"

#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "base/yaml.h"

/* grid and zip, nested below sections or with dotted keys. */
static int take_columns(struct experiment *e, enum column_kind kind, const char *prefix,
                        const struct yaml_node *map, struct error *err)
{
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        const char *key = *prefix ? arena_printf(&e->arena, "%s.%s", prefix, n->key) : n->key;
        int rc;
        if (n->kind == YAML_MAP && !config_find(e->spec->base, key))
            rc = take_columns(e, kind, key, n, err);
        else if (!strcmp(key, "model"))
            rc = experiment_set_column(e, kind, key, n, experiment_key_origin(n), err);
        else
            rc = experiment_check_key(e, key, n, err) ||
                 experiment_set_column(e, kind, key, n, experiment_key_origin(n), err);
        if (rc)
            return -1;
    }
    return 0;
}

int experiment_take_grid(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return experiment_check_map(n, err) ? -1 : take_columns(e, COLUMN_GRID, "", n, err);
}

int experiment_take_zip(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return experiment_check_map(n, err) ? -1 : take_columns(e, COLUMN_ZIP, "", n, err);
}

struct hand_load {
    struct experiment *e;
    struct assignment *first, **link;
    const char *label;
};

static int add_hand(struct hand_load *l, const char *key, const char *text,
                    struct config_origin origin, const struct preset *preset)
{
    struct assignment *a = ARENA_NEW(&l->e->arena, struct assignment);
    *a = (struct assignment){key, text, origin, preset, NULL};
    *l->link = a;
    l->link = &a->next;
    return 0;
}

static int hand_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                    struct error *err)
{
    (void)err;
    return add_hand(ctx, key, text, origin, NULL);
}

static int hand_other(void *ctx, const struct yaml_node *n, struct error *err)
{
    struct hand_load *l = ctx;
    const struct preset *p;
    const char *text;
    if (strcmp(n->key, "label") && strcmp(n->key, "model"))
        return 0;
    if (experiment_text(l->e, n, &text, err))
        return -1;
    if (!strcmp(n->key, "label")) {
        l->label = text;
        return 1;
    }
    p = experiment_preset(l->e, text, experiment_origin(n), err);
    return p ? (add_hand(l, "model", p->name, experiment_origin(n), p), 1) : -1;
}

static int take_hand_map(struct experiment *e, const struct yaml_node *map, struct hand_load *l,
                         struct error *err)
{
    const struct config_visitor visitor = {hand_key, hand_other, l};
    *l = (struct hand_load){e, NULL, &l->first, NULL};
    return config_walk(e->spec->base, &e->arena, map, &visitor, err);
}

int experiment_take_cells(struct experiment *e, const struct yaml_node *list, struct error *err)
{
    struct hand_cell **link = &e->spec->cells;
    if (list->kind != YAML_LIST)
        return experiment_fail(experiment_origin(list), err, "cells", "expected a list of maps");
    *link = NULL;
    for (const struct yaml_node *n = list->child; n; n = n->next) {
        struct hand_load l;
        struct hand_cell *c = ARENA_NEW(&e->arena, struct hand_cell);
        if (take_hand_map(e, n, &l, err))
            return -1;
        *c = (struct hand_cell){l.label, experiment_origin(n), l.first, NULL};
        for (const struct assignment *a = c->assignments; a; a = a->next)
            experiment_claim(e, a->key, a->origin);
        *link = c;
        link = &c->next;
    }
    return 0;
}

/* Keys and values, as written. */
static int take_pairs(struct experiment *e, const struct yaml_node *n,
                      struct experiment_pair **pairs, int *count, struct error *err)
{
    struct hand_load l;
    if (experiment_check_map(n, err) || (n->kind == YAML_MAP && take_hand_map(e, n, &l, err)))
        return -1;
    *count = 0;
    if (n->kind != YAML_MAP)
        return 0;
    for (const struct assignment *a = l.first; a; a = a->next)
        ++*count;
    *pairs = ARENA_ARRAY(&e->arena, struct experiment_pair, *count);
    int i = 0;
    for (const struct assignment *a = l.first; a; a = a->next)
        (*pairs)[i++] = (struct experiment_pair){a->key, a->text, a->origin};
    return 0;
}

int experiment_take_baseline(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_pairs(e, n, &e->baseline, &e->n_baseline, err);
}

int experiment_take_fallback(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_pairs(e, n, &e->fallback, &e->n_fallback, err);
}
