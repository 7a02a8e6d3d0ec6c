#include "train/weights_import_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "train/weights_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows of the report ---------------------------------------------------------------------- */

static void add(struct import *m, struct weights_row row)
{
    struct weights_report *r = m->report;
    r->rows[r->n++] = row;
    r->counts[row.state]++;
}

static const char *dims_text(struct arena *a, int rank, const int64_t *dim)
{
    struct strbuf s = STRBUF_INIT;
    for (int i = 0; i < rank; i++)
        strbuf_addf(&s, "%s%lld", i ? ", " : "", (long long)dim[i]);
    const char *text = arena_printf(a, "(%s)", s.text);
    strbuf_release(&s);
    return text;
}

static struct weights_row row_of(struct import *m, const struct tensor *to,
                                 const struct named_tensor *from)
{
    struct arena *a = &m->report->arena;
    struct weights_row row = {.why = ""};
    if (to) {
        row.parameter = arena_strdup(a, to->name);
        row.shape = dims_text(a, to->shape.rank, to->shape.dim);
    }
    if (from) {
        row.tensor = arena_strdup(a, from->tensor->name);
        row.file_shape = dims_text(a, from->tensor->rank, from->tensor->dim);
    }
    return row;
}

static const char *init_text(struct arena *a, struct init init)
{
    char number[32];
    switch (init.kind) {
    case INIT_ZERO:
        return "starts at 0";
    case INIT_ONE:
        return "starts at 1";
    case INIT_NORMAL:
        return arena_printf(a, "starts random, normal, deviation %s",
                            number_format(init.scale, number));
    case INIT_UNIFORM:
        return arena_printf(a, "starts random, uniform in +-%.4g", init.scale);
    case INIT_VALUE:
        return arena_printf(a, "starts at %s", number_format(init.scale, number));
    }
    BUG("unknown initialisation");
}

/* A reason, or a count of what has none: either way a row. */
static void one_sided(struct import *m, struct weights_row row, const char *why)
{
    if (!why && !m->unexplained++)
        m->first = row;
    if (!why)
        why = row.state == WEIGHTS_IGNORED ? "not in this model" : "not in the file";
    row.why = *row.why ? arena_printf(&m->report->arena, "%s; %s", why, row.why) : why;
    add(m, row);
}

/* ---- one parameter --------------------------------------------------------------------------- */

static void store_values(struct weights *w, int i, const double *values)
{
    int64_t n = shape_count(w->tensors[i]->shape);
    if (w->value_size == sizeof(double)) {
        memcpy(w->values[i], values, sizeof *values * (size_t)n);
        return;
    }
    float *to = (float *)(void *)w->values[i];
    for (int64_t k = 0; k < n; k++)
        to[k] = (float)values[k];
}

static double *load_values(const struct import *m, const struct safetensors_tensor *t,
                           struct error *err)
{
    double *x = mem_alloc(sizeof *x * (size_t)t->count + 1);
    safetensors_read_double(t, x);
    for (int64_t i = 0; i < t->count; i++)
        if (!isfinite(x[i])) {
            error_env(err, "%s: %s holds values that are not finite", m->file->path, t->name);
            free(x);
            return NULL;
        }
    return x;
}

static int take(struct import *m, int i, struct named_tensor *from, struct weights_row row,
                struct error *err)
{
    const struct tensor *to = m->w->tensors[i];
    double *values = load_values(m, from->tensor, err), *fitted;
    struct weights_fit fit;
    if (!values)
        return -1;
    from->taken = 1;
    if (m->backbone && to->unused && weights_is_head(import_bare_name(to->name)))
        fit = (struct weights_fit){WEIGHTS_REPLACED, "nothing reads it"};
    else if (m->rules->replace_heads && weights_is_head(to->name))
        fit = (struct weights_fit){WEIGHTS_REPLACED, "as asked for"};
    else
        fit = weights_fit(&m->report->arena, to, from->tensor, values, m->rules->kernels, &fitted);
    row.state = fit.state;
    row.why = fit.how;
    if (fit.state == WEIGHTS_REPLACED) {
        row.why = arena_printf(&m->report->arena, "%s; %s", fit.how,
                               init_text(&m->report->arena, to->init));
    } else if (fit.state != WEIGHTS_IGNORED) {
        store_values(m->w, i, fitted);
        free(fitted);
    }
    free(values);
    if (fit.state == WEIGHTS_IGNORED)
        return error_set(err, "%s: %s has the shape %s, this model's %s has %s%s%s", m->file->path,
                         from->tensor->name, row.file_shape, to->name, row.shape,
                         *fit.how ? ": " : "", fit.how);
    add(m, row);
    return 0;
}

/* A shared parameter may be there under both names; then they must agree. */
static int find_source(struct import *m, const struct tensor *t, struct named_tensor **from,
                       struct error *err)
{
    struct named_tensor *alias = named_tensors_find(&m->names, t->alias_name);
    *from = named_tensors_find(&m->names, t->name);
    if (!*from || !alias) {
        *from = *from ? *from : alias;
        return 0;
    }
    const struct safetensors_tensor *x = (*from)->tensor, *y = alias->tensor;
    if (x->type != y->type || x->bytes != y->bytes || memcmp(x->data, y->data, x->bytes) != 0)
        return error_set(err,
                         "%s: %s and %s are one tensor in this model, and differ in the file (its "
                         "patch sizes are others?)",
                         m->file->path, x->name, y->name);
    alias->taken = 1;
    return 0;
}

/* With spread_patches, what a ViT's patch embedding becomes. */
static struct named_tensor *spread_source(struct import *m, const char *name)
{
    static const char *const pairs[][2] = {
        {"memory_embedder.proj.weight", "patch_embed.proj.weight"},
        {"process_embedder.proj.weight", "patch_embed.proj.weight"},
        {"memory_embedder.proj.bias", "patch_embed.proj.bias"},
        {"process_embedder.proj.bias", "patch_embed.proj.bias"}};
    for (size_t i = 0; m->rules->spread_patches && m->from_vit && i < 4; i++)
        if (!strcmp(import_bare_name(name), pairs[i][0]))
            return named_tensors_find(&m->names, arena_printf(&m->report->arena, "%.*s%s",
                                                              (int)(import_bare_name(name) - name),
                                                              name, pairs[i][1]));
    return NULL;
}

static int import_parameter(struct import *m, int i, struct error *err)
{
    const struct tensor *t = m->w->tensors[i];
    struct named_tensor *from;
    if (find_source(m, t, &from, err))
        return -1;
    if (!from)
        from = spread_source(m, t->name);
    if (from)
        return take(m, i, from, row_of(m, t, from), err);
    struct weights_row row = row_of(m, t, NULL);
    row.state = WEIGHTS_MISSING;
    row.why = init_text(&m->report->arena, t->init);
    one_sided(m, row, import_why_missing(m, t));
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

static int refuse_unexplained(const struct import *m, struct error *err)
{
    const struct weights_row *r = &m->first;
    struct strbuf rest = STRBUF_INIT;
    int rc;
    if (m->unexplained > 1)
        strbuf_addf(&rest, "; %d tensors in all", m->unexplained);
    if (r->state == WEIGHTS_IGNORED)
        rc = error_set(
            err,
            "%s: %s %s is not in this model%s (another depth, head, fusion or layer scale? Lenient "
            "import leaves it out)",
            m->file->path, r->tensor, r->file_shape, rest.text);
    else
        rc = error_set(
            err,
            "%s: lacks this model's %s %s%s (another depth, head, fusion or layer scale? Lenient "
            "import leaves it at its initial values)",
            m->file->path, r->parameter, r->shape, rest.text);
    strbuf_release(&rest);
    return rc;
}

/* A classifier's tensors are those of a segmenter's backbone. */
static void become_backbone(struct import *m)
{
    const char *first = m->w->n ? m->w->tensors[0]->name : "";
    int prefix = (int)(import_bare_name(first) - first);
    if (!prefix || import_file_has(m, "decoder"))
        return;
    for (int i = 0; i < m->names.n; i++)
        if (import_bare_name(m->names.all[i].name) != m->names.all[i].name)
            return;
    m->backbone = 1;
    for (int i = 0; i < m->names.n; i++)
        m->names.all[i].name =
            arena_printf(&m->report->arena, "%.*s%s", prefix, first, m->names.all[i].name);
}

static int run_import(struct import *m, struct error *err)
{
    if (named_tensors_init(&m->names, m->file, &m->report->arena, err))
        return -1;
    m->from_vit = named_tensors_are_vit(&m->names);
    become_backbone(m);
    m->report->rows = ARENA_ARRAY(&m->report->arena, struct weights_row, m->w->n + m->names.n + 1);
    for (int i = 0; i < m->w->n; i++)
        if (import_parameter(m, i, err))
            return -1;
    for (int i = 0; i < m->names.n; i++) {
        if (m->names.all[i].taken)
            continue;
        struct weights_row row = row_of(m, NULL, &m->names.all[i]);
        row.state = WEIGHTS_IGNORED;
        one_sided(m, row, import_why_ignored(m, m->names.all[i].name));
    }
    int taken = m->report->counts[WEIGHTS_USED] + m->report->counts[WEIGHTS_RESHAPED];
    if (m->w->n && !taken)
        return error_set(err, "%s: lacks every tensor of this model (has %d of its own%s%s)",
                         m->file->path, m->names.n, m->names.n ? ", one is " : "",
                         m->names.n ? m->names.all[0].name : "");
    return m->unexplained && !m->rules->lenient ? refuse_unexplained(m, err) : 0;
}

int weights_import(struct weights *w, const struct safetensors *file,
                   const struct weights_rules *rules, struct weights_report *report,
                   struct error *err)
{
    struct weights_report own = {0};
    struct import m = {.w = w, .file = file, .rules = rules, .report = report ? report : &own};
    int rc = run_import(&m, err);
    weights_report_release(&own);
    return rc;
}
