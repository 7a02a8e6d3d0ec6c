/* Costs through the null device. */
#include "cli/cost.h"
#include "backend/backend.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"
#include "results/rows.h"
#include "train/cost.h"
#include "train/keys.h"
#include "train/update.h"
#include "train/weights_start.h"

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

/* graph_cost but for the bytes, which a plan does not show: half of the time. */
static struct op_cost count_work(const struct graph *g)
{
    struct op_cost total = {0};
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = g->nodes[i];
        struct op_cost c = {0};
        if (n->op->cost && !(n->op->flags & OP_ALIAS))
            n->op->cost(n, &c);
        total.macs += c.macs;
        total.macs_fvcore += c.macs_fvcore;
        total.other_flops += c.other_flops;
    }
    return total;
}

static void keep_forward(struct cell_cost *out, const struct graph *g, const struct op_cost *work)
{
    out->params = param_count(g);
    out->macs = work->macs;
    out->macs_fvcore = work->macs_fvcore;
    out->flops = 2 * work->macs + work->other_flops;
}

/* The costs of one image, from a graph of its own. */
static int one_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    struct model_io io;
    struct graph *g = model_build(c, &(struct model_options){.batch = 1}, &io, err);
    if (!g)
        return -1;
    struct op_cost work = count_work(g);
    keep_forward(out, g, &work);
    graph_free(g);
    return 0;
}

/* Marks the tensors that begin with the batch, by id: inputs, what is repeated for each image, and
 * all that is computed from these. 0 where that is not certain: one of them does not begin with it,
 * or a constant does. */
static int find_batched(const struct graph *g, int64_t batch, char *batched)
{
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        const struct node *n = t->producer;
        int64_t begins = t->shape.rank ? t->shape.dim[0] : 1;
        batched[i] = t->kind == TENSOR_INPUT || (n && n->op == &op_repeat_row);
        for (int k = 0; n && k < n->n_in; k++)
            batched[i] |= batched[n->in[k]->id];
        int doubtful = t->kind == TENSOR_CONSTANT && begins == batch && batch > 1;
        if (batched[i] ? begins % batch != 0 : doubtful)
            return 0;
    }
    return 1;
}

/* The same from the graph of a batch, which saves a cell a third graph: op costs follow from
 * shapes, so those are of one image while it is counted. */
static int share_cost(struct graph *g, int64_t batch, const struct config *c, struct cell_cost *out,
                      struct error *err)
{
    char *batched = mem_zalloc((size_t)g->n_tensors, 1);
    int known = find_batched(g, batch, batched);
    for (int i = 0; known && i < g->n_tensors; i++)
        if (batched[i])
            g->tensors[i]->shape.dim[0] /= batch;
    if (known) {
        struct op_cost work = count_work(g);
        keep_forward(out, g, &work);
    }
    for (int i = 0; known && i < g->n_tensors; i++)
        if (batched[i])
            g->tensors[i]->shape.dim[0] *= batch;
    free(batched);
    return known ? 0 : one_cost(c, out, err);
}

static struct plan *compile(struct graph *g, const struct plan_options *po, int64_t *bytes,
                            struct error *err)
{
    struct capability null = backend_capability(backend_find("null"), PRECISION_FP32);
    struct plan *p = plan_compile(g, po, &null, err);
    if (p)
        *bytes = (int64_t)(p->static_bytes + p->arena_bytes);
    return p;
}

/* One image and the memory of a batch. A refusal is that of one image where it is refused too. */
static int inference_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    struct model_io io;
    struct model_options mo = {.batch = config_int(c, "latency.batch")};
    struct graph *g = model_build(c, &mo, &io, err);
    if (!g) {
        struct error one = {0};
        if (one_cost(c, out, &one))
            *err = one;
        return -1;
    }
    if (share_cost(g, mo.batch, c, out, err)) {
        graph_free(g);
        return -1;
    }
    struct plan *p = compile(g, &(struct plan_options){0}, &out->peak_eval_bytes, err);
    plan_free(p);
    return p ? 0 : -1;
}

static int training_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    struct model_io io;
    struct model_options mo = {
        .batch = config_int(c, "train.batch"), .with_loss = 1, .training = 1};
    struct plan_options po = {.loss = "loss"};
    update_options(c, &po);
    struct graph *g = model_build(c, &mo, &io, err);
    struct plan *p = g ? compile(g, &po, &out->peak_train_bytes, err) : NULL;
    if (!p)
        return -1;
    out->train_macs = count_work(p->graph).macs / mo.batch;
    plan_free(p);
    return 0;
}

int cli_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    cell_cost_clear(out);
    return inference_cost(c, out, err) || training_cost(c, out, err) ? -1 : 0;
}

static int cost_callback(void *ctx, const struct config *c, struct cell_cost *out,
                         struct error *err)
{
    (void)ctx;
    return cli_cost(c, out, err);
}

static int check_callback(void *ctx, const struct config *c, struct error *err)
{
    (void)ctx;
    return train_check(c, err) || weights_check(c, err) ? -1 : 0;
}

/* What cli_cost reads. */
static int matters(const char *key)
{
    static const char *const others[] = {"train.batch",   "train.optimizer", "train.accumulate",
                                         "train.average", "train.freeze",    "latency.batch"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(key, others[i]))
            return 1;
    return !strncmp(key, "model.", 6);
}

const struct cost_model cli_cost_model = {
    .cost = cost_callback, .matters = matters, .concurrent = 1, .check = check_callback};

/* ---- by op and by layer ---------------------------------------------------------------------- */

struct rows *cli_cost_rows(const struct config *c, enum cost_grouping by, struct error *err)
{
    struct cost_table t;
    const char *what = by == COST_BY_OP ? "op" : "layer";
    if (cost_table_init(&t, c, err))
        return NULL;
    const char *const names[] = {what,          "calls",       "params", "macs",
                                 "macs_fvcore", "other_flops", "bytes"};
    struct rows *rows = rows_new(7, names);
    for (int i = 0; i < t.n; i++) {
        const struct cost_row *r = &t.rows[i];
        if (strcmp(r->by, what))
            continue;
        struct rows_cell *cell = rows_append(rows);
        rows_set_text(rows, &cell[0], r->name);
        rows_set_integer(&cell[1], r->calls);
        if (r->params >= 0)
            rows_set_integer(&cell[2], r->params);
        rows_set_integer(&cell[3], r->cost.macs);
        rows_set_integer(&cell[4], r->cost.macs_fvcore);
        rows_set_integer(&cell[5], r->cost.other_flops);
        rows_set_integer(&cell[6], r->cost.bytes_read + r->cost.bytes_written);
    }
    cost_table_release(&t);
    return rows;
}
