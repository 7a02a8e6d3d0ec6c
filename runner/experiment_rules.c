/* Expressions in experiment files: exclude, where, when. */
#include "runner/experiment_internal.h"

#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "base/yaml.h"

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

int experiment_take_exclude(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_rules(e, "exclude", n, &e->spec->exclude, err);
}

int experiment_take_where(struct experiment *e, const struct yaml_node *n, struct error *err)
{
    return take_rules(e, "where", n, &e->spec->where, err);
}

int experiment_take_when(struct experiment *e, const struct yaml_node *map, struct error *err)
{
    if (experiment_check_map(map, err))
        return -1;
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        struct rule *r, **link = &e->spec->when;
        const char *text;
        if (experiment_check_key(e, n->key, n, err) || experiment_text(e, n, &text, err) ||
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
