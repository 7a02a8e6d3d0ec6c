/* vittm cost: parameters and multiply-adds, exactly, without running anything. */
#include "cli/command.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "cli/claims.h"
#include "cli/cost.h"
#include "cli/models.h"
#include "cli/schema.h"
#include "cli/store.h"
#include "runner/experiment.h"

static const char *const conventions[] = {"exact", "fvcore", "all"};
static const char *const groupings[] = {"op", "layer"};

static const char *convention(int i)
{
    return i < 3 ? conventions[i] : NULL;
}

static const char *grouping(int i)
{
    return i < 2 ? groupings[i] : NULL;
}

static const struct option_spec options[] = {
    {.name = "convention",
     .type = OPTION_CHOICE,
     .value = "NAME",
     .fallback = "all",
     .choice = convention,
     .doc = "how multiply-adds are counted"},
    {.name = "by",
     .type = OPTION_CHOICE,
     .value = "WHAT",
     .choice = grouping,
     .doc = "one row an op or a layer instead of one a model"},
    OPTION_FORMAT,
    OPTION_OUTPUT,
    {0}};

struct columns {
    int exact, fvcore, claims;
};

static struct rows *total_rows(struct columns c)
{
    static const char *const published[] = {"published_params_m", "published_gflops",
                                            "params_match", "gflops_match", "note"};
    const char *names[9];
    size_t n = 0;
    names[n++] = "model";
    names[n++] = "params";
    if (c.exact)
        names[n++] = "macs";
    if (c.fvcore)
        names[n++] = "macs_fvcore";
    for (int i = 0; c.claims && i < 5; i++)
        names[n++] = published[i];
    return rows_new(n, names);
}

/* The row's cells behind the totals. */
static struct rows_cell *add_total(struct rows *rows, struct columns c, const char *name,
                                   const struct cell_cost *cost)
{
    struct rows_cell *cell = rows_append(rows);
    rows_set_text(rows, cell++, name);
    rows_set_integer(cell++, cost->params);
    if (c.exact)
        rows_set_integer(cell++, cost->macs);
    if (c.fvcore)
        rows_set_integer(cell++, cost->macs_fvcore);
    return cell;
}

static void set_match(struct rows *rows, struct rows_cell *cell, int holds)
{
    if (holds >= 0)
        rows_set_text(rows, cell, holds ? "yes" : "no");
}

static void add_claim(struct rows *rows, struct rows_cell *cell, const struct claim *c,
                      const struct cell_cost *cost)
{
    if (!isnan(c->params_m))
        rows_set_real(&cell[0], c->params_m);
    if (!isnan(c->gflops))
        rows_set_real(&cell[1], c->gflops);
    set_match(rows, &cell[2],
              claim_holds(c->params_m, c->params_decimals, (double)cost->params, 1e6));
    set_match(rows, &cell[3],
              claim_holds(c->gflops, c->gflops_decimals, (double)cost->macs_fvcore, 1e9));
    rows_set_format(rows, &cell[4], "%s%s, %s%s%s",
                    c->table[0] >= '0' && c->table[0] <= '9' ? "table " : "", c->table, c->row,
                    c->note[0] ? ": " : "", c->note);
}

/* A single cell is called as its model, several by what distinguishes them. */
static const char *cell_name(const struct experiment *e, const struct cell *c)
{
    if (e->n_cells == 1)
        return e->name;
    return c->label && c->label[0] ? c->label : c->id;
}

/* Calls each for every cell of a file or model that can be built; refused ones are said on stderr.
 * Returns the exit code that they ask for, EXIT_FINE without any, or -1. */
static int each_cell(const struct args *a, const char *operand,
                     int (*each)(void *ctx, const struct experiment *e, const struct cell *c,
                                 struct error *err),
                     void *ctx, struct error *err)
{
    struct experiment e;
    struct arena roots = {0};
    struct experiment_source source = {cli_schema(), models_roots(&roots)};
    int rc = 0, code = EXIT_FINE;
    if (experiment_load(&e, &source, operand, a->overrides, a->n_overrides, err)) {
        arena_release(&roots);
        return -1;
    }
    rc = experiment_expand(&e, &cli_cost_model, 0, err);
    for (int i = 0; !rc && i < e.n_cells; i++) {
        const struct cell *c = &e.cells[i];
        if (c->state == CELL_PLANNED)
            rc = each(ctx, &e, c, err);
        if (c->state == CELL_REFUSED) {
            fprintf(stderr, "vittm: %s: %s\n", cell_name(&e, c), c->reason);
            code = experiment_refusal_code(&e);
        }
    }
    experiment_release(&e);
    arena_release(&roots);
    return rc ? -1 : code;
}

struct totals {
    struct rows *rows;
    struct columns columns;
    const char *file; /* of the experiment whose claims these are */
    struct claim *claims;
    int n_claims;
    struct arena arena;
};

/* The claims of an experiment whose published file is a map of cells; once a file. */
static int load_claims(struct totals *t, const struct experiment *e, struct error *err)
{
    if (t->file != NULL && strcmp(t->file, e->file) == 0)
        return 0;
    t->file = arena_strdup(&t->arena, e->file);
    t->n_claims = 0;
    if (e->published != NULL && claims_load(&t->arena, e->published, &t->claims, &t->n_claims, err))
        return -1;
    if (t->rows == NULL) {
        t->columns.claims = t->n_claims > 0;
        t->rows = total_rows(t->columns);
    }
    return 0;
}

/* A row a claim about the cell, or one where nobody claims anything. */
static int add_cell(void *ctx, const struct experiment *e, const struct cell *c, struct error *err)
{
    struct totals *t = ctx;
    const char *name = cell_name(e, c);
    int claimed = 0;
    if (load_claims(t, e, err))
        return -1;
    for (int i = 0; t->columns.claims && i < t->n_claims; i++) {
        if (strcmp(t->claims[i].cell, name) != 0)
            continue;
        add_claim(t->rows, add_total(t->rows, t->columns, name, &c->cost), &t->claims[i], &c->cost);
        claimed = 1;
    }
    if (!claimed)
        add_total(t->rows, t->columns, name, &c->cost);
    return 0;
}

struct breakdown {
    enum cost_grouping by;
    struct rows *rows;
};

static int break_down(void *ctx, const struct experiment *e, const struct cell *c,
                      struct error *err)
{
    struct breakdown *b = ctx;
    if (b->rows)
        return error_set(err,
                         "--by takes one model, and %s is another one (give key=value to choose)",
                         cell_name(e, c));
    b->rows = cli_cost_rows(c->config, b->by, err);
    return b->rows ? 0 : -1;
}

static int run(const struct args *a, struct error *err)
{
    const char *how = args_text(a, "convention"), *by = args_text(a, "by");
    struct columns columns = {strcmp(how, "fvcore") != 0, strcmp(how, "exact") != 0, 0};
    struct totals t = {.columns = columns};
    struct breakdown b = {.by = by && !strcmp(by, "op") ? COST_BY_OP : COST_BY_LAYER};
    int code = EXIT_FINE, rc = 0;
    for (int i = 0; rc >= 0 && i < a->n_operands; i++) {
        rc = by ? each_cell(a, a->operands[i], break_down, &b, err)
                : each_cell(a, a->operands[i], add_cell, &t, err);
        code = rc > 0 ? rc : code;
    }
    arena_release(&t.arena);
    if (rc < 0) {
        rows_free(t.rows);
        rows_free(b.rows);
        return -1;
    }
    struct rows *rows = by ? b.rows : t.rows;
    if (!rows && by)
        return error_code(err, code ? code : EXIT_USAGE, "no cell can be built");
    if (!rows)
        rows = total_rows(columns);
    rc = cli_print_to(a, rows, "no cells", err);
    return rc ? rc : code;
}

const struct command command_cost = {
    .name = "cost",
    .group = "Models",
    .summary = "count parameters and multiply-adds, without running anything",
    .operands = "FILE.yaml|MODEL … [key=value …]",
    .min_operands = 1,
    .max_operands = -1,
    .operand_kind = OPERAND_MODEL,
    .flags = COMMAND_OVERRIDES,
    .options = options,
    .details = "params counts every registered parameter, those that the authors' code never reads "
               "included, as papers do. macs counts every multiply-add of every contraction for "
               "one image. macs_fvcore is what fvcore prints for the authors' code: the products "
               "inside fused attention count 0, layer norm 5 an element, an einsum half of "
               "numpy's rounded estimate. Where an experiment's published: is a map of its cells "
               "to rows of published tables, what was printed stands beside each cell: whether it "
               "is the computed number, rounded, and why not.",
    .examples = "  vittm cost vit_b16 vittm_b_64_64 --convention all\n"
                "  vittm cost vit_s16 model.image_size=384 --by layer\n"
                "  vittm cost experiments/paper/costs.yaml --convention all --format csv",
    .run = run,
};
