/* Reading an experiment file and the base files that it names. */
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

enum { MAX_BASE_DEPTH = 16 };

struct config_origin experiment_origin(const struct yaml_node *n)
{
    return (struct config_origin){n->file, n->line, n->column};
}

struct config_origin experiment_key_origin(const struct yaml_node *n)
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

int experiment_text(struct experiment *e, const struct yaml_node *n, const char **text,
                    struct error *err)
{
    const struct config_key word = {.name = n->key, .type = CONFIG_STRING};
    return config_node_text(&word, &e->arena, n, text, err);
}

int experiment_check_map(const struct yaml_node *n, struct error *err)
{
    if (n->kind == YAML_MAP || (n->kind == YAML_SCALAR && !*n->text))
        return 0; /* "zip:" with nothing below is an empty map */
    return experiment_fail(experiment_origin(n), err, n->key,
                           "expected keys and values (key: value)");
}

int experiment_check_key(struct experiment *e, const char *key, const struct yaml_node *n,
                         struct error *err)
{
    if (config_find(e->spec->base, key))
        return 0;
    const char *near = config_suggest(e->spec->base, key);
    if (near)
        return experiment_fail(experiment_key_origin(n), err, NULL,
                               "unknown key %s (did you mean %s?)", key, near);
    return experiment_fail(experiment_key_origin(n), err, NULL, "unknown key %s", key);
}

/* First of: beside the file, then folder/PATH below each root. NULL where there is none. */
const char *experiment_find_file(struct experiment *e, const char *file, const char *path,
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

/* ---- files ---- */

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
    return experiment_key(i);
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
    for (int i = 0; experiment_key(i); i++)
        if (!strcmp(experiment_key(i), n->key))
            return 1;
    if (!strcmp(n->key, "model") && n->kind == YAML_SCALAR)
        return 1;
    const char *near = config_nearest(n->key, key_name, NULL);
    return near ? experiment_fail(experiment_key_origin(n), err, NULL,
                                  "unknown key %s (did you mean %s?)", n->key, near)
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
        const char *path = experiment_find_file(e, n->file, n->text, folders);
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

int experiment_check_keys(const struct config_key *const *tables, const char *path,
                          struct error *err)
{
    const struct config_visitor check = {check_key_only, check_other, NULL};
    struct config *c = config_new(tables);
    struct arena a = {0};
    struct yaml_node *root;
    int rc = yaml_load(&a, path, &root, err) || config_walk(c, &a, root, &check, err) ? -1 : 0;
    arena_release(&a);
    config_free(c);
    return rc;
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
