/* The sentences of a report. Each is computed: nothing is claimed that the data do not say. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "plots/effect.h"
#include "plots/html.h"
#include "results/rows.h"
#include "results/stats.h"

static double total(const struct report *r, const char *column)
{
    const struct rows *c = r->data->source.compute;
    int i = c != NULL ? rows_column(c, column) : -1;
    double sum = 0;
    for (size_t k = 0; i >= 0 && k < c->count; k++) {
        double v = rows_number(rows_cell(c, k, (size_t)i));
        sum += isfinite(v) ? v : 0;
    }
    return sum;
}

static void add_hours(struct strbuf *s, double hours)
{
    char text[32];
    strbuf_adds(s, clock_format(hours * 3600, text, sizeof text));
}

/* ---- summary ---- */

/* "families", "depths", "channels". */
static void add_counted(struct strbuf *s, const char *word, int n)
{
    size_t length = strlen(word);
    char last = length > 1 ? word[length - 1] : 's';
    if (n == 1 || last == 's')
        strbuf_adds(s, word);
    else if (last == 'y' && strchr("aeiou", word[length - 2]) == NULL)
        strbuf_addf(s, "%.*sies", (int)length - 1, word);
    else
        strbuf_addf(s, "%ss", word);
}

static void what_was_run(const struct report *r, struct strbuf *s)
{
    const struct plot_data *d = r->data;
    char key[64];
    strbuf_addf(s, "%zu %s", d->n_cells, d->n_cells == 1 ? "cell" : "cells");
    for (int i = 0; i < d->n_factors && i < 4; i++) {
        metric_key_title(d->factors[i].key, key, sizeof key);
        strbuf_addf(s, "%s%d ", i == 0 ? " (" : " × ", d->factors[i].n);
        add_counted(s, key, d->factors[i].n);
    }
    strbuf_adds(s, d->n_factors > 4 ? " × …)" : d->n_factors > 0 ? ")" : "");
    const char *dataset = report_common(r, "data.dataset");
    if (dataset != NULL && dataset[0] != 0)
        strbuf_addf(s, " on %s", dataset);
    if (r->least_seeds == r->most_seeds)
        strbuf_addf(s, ", %zu %s each", r->most_seeds, r->most_seeds == 1 ? "seed" : "seeds");
    else
        strbuf_addf(s, ", %zu to %zu seeds each", r->least_seeds, r->most_seeds);
    strbuf_addf(s, ": %zu of %zu runs are done", r->done, r->runs);
    if (r->failed > 0)
        strbuf_addf(s, ", %zu failed", r->failed);
    strbuf_adds(s, ". ");
}

static void what_is_best(struct report *r, struct strbuf *s)
{
    if (r->best < 0)
        return;
    const struct plot_cell *c = &r->data->cells[r->best];
    const struct metric_scale *cost = &r->cost_scale;
    strbuf_addf(s, "The best %s is ", r->metric_scale.title);
    report_value(s, r->stats[r->best], &r->metric_scale);
    strbuf_addf(s, "%s (n = %zu), of %s", r->metric_scale.unit, r->stats[r->best].n,
                data_cell_title(r->data, c));
    if (r->costs[r->best].n > 0)
        strbuf_addf(s, ", at %.*f%s %s", cost->decimals, r->costs[r->best].mean * cost->factor,
                    cost->unit, cost->title);
    strbuf_adds(s, ". ");
}

static void what_is_on_front(struct report *r, struct strbuf *s)
{
    size_t on = 0, of = 0, listed = 0;
    for (size_t i = 0; i < r->data->n_cells; i++) {
        on += r->front[i];
        of += isfinite(r->front_chance[i]);
    }
    if (of < 2 || on == of)
        return;
    strbuf_addf(s, "%zu of %zu cells %s on the Pareto front of %s against %s", on, of,
                on == 1 ? "is" : "are", r->metric_scale.title, r->cost_scale.title);
    for (size_t i = 0; i < r->data->n_cells && on <= 6; i++)
        if (r->front[i])
            strbuf_addf(s, "%s%s", listed++ == 0 ? ": " : ", ",
                        data_cell_title(r->data, &r->data->cells[i]));
    strbuf_adds(s, ". ");
}

/* The factor whose levels lie furthest apart. */
static void what_matters(struct report *r, struct strbuf *s)
{
    struct effect_list list;
    double span = 0;
    int low = -1, high = -1;
    if (r->metric == NULL || r->data->n_factors < 2)
        return;
    effect_collect(&list, r->data, r->metric, 8);
    for (int i = 0; i < list.n && list.balanced; i++)
        for (int k = 0; k < list.n; k++)
            if (list.levels[i].factor == list.levels[k].factor &&
                list.levels[i].mean - list.levels[k].mean > span) {
                span = list.levels[i].mean - list.levels[k].mean;
                high = i;
                low = k;
            }
    if (high < 0)
        return;
    const struct plot_factor *f = &r->data->factors[list.levels[high].factor];
    char key[64], a[64], b[64];
    metric_key_title(f->key, key, sizeof key);
    metric_level_title(f->levels[list.levels[high].level], a, sizeof a);
    metric_level_title(f->levels[list.levels[low].level], b, sizeof b);
    strbuf_addf(s, "The largest main effect is that of %s: %.*f%s between %s and %s. ", key,
                r->metric_scale.decimals, span * r->metric_scale.factor,
                strcmp(r->metric_scale.unit, " %") == 0 ? " points" : r->metric_scale.unit, a, b);
}

void report_summary(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    what_was_run(r, &s);
    what_is_best(r, &s);
    what_is_on_front(r, &s);
    what_matters(r, &s);
    if (total(r, "wall_hours") > 0) {
        strbuf_adds(&s, "All attempts together took ");
        add_hours(&s, total(r, "wall_hours"));
        strbuf_adds(&s, " of wall time.");
    }
    strbuf_adds(r->out, "<p class=\"summary\">");
    html_text(r->out, s.text);
    strbuf_adds(r->out, "</p>\n");
    strbuf_release(&s);
}

/* ---- warnings ---- */

static void warning(struct report *r, size_t *n, const char *text)
{
    if ((*n)++ == 0)
        strbuf_adds(r->out, "<aside class=\"warnings\" aria-label=\"Warnings\"><ul>\n");
    strbuf_adds(r->out, "<li>");
    html_prose(r->out, text);
    strbuf_adds(r->out, "</li>\n");
}

static void too_few_seeds(struct report *r, size_t *n)
{
    char text[300];
    size_t pairs = 0, needed = stats_signflip_needed(0.05, r->comparisons);
    for (size_t i = 0; i < r->data->n_cells; i++)
        pairs = r->compare[i].pairs > pairs ? r->compare[i].pairs : pairs;
    if (r->comparisons > 0 && pairs < needed) {
        snprintf(text, sizeof text,
                 "%zu paired seeds cannot decide: an exact test with them never falls below p = "
                 "%.2g before correction; "
                 "%zu seeds would do for %zu comparisons at 0.05.",
                 pairs, stats_signflip_floor(pairs), needed, r->comparisons);
        warning(r, n, text);
    } else if (r->comparisons == 0 && r->most_seeds == 1 && r->data->n_cells > 1)
        warning(r, n, "One seed a cell: differences between cells cannot be told from noise.");
}

void report_warnings(struct report *r)
{
    char text[300];
    size_t n = 0;
    const char *dirty = report_fact(r, "dirty", NULL);
    if (report_is_fallback(r))
        warning(r, &n,
                "The runs used the data set that the experiment names as a stand-in for a missing "
                "one.");
    if (r->commits > 1) {
        snprintf(text, sizeof text,
                 "The runs come from %zu different commits: their numbers may not be comparable.",
                 r->commits);
        warning(r, &n, text);
    }
    if (strcmp(dirty, "true") == 0)
        warning(r, &n,
                "At least one run was made by a program built from uncommitted changes; `vittm "
                "show RUN --env` "
                "has them.");
    if (r->devices > 1)
        warning(r, &n,
                "The runs come from several device classes; each class is a cell of its own here.");
    if (r->failed > 0) {
        snprintf(text, sizeof text, "%zu of %zu runs failed; means are over the ones that did not.",
                 r->failed, r->runs);
        warning(r, &n, text);
    }
    if (r->unfinished > 0) {
        snprintf(text, sizeof text, "%zu of %zu runs are not finished yet.", r->unfinished,
                 r->runs);
        warning(r, &n, text);
    }
    too_few_seeds(r, &n);
    if (n > 0)
        strbuf_adds(r->out, "</ul></aside>\n");
}

/* ---- checklist ---- */

enum answer { YES, PARTLY, NO };

static void item(struct report *r, enum answer answer, const char *question, const char *text)
{
    static const char *const words[] = {"yes", "partly", "no"};
    strbuf_addf(r->out, "<tr><th scope=\"row\">%s</th><td class=\"a-%s\">%s</td><td>", question,
                words[answer], words[answer]);
    html_text(r->out, text);
    strbuf_adds(r->out, "</td></tr>\n");
}

static void item_seeds(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    if (r->least_seeds == r->most_seeds)
        strbuf_addf(&s, "%zu a cell", r->most_seeds);
    else
        strbuf_addf(&s, "%zu to %zu a cell", r->least_seeds, r->most_seeds);
    strbuf_adds(
        &s,
        "; ± is the standard deviation (n-1) over seeds, which change initialisation, data order, "
        "augmentation and stochastic depth together; seeds are paired across cells");
    item(r,
         r->least_seeds >= 3  ? YES
         : r->most_seeds >= 2 ? PARTLY
                              : NO,
         "Error bars, and what they are", s.text);
    strbuf_release(&s);
}

static void item_code(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    size_t kinds = 0;
    const char *commit = report_fact(r, "commit", &kinds);
    int dirty = strcmp(report_fact(r, "dirty", NULL), "true") == 0;
    if (kinds == 0)
        strbuf_adds(&s, "no commit was recorded");
    else
        strbuf_addf(&s, "commit %.12s%s%s%s%.12s", commit, kinds > 1 ? " and others" : "",
                    dirty ? " with uncommitted changes (recorded)" : "",
                    report_fact(r, "binary_sha256", NULL)[0] != 0 ? ", binary " : "",
                    report_fact(r, "binary_sha256", NULL));
    item(r,
         kinds == 1 && !dirty ? YES
         : kinds > 0          ? PARTLY
                              : NO,
         "Code that made the numbers", s.text);
    strbuf_release(&s);
}

static void item_data(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    size_t kinds = 0;
    const char *hash = report_fact(r, "dataset_hash", &kinds),
               *name = report_fact(r, "dataset", NULL);
    if (kinds == 0)
        strbuf_adds(&s, "no hash of the data was recorded");
    else
        strbuf_addf(&s, "%s%shash %.16s%s", name, name[0] != 0 ? ", " : "", hash,
                    kinds > 1 ? " and others" : "");
    item(r, kinds == 1 ? YES : kinds > 1 ? PARTLY : NO, "Data identified", s.text);
    strbuf_release(&s);
}

static void item_machine(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    const char *cpu = report_fact(r, "cpu", NULL), *gpu = report_fact(r, "gpu", NULL);
    const char *threads = report_fact(r, "threads", NULL);
    if (cpu[0] == 0 && gpu[0] == 0)
        strbuf_adds(&s, "not recorded");
    else
        strbuf_addf(&s, "%s%s%s%s%s%s", gpu, gpu[0] != 0 ? ", " : "", cpu,
                    threads[0] != 0 ? ", threads " : "", threads, "; see Environment");
    item(r, cpu[0] != 0 || gpu[0] != 0 ? YES : NO, "Hardware and software", s.text);
    strbuf_release(&s);
}

static void item_compute(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    double wall = total(r, "wall_hours"), attempts = total(r, "attempts");
    if (attempts > 0) {
        add_hours(&s, wall);
        strbuf_addf(&s, " of wall time in %.0f attempts, failed ones included", attempts);
    } else
        strbuf_adds(&s, "no attempt was recorded");
    item(r, attempts > 0 ? YES : NO, "Compute, failed runs too", s.text);
    strbuf_release(&s);
}

static void item_significance(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    size_t needed = stats_signflip_needed(0.05, r->comparisons), decided = 0;
    for (size_t i = 0; i < r->data->n_cells; i++)
        decided += isfinite(r->compare[i].p) && r->compare[i].p < 0.05;
    if (r->comparisons == 0)
        strbuf_adds(&s, "no baseline is declared, so no test was made");
    else if (r->most_seeds < needed)
        strbuf_addf(&s,
                    "%zu comparisons with the baseline; too few seeds to decide any (%zu would do)",
                    r->comparisons, needed);
    else
        strbuf_addf(&s,
                    "%zu of %zu differences to the baseline are significant at 0.05 after Holm's "
                    "correction",
                    decided, r->comparisons);
    item(r,
         r->comparisons == 0      ? NO
         : r->most_seeds < needed ? PARTLY
                                  : YES,
         "Differences tested", s.text);
    strbuf_release(&s);
}

void report_checklist(struct report *r)
{
    strbuf_adds(r->out, "<section id=\"checklist\"><h2>Reproducibility checklist</h2>\n<div "
                        "class=\"scroll\"><table>"
                        "<thead><tr><th scope=\"col\">question</th><th "
                        "scope=\"col\">answer</th><th scope=\"col\">from "
                        "the data</th></tr></thead>\n<tbody>\n");
    item_seeds(r);
    item_significance(r);
    item(r, r->data->n_cells > 0 ? YES : NO, "All hyper-parameters",
         "every run stores its complete configuration; this page lists what varies and what is "
         "shared");
    item(r, YES, "How numbers were selected",
         report_selecting(r) ? "the epoch by validation where train.select says so; no seed or run "
                               "was chosen by its result"
                             : "values of the end of training; no epoch, seed or run was chosen by "
                               "its result");
    item(r, r->done == r->runs ? YES : PARTLY, "Every planned run reported",
         r->done == r->runs ? "all runs are done"
                            : "runs without a result are listed under Compute");
    item_code(r);
    item_data(r);
    item_machine(r);
    item_compute(r);
    const char *file = report_experiment(r, "file");
    item(r, file[0] != 0 ? YES : NO, "Exact command",
         file[0] != 0 ? "see To reproduce" : "no file was recorded");
    strbuf_adds(r->out, "</tbody></table></div></section>\n");
}

void report_reproduce(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    size_t kinds = 0;
    const char *commit = report_fact(r, "commit", &kinds), *file = report_experiment(r, "file");
    const char *ran = report_fact(r, "command_line", NULL);
    if (kinds > 0)
        strbuf_addf(&s, "git checkout %s%s\nmake\n", commit,
                    kinds > 1 ? "   # one of several, see Environment" : "");
    if (ran[0] != 0)
        strbuf_addf(&s, "%s\n", ran);
    else if (file[0] != 0)
        strbuf_addf(&s, "./vittm run %s\n", file);
    if (r->options->command != NULL)
        strbuf_addf(&s, "%s\n", r->options->command);
    if (s.len > 0) {
        strbuf_adds(r->out, "<section id=\"reproduce\"><h2>To reproduce</h2>\n<pre>");
        html_text(r->out, s.text);
        strbuf_adds(r->out, "</pre></section>\n");
    }
    strbuf_release(&s);
}
