/* Walking YAML maps into assignments, and finding model files. */
#include "base/config_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/yaml.h"

struct seen {
    const char *key;
    int line;
    struct seen *next;
};

struct walk {
    const struct config *config;
    struct arena *arena;
    const struct config_visitor *visitor;
    struct seen *seen;
    struct strbuf unknown; /* "file:2:1: unknown key a; file:3:1: …" */
    struct error *err;
};

static struct config_origin key_origin(const struct yaml_node *n)
{
    return (struct config_origin){n->file, n->key_line, n->key_column};
}

static struct config_origin value_origin(const struct yaml_node *n)
{
    return (struct config_origin){n->file, n->line, n->column};
}

static int fail_at(struct config_origin origin, struct error *err, const char *key,
                   const char *what)
{
    char where[500];
    return error_set(err, "%s: %s: %s", config_origin_text(origin, where, sizeof where), key, what);
}

static int is_null(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR && !n->quoted &&
           (!*n->text || !strcmp(n->text, "~") || !strcasecmp(n->text, "null"));
}

static int list_text(const struct config_key *key, struct arena *a, const struct yaml_node *node,
                     const char **text, struct error *err)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addc(&s, '[');
    for (const struct yaml_node *n = node->child; n; n = n->next) {
        if (n->kind != YAML_SCALAR || is_null(n)) {
            strbuf_release(&s);
            return fail_at(value_origin(n), err, key->name, "a list of numbers is expected");
        }
        strbuf_addf(&s, "%s%s", n == node->child ? "" : ", ", n->text);
    }
    strbuf_addc(&s, ']');
    *text = arena_strdup(a, s.text);
    strbuf_release(&s);
    return 0;
}

int config_node_text(const struct config_key *key, struct arena *a, const struct yaml_node *node,
                     const char **text, struct error *err)
{
    int lists = key->type == CONFIG_INTS || key->type == CONFIG_FLOATS;
    if (is_null(node))
        return fail_at(value_origin(node), err, key->name,
                       "no value (write one, or leave the key out for its default)");
    if (node->kind == YAML_MAP)
        return fail_at(value_origin(node), err, key->name, "a map where one value is expected");
    if (node->kind == YAML_LIST && !lists)
        return fail_at(value_origin(node), err, key->name,
                       "a list where one value is expected (several values are an axis: put them "
                       "under grid)");
    if (node->kind == YAML_LIST)
        return list_text(key, a, node, text, err);
    *text = node->text;
    return 0;
}

/* Does any key start with "prefix."? */
static int is_section(const struct config *c, const char *prefix)
{
    size_t n = strlen(prefix);
    const char *name;
    for (int i = 0; (name = config_name(c, i)); i++)
        if (!strncmp(name, prefix, n) && name[n] == '.')
            return 1;
    return 0;
}

static void note_unknown(struct walk *w, const char *key, const struct yaml_node *n)
{
    char where[500];
    if (n->kind == YAML_MAP && n->child) { /* name what was set, not the heading */
        for (const struct yaml_node *c = n->child; c; c = c->next)
            note_unknown(w, arena_printf(w->arena, "%s.%s", key, c->key), c);
        return;
    }
    if (w->unknown.len > 700) /* a message is one line */
        return;
    const char *near = config_suggest(w->config, key);
    config_origin_text(key_origin(n), where, sizeof where);
    strbuf_addf(&w->unknown, "%s%s: unknown key %s", w->unknown.len ? "; " : "", where, key);
    if (near)
        strbuf_addf(&w->unknown, " (did you mean %s?)", near);
}

static int assign(struct walk *w, const struct config_key *key, const char *name,
                  const struct yaml_node *n)
{
    const char *text;
    char where[500];
    for (const struct seen *s = w->seen; s; s = s->next)
        if (!strcmp(s->key, name))
            return error_set(w->err, "%s: duplicate key %s (first set on line %d; remove one)",
                             config_origin_text(key_origin(n), where, sizeof where), name, s->line);
    struct seen *s = ARENA_NEW(w->arena, struct seen);
    *s = (struct seen){name, n->key_line, w->seen};
    w->seen = s;
    if (config_node_text(key, w->arena, n, &text, w->err))
        return -1;
    return w->visitor->assign(w->visitor->ctx, name, text, value_origin(n), w->err);
}

static int walk_map(struct walk *w, const char *prefix, const struct yaml_node *map)
{
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        const char *name = *prefix ? arena_printf(w->arena, "%s.%s", prefix, n->key)
                                   : arena_strdup(w->arena, n->key);
        const struct config_key *key = config_find(w->config, name);
        int rc = 0;
        if (key)
            rc = assign(w, key, name, n);
        else if (n->kind == YAML_MAP && is_section(w->config, name))
            rc = walk_map(w, name, n);
        else if (!*prefix && w->visitor->other)
            rc = w->visitor->other(w->visitor->ctx, n, w->err);
        if (rc < 0)
            return -1;
        if (!rc && !key && !(n->kind == YAML_MAP && is_section(w->config, name)))
            note_unknown(w, name, n);
    }
    return 0;
}

int config_walk(const struct config *c, struct arena *a, const struct yaml_node *map,
                const struct config_visitor *v, struct error *err)
{
    struct walk w = {.config = c, .arena = a, .visitor = v, .unknown = STRBUF_INIT, .err = err};
    char where[500];
    int rc;
    if (map->kind != YAML_MAP)
        return error_set(err, "%s: expected keys and values (key: value)",
                         config_origin_text(value_origin(map), where, sizeof where));
    rc = walk_map(&w, "", map);
    if (!rc && w.unknown.len)
        rc = error_set(err, "%s", w.unknown.text);
    strbuf_release(&w.unknown);
    return rc;
}

static int set_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                   struct error *err)
{
    return config_set(ctx, key, text, origin, err);
}

struct load {
    struct config *config;
    int (*other)(void *ctx, const struct yaml_node *node, struct error *err);
    void *ctx;
};

static int load_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                    struct error *err)
{
    return set_key(((struct load *)ctx)->config, key, text, origin, err);
}

static int load_other(void *ctx, const struct yaml_node *node, struct error *err)
{
    struct load *l = ctx;
    return l->other ? l->other(l->ctx, node, err) : 0;
}

int config_load(struct config *c, const char *path,
                int (*other)(void *ctx, const struct yaml_node *node, struct error *err), void *ctx,
                struct error *err)
{
    struct load l = {c, other, ctx};
    const struct config_visitor v = {load_key, load_other, &l};
    struct arena a = {0};
    struct yaml_node *root;
    int rc = yaml_load(&a, path, &root, err);
    if (!rc)
        rc = config_walk(c, &a, root, &v, err);
    arena_release(&a);
    return rc;
}

/* ---- model files ---- */

struct names {
    char **names;
    size_t n, cap;
};

static void collect_names(struct names *all, const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (n <= 5 || strcmp(e->d_name + n - 5, ".yaml"))
            continue;
        all->names = mem_grow(all->names, all->n, &all->cap, sizeof *all->names);
        all->names[all->n] = mem_strdup(e->d_name);
        all->names[all->n++][n - 5] = 0;
    }
    if (d)
        closedir(d);
}

static const char *name_at(const void *ctx, int i)
{
    const struct names *all = ctx;
    return (size_t)i < all->n ? all->names[i] : NULL;
}

static int is_yaml(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static void no_model(struct arena *a, const char *name, const char *const *roots, struct error *err)
{
    struct names all = {0};
    for (int i = 0; roots && roots[i]; i++)
        collect_names(&all, arena_printf(a, "%s/experiments/models", roots[i]));
    const char *near = config_nearest(name, name_at, &all);
    if (file_is_folder(name))
        error_set(err, "%s: is a folder (name a file in it)", name);
    else if (strchr(name, '/') || is_yaml(name))
        error_set(err, "%s: no such file", name);
    else if (near)
        error_set(err, "unknown model %s (did you mean %s?)", name, near);
    else if (all.n)
        error_set(err, "unknown model %s (vittm list models names them)", name);
    else
        error_set(err, "no file %s and no folder experiments/models to look it up in", name);
    for (size_t i = 0; i < all.n; i++)
        free(all.names[i]);
    free(all.names);
}

const char *config_model_path(struct arena *a, const char *name, const char *const *roots,
                              struct error *err)
{
    if ((strchr(name, '/') || strchr(name, '.')) && file_exists(name) && !file_is_folder(name))
        return arena_strdup(a, name);
    for (int i = 0; roots && roots[i] && !strchr(name, '/'); i++) {
        const char *path = !strcmp(roots[i], ".")
                               ? arena_printf(a, "experiments/models/%s.yaml", name)
                               : arena_printf(a, "%s/experiments/models/%s.yaml", roots[i], name);
        if (file_exists(path))
            return path;
    }
    no_model(a, name, roots, err);
    return NULL;
}

int config_load_model(struct config *c, const char *name, const char *const *roots,
                      struct error *err)
{
    struct arena a = {0};
    const char *path = config_model_path(&a, name, roots, err);
    int rc = path ? config_load(c, path, NULL, NULL, err) : -1;
    arena_release(&a);
    return rc;
}

int config_override(struct config *c, const char *assignment, struct error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return error_set(err, "command line: %s: expected key=value", assignment);
    char *key = mem_strdup(assignment);
    key[equals - assignment] = 0;
    int rc = config_set(c, key, equals + 1, (struct config_origin){"command line", 0, 0}, err);
    free(key);
    return rc;
}
