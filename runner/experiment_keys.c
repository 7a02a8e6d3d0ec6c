/* The top-level keys of an experiment file but for axes, cells and rules: one function each, and
 * the table of all of them. */
#include "runner/experiment_internal.h"

#include <ctype.h>
#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "base/number.h"
#include "base/yaml.h"

enum { MAX_SEEDS = 10000, MAX_NAME = 64 };

static int take_name(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    if (experiment_text(e, n, &e->name, err))
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
    return experiment_text(e, n, &e->title, err);
}

static int take_notes(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    const char *text;
    return experiment_text(e, n, &text, err);
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

/* ---- the rest ---- */

static int take_match(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    if (experiment_check_map(n, err))
        return -1;
    e->spec->match = n->kind == YAML_MAP ? n : NULL;
    return 0;
}

static int take_measure(struct experiment *e, const struct yaml_node *list, struct error *err)
{
    static const char *const words[] = {"cost", "accuracy", "latency"};
    const struct yaml_node *first = list->kind == YAML_LIST ? list->child : list;
    e->measure = 0;
    if (!first)
        return experiment_fail(experiment_origin(list), err, "measure",
                               "an empty list (cost, accuracy, latency)");
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
    if (experiment_check_map(map, err))
        return -1;
    e->n_objectives = 0;
    e->objectives = ARENA_ARRAY(&e->arena, struct experiment_objective, map->n_children);
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        const char *text;
        if (experiment_text(e, n, &text, err))
            return -1;
        if (!strchr(n->key, '/'))
            return experiment_fail(experiment_key_origin(n), err, "objectives",
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

static int take_published(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    static const char *const folders[] = {"results/", "experiments/", "", NULL};
    const char *path;
    if (experiment_text(e, n, &path, err))
        return -1;
    e->published = experiment_find_file(e, n->file, path, folders);
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
    if (experiment_text(e, n, &text, err))
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
    if (experiment_check_map(map, err))
        return -1;
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        int64_t retries;
        const char *text;
        if (!strcmp(n->key, "timeout")) {
            if (take_timeout(e, n, err))
                return -1;
        } else if (!strcmp(n->key, "retries")) {
            if (experiment_text(e, n, &text, err))
                return -1;
            if (number_int(text, &retries) || retries < 0 || retries > 100)
                return experiment_fail(experiment_origin(n), err, "limits.retries",
                                       "%s is not a number from 0 to 100", text);
            e->retries = (int)retries;
        } else {
            return experiment_fail(experiment_key_origin(n), err, NULL,
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
    {"name", take_name},
    {"title", take_title},
    {"notes", take_notes},
    {"base", take_before},
    {"seeds", take_seeds},
    {"grid", experiment_take_grid},
    {"zip", experiment_take_zip},
    {"cells", experiment_take_cells},
    {"exclude", experiment_take_exclude},
    {"where", experiment_take_where},
    {"when", experiment_take_when},
    {"match", take_match},
    {"baseline", experiment_take_baseline},
    {"measure", take_measure},
    {"objectives", take_objectives},
    {"limits", take_limits},
    {"published", take_published},
    {"fallback", experiment_take_fallback},
};

enum { N_KEYS = sizeof keys / sizeof *keys };

int experiment_take(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    for (int i = 0; i < N_KEYS; i++)
        if (!strcmp(keys[i].name, n->key))
            return keys[i].take(e, n, err) ? -1 : 1;
    return !strcmp(n->key, "model") && n->kind == YAML_SCALAR;
}

const char *experiment_key(int i)
{
    return i < N_KEYS ? keys[i].name : NULL;
}
