/* The section of compute: every attempt, and the runs without a result. */
#include "plots/report_internal.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "plots/html.h"
#include "results/rows.h"

static void failed_runs(struct report *r)
{
    const struct rows *runs = r->data->source.runs;
    size_t shown = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const char *state = rows_text_of(runs, i, "state");
        if (strcmp(state, "done") == 0 || strcmp(state, "planned") == 0 || shown == 50)
            continue;
        if (shown++ == 0) {
            html_table(r->out, "Runs without a result.", "sortable");
            html_head(r->out, HTML_WORD, "run");
            html_head(r->out, HTML_WORD, "cell");
            html_head(r->out, HTML_WORD, "state");
            html_head(r->out, HTML_WORD, "message");
            html_body(r->out);
        }
        html_row(r->out);
        strbuf_adds(r->out, "<th scope=\"row\"><code>");
        html_text(r->out, rows_text_of(runs, i, "run"));
        strbuf_adds(r->out, "</code></th>");
        html_cell(r->out, HTML_WORD, report_cell_title(r, rows_text_of(runs, i, "cell")));
        html_cell(r->out, HTML_WORD, state);
        html_cell(r->out, HTML_WORD, rows_text_of(runs, i, "message"));
        html_row_end(r->out);
    }
    if (shown > 0)
        html_table_end(r->out);
}

static void time_cell(struct strbuf *out, double hours)
{
    char text[32] = "—";
    if (isfinite(hours))
        clock_format(hours * 3600, text, sizeof text);
    html_value(out, HTML_NUMBER, hours, text);
}

static void compute_row(struct report *r, const char *const *words, double attempts, double wall,
                        double cpu)
{
    html_row(r->out);
    for (int i = 0; i < 3; i++)
        html_cell(r->out, HTML_WORD, words[i]);
    html_number(r->out, attempts, 0);
    time_cell(r->out, wall);
    time_cell(r->out, cpu);
    html_row_end(r->out);
}

void report_compute(struct report *r)
{
    const struct rows *c = r->data->source.compute;
    double attempts = 0, wall = 0, cpu = 0;
    if (c == NULL || c->count == 0)
        return;
    html_section(r->out, "compute", "Compute");
    html_table(r->out,
               "Every attempt counts, failed and interrupted ones too. A run that several "
               "experiments share "
               "is charged to the first that asked for it.",
               "sortable");
    html_head(r->out, HTML_WORD, "experiment");
    html_head(r->out, HTML_WORD, "device");
    html_head(r->out, HTML_WORD, "state");
    html_head(r->out, HTML_NUMBER, "attempts");
    html_head(r->out, HTML_NUMBER, "wall time");
    html_head(r->out, HTML_NUMBER, "CPU time");
    html_body(r->out);
    for (size_t i = 0; i < c->count; i++) {
        const char *words[] = {rows_text_of(c, i, "experiment"), rows_text_of(c, i, "device"),
                               rows_text_of(c, i, "state")};
        double n = rows_number_of(c, i, "attempts"), w = rows_number_of(c, i, "wall_hours"),
               u = rows_number_of(c, i, "cpu_hours");
        compute_row(r, words, n, w, u);
        attempts += n;
        wall += isfinite(w) ? w : 0;
        cpu += isfinite(u) ? u : 0;
    }
    compute_row(r, (const char *const[]){"all", "", ""}, attempts, wall, cpu);
    html_table_end(r->out);
    failed_runs(r);
    html_section_end(r->out);
}
