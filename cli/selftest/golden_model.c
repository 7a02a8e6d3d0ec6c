/* One golden model file: build the model that its configuration describes, load its parameters, run
 * forward and backward, and compare everything stored. */
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/schema.h"
#include "cli/selftest/selftest.h"
#include "model/model.h"
#include "train/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys that some families read and other files repeat as facts that follow from the rest: assigned
 * where the model reads them, after everything else. */
static const char *const derived[] = {
    "memory_tokens",    "process_tokens", "process_patch",  "process_grid",
    "latent_dim",       "dyna_heads",     "dyna_concat",    "dyna_reduced_dim",
    "class_token",      "pool",           "fuse",           "qkv",
    "norm_before_pool", "attn_norm_eps",  "mlp_norm_eps",   "qkv_bias",
    "input_resize",     "logits",         "final_norm_eps",
};

static int is_derived(const char *key)
{
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++)
        if (!strcmp(key, derived[i]))
            return 1;
    return 0;
}

static void value_text(struct strbuf *s, const json_t *v);

/* Lists of lists are written flat. */
static void list_text(struct strbuf *s, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (i)
            strbuf_adds(s, ", ");
        if (json_is_array(json_array_get(v, i)))
            list_text(s, json_array_get(v, i));
        else
            value_text(s, json_array_get(v, i));
    }
}

static void value_text(struct strbuf *s, const json_t *v)
{
    if (json_is_string(v))
        strbuf_adds(s, json_string_value(v));
    else if (json_is_boolean(v))
        strbuf_adds(s, json_is_true(v) ? "true" : "false");
    else if (json_is_integer(v))
        strbuf_addf(s, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        strbuf_addf(s, "%.17g", json_real_value(v));
    if (json_is_array(v)) {
        strbuf_addc(s, '[');
        list_text(s, v);
        strbuf_addc(s, ']');
    }
}

/* A list where our key is a single number is one value a branch: CrossViT's model.dim is our
 * model.branch_dim. The input has the first branch's size. */
static int assign_branches(struct config *c, const char *key, const json_t *v, const char *path,
                           struct error *err)
{
    struct config_origin origin = {path, 0, 0};
    struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
    strbuf_addf(&name, "model.branch_%s", key);
    value_text(&text, v);
    int rc = config_set(c, name.text, text.text, origin, err);
    if (!rc && !strcmp(key, "image_size")) {
        strbuf_clear(&text);
        value_text(&text, json_array_get(v, 0));
        rc = config_set(c, "model.image_size", text.text, origin, err);
    }
    strbuf_release(&name);
    strbuf_release(&text);
    return rc;
}

static int is_branch_list(const struct config *c, const char *name, const json_t *v)
{
    const struct config_key *k = config_find(c, name);
    return json_is_array(v) && k && (k->type == CONFIG_INT || k->type == CONFIG_FLOAT);
}

/* Assigns the keys of a JSON object, the derived ones or the others. */
static int assign(struct config *c, const char *prefix, json_t *object, int want_derived,
                  const char *path, struct error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach(object, key, v)
    {
        struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
        int rc = 0;
        strbuf_addf(&name, "%s.%s", prefix, key);
        if (json_is_object(v)) {
            rc = assign(c, name.text, v, want_derived, path, err);
        } else if (is_branch_list(c, name.text, v)) {
            rc = want_derived ? 0 : assign_branches(c, key, v, path, err);
        } else if (is_derived(key) == want_derived &&
                   (!want_derived || config_is_active(c, name.text))) {
            value_text(&text, v);
            rc = config_set(c, name.text, text.text, (struct config_origin){path, 0, 0}, err);
        }
        strbuf_release(&name);
        strbuf_release(&text);
        if (rc)
            return -1;
    }
    return 0;
}

/* Every assigned key must matter. */
static int all_read(const struct config *c, struct error *err)
{
    struct config_item item;
    for (int i = 0; config_item(c, i, &item); i++)
        if (item.assigned && !item.active)
            return error_set(err, "nothing reads %s", item.key->name);
    return 0;
}

static struct config *configure(const struct safetensors *s, struct error *err)
{
    const char *text = safetensors_metadata(s, "config");
    json_error_t je;
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, &je) : NULL;
    struct config *c = config_new(cli_schema());
    int rc = 0;
    if (!object || json_object_get(object, "op"))
        rc = error_set(err, "not a model");
    if (rc || assign(c, "model", object, 0, s->path, err) || config_resolve(c, err) ||
        assign(c, "model", object, 1, s->path, err) || config_resolve(c, err) || all_read(c, err)) {
        config_free(c);
        c = NULL;
    }
    json_decref(object);
    return c;
}

/* ---- comparison ------------------------------------------------------------------------------ */

struct comparison {
    double worst; /* largest error / tolerance */
    char what[200];
    int compared;
};

static double norm(const double *x, int64_t n)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++)
        s += x[i] * x[i];
    return sqrt(s);
}

/* Relative error of the tensor's norm, floor being the smallest norm taken seriously. */
static void compare(struct comparison *c, const char *name, const double *got, const double *want,
                    int64_t n, double tolerance, double floor)
{
    double difference = 0;
    for (int64_t i = 0; i < n; i++)
        difference += (got[i] - want[i]) * (got[i] - want[i]);
    double size = norm(want, n);
    double error = sqrt(difference) / (size > floor ? size : floor) / tolerance;
    c->compared++;
    if (!(error <= c->worst)) {
        c->worst = error;
        snprintf(c->what, sizeof c->what, "%s: relative error %.2e, allowed %.0e", name,
                 error * tolerance, tolerance);
    }
}

static double *stored(const struct safetensors *s, const char *prefix, const char *name,
                      int64_t count)
{
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s%s", prefix, name);
    const struct safetensors_tensor *t = safetensors_find(s, path.text);
    strbuf_release(&path);
    if (!t || t->count != count)
        return NULL;
    double *x = mem_alloc(sizeof *x * (size_t)count);
    safetensors_read_double(t, x);
    return x;
}

static const double tolerance_float = 1e-4, tolerance_double = 1e-6;
/* In float a gradient that is small because its terms cancel has the rounding of the terms: below
 * this part of the model's largest gradient (norms) the error counts absolutely. Erase models have
 * such ones; double has no need. */
#define FLOAT_FLOOR 1e-3

struct run {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
    const struct safetensors *file;
};

static int write_params(const struct run *r, struct error *err)
{
    for (int i = 0; i < r->plan->n_params; i++) {
        const struct tensor *t = r->plan->params[i];
        double *x = stored(r->file, "param/", t->name, shape_count(t->shape));
        if (!x)
            return error_set(err, "has no parameter %s of the model's shape", t->name);
        r->backend->write_double(r->program, t, x);
        free(x);
    }
    return 0;
}

static int has_param(const struct plan *p, const char *name)
{
    for (int i = 0; i < p->n_params; i++)
        if (!strcmp(p->params[i]->name, name) ||
            (p->params[i]->alias_name && !strcmp(p->params[i]->alias_name, name)))
            return 1;
    return 0;
}

static int all_params_known(const struct run *r, struct error *err)
{
    for (size_t i = 0; i < r->file->n_tensors; i++) {
        const char *name = r->file->tensors[i].name;
        if (!strncmp(name, "param/", 6) && !has_param(r->plan, name + 6))
            return error_set(err, "the model has no parameter %s", name + 6);
    }
    return 0;
}

static void write_input(const struct run *r, const struct model_io *io)
{
    double *x = stored(r->file, "", "input", shape_count(io->image->shape));
    int64_t n = io->target->shape.dim[0];
    double *labels = stored(r->file, "", "target", n);
    int32_t *target = mem_alloc(sizeof *target * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        target[i] = (int32_t)labels[i];
    r->backend->write_double(r->program, io->image, x);
    r->backend->write(r->program, io->target, target);
    free(x);
    free(labels);
    free(target);
}

/* Whether theory says that this gradient is zero (a bias before a softmax over the same axis): what
 * is stored and what comes out is rounding, so it is held against the largest gradient of the
 * model. */
static int zero_in_theory(const struct safetensors *s, const char *param)
{
    const char *text = safetensors_metadata(s, "zero_grad_params");
    json_error_t je;
    json_t *list = text ? json_loads(text, 0, &je) : NULL, *item;
    size_t i;
    int found = 0;
    json_array_foreach(list, i, item) found |=
        json_is_string(item) && !strcmp(json_string_value(item), param);
    json_decref(list);
    return found;
}

/* Outputs and loss by name, gradients of trained parameters; untrained ones must be stored as zero.
 */
static int compare_all(const struct run *r, struct comparison *c, struct error *err)
{
    double tolerance = r->backend->value_size == 8 ? tolerance_double : tolerance_float;
    const struct graph *g = r->plan->graph;
    double largest = 0; /* gradient norm */
    for (int i = 0; i < r->plan->n_trained; i++) {
        const struct tensor *t = r->plan->params[i];
        double *x = stored(r->file, "grad/", t->name, shape_count(t->shape));
        if (!x)
            return error_set(err, "has no gradient of %s", t->name);
        double size = norm(x, shape_count(t->shape));
        largest = size > largest ? size : largest;
        free(x);
    }
    for (int i = 0; i < g->n_outputs; i++) {
        const char *name = g->output_names[i];
        int is_grad = !strncmp(name, "grad/", 5);
        int64_t n = shape_count(g->outputs[i]->shape);
        double *want = stored(r->file, "", name, n);
        if (!want)
            return error_set(err, "has no %s", name);
        double *got = mem_alloc(sizeof *got * (size_t)n);
        r->backend->read_double(r->program, g->outputs[i], got);
        int is_zero = is_grad && (norm(want, n) == 0 || zero_in_theory(r->file, name + 5));
        double floor = is_grad && r->backend->value_size < 8 ? FLOAT_FLOOR * largest : 1e-12;
        compare(c, name, got, want, n, tolerance, is_zero ? largest : floor);
        free(got);
        free(want);
    }
    for (int i = r->plan->n_trained; i < r->plan->n_params; i++) {
        const struct tensor *t = r->plan->params[i];
        double *x = stored(r->file, "grad/", t->name, shape_count(t->shape));
        if (x && norm(x, shape_count(t->shape)) > 0)
            error_set(err, "%s has a gradient in the file and none in the model", t->name);
        free(x);
        if (err->code)
            return -1;
    }
    return 0;
}

static int run_case(const struct backend *backend, int threads, const struct safetensors *file,
                    const struct config *c, struct comparison *result, struct error *err)
{
    const struct safetensors_tensor *input = safetensors_find(file, "input");
    struct model_options o = {
        .batch = input ? input->dim[0] : 1, .with_loss = 1, .token_outputs = 1};
    struct plan_options po = {.loss = "loss", .keep_gradients = 1};
    struct capability capability = backend_capability(backend);
    struct backend_options bo = {.threads = threads};
    struct model_io io;
    struct run r = {.backend = backend, .file = file};
    int rc = -1;
    struct graph *g = model_build(c, &o, &io, err);
    r.plan = g ? plan_compile(g, &po, &capability, err) : NULL;
    r.program = r.plan ? backend->load(r.plan, &bo, err) : NULL;
    if (r.program && !all_params_known(&r, err) && !write_params(&r, err)) {
        write_input(&r, &io);
        backend->run(r.program, 0, 0);
        rc = compare_all(&r, result, err);
    }
    if (r.program)
        backend->unload(r.program);
    plan_free(r.plan);
    return rc;
}

void selftest_golden_model(struct selftest *t, const char *name, const char *path)
{
    struct safetensors file;
    struct error err = {0};
    if (safetensors_open(&file, path, &err)) {
        selftest_fail(t, name, "%s", err.msg);
        return;
    }
    struct config *c = configure(&file, &err);
    if (!c)
        selftest_skip(t, name, "%s", err.msg);
    for (int i = 0; c && t->backends[i]; i++) {
        const struct backend *b = t->backends[i];
        struct comparison result = {0};
        err = (struct error){0};
        if (run_case(b, t->threads, &file, c, &result, &err))
            selftest_fail(t, name, "%s: %s", b->choice.name, err.msg);
        else if (!(result.worst <= 1))
            selftest_fail(t, name, "%s: %s", b->choice.name, result.what);
        else
            selftest_pass(t, name, "%s, %d tensors, %s", b->choice.name, result.compared,
                          result.what);
    }
    config_free(c);
    safetensors_close(&file);
}
