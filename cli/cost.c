/* Costs through the null device. */
#include "cli/cost.h"
#include "backend/backend.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"
#include "results/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t param_count(const struct graph *g)
{
    int64_t n = 0;
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->kind == TENSOR_PARAM)
            n += shape_count(g->tensors[i]->shape);
    return n;
}

static int forward_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    struct model_io io;
    struct graph *g = model_build(c, &(struct model_options){.batch = 1}, &io, err);
    if (!g)
        return -1;
    struct op_cost total;
    graph_cost(g, &total);
    out->params = param_count(g);
    out->macs = total.macs;
    out->macs_fvcore = total.macs_fvcore;
    out->flops = 2 * total.macs + total.other_flops;
    graph_free(g);
    return 0;
}

/* Bytes of a compiled program, and the multiply-adds of one run of it. */
static int program_cost(const struct config *c, const struct model_options *mo,
                        const struct plan_options *po, int64_t *bytes, int64_t *macs,
                        struct error *err)
{
    struct model_io io;
    struct capability null = backend_capability(backend_find("null"));
    struct graph *g = model_build(c, mo, &io, err);
    struct plan *p = g ? plan_compile(g, po, &null, err) : NULL;
    if (!p)
        return -1;
    struct op_cost total;
    graph_cost(p->graph, &total);
    *bytes = (int64_t)(p->static_bytes + p->arena_bytes);
    *macs = total.macs;
    plan_free(p);
    return 0;
}

int cli_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    int64_t train_batch = config_int(c, "train.batch"), batch = config_int(c, "latency.batch");
    int64_t forward, step;
    struct model_options train = {.batch = train_batch, .with_loss = 1, .training = 1};
    struct model_options infer = {.batch = batch};
    struct plan_options train_plan = {.loss = "loss", .optimizer = 1}, infer_plan = {0};
    cell_cost_clear(out);
    if (forward_cost(c, out, err) ||
        program_cost(c, &infer, &infer_plan, &out->peak_eval_bytes, &forward, err) ||
        program_cost(c, &train, &train_plan, &out->peak_train_bytes, &step, err))
        return -1;
    out->train_macs = step / train_batch;
    return 0;
}

static int cost_callback(void *ctx, const struct config *c, struct cell_cost *out,
                         struct error *err)
{
    (void)ctx;
    return cli_cost(c, out, err);
}

/* What cli_cost reads. */
static int matters(const char *key)
{
    return !strncmp(key, "model.", 6) || !strcmp(key, "train.batch") ||
           !strcmp(key, "latency.batch");
}

const struct cost_model cli_cost_model = {.cost = cost_callback, .matters = matters};

/* ---- by op and by layer ---------------------------------------------------------------------- */

struct group {
    char name[128];
    int64_t calls, params;
    struct op_cost cost;
};

/* "blocks.0.attn.qkv" -> "blocks.0"; "head" -> "head". */
static void layer_name(const char *path, char *name, size_t size)
{
    const char *dot = strchr(path, '.');
    size_t n = strlen(path);
    if (dot && dot[1] >= '0' && dot[1] <= '9')
        n = 1 + strcspn(dot + 1, ".") + (size_t)(dot - path);
    else if (dot)
        n = (size_t)(dot - path);
    snprintf(name, size, "%.*s", (int)n, path);
    if (!n)
        snprintf(name, size, "(streams)");
}

static struct group *find_group(struct group *groups, int *n, const char *name)
{
    for (int i = 0; i < *n; i++)
        if (!strcmp(groups[i].name, name))
            return &groups[i];
    struct group *g = &groups[(*n)++];
    snprintf(g->name, sizeof g->name, "%s", name);
    return g;
}

static void add_node(struct group *g, const struct node *n)
{
    struct op_cost c;
    op_cost(n, &c);
    g->calls++;
    g->cost.macs += c.macs;
    g->cost.macs_fvcore += c.macs_fvcore;
    g->cost.other_flops += c.other_flops;
    g->cost.bytes_read += c.bytes_read;
    g->cost.bytes_written += c.bytes_written;
}

static int collect(const struct graph *g, enum cost_grouping by, struct group *groups)
{
    int n = 0;
    char name[128];
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *node = g->nodes[i];
        if (node->op->flags & OP_ALIAS)
            continue;
        layer_name(node->scope, name, sizeof name);
        add_node(find_group(groups, &n, by == COST_BY_OP ? node->op->name : name), node);
    }
    for (int i = 0; by == COST_BY_LAYER && i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        if (t->kind != TENSOR_PARAM)
            continue;
        layer_name(t->name, name, sizeof name);
        find_group(groups, &n, name)->params += shape_count(t->shape);
    }
    return n;
}

struct rows *cli_cost_rows(const struct config *c, enum cost_grouping by, struct error *err)
{
    struct model_io io;
    struct graph *g = model_build(c, &(struct model_options){.batch = 1}, &io, err);
    if (!g)
        return NULL;
    struct group *groups = mem_zalloc((size_t)(g->n_nodes + g->n_tensors), sizeof *groups);
    int n = collect(g, by, groups);
    const char *const names[] = {by == COST_BY_OP ? "op" : "layer",
                                 "calls",
                                 "params",
                                 "macs",
                                 "macs_fvcore",
                                 "other_flops",
                                 "bytes"};
    struct rows *rows = rows_new(7, names);
    for (int i = 0; i < n; i++) {
        struct rows_cell *cell = rows_append(rows);
        const struct group *x = &groups[i];
        rows_set_text(rows, &cell[0], x->name);
        rows_set_integer(&cell[1], x->calls);
        if (by == COST_BY_LAYER)
            rows_set_integer(&cell[2], x->params);
        rows_set_integer(&cell[3], x->cost.macs);
        rows_set_integer(&cell[4], x->cost.macs_fvcore);
        rows_set_integer(&cell[5], x->cost.other_flops);
        rows_set_integer(&cell[6], x->cost.bytes_read + x->cost.bytes_written);
    }
    free(groups);
    graph_free(g);
    return rows;
}
