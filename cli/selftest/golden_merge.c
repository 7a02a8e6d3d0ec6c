/* Golden files about one merge of tokens: ToMe's and MCTF's, with gradients. */
#include "base/memory.h"
#include "cli/schema.h"
#include "cli/selftest/golden_step.h"
#include "model/reduce_mctf.h"
#include "model/reducer.h"

#include <stdlib.h>

/* Row b of a stored index list, as doubles. */
struct indices {
    double *all;
    int64_t n; /* a batch element */
};

static struct indices indices(const struct step_case *s, const char *name)
{
    struct shape shape = step_stored_shape(s, name);
    if (!shape.rank)
        return (struct indices){0};
    return (struct indices){golden_stored(s->file, "", name, shape_count(shape)), shape.dim[1]};
}

static int64_t at(const struct indices *x, int64_t b, int64_t i)
{
    return (int64_t)x->all[b * x->n + i];
}

/* The assignment that ToMe's lists mean: the kept even tokens in their order, then all odd ones. */
static double *tome_assignment(const struct step_case *s, int64_t batch, int64_t tokens)
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
static double *mctf_assignment(const struct step_case *s, int64_t batch, int64_t tokens)
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

static void compare_assignment(const struct step_case *s, double *want)
{
    int64_t n;
    double *got = step_computed(s, "assign", &n);
    golden_compare_exactly(s->result, "assignment", got, want, n);
    free(got);
    free(want);
}

int step_tome(struct step_case *s, struct error *err)
{
    struct graph *g = graph_new();
    struct tensor *x = step_input(s, g, "x", 1), *size = step_input(s, g, "size", 0);
    int64_t batch = x->shape.dim[0], tokens = x->shape.dim[1];
    int64_t r = op_tome_amount(tokens, step_number(s, "r"), step_truth(s, "class_token"),
                               step_truth(s, "distill_token"));
    if (r != step_number(s, "effective_r"))
        graph_refuse(g, "merges %lld tokens instead of %lld", (long long)r,
                     (long long)step_number(s, "effective_r"));
    struct match m = op_tome_match(g, step_input(s, g, "metric", 0), r,
                                   step_truth(s, "class_token"), step_truth(s, "distill_token"));
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
    graph_output(g, "loss", step_against(s, g, merged, "grad_output"));
    if (step_run(s, g, err))
        return -1;
    step_compare_results(s);
    compare_assignment(s, tome_assignment(s, batch, tokens));
    int64_t n;
    double *got = step_computed(s, "grad/x", &n), *want = golden_stored(s->file, "", "grad_x", n);
    golden_compare(s->result, "grad_x", got, want, n, step_tolerance(s), 1e-12);
    free(got);
    free(want);
    return 0;
}

static struct config *reducing_config(const struct step_case *s, struct error *err)
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

static void name_criteria(const struct step_case *s, struct builder *b, int64_t n, struct tensor *x,
                          struct tensor *attn, struct tensor *size)
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
    if (step_has(s, "output/w_size"))
        name_criterion(b->g, "output/w_size", x, received, size, one);
}

static int mctf_graph(struct step_case *s, const struct config *c, struct error *err)
{
    struct graph *g = graph_new();
    struct tensor *x = step_input(s, g, "x", 1), *attn = step_input(s, g, "attn", 1);
    int64_t batch = x->shape.dim[0], tokens = x->shape.dim[1];
    struct builder b = {.g = g, .c = c, .batch = batch};
    struct tensor *merges[1];
    struct reduction r = {.merges = merges};
    if (step_has(s, "size"))
        r.sizes = op_reshape(g, step_input(s, g, "size", 0), SHAPE(batch, tokens));
    int64_t n = mctf_amount(
        &b, tokens, json_number_value(json_object_get(json_object_get(s->config, "reduce"), "r")));
    name_criteria(s, &b, n, x, attn, r.sizes);
    mctf_fuse(&b, &r, n, &x, &attn);
    graph_output(g, "assign", merges[0]);
    graph_output(g, "output/x", x);
    graph_output(g, "output/attn", attn);
    graph_output(g, "output/size", r.sizes);
    graph_output(g, "loss",
                 op_add(g, step_against(s, g, x, "cotangent/x"),
                        step_against(s, g, attn, "cotangent/attn")));
    if (step_run(s, g, err))
        return -1;
    step_compare_results(s);
    compare_assignment(s, mctf_assignment(s, batch, tokens));
    return 0;
}

int step_mctf(struct step_case *s, struct error *err)
{
    struct config *c = reducing_config(s, err);
    int rc = c ? mctf_graph(s, c, err) : -1;
    config_free(c);
    return rc;
}
