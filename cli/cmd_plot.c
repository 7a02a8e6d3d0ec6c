/* vittm plot: a figure. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "cli/published.h"
#include "cli/store.h"
#include "plots/data.h"
#include "plots/figure.h"
#include "plots/gnuplot.h"

static const struct option_spec options[] = {
    {.name = "x",
     .type = OPTION_TEXT,
     .value = "NAME",
     .doc = "pareto: metric; curves: epoch or step; heatmap: key"},
    {.name = "y",
     .type = OPTION_TEXT,
     .value = "NAME",
     .doc = "pareto, curves: metric; heatmap: key"},
    {.name = "metric",
     .type = OPTION_TEXT,
     .value = "NAME",
     .doc = "heatmap, effects: what is shown"},
    {.name = "published",
     .type = OPTION_TEXT,
     .value = "CSV",
     .doc = "a paper's numbers to draw: a file, or a name of results/published (\"table8\")"},
    OPTION_OUTPUT,
    OPTION_DB,
    {0}};

static const char *figure_name(int i)
{
    const struct figure *f = figure_at(i);
    return f != NULL ? f->choice.name : NULL;
}

static int load(struct plot_data *d, const struct args *a, const char *published, struct error *err)
{
    size_t n = (size_t)a->n_operands - 1;
    if (published != NULL && n == 0) {
        data_empty(d);
        return data_published(d, published, err);
    }
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    int rc = data_load(d, s, a->operands + 1, n, err);
    store_close(s);
    return rc == 0 && published != NULL ? data_published(d, published, err) : rc;
}

static int draw(const struct args *a, const struct figure *f, const char *published,
                struct error *err)
{
    struct figure_options o = {
        .x = args_text(a, "x"), .y = args_text(a, "y"), .metric = args_text(a, "metric")};
    const char *path = args_text(a, "output");
    struct plot_data d = {0};
    char *summary = NULL;
    int rc = load(&d, a, published, err);
    if (rc == 0)
        rc = figure_write(f, &d, &o, path, &summary, err);
    data_release(&d);
    if (rc == 0)
        fprintf(stderr, "wrote %s%s%s\n", path, summary != NULL ? ": " : "",
                summary != NULL ? summary : "");
    free(summary);
    return rc;
}

static int run(const struct args *a, struct error *err)
{
    const struct figure *f = figure_find(a->operands[0], err);
    if (f == NULL)
        return -1;
    if (args_text(a, "output") == NULL)
        return error_set(err, "say where to: -o %s.svg (or .png, .pdf)", f->choice.name);
    if (gnuplot_check_path(args_text(a, "output"), err) != 0)
        return -1;
    struct arena arena = {0};
    const char *published = args_text(a, "published");
    int rc = 0;
    if (published != NULL)
        rc = cli_published_find(&arena, published, &published, err);
    if (rc == 0)
        rc = draw(a, f, published, err);
    arena_release(&arena);
    return rc == 0 ? EXIT_FINE : -1;
}

const struct command command_plot = {
    .name = "plot",
    .group = "Results",
    .summary = "draw a figure",
    .operands = "FIGURE [EXPERIMENT …]",
    .min_operands = 1,
    .max_operands = -1,
    .operand_kind = OPERAND_WORD,
    .word = figure_name,
    .options = options,
    .details =
        "The gnuplot script and its data are kept beside the figure FILE, as FILE.gp and FILE.dat. "
        "Without an experiment all "
        "runs are drawn; with --published and no experiment, the published numbers alone. Beside "
        "measured points they are open and grey and have a front of their own. `vittm list "
        "figures` says what each figure shows.",
    .examples =
        "  vittm plot pareto quick -o pareto.svg\n"
        "  vittm plot curves quick --y val/top1 -o curves.png\n"
        "  vittm plot pareto --published table8 --x latency/p50_ms --y val/top1 -o fig1.svg",
    .run = run,
};
