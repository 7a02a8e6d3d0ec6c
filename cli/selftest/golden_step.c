/* Golden files about one operation: a merge of ToMe, a fusion of MCTF, resampled weights. The
 * file's configuration says which under "op". */
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/schema.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/selftest.h"
#include "model/reduce_mctf.h"
#include "model/reducer.h"
#include "train/resample_weights.h"

#include <stdlib.h>
#include <string.h>

/* One file on one backend. */
struct golden_case {
    const struct backend *backend; /* NULL: the operation is the host's */
    const struct safetensors *file;
    json_t *config;
    int threads;
    struct comparison *result;
    struct plan *plan;
    struct program *program;
};

static int64_t number(const struct golden_case *s, const char *key)
{
    return json_integer_value(json_object_get(s->config, key));
}

static int truth(const struct golden_case *s, const char *key)
{
    return json_is_true(json_object_get(s->config, key));
}

static double tolerance(const struct golden_case *s)
{
    return s->backend && s->backend->value_size < 8 ? GOLDEN_TOLERANCE_FLOAT
                                                    : GOLDEN_TOLERANCE_DOUBLE;
}

/* ---- graphs over stored tensors -------------------------------------------------------------- */

static struct shape stored_shape(const struct golden_case *s, const char *name)
{
    const struct safetensors_tensor *t = safetensors_find(s->file, name);
    struct shape shape = {0};
    for (int i = 0; t && i < t->rank; i++)
        shape.dim[shape.rank++] = t->dim[i];
    return shape;
}

static int has(const struct golden_case *s, const char *name)
{
    return safetensors_find(s->file, name) != NULL;
}

/* A leaf that gets the stored tensor of its name; param: with a gradient. */
static struct tensor *input(const struct golden_case *s, struct graph *g, const char *name,
                            int param)
{
    struct shape shape = stored_shape(s, name);
    if (!shape.rank)
        graph_refuse(g, "the file has no %s", name);
    return param ? graph_param(g, name, shape, (struct init){0})
                 : graph_input(g, name, shape, TENSOR_VALUE);
}

/* The sum of t times the stored cotangent: what the file's gradients are of. */
static struct tensor *against(const struct golden_case *s, struct graph *g, struct tensor *t,
                              const char *cotangent)
{
    struct tensor *y = op_mul(g, t, input(s, g, cotangent, 0));
    return op_sum(g, y, 0, y->shape.rank, 0, 1);
}

static int run(struct golden_case *s, struct graph *g, struct error *err)
{
    struct plan_options po = {.loss = "loss", .keep_gradients = 1};
    struct capability capability = backend_capability(s->backend, PRECISION_FP32);
    struct backend_options bo = {.threads = s->threads};
    if (graph_failed(g, err)) {
        graph_free(g);
        return -1;
    }
    s->plan = plan_compile(g, &po, &capability, err);
    s->program = s->plan ? s->backend->load(s->plan, &bo, err) : NULL;
    if (!s->program)
        return -1;
    for (int i = 0; i < s->plan->graph->n_tensors; i++) {
        const struct tensor *t = s->plan->graph->tensors[i];
        double *x = t->kind == TENSOR_INPUT || t->kind == TENSOR_PARAM
                        ? golden_stored(s->file, "", t->name, shape_count(t->shape))
                        : NULL;
        if (x)
            s->backend->write_double(s->program, t, x);
        free(x);
    }
    s->backend->run(s->program, 0, 0);
    return 0;
}

static double *computed(const struct golden_case *s, const char *name, int64_t *count)
{
    const struct tensor *t = graph_output_find(s->plan->graph, name);
    if (!t)
        BUG("no result %s", name);
    *count = shape_count(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)*count);
    s->backend->read_double(s->program, t, x);
    return x;
}

/* Every stored tensor with the name of a result. */
static void compare_results(const struct golden_case *s)
{
    const struct graph *g = s->plan->graph;
    for (int i = 0; i < g->n_outputs; i++) {
        int64_t n;
        double *got = computed(s, g->output_names[i], &n);
        double *want = golden_stored(s->file, "", g->output_names[i], n);
        if (want)
            golden_compare(s->result, g->output_names[i], got, want, n, tolerance(s), 1e-12);
        free(got);
        free(want);
    }
}

/* ---- assignments from stored indices --------------------------------------------------------- */

/* Row b of a stored index list, as doubles. */
struct indices {
    double *all;
    int64_t n; /* a batch element */
};

static struct indices indices(const struct golden_case *s, const char *name)
{
    struct shape shape = stored_shape(s, name);
    if (!shape.rank)
        return (struct indices){0};
    return (struct indices){golden_stored(s->file, "", name, shape_count(shape)), shape.dim[1]};
}

static int64_t at(const struct indices *x, int64_t b, int64_t i)
{
    return (int64_t)x->all[b * x->n + i];
}

/* The assignment that ToMe's lists mean: the kept even tokens in their order, then all odd ones. */
static double *tome_assignment(const struct golden_case *s, int64_t batch, int64_t tokens)
{
    struct indices src = indices(s, "src_idx"), dst = indices(s, "dst_idx"),
                   kept = indices(s, "unm_idx");
    double *assign = mem_zalloc((size_t)(batch * tokens), sizeof *assign);
    for (int64_t b = 0; b < batch; b++) {
        double *row = assign + b * tokens;
        for (int64_t i = 0; i < kept.n; i++)
            row[2 * at(&kept, b, i)] = (double)i;
        for (int64_t j = 0; j < tokens / 2; j++)
            row[2 * j + 1] = (double)(kept.n + j);
        for (int64_t i = 0; i < src.n; i++)
            row[2 * at(&src, b, i)] = row[2 * at(&dst, b, i) + 1];
    }
    free(src.all);
    free(dst.all);
    free(kept.all);
    return assign;
}

/* MCTF's: the kept even tokens, then the odd ones that are left. */
static double *mctf_assignment(const struct golden_case *s, int64_t batch, int64_t tokens)
{
    struct indices src = indices(s, "output/src_idx"), dst = indices(s, "output/dst_idx"),
                   kept = indices(s, "output/unm_idx"), src2 = indices(s, "output/src2_idx"),
                   dst2 = indices(s, "output/dst2_idx"), kept2 = indices(s, "output/unm2_idx");
    double *assign = mem_zalloc((size_t)(batch * tokens), sizeof *assign);
    for (int64_t b = 0; b < batch; b++) {
        double *row = assign + b * tokens;
        for (int64_t i = 0; i < kept.n; i++)
            row[2 * at(&kept, b, i)] = (double)i;
        for (int64_t j = 0; j < tokens / 2 && !kept2.all; j++)
            row[2 * j + 1] = (double)(kept.n + j);
        for (int64_t j = 0; j < kept2.n; j++)
            row[2 * at(&kept2, b, j) + 1] = (double)(kept.n + j);
        for (int64_t j = 0; j < src2.n; j++)
            row[2 * at(&src2, b, j) + 1] = (double)at(&dst2, b, j);
        for (int64_t i = 0; i < src.n; i++)
            row[2 * at(&src, b, i)] = row[2 * at(&dst, b, i) + 1];
    }
    struct indices *all[] = {&src, &dst, &kept, &src2, &dst2, &kept2};
    for (int i = 0; i < 6; i++)
        free(all[i]->all);
    return assign;
}

static void compare_assignment(const struct golden_case *s, double *want)
{
    int64_t n;
    double *got = computed(s, "assign", &n);
    golden_compare_exactly(s->result, "assignment", got, want, n);
    free(got);
    free(want);
}

/* ---- ToMe ------------------------------------------------------------------------------------ */

static int tome_merge(struct golden_case *s, struct error *err)
{
    struct graph *g = graph_new();
    struct tensor *x = input(s, g, "x", 1), *size = input(s, g, "size", 0);
    int64_t batch = x->shape.dim[0], tokens = x->shape.dim[1];
    int64_t r =
        op_tome_amount(tokens, number(s, "r"), truth(s, "class_token"), truth(s, "distill_token"));
    if (r != number(s, "effective_r"))
        graph_refuse(g, "merges %lld tokens instead of %lld", (long long)r,
                     (long long)number(s, "effective_r"));
    struct match m = op_tome_match(g, input(s, g, "metric", 0), r, truth(s, "class_token"),
                                   truth(s, "distill_token"));
    struct tensor *merged_size = op_scatter_rows(g, size, m.assign, 1, tokens - r);
    struct tensor *merged = op_scatter_rows(g, op_mul(g, x, size), m.assign, 1, tokens - r);
    merged = op_div(g, merged, merged_size);
    double *eye = mem_zalloc((size_t)(batch * tokens * tokens), sizeof *eye);
    for (int64_t i = 0; i < batch * tokens; i++)
        eye[i * tokens + i % tokens] = 1;
    struct tensor *source = graph_constant(g, "eye", SHAPE(batch, tokens, tokens), eye);
    free(eye);
    graph_output(g, "assign", m.assign);
    graph_output(g, "merged_x", merged);
    graph_output(g, "merged_size", merged_size);
    graph_output(g, "merged_source", op_scatter_rows(g, source, m.assign, 1, tokens - r));
    graph_output(g, "unmerged_x", op_gather_rows(g, merged, m.assign, 1));
    graph_output(g, "loss", against(s, g, merged, "grad_output"));
    if (run(s, g, err))
        return -1;
    compare_results(s);
    compare_assignment(s, tome_assignment(s, batch, tokens));
    int64_t n;
    double *got = computed(s, "grad/x", &n), *want = golden_stored(s->file, "", "grad_x", n);
    golden_compare(s->result, "grad_x", got, want, n, tolerance(s), 1e-12);
    free(got);
    free(want);
    return 0;
}

/* ---- MCTF ------------------------------------------------------------------------------------ */

static struct config *reducing_config(const struct golden_case *s, struct error *err)
{
    struct config *c = config_new(cli_schema());
    struct config_origin origin = {s->file->path, 0, 0};
    if (config_set(c, "model.family", "vit", origin, err) ||
        golden_assign(c, "model.reduce", json_object_get(s->config, "reduce"), 0, s->file->path,
                      err) ||
        config_resolve(c, err)) {
        config_free(c);
        return NULL;
    }
    return c;
}

/* Scores by one criterion alone are its factor. */
static void name_criterion(struct graph *g, const char *name, struct tensor *x,
                           struct tensor *received, struct tensor *size, struct mctf_attr a)
{
    graph_output(g, name, op_mctf_match(g, x, received, size, a).scores);
}

static void name_criteria(const struct golden_case *s, struct builder *b, int64_t n,
                          struct tensor *x, struct tensor *attn, struct tensor *size)
{
    struct mctf_attr all = mctf_attr(b, n), one = all;
    struct tensor *received = mctf_received(b, attn);
    name_criterion(b->g, "output/scores", x, received, size, all);
    one.tau_info = one.tau_size = 0;
    name_criterion(b->g, "output/w_sim", x, received, size, one);
    one = all;
    one.tau_sim = one.tau_size = 0;
    name_criterion(b->g, "output/w_info", x, received, size, one);
    one = all;
    one.tau_sim = one.tau_info = 0;
    if (has(s, "output/w_size"))
        name_criterion(b->g, "output/w_size", x, received, size, one);
}

static int mctf_graph(struct golden_case *s, const struct config *c, struct error *err)
{
    struct graph *g = graph_new();
    struct tensor *x = input(s, g, "x", 1), *attn = input(s, g, "attn", 1);
    int64_t batch = x->shape.dim[0], tokens = x->shape.dim[1];
    struct builder b = {.g = g, .c = c, .batch = batch};
    struct tensor *merges[1];
    struct reduction r = {.merges = merges};
    if (has(s, "size"))
        r.sizes = op_reshape(g, input(s, g, "size", 0), SHAPE(batch, tokens));
    int64_t n = mctf_amount(
        &b, tokens, json_number_value(json_object_get(json_object_get(s->config, "reduce"), "r")));
    name_criteria(s, &b, n, x, attn, r.sizes);
    mctf_fuse(&b, &r, n, &x, &attn);
    graph_output(g, "assign", merges[0]);
    graph_output(g, "output/x", x);
    graph_output(g, "output/attn", attn);
    graph_output(g, "output/size", r.sizes);
    graph_output(g, "loss",
                 op_add(g, against(s, g, x, "cotangent/x"), against(s, g, attn, "cotangent/attn")));
    if (run(s, g, err))
        return -1;
    compare_results(s);
    compare_assignment(s, mctf_assignment(s, batch, tokens));
    return 0;
}

static int mctf_step(struct golden_case *s, struct error *err)
{
    struct config *c = reducing_config(s, err);
    int rc = c ? mctf_graph(s, c, err) : -1;
    config_free(c);
    return rc;
}

/* ---- resampled weights ----------------------------------------------------------------------- */

static void compare_stored(const struct golden_case *s, const char *name, const double *got,
                           int64_t n)
{
    double *want = golden_stored(s->file, "", name, n);
    if (want)
        golden_compare(s->result, name, got, want, n, GOLDEN_TOLERANCE_DOUBLE, 1e-12);
    free(want);
}

static int posembed(struct golden_case *s, struct error *err)
{
    int64_t from = number(s, "old_grid"), to = number(s, "new_grid");
    int64_t prefix = number(s, "prefix_tokens"), width = stored_shape(s, "pos_embed").dim[2];
    int64_t n = (prefix + to * to) * width;
    double *in = golden_stored(s->file, "", "pos_embed", (prefix + from * from) * width);
    if (!in)
        return error_set(err, "has no pos_embed of a %lld x %lld grid", (long long)from,
                         (long long)from);
    double *out = mem_alloc(sizeof *out * (size_t)n);
    memcpy(out, in, sizeof *out * (size_t)(prefix * width));
    resample_table(in + prefix * width, from, width, out + prefix * width, to);
    compare_stored(s, "resampled", out, n);
    free(in);
    free(out);
    return 0;
}

/* The map that `how` is, one row for each value of the old kernel. */
static double *kernel_map(enum resample_kernel how, int64_t from, int64_t to)
{
    int64_t n = from * from, m = to * to;
    double *unit = mem_zalloc((size_t)(n * n), sizeof *unit);
    double *map = mem_alloc(sizeof *map * (size_t)(n * m));
    for (int64_t i = 0; i < n; i++)
        unit[i * n + i] = 1;
    resample_kernels(how, unit, n, from, map, to);
    free(unit);
    return map;
}

static void transpose(double *to, const double *from, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[j * rows + i] = from[i * cols + j];
}

static int flexi(struct golden_case *s, struct error *err)
{
    int64_t from = number(s, "old_patch"), to = number(s, "new_patch");
    int64_t count = shape_count(stored_shape(s, "weight")) / (from * from), m = to * to;
    double *in = golden_stored(s->file, "", "weight", count * from * from);
    if (!in)
        return error_set(err, "has no weight of %lld x %lld kernels", (long long)from,
                         (long long)from);
    double *out = mem_alloc(sizeof *out * (size_t)(count * m));
    resample_kernels(RESAMPLE_PINV, in, count, from, out, to);
    compare_stored(s, "resized", out, count * m);
    double *map = kernel_map(RESAMPLE_INTERPOLATE, from, to);
    compare_stored(s, "resize_matrix", map, from * from * m);
    free(map);
    map = kernel_map(RESAMPLE_PINV, from, to);
    double *columns = mem_alloc(sizeof *columns * (size_t)(from * from * m));
    transpose(columns, map, from * from, m);
    compare_stored(s, "pinv", columns, from * from * m);
    free(columns);
    free(map);
    free(in);
    free(out);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *op;
    int (*run)(struct golden_case *s, struct error *err);
    int on_host; /* once, not on every backend */
} steps[] = {
    {"tome_merge", tome_merge, 0},
    {"mctf_step", mctf_step, 0},
    {"resample_pos_embed", posembed, 1},
    {"flexi_resize_patch_embed", flexi, 1},
};

enum { N_STEPS = sizeof steps / sizeof *steps };

static void run_step(struct selftest *t, const char *name, const struct safetensors *file,
                     json_t *config, int which, const struct backend *backend)
{
    struct comparison result = {0};
    struct error err = {0};
    struct golden_case s = {.backend = backend,
                            .file = file,
                            .config = config,
                            .threads = t->threads,
                            .result = &result};
    int rc = steps[which].run(&s, &err);
    if (!rc && !result.compared)
        rc = error_set(&err, "nothing to compare");
    golden_verdict(t, name, backend ? backend->choice.name : "host", rc, &result, &err);
    if (s.program)
        backend->unload(s.program);
    plan_free(s.plan);
}

int golden_step(struct selftest *t, const char *name, const struct safetensors *file)
{
    json_t *config = golden_json(file);
    const char *op = json_string_value(json_object_get(config, "op"));
    int which = 0;
    while (op && which < N_STEPS && strcmp(steps[which].op, op))
        which++;
    if (op && which == N_STEPS)
        selftest_skip(t, name, "an operation %s, which this build does not know", op);
    else if (op && steps[which].on_host)
        run_step(t, name, file, config, which, NULL);
    else if (op)
        for (int i = 0; t->backends[i]; i++)
            run_step(t, name, file, config, which, t->backends[i]);
    json_decref(config);
    return op != NULL;
}
