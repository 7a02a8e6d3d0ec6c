/* The reproducibility checklist, answered from the data. */
#include "plots/report_internal.h"

#include <math.h>
#include <string.h>

#include "plots/html.h"
#include "results/stats.h"

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
    double wall = report_total(r, "wall_hours"), attempts = report_total(r, "attempts");
    if (attempts > 0) {
        report_hours(&s, wall);
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
    html_section(r->out, "checklist", "Reproducibility checklist");
    strbuf_adds(r->out, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">question</th>"
                        "<th scope=\"col\">answer</th><th scope=\"col\">from the data</th></tr>"
                        "</thead>\n<tbody>\n");
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
    strbuf_adds(r->out, "</tbody></table></div>");
    html_section_end(r->out);
}
