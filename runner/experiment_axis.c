/* Values of axes: lists, ranges, named models; overrides from the command line. */
#include "runner/experiment_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/yaml.h"

enum { MAX_VALUES = 100000 };

/* ---- named models ---- */

struct preset_load {
    struct experiment *e;
    struct assignment **link;
};

static int preset_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                      struct error *err)
{
    struct preset_load *l = ctx;
    if (strncmp(key, "model.", 6) && strcmp(key, "train.objective"))
        return experiment_fail(origin, err, key,
                               "a model file may only set keys of model, and train.objective");
    struct assignment *a = ARENA_NEW(&l->e->arena, struct assignment);
    *a = (struct assignment){key, text, origin, NULL, NULL};
    *l->link = a;
    l->link = &a->next;
    return 0;
}

static int preset_other(void *ctx, const struct yaml_node *n, struct error *err)
{
    (void)ctx;
    (void)err;
    return !strcmp(n->key, "name") || !strcmp(n->key, "title") || !strcmp(n->key, "notes");
}

const struct preset *experiment_preset(struct experiment *e, const char *name,
                                       struct config_origin origin, struct error *err)
{
    struct experiment_spec *spec = e->spec;
    struct yaml_node *root;
    for (const struct preset *p = spec->presets; p; p = p->next)
        if (!strcmp(p->name, name))
            return p;
    struct preset *p = ARENA_NEW(&e->arena, struct preset);
    struct preset_load load = {e, &p->assignments};
    const struct config_visitor visitor = {preset_key, preset_other, &load};
    const char *path = config_model_path(&e->arena, name, spec->source->roots, err);
    p->name = arena_strdup(&e->arena, name);
    if (!path) {
        char where[500];
        error_prefix(err, "%s", config_origin_text(origin, where, sizeof where));
        return NULL;
    }
    if (yaml_load(&e->arena, path, &root, err) ||
        config_walk(spec->base, &e->arena, root, &visitor, err))
        return NULL;
    p->next = spec->presets;
    spec->presets = p;
    return p;
}

void experiment_apply_preset(struct config *c, const struct preset *p)
{
    const char *name;
    for (int i = 0; (name = config_name(c, i)); i++)
        if (!strncmp(name, "model.", 6))
            config_unset(c, name);
    for (const struct assignment *a = p->assignments; a; a = a->next)
        if (config_set(c, a->key, a->text, a->origin, NULL))
            BUG("the model file's key %s was checked before", a->key);
}

int experiment_set_model(struct experiment *e, const char *name, struct config_origin origin,
                         struct error *err)
{
    const struct preset *p = experiment_preset(e, name, origin, err);
    if (!p)
        return -1;
    experiment_apply_preset(e->spec->base, p);
    e->spec->model = p->name;
    return 0;
}

/* ---- lists and ranges ---- */

struct values {
    struct experiment *e;
    const char *key;
    const struct config_key *declaration; /* NULL for model files and seeds */
    struct assignment *first, **link;
    int n;
    struct error *err;
};

static int add_value(struct values *v, const char *text, struct config_origin origin)
{
    struct assignment *a = ARENA_NEW(&v->e->arena, struct assignment);
    *a = (struct assignment){v->key, text, origin, NULL, NULL};
    if (++v->n > MAX_VALUES)
        return experiment_fail(origin, v->err, v->key, "an axis of more than %d values",
                               MAX_VALUES);
    if (!strcmp(v->key, "model") && !(a->preset = experiment_preset(v->e, text, origin, v->err)))
        return -1;
    *v->link = a;
    v->link = &a->next;
    return 0;
}

static int add_number(struct values *v, double x, struct config_origin origin)
{
    char rounded[40], text[32];
    snprintf(rounded, sizeof rounded, "%.12g", x);
    return add_value(v, arena_strdup(&v->e->arena, number_format(strtod(rounded, NULL), text)),
                     origin);
}

static int add_range(struct values *v, const double x[3], int n, struct config_origin origin)
{
    double start = n == 1 ? 0 : x[0], stop = n == 1 ? x[0] : x[1], step = n == 3 ? x[2] : 1;
    if (step == 0)
        return experiment_fail(origin, v->err, v->key, "range: the step is 0");
    double count = ceil((stop - start) / step - 1e-9); /* 0.3 / 0.1 is 2.9999… or 3.0000… */
    if (!(count >= 1))
        return experiment_fail(origin, v->err, v->key, "range: no values (stop is exclusive)");
    if (count > MAX_VALUES)
        return experiment_fail(origin, v->err, v->key, "range: more than %d values", MAX_VALUES);
    for (int i = 0; i < (int)count; i++)
        if (add_number(v, start + i * step, origin))
            return -1;
    return 0;
}

static int add_logspace(struct values *v, const double x[3], int n, struct config_origin origin)
{
    if (n != 3 || x[2] != floor(x[2]) || x[2] < 1 || x[2] > MAX_VALUES || x[0] <= 0 || x[1] <= 0)
        return experiment_fail(origin, v->err, v->key,
                               "logspace(first, last, count) takes two positive ends and a count");
    int count = (int)x[2];
    for (int i = 0; i < count; i++) {
        double t = count > 1 ? (double)i / (count - 1) : 0;
        if (add_number(v, x[0] * pow(x[1] / x[0], t), origin))
            return -1;
    }
    return 0;
}

/* "range(0,10,2)": 1 and the values are added, 0 if text is no call, -1 on an error. */
static int add_call(struct values *v, const char *text, struct config_origin origin)
{
    int is_range = !strncmp(text, "range(", 6), is_logspace = !strncmp(text, "logspace(", 9), n = 0;
    double x[3];
    size_t length = strlen(text);
    if (!is_range && !is_logspace)
        return 0;
    if (v->declaration && !(1u << v->declaration->type & (1u << CONFIG_INT | 1u << CONFIG_FLOAT |
                                                          1u << CONFIG_INTS | 1u << CONFIG_FLOATS)))
        return 0;
    if (text[length - 1] != ')')
        return experiment_fail(origin, v->err, v->key,
                               "%s: the closing ) is missing (inside [ ] and { } quote it: "
                               "'range(0,10,2)')",
                               text);
    char *copy = arena_strndup(&v->e->arena, text, length - 1), *save;
    for (char *s = strtok_r(strchr(copy, '(') + 1, ", ", &save); s;
         s = strtok_r(NULL, ", ", &save)) {
        if (n == 3 || number_float(s, &x[n]))
            return experiment_fail(origin, v->err, v->key, "%s: expected up to three numbers",
                                   text);
        n++;
    }
    if (!n)
        return experiment_fail(origin, v->err, v->key, "%s: expected up to three numbers", text);
    return (is_range ? add_range : add_logspace)(v, x, n, origin) ? -1 : 1;
}

static int add_node(struct values *v, const struct yaml_node *n)
{
    static const struct config_key word = {.type = CONFIG_STRING};
    struct config_key key = v->declaration ? *v->declaration : word;
    const char *text;
    int rc = 0;
    key.name = v->key;
    if (n->kind == YAML_SCALAR)
        rc = add_call(v, n->text, experiment_origin(n));
    if (rc)
        return rc < 0 ? -1 : 0;
    if (config_node_text(&key, &v->e->arena, n, &text, v->err))
        return -1;
    return add_value(v, text, experiment_origin(n));
}

struct assignment *experiment_values(struct experiment *e, const char *key,
                                     const struct yaml_node *node, int *n, struct error *err)
{
    struct values v = {e, key, config_find(e->spec->base, key), NULL, NULL, 0, err};
    int rc = 0;
    v.link = &v.first;
    if (node->kind != YAML_LIST)
        rc = add_node(&v, node);
    else
        for (const struct yaml_node *c = node->child; c && !rc; c = c->next)
            rc = add_node(&v, c);
    *n = v.n;
    if (!rc && !v.n)
        experiment_fail(experiment_origin(node), err, key, "an empty list (write its values)");
    return rc ? NULL : v.first;
}

static struct column *find_column(const struct experiment *e, const char *key)
{
    for (struct column *c = e->spec->columns; c; c = c->next)
        if (!strcmp(c->key, key))
            return c;
    return NULL;
}

int experiment_set_column(struct experiment *e, enum column_kind kind, const char *key,
                          const struct yaml_node *node, struct config_origin origin,
                          struct error *err)
{
    struct column *c = find_column(e, key), **link = &e->spec->columns;
    if (c && c->kind != kind)
        return experiment_fail(origin, err, key, "in grid and in zip: keep one of them");
    int n;
    const struct assignment *list = experiment_values(e, key, node, &n, err);
    if (!list)
        return -1;
    struct assignment *values = ARENA_ARRAY(&e->arena, struct assignment, n);
    for (int i = 0; i < n; i++, list = list->next)
        values[i] = *list;
    if (!c) {
        c = ARENA_NEW(&e->arena, struct column);
        c->key = arena_strdup(&e->arena, key);
        c->kind = kind;
        while (*link)
            link = &(*link)->next;
        *link = c;
    }
    c->values = values;
    c->n = n;
    c->origin = origin;
    experiment_claim(e, c->key, origin);
    return 0;
}

/* ---- the command line ---- */

static struct yaml_node *line_scalar(struct experiment *e, const char *s, size_t n)
{
    struct yaml_node *node = ARENA_NEW(&e->arena, struct yaml_node);
    node->kind = YAML_SCALAR;
    node->file = "command line";
    if (n >= 2 && (*s == '\'' || *s == '"') && s[n - 1] == *s) {
        node->quoted = 1;
        s++;
        n -= 2;
    }
    node->text = arena_strndup(&e->arena, s, n);
    return node;
}

/* The comma that ends the element at s, or the end; commas in brackets and quotes do not count. */
static const char *element_end(const char *s)
{
    int depth = 0;
    for (char quote = 0; *s; s++) {
        if (quote)
            quote = *s == quote ? 0 : quote;
        else if (*s == '\'' || *s == '"')
            quote = *s;
        else if (*s == '[' || *s == '(')
            depth++;
        else if (*s == ']' || *s == ')')
            depth--;
        else if (*s == ',' && depth <= 0)
            break;
    }
    return s;
}

/* "a, b" as a list node, "a" as a scalar. */
static struct yaml_node *split_line(struct experiment *e, const char *text)
{
    struct yaml_node *list = line_scalar(e, "", 0), **link = &list->child;
    list->kind = YAML_LIST;
    for (const char *s = text;; s++) {
        const char *end = element_end(s), *last = end;
        while (*s == ' ')
            s++;
        while (last > s && last[-1] == ' ')
            last--;
        *link = line_scalar(e, s, (size_t)(last - s));
        link = &(*link)->next;
        list->n_children++;
        s = end;
        if (!*s)
            break;
    }
    return list->n_children == 1 ? list->child : list;
}

/* For keys that are lists themselves only [..],[..] is an axis: "3,3" and "[3, 3]" are one value.
 */
static struct yaml_node *value_nodes(struct experiment *e, const struct config_key *key,
                                     const char *text)
{
    size_t n = strlen(text);
    int list_key = key && (key->type == CONFIG_INTS || key->type == CONFIG_FLOATS);
    if (list_key && strncmp(text, "[", 1))
        return line_scalar(e, text, n);
    if (!list_key && n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        struct yaml_node *inner = split_line(e, arena_strndup(&e->arena, text + 1, n - 2));
        if (inner->kind == YAML_LIST)
            return inner;
        struct yaml_node *list = line_scalar(e, "", 0); /* [7]: a list of one */
        list->kind = YAML_LIST;
        list->child = inner;
        list->n_children = 1;
        return list;
    }
    return split_line(e, text);
}

static void forget_in_cells(struct experiment *e, const char *key)
{
    for (struct hand_cell *c = e->spec->cells; c; c = c->next)
        for (struct assignment **a = &c->assignments; *a;) {
            if (!strcmp((*a)->key, key))
                *a = (*a)->next;
            else
                a = &(*a)->next;
        }
}

static int override_key(struct experiment *e, const char *key, const struct yaml_node *node,
                        struct error *err)
{
    struct experiment_spec *spec = e->spec;
    struct config_origin origin = experiment_origin(node);
    struct column *c = find_column(e, key);
    int n;
    struct assignment *values = experiment_values(e, key, node, &n, err);
    if (!values)
        return -1;
    forget_in_cells(e, key);
    spec->overrides_given = 1;
    if (n > 1 || (c && (c->kind != COLUMN_ZIP || !strcmp(key, "model"))))
        return experiment_set_column(e, c ? c->kind : COLUMN_OUTER, key, node, origin, err);
    if (!strcmp(key, "model"))
        return experiment_set_model(e, values->text, origin, err);
    values->next = spec->overrides;
    spec->overrides = values;
    experiment_claim(e, values->key, origin);
    return config_set(spec->base, key, values->text, origin, err);
}

int experiment_override(struct experiment *e, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(err, "command line: %s: expected key=value", text);
    const char *key = arena_strndup(&e->arena, text, (size_t)(equals - text));
    const struct config_key *declaration = config_find(e->spec->base, key);
    if (declaration || !strcmp(key, "model"))
        return override_key(e, key, value_nodes(e, declaration, equals + 1), err);
    int text_key = !strcmp(key, "title") || !strcmp(key, "where");
    struct yaml_node *node = text_key ? line_scalar(e, equals + 1, strlen(equals + 1))
                                      : value_nodes(e, NULL, equals + 1);
    struct yaml_node *parent = line_scalar(e, "", 0);
    node->key = key;
    if (!strncmp(key, "limits.", 7)) {
        node->key = key + 7;
        parent->kind = YAML_MAP;
        parent->key = "limits";
        parent->child = node;
        node = parent;
    }
    static const char *const may[] = {"seeds", "name", "title", "where", "measure", NULL};
    for (int i = 0; may[i]; i++)
        if (!strcmp(key, may[i]))
            return experiment_take(e, node, err) < 0 ? -1 : 0;
    if (node == parent)
        return experiment_take(e, node, err) < 0 ? -1 : 0;
    for (int i = 0; experiment_key(i); i++)
        if (!strcmp(key, experiment_key(i)))
            return error_set(err, "command line: %s: is set in the file alone (key=a,b is an axis)",
                             key);
    return config_set(e->spec->base, key, "", (struct config_origin){"command line", 0, 0}, err);
}
