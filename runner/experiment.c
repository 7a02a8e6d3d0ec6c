/* Loading an experiment: the file, its base files, the command line. */
#include "runner/experiment.h"
#include "runner/experiment_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"

/* A path, experiments/NAME.yaml below a root, or a model file. */
static const char *find_experiment(struct experiment *e, const char *name, struct error *err)
{
    const char *const *roots = e->spec->source->roots;
    if (file_exists(name) && !file_is_folder(name))
        return arena_strdup(&e->arena, name);
    if (strchr(name, '=') || config_find(e->spec->base, name)) {
        error_set(err, "%s: expected key=value, or a file or model first", name);
        return NULL;
    }
    for (int i = 0; roots && roots[i]; i++) {
        const char *path = arena_printf(&e->arena, "%s/experiments/%s.yaml", roots[i], name);
        if (file_exists(path))
            return path;
    }
    return config_model_path(&e->arena, name, roots, err);
}

static const char *stem(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/'), *start = slash ? slash + 1 : path;
    const char *dot = strrchr(start, '.');
    return arena_strndup(a, start, dot ? (size_t)(dot - start) : strlen(start));
}

static int load(struct experiment *e, const char *path, const char *const *overrides, int n,
                struct error *err)
{
    char *text;
    size_t size;
    e->file = find_experiment(e, path, err);
    if (!e->file || file_read(e->file, (size_t)1 << 20, &text, &size, err))
        return -1;
    e->text = arena_strndup(&e->arena, text, size);
    free(text);
    if (experiment_read(e, e->file, err))
        return -1;
    if (!e->name)
        e->name = stem(&e->arena, e->file);
    e->spec->in_file = 2;
    for (int i = 0; i < n; i++)
        if (experiment_override(e, overrides[i], err))
            return -1;
    return 0;
}

int experiment_load(struct experiment *e, const struct experiment_source *source, const char *path,
                    const char *const *overrides, int n, struct error *err)
{
    static const int64_t zero[1];
    memset(e, 0, sizeof *e);
    e->seeds = zero;
    e->n_seeds = 1;
    e->measure = EXPERIMENT_COST | EXPERIMENT_ACCURACY | EXPERIMENT_LATENCY;
    e->spec = ARENA_NEW(&e->arena, struct experiment_spec);
    e->spec->source = source;
    e->spec->base = config_new(source->tables);
    if (!load(e, path, overrides, n, err))
        return 0;
    experiment_release(e);
    return -1;
}

void experiment_release(struct experiment *e)
{
    for (int i = 0; i < e->n_cells; i++)
        config_free(e->cells[i].config);
    free(e->cells);
    if (e->spec)
        config_free(e->spec->base);
    arena_release(&e->arena);
    memset(e, 0, sizeof *e);
}

int experiment_select(struct experiment *e, const char *expression, struct error *err)
{
    const struct config_origin origin = {"command line", 0, 0};
    struct rule *r = experiment_rule(e, "--only", NULL, expression, origin, err);
    for (int i = 0; r && i < e->n_cells; i++) {
        struct cell *c = &e->cells[i];
        int yes;
        if (c->state != CELL_PLANNED)
            continue;
        if (cell_test(c, r->expr, &yes, err))
            return error_prefix(err, "--only");
        if (yes)
            continue;
        c->state = CELL_EXCLUDED;
        c->reason = arena_printf(&e->arena, "not selected by --only %s", expression);
        e->n_planned--;
        e->n_excluded++;
    }
    return r ? e->n_planned : -1;
}

int experiment_refusal_code(const struct experiment *e)
{
    int code = e->n_refused ? EXIT_ENVIRONMENT : EXIT_USAGE;
    for (int i = 0; i < e->n_cells; i++)
        if (e->cells[i].state == CELL_REFUSED && e->cells[i].reason_code != EXIT_ENVIRONMENT)
            code = EXIT_USAGE;
    return code;
}

int experiment_is_baseline(const struct experiment *e, const struct cell *c)
{
    for (int i = 0; i < e->n_baseline; i++) {
        const struct experiment_pair *p = &e->baseline[i];
        const char *text = !strcmp(p->key, "model") ? c->model : config_text(c->config, p->key);
        if (!text || strcmp(text, p->text))
            return 0;
    }
    return e->n_baseline > 0;
}
