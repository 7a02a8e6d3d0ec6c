/* Reading an experiment file: one function a top-level key, in a table. */
#include "runner/experiment_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/yaml.h"

enum { MAX_BASE_DEPTH = 16, MAX_SEEDS = 10000, MAX_NAME = 64 };

struct config_origin experiment_origin(const struct yaml_node *n)
{
    return (struct config_origin){n->file, n->line, n->column};
}

static struct config_origin key_origin(const struct yaml_node *n)
{
    return (struct config_origin){n->file, n->key_line, n->key_column};
}

int experiment_fail(struct config_origin o, struct error *err, const char *name, const char *fmt,
                    ...)
{
    char where[500], message[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    return error_set(err, "%s: %s%s%s", config_origin_text(o, where, sizeof where),
                     name ? name : "", name ? ": " : "", message);
}

void experiment_claim(struct experiment *e, const char *key, struct config_origin origin)
{
    if (!e->spec->in_file)
        return;
    struct claim *c = ARENA_NEW(&e->arena, struct claim);
    *c = (struct claim){key, origin, e->spec->claims};
    e->spec->claims = c;
}

/* ---- values of top-level keys -----------------------------------------------------------------
 */

static int take_text(struct experiment *e, const struct yaml_node *n, const char **text,
                     struct error *err)
{
    const struct config_key word = {.name = n->key, .type = CONFIG_STRING};
    return config_node_text(&word, &e->arena, n, text, err);
}

static int check_map(const struct yaml_node *n, struct error *err)
{
    if (n->kind == YAML_MAP || (n->kind == YAML_SCALAR && !*n->text))
        return 0; /* "zip:" with nothing below is an empty map */
    return experiment_fail(experiment_origin(n), err, n->key,
                           "expected keys and values (key: value)");
}

static int check_key(struct experiment *e, const char *key, const struct yaml_node *n,
                     struct error *err)
{
    if (config_find(e->spec->base, key))
        return 0;
    const char *near = config_suggest(e->spec->base, key);
    if (near)
        return experiment_fail(key_origin(n), err, NULL, "unknown key %s (did you mean %s?)", key,
                               near);
    return experiment_fail(key_origin(n), err, NULL, "unknown key %s", key);
}

static int take_name(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    if (take_text(e, n, &e->name, err))
        return -1;
    int good = *e->name && *e->name != '.' && *e->name != '-' && strlen(e->name) <= MAX_NAME;
    for (const char *s = e->name; *s; s++)
        good &= isalnum((unsigned char)*s) || strchr("._-", *s) != NULL;
    if (!good)
        return experiment_fail(
            experiment_origin(n), err, "name",
            "%s: letters, digits, '.', '_' and '-', at most %d of them, the first "
            "a letter or digit",
            e->name, MAX_NAME);
    return 0;
}

static int take_title(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_text(e, n, &e->title, err);
}

static int take_notes(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    const char *text;
    return take_text(e, n, &text, err);
}

static int take_seed_list(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    int count;
    struct assignment *values = experiment_values(e, "seeds", n, &count, err);
    if (!values)
        return -1;
    if (count > MAX_SEEDS)
        return experiment_fail(experiment_origin(n), err, "seeds", "more than %d", MAX_SEEDS);
    int64_t *seeds = ARENA_ARRAY(&e->arena, int64_t, count);
    for (int i = 0; i < count; i++, values = values->next) {
        if (number_int(values->text, &seeds[i]) || seeds[i] < 0)
            return experiment_fail(values->origin, err, "seeds",
                                   "%s is not a seed (an integer from 0)", values->text);
        for (int j = 0; j < i; j++)
            if (seeds[j] == seeds[i])
                return experiment_fail(values->origin, err, "seeds", "%s is there twice",
                                       values->text);
    }
    e->seeds = seeds;
    e->n_seeds = count;
    return 0;
}

static int take_seeds(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    int64_t count;
    if (n->kind != YAML_SCALAR || strchr(n->text, '('))
        return take_seed_list(e, n, err);
    if (number_int(n->text, &count) || count < 1 || count > MAX_SEEDS)
        return experiment_fail(experiment_origin(n), err, "seeds",
                               "%s is not a number of seeds (1 to %d; or a list)", n->text,
                               MAX_SEEDS);
    int64_t *seeds = ARENA_ARRAY(&e->arena, int64_t, count);
    for (int i = 0; i < count; i++)
        seeds[i] = i;
    e->seeds = seeds;
    e->n_seeds = (int)count;
    return 0;
}

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
            rc = experiment_set_column(e, kind, key, n, key_origin(n), err);
        else
            rc = check_key(e, key, n, err) ||
                 experiment_set_column(e, kind, key, n, key_origin(n), err);
        if (rc)
            return -1;
    }
    return 0;
}

static int take_grid(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return check_map(n, err) ? -1 : take_columns(e, COLUMN_GRID, "", n, err);
}

static int take_zip(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return check_map(n, err) ? -1 : take_columns(e, COLUMN_ZIP, "", n, err);
}

/* ---- cells by hand, baseline -------------------------------------------------------------------
 */

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
    if (take_text(l->e, n, &text, err))
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

static int take_cells(struct experiment *e, const struct yaml_node *list, struct error *err)
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
    if (check_map(n, err) || (n->kind == YAML_MAP && take_hand_map(e, n, &l, err)))
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

static int take_baseline(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_pairs(e, n, &e->baseline, &e->n_baseline, err);
}

static int take_fallback(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_pairs(e, n, &e->fallback, &e->n_fallback, err);
}

/* ---- rules --------------------------------------------------------------------------------------
 */

/* Names with a dot must be known now; whether a bare word is a name shows when it is evaluated. */
static int check_names(struct experiment *e, const struct expr *x, struct error *err)
{
    struct cell cell = {.config = e->spec->base};
    const char *name;
    cell_cost_clear(&cell.cost);
    for (int i = 0; (name = expr_name(x, i)); i++) {
        struct arena scratch = {0};
        struct expr_value v;
        struct expr *one = strchr(name, '.') ? expr_parse(&scratch, name, err) : NULL;
        int rc = one ? cell_value(&cell, one, &v, err) : 0;
        arena_release(&scratch);
        if (rc)
            return -1;
    }
    return 0;
}

struct rule *experiment_rule(struct experiment *e, const char *kind, const char *key,
                             const char *text, struct config_origin origin, struct error *err)
{
    struct rule *r = ARENA_NEW(&e->arena, struct rule);
    *r = (struct rule){.kind = kind, .key = key, .origin = origin};
    char where[500];
    r->expr = expr_parse(&e->arena, text, err);
    if (!r->expr || check_names(e, r->expr, err)) {
        error_prefix(err, "%s: %s", config_origin_text(origin, where, sizeof where), kind);
        return NULL;
    }
    for (int i = 0; expr_name(r->expr, i); i++)
        r->costs |= !strncmp(expr_name(r->expr, i), "cost.", 5);
    return r;
}

/* One expression or a list of them. */
static int take_rules(struct experiment *e, const char *kind, const struct yaml_node *n,
                      struct rule **link, struct error *err)
{
    const struct yaml_node *first = n->kind == YAML_LIST ? n->child : n;
    *link = NULL;
    for (const struct yaml_node *c = first; c; c = n->kind == YAML_LIST ? c->next : NULL) {
        const struct config_key word = {.name = kind, .type = CONFIG_STRING};
        const char *text;
        if (config_node_text(&word, &e->arena, c, &text, err) ||
            !(*link = experiment_rule(e, kind, NULL, text, experiment_origin(c), err)))
            return -1;
        link = &(*link)->next;
    }
    return 0;
}

static int take_exclude(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_rules(e, "exclude", n, &e->spec->exclude, err);
}

static int take_where(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_rules(e, "where", n, &e->spec->where, err);
}

static int take_when(struct experiment *e, const struct yaml_node *map, struct error *err)
{
    if (check_map(map, err))
        return -1;
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        struct rule *r, **link = &e->spec->when;
        const char *text;
        if (check_key(e, n->key, n, err) || take_text(e, n, &text, err) ||
            !(r = experiment_rule(e, "when", n->key, text, experiment_origin(n), err)))
            return -1;
        if (r->costs)
            return experiment_fail(r->origin, err, "when",
                                   "%s: costs are not known before the keys are", n->key);
        while (*link && strcmp((*link)->key, n->key))
            link = &(*link)->next;
        r->next = *link ? (*link)->next : NULL;
        *link = r;
    }
    return 0;
}

/* ---- the rest
 * ------------------------------------------------------------------------------------ */

static int take_match(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    if (check_map(n, err))
        return -1;
    e->spec->match = n->kind == YAML_MAP ? n : NULL;
    return 0;
}

static int take_measure(struct experiment *e, const struct yaml_node *list, struct error *err)
{
    static const char *const words[] = {"cost", "accuracy", "latency"};
    const struct yaml_node *first = list->kind == YAML_LIST ? list->child : list;
    e->measure = 0;
    for (const struct yaml_node *n = first; n; n = n->next) {
        unsigned bit = 0;
        for (unsigned i = 0; i < 3 && n->kind == YAML_SCALAR; i++)
            if (!strcmp(n->text, words[i]))
                bit = 1u << i;
        if (!bit)
            return experiment_fail(experiment_origin(n), err, "measure",
                                   "%s is none of cost, accuracy, latency",
                                   n->kind == YAML_SCALAR ? n->text : "this");
        e->measure |= bit;
        if (list->kind != YAML_LIST)
            break;
    }
    return 0;
}

static int take_objectives(struct experiment *e, const struct yaml_node *map, struct error *err)
{
    if (check_map(map, err))
        return -1;
    e->n_objectives = 0;
    e->objectives = ARENA_ARRAY(&e->arena, struct experiment_objective, map->n_children);
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        const char *text;
        if (take_text(e, n, &text, err))
            return -1;
        if (!strchr(n->key, '/'))
            return experiment_fail(key_origin(n), err, "objectives",
                                   "%s is no metric (they are split/name, such as val/top1)",
                                   n->key);
        if (strcmp(text, "max") && strcmp(text, "min"))
            return experiment_fail(experiment_origin(n), err, "objectives",
                                   "%s: %s is not max or min", n->key, text);
        e->objectives[e->n_objectives++] =
            (struct experiment_objective){n->key, !strcmp(text, "max")};
    }
    return 0;
}

/* First of: beside the file, then folder/PATH below each root. NULL where there is none. */
static const char *find_file(struct experiment *e, const char *file, const char *path,
                             const char *const *folders)
{
    const char *slash = strrchr(file, '/'), *found;
    if (*path == '/')
        return file_exists(path) ? path : NULL;
    found = slash ? arena_printf(&e->arena, "%.*s/%s", (int)(slash - file), file, path) : path;
    if (file_exists(found))
        return found;
    for (int i = 0; e->spec->source->roots && e->spec->source->roots[i]; i++)
        for (int k = 0; folders[k]; k++) {
            found = arena_printf(&e->arena, "%s/%s%s", e->spec->source->roots[i], folders[k], path);
            if (file_exists(found))
                return found;
        }
    return NULL;
}

static int take_published(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    static const char *const folders[] = {"results/", "experiments/", "", NULL};
    const char *path;
    if (take_text(e, n, &path, err))
        return -1;
    e->published = find_file(e, n->file, path, folders);
    if (!e->published)
        return experiment_fail(experiment_origin(n), err, "published",
                               "no file %s (beside this file, or below results/)", path);
    return 0;
}

static int take_timeout(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    const char *text;
    if (take_text(e, n, &text, err))
        return -1;
    size_t digits = strspn(text, "0123456789.");
    char *number = arena_strndup(&e->arena, text, digits);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(text + digits, units[i].unit) && !number_float(number, &e->timeout_s)) {
            e->timeout_s *= units[i].seconds;
            return 0;
        }
    return experiment_fail(experiment_origin(n), err, "limits.timeout",
                           "%s is not a time (90s, 30m, 2h, 1d)", text);
}

static int take_limits(struct experiment *e, const struct yaml_node *map, struct error *err)
{
    if (check_map(map, err))
        return -1;
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        int64_t retries;
        const char *text;
        if (!strcmp(n->key, "timeout")) {
            if (take_timeout(e, n, err))
                return -1;
        } else if (!strcmp(n->key, "retries")) {
            if (take_text(e, n, &text, err))
                return -1;
            if (number_int(text, &retries) || retries < 0 || retries > 100)
                return experiment_fail(experiment_origin(n), err, "limits.retries",
                                       "%s is not a number from 0 to 100", text);
            e->retries = (int)retries;
        } else {
            return experiment_fail(key_origin(n), err, NULL,
                                   "unknown key limits.%s (there are timeout and retries)", n->key);
        }
    }
    return 0;
}

/* base and model: NAME were taken before the walk, because they come first wherever they stand. */
static int take_before(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    (void)e;
    (void)n;
    (void)err;
    return 0;
}

static const struct {
    const char *name;
    int (*take)(struct experiment *e, const struct yaml_node *n, struct error *err);
} keys[] = {
    {"name", take_name},         {"title", take_title},         {"notes", take_notes},
    {"base", take_before},       {"seeds", take_seeds},         {"grid", take_grid},
    {"zip", take_zip},           {"cells", take_cells},         {"exclude", take_exclude},
    {"where", take_where},       {"when", take_when},           {"match", take_match},
    {"baseline", take_baseline}, {"measure", take_measure},     {"objectives", take_objectives},
    {"limits", take_limits},     {"published", take_published}, {"fallback", take_fallback},
};

enum { N_KEYS = sizeof keys / sizeof *keys };

int experiment_take(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    for (int i = 0; i < N_KEYS; i++)
        if (!strcmp(keys[i].name, n->key))
            return keys[i].take(e, n, err) ? -1 : 1;
    return !strcmp(n->key, "model") && n->kind == YAML_SCALAR;
}

/* ---- files
 * ---------------------------------------------------------------------------------------- */

static int walk_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                    struct error *err)
{
    struct experiment *e = ctx;
    experiment_claim(e, key, origin);
    return config_set(e->spec->base, key, text, origin, err);
}

/* A mistyped top-level key may mean one of ours as well as one of the schema. */
static const char *key_name(const void *ctx, int i)
{
    (void)ctx;
    return i < N_KEYS ? keys[i].name : NULL;
}

static int check_key_only(void *ctx, const char *key, const char *text, struct config_origin origin,
                          struct error *err)
{
    (void)ctx, (void)key, (void)text, (void)origin, (void)err;
    return 0;
}

static int check_other(void *ctx, const struct yaml_node *n, struct error *err)
{
    (void)ctx;
    for (int i = 0; i < N_KEYS; i++)
        if (!strcmp(keys[i].name, n->key))
            return 1;
    if (!strcmp(n->key, "model") && n->kind == YAML_SCALAR)
        return 1;
    const char *near = config_nearest(n->key, key_name, NULL);
    return near ? experiment_fail(key_origin(n), err, NULL, "unknown key %s (did you mean %s?)",
                                  n->key, near)
                : 0;
}

static int walk_other(void *ctx, const struct yaml_node *n, struct error *err)
{
    return experiment_take(ctx, n, err);
}

static int read_file(struct experiment *e, const char *path, int depth, struct error *err);

static int read_base(struct experiment *e, const struct yaml_node *base, int depth,
                     struct error *err)
{
    static const char *const folders[] = {"experiments/", "", NULL};
    const struct yaml_node *first = base->kind == YAML_LIST ? base->child : base;
    for (const struct yaml_node *n = first; n; n = base->kind == YAML_LIST ? n->next : NULL) {
        if (n->kind != YAML_SCALAR)
            return experiment_fail(experiment_origin(n), err, "base", "expected a list of files");
        const char *path = find_file(e, n->file, n->text, folders);
        if (!path)
            return experiment_fail(experiment_origin(n), err, "base",
                                   "no file %s (beside this file, or below experiments/)", n->text);
        if (depth >= MAX_BASE_DEPTH)
            return experiment_fail(experiment_origin(n), err, "base",
                                   "%s: files include each other more than %d deep", n->text,
                                   MAX_BASE_DEPTH);
        if (read_file(e, path, depth + 1, err))
            return -1;
    }
    return 0;
}

static int read_file(struct experiment *e, const char *path, int depth, struct error *err)
{
    const struct config_visitor check = {check_key_only, check_other, e};
    const struct config_visitor visitor = {walk_key, walk_other, e};
    const struct yaml_node *base, *model;
    struct yaml_node *root;
    if (yaml_load(&e->arena, path, &root, err) ||
        config_walk(e->spec->base, &e->arena, root, &check, err)) /* all unknown keys first */
        return -1;
    base = yaml_get(root, "base");
    model = yaml_get(root, "model");
    if (base && read_base(e, base, depth, err))
        return -1;
    if (depth == 0)
        e->name = e->title = NULL; /* a base file's are its own */
    e->spec->in_file = depth == 0;
    if (model && model->kind == YAML_SCALAR &&
        experiment_set_model(e, model->text, experiment_origin(model), err))
        return -1;
    return config_walk(e->spec->base, &e->arena, root, &visitor, err);
}

int experiment_read(struct experiment *e, const char *path, struct error *err)
{
    return read_file(e, path, 0, err);
}
