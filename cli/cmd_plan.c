/* vittm plan: every cell of an experiment with its exact costs; runs nothing. */
#include "cli/command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "cli/cost.h"
#include "cli/expect.h"
#include "cli/models.h"
#include "cli/run_data.h"
#include "cli/schema.h"
#include "cli/store.h"
#include "runner/experiment.h"

static const struct option_spec options[] = {
    {.name = "only",
     .type = OPTION_TEXT,
     .value = "EXPR",
     .doc = "only cells for which this holds: \"model.rw_head == linear\""},
    {.name = "many", .doc = "allow more than 100,000 runs"},
    OPTION_DEVICE("DEVICE", "whose time to expect: auto, cpu, cuda or cuda:1"),
    OPTION_FORMAT,
    OPTION_OUTPUT,
    OPTION_DB,
    {0}};

static void set_count(struct rows_cell *cell, int64_t value)
{
    if (value >= 0)
        rows_set_integer(cell, value);
}

/* Columns of these names, and of the keys that match solved. */
static struct rows *new_rows(const struct experiment *e, size_t n, const char *const *names)
{
    const char **all = mem_alloc((n + (size_t)e->n_solved) * sizeof *all);
    memcpy(all, names, n * sizeof *names);
    for (int i = 0; i < e->n_solved; i++)
        all[n++] = e->axes[e->n_axes - e->n_solved + i];
    struct rows *r = rows_new(n, all);
    free(all);
    return r;
}

static void set_solved(struct rows_cell *cell, const struct experiment *e, const struct cell *c)
{
    int64_t value;
    for (int i = e->n_axes - e->n_solved; i < e->n_axes; i++, cell++)
        if (c->state == CELL_PLANNED && c->values[i] != NULL && !number_int(c->values[i], &value))
            rows_set_integer(cell, value);
}

static struct rows *machine_rows(const struct experiment *e, const double *expected)
{
    static const char *const names[] = {"index",           "cell",   "label",
                                        "state",           "params", "macs",
                                        "macs_fvcore",     "flops",  "peak_train_bytes",
                                        "peak_eval_bytes", "runs",   "expected_s",
                                        "reason"};
    struct rows *r = new_rows(e, sizeof names / sizeof names[0], names);
    for (int i = 0; i < e->n_cells; i++) {
        const struct cell *c = &e->cells[i];
        double seconds = expected[i];
        struct rows_cell *cell = rows_append(r);
        rows_set_integer(&cell[0], c->index);
        rows_set_text(r, &cell[1], c->id);
        rows_set_text(r, &cell[2], c->label);
        rows_set_text(r, &cell[3], cell_state_name(c->state));
        set_count(&cell[4], c->cost.params);
        set_count(&cell[5], c->cost.macs);
        set_count(&cell[6], c->cost.macs_fvcore);
        set_count(&cell[7], c->cost.flops);
        set_count(&cell[8], c->cost.peak_train_bytes);
        set_count(&cell[9], c->cost.peak_eval_bytes);
        rows_set_integer(&cell[10], c->state == CELL_PLANNED ? e->n_seeds : 0);
        if (isfinite(seconds))
            rows_set_real(&cell[11], seconds);
        rows_set_text(r, &cell[12], c->reason);
        set_solved(&cell[13], e, c);
    }
    return r;
}

/* 1234567 as "1.23 M". */
static void set_short(struct rows *r, struct rows_cell *cell, int64_t value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    double shown = (double)value;
    int p = 0;
    if (value < 0)
        return;
    while (shown >= 999.5 && p < 4) {
        shown /= 1000;
        p++;
    }
    int decimals = p == 0 ? 0 : shown < 9.995 ? 2 : shown < 99.95 ? 1 : 0;
    rows_set_format(r, cell, "%.*f %s%s", decimals, shown, prefixes[p], unit);
}

static struct rows *human_rows(const struct experiment *e, const double *expected)
{
    static const char *const names[] = {"cell", "params", "MACs", "memory", "time", "state"};
    struct rows *r = new_rows(e, sizeof names / sizeof names[0], names);
    for (int i = 0; i < e->n_cells; i++) {
        const struct cell *c = &e->cells[i];
        double seconds = expected[i];
        char text[32];
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], c->label != NULL && c->label[0] ? c->label : e->name);
        set_short(r, &cell[1], c->cost.params, "");
        set_short(r, &cell[2], c->cost.macs, "");
        set_short(r, &cell[3], c->cost.peak_train_bytes, "B");
        if (isfinite(seconds))
            rows_set_text(r, &cell[4], clock_format(seconds, text, sizeof text));
        rows_set_text(r, &cell[5], cell_state_name(c->state));
        set_solved(&cell[6], e, c);
    }
    return r;
}

static int same_reason(const struct cell *a, const struct cell *b)
{
    return a->state == b->state && b->reason != NULL && strcmp(a->reason, b->reason) == 0;
}

/* The cell's state and reason, and below them every cell that shares both. */
static void add_reason(struct strbuf *out, const struct experiment *e, int first)
{
    const struct cell *c = &e->cells[first];
    struct strbuf why = STRBUF_INIT, labels = STRBUF_INIT;
    int n = 0;
    for (int i = first; i < e->n_cells; i++)
        if (same_reason(c, &e->cells[i]))
            strbuf_addf(&labels, "%s%s", n++ ? ", " : "", e->cells[i].label);
    strbuf_addf(&why, "%s: %s", cell_state_name(c->state), c->reason);
    help_wrap(out, why.text);
    help_columns(out, "", labels.text, 4);
    strbuf_release(&labels);
    strbuf_release(&why);
}

/* Why cells are left out, whole and below the table: each reason once. */
static void print_reasons(const struct experiment *e)
{
    struct strbuf out = STRBUF_INIT;
    int n = 0, *told = mem_alloc(sizeof *told * (size_t)e->n_cells + 1);
    for (int i = 0; i < e->n_cells; i++) {
        const struct cell *c = &e->cells[i];
        int k = 0;
        if (c->state == CELL_PLANNED || c->reason == NULL)
            continue;
        while (k < n && !same_reason(c, &e->cells[told[k]]))
            k++;
        if (k == n)
            add_reason(&out, e, told[n++] = i);
    }
    if (out.len > 0)
        printf("\n%s", out.text);
    free(told);
    strbuf_release(&out);
}

static void say_total(const struct experiment *e, const double *expected,
                      const struct expectation *x)
{
    double total = 0;
    char text[32];
    struct strbuf line = STRBUF_INIT, out = STRBUF_INIT;
    for (int i = 0; i < e->n_cells; i++)
        if (e->cells[i].state == CELL_PLANNED)
            total += expected[i];
    strbuf_addf(&line, "%d cell%s x %d seed%s; %d excluded, %d refused, %d folded", e->n_planned,
                e->n_planned == 1 ? "" : "s", e->n_seeds, e->n_seeds == 1 ? "" : "s", e->n_excluded,
                e->n_refused, e->n_folded);
    if (e->n_planned > 0 && isfinite(total))
        strbuf_addf(&line, "; about %s in turn", clock_format(total, text, sizeof text));
    else
        strbuf_adds(&line, "; time unknown");
    if (isfinite(x->macs_per_s))
        strbuf_addf(&line, "\ntime: %.3g GMAC/s, a training step measured on %s",
                    x->macs_per_s * 1e-9, x->device);
    if (x->why_unknown != NULL)
        strbuf_addf(&line, "\ntime unknown: %s", x->why_unknown);
    help_wrap(&out, line.text);
    fputs(out.text, stderr);
    strbuf_release(&out);
    strbuf_release(&line);
}

/* What `vittm run` would refuse: data that is here and does not suit. */
static int check_data(const struct experiment *e, struct error *err)
{
    struct arena arena = {0};
    struct error why = {0};
    double *images;
    const char *missing;
    int suits = run_data_check(e, &arena, &images, &missing, &why) == 0;
    int here = missing == NULL; /* else times are unknown */
    arena_release(&arena);
    if (suits || !here)
        return 0;
    *err = why;
    return -1;
}

static int print(const struct args *a, const struct experiment *e, struct error *err)
{
    struct expectation x;
    double *expected = mem_zalloc((size_t)e->n_cells + 1, sizeof *expected);
    if (expect_open(&x, a, e, err)) {
        free(expected);
        return -1;
    }
    for (int i = 0; i < e->n_cells; i++)
        expected[i] = expect_cell(&x, &e->cells[i]);
    int human = strcmp(args_text(a, "format"), "table") == 0;
    int rc = cli_print_to(a, human ? human_rows(e, expected) : machine_rows(e, expected),
                          "no cells", err);
    if (rc == EXIT_FINE && human && args_text(a, "output") == NULL)
        print_reasons(e);
    if (rc == EXIT_FINE)
        say_total(e, expected, &x);
    expect_close(&x);
    free(expected);
    if (rc == EXIT_FINE && e->n_planned == 0)
        return experiment_refusal_code(e);
    return rc == EXIT_FINE && check_data(e, err) ? -1 : rc;
}

static int run(const struct args *a, struct error *err)
{
    struct arena arena = {0};
    struct experiment_source source = {cli_schema(), models_roots(&arena)};
    struct experiment e = {0};
    int rc = experiment_load(&e, &source, a->operands[0], a->overrides, a->n_overrides, err);
    if (rc == 0) {
        rc = experiment_expand(&e, &cli_cost_model, args_flag(a, "many"), err);
        if (rc == 0 && args_text(a, "only") != NULL &&
            experiment_select(&e, args_text(a, "only"), err) < 0)
            rc = -1;
        if (rc == 0)
            rc = print(a, &e, err);
        experiment_release(&e);
    }
    arena_release(&arena);
    return rc;
}

const struct command command_plan = {
    .name = "plan",
    .group = "Experiments",
    .summary = "every cell with its parameters, MACs, memory, expected time; runs nothing",
    .operands = "FILE.yaml [key=value …]",
    .min_operands = 1,
    .max_operands = 1,
    .operand_kind = OPERAND_FILE,
    .flags = COMMAND_OVERRIDES,
    .options = options,
    .details =
        "Also says which cells are excluded, refused or the same as another one, and why. MACs are "
        "those of one image, memory is the peak of a training step, time is for all seeds of a "
        "cell one after the other, expected from finished runs on the same data or, where there "
        "are none, from a training step of a small model that is measured on the device once (and "
        "kept in the database, where there is one). Keys that match solved are columns too.",
    .examples = "  vittm plan experiments/quick.yaml\n"
                "  vittm plan experiments/quick.yaml model.dim=64,96,128 --format csv",
    .run = run,
};
