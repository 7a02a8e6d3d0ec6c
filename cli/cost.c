/* Costs through the null device. */
#include "cli/cost.h"
#include "backend/backend.h"
#include "base/error.h"
#include "model/model.h"
#include "results/rows.h"
#include "train/cost.h"
#include "train/keys.h"
#include "train/update.h"
#include "train/weights_start.h"

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

static int forward_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    struct model_io io;
    struct graph *g = model_build(c, &(struct model_options){.batch = 1}, &io, err);
    if (!g)
        return -1;
    struct op_cost total = count_work(g);
    out->params = param_count(g);
    out->macs = total.macs;
    out->macs_fvcore = total.macs_fvcore;
    out->flops = 2 * total.macs + total.other_flops;
    graph_free(g);
    return 0;
}

/* Bytes of a compiled program, and the multiply-adds of one run of it where they are asked for. */
static int program_cost(const struct config *c, const struct model_options *mo,
                        const struct plan_options *po, int64_t *bytes, int64_t *macs,
                        struct error *err)
{
    struct model_io io;
    struct capability null = backend_capability(backend_find("null"), PRECISION_FP32);
    struct graph *g = model_build(c, mo, &io, err);
    struct plan *p = g ? plan_compile(g, po, &null, err) : NULL;
    if (!p)
        return -1;
    if (macs)
        *macs = count_work(p->graph).macs;
    *bytes = (int64_t)(p->static_bytes + p->arena_bytes);
    plan_free(p);
    return 0;
}

int cli_cost(const struct config *c, struct cell_cost *out, struct error *err)
{
    int64_t train_batch = config_int(c, "train.batch"), batch = config_int(c, "latency.batch");
    int64_t step;
    struct model_options train = {.batch = train_batch, .with_loss = 1, .training = 1};
    struct model_options infer = {.batch = batch};
    struct plan_options train_plan = {.loss = "loss"}, infer_plan = {0};
    update_options(c, &train_plan);
    cell_cost_clear(out);
    if (forward_cost(c, out, err) ||
        program_cost(c, &infer, &infer_plan, &out->peak_eval_bytes, NULL, err) ||
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
