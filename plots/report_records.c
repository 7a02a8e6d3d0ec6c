/* The tables of a report that hold circumstances: latency, configuration, environment, compute. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plots/html.h"
#include "results/rows.h"
#include "results/stats.h"

static const char *text_of(const struct rows *r, size_t row, const char *column)
{
    int i = rows_column(r, column);
    const struct rows_cell *c = i >= 0 ? rows_cell(r, row, (size_t)i) : NULL;
    return c != NULL && c->type == ROWS_TEXT ? c->text : "";
}

static double number_of(const struct rows *r, size_t row, const char *column)
{
    int i = rows_column(r, column);
    return i >= 0 ? rows_number(rows_cell(r, row, (size_t)i)) : NAN;
}

static void open_section(struct report *r, const char *id, const char *title)
{
    strbuf_addf(r->out, "<section id=\"%s\"><h2>%s</h2>\n", id, title);
}

/* decimals -1: as many digits as the number needs. */
static void number_cell(struct strbuf *out, double value, int decimals)
{
    char text[64] = "—";
    if (isfinite(value) && decimals < 0)
        snprintf(text, sizeof text, "%.10g", value);
    else if (isfinite(value))
        snprintf(text, sizeof text, "%.*f", decimals, value);
    html_value(out, HTML_NUMBER, value, text);
}

/* ---- latency ---- */

/* Measurements of one cell with one batch, precision, device and number of threads. */
struct timing {
    size_t row; /* the first */
    double *p50;
    size_t n;
};

static int same_protocol(const struct rows *l, size_t a, size_t b)
{
    return strcmp(text_of(l, a, "cell"), text_of(l, b, "cell")) == 0 &&
           strcmp(text_of(l, a, "precision"), text_of(l, b, "precision")) == 0 &&
           strcmp(text_of(l, a, "device"), text_of(l, b, "device")) == 0 &&
           number_of(l, a, "batch") == number_of(l, b, "batch") &&
           number_of(l, a, "threads") == number_of(l, b, "threads");
}

static const char *cell_title(struct report *r, const char *id)
{
    for (size_t i = 0; i < r->data->n_cells; i++)
        if (strcmp(r->data->cells[i].id, id) == 0)
            return data_cell_title(r->data, &r->data->cells[i]);
    return id;
}

static void latency_row(struct report *r, const struct rows *l, const struct timing *t)
{
    struct strbuf text = STRBUF_INIT;
    html_row(r->out);
    html_row_name(r->out, cell_title(r, text_of(l, t->row, "cell")));
    double mean = stats_mean(t->p50, t->n), std = stats_std(t->p50, t->n);
    strbuf_addf(&text, "%.2f", mean);
    if (isfinite(std))
        strbuf_addf(&text, " ± %.2f", std);
    html_value(r->out, HTML_NUMBER, mean, text.text);
    html_value(r->out, HTML_NUMBER, (double)t->n,
               (strbuf_clear(&text), strbuf_addf(&text, "%zu", t->n), text.text));
    number_cell(r->out, number_of(l, t->row, "p90_ms"), 2);
    number_cell(r->out, number_of(l, t->row, "iqr_ms") / number_of(l, t->row, "p50_ms") * 100, 1);
    number_cell(r->out, number_of(l, t->row, "images_per_s"), 0);
    number_cell(r->out, number_of(l, t->row, "peak_bytes") / 1048576, 1);
    number_cell(r->out, number_of(l, t->row, "batch"), 0);
    number_cell(r->out, number_of(l, t->row, "threads"), 0);
    html_cell(r->out, HTML_WORD, text_of(l, t->row, "precision"));
    html_cell(r->out, HTML_WORD, text_of(l, t->row, "device"));
    html_row_end(r->out);
    strbuf_release(&text);
}

/* Different protocols are printed below, each once. */
static void latency_protocols(struct report *r, const struct rows *l)
{
    strbuf_adds(r->out, "<p class=\"note\">p50: mean ± standard deviation over runs; p90, IQR and "
                        "throughput of the "
                        "first. Protocol: ");
    size_t printed = 0;
    for (size_t i = 0; i < l->count; i++) {
        size_t k = 0;
        while (k < i && strcmp(text_of(l, k, "protocol"), text_of(l, i, "protocol")) != 0)
            k++;
        if (k == i && text_of(l, i, "protocol")[0] != 0)
            html_textf(r->out, "%s%s", printed++ > 0 ? "; " : "", text_of(l, i, "protocol"));
    }
    strbuf_adds(r->out, printed > 0 ? ".</p>\n" : "not recorded.</p>\n");
}

void report_latency(struct report *r)
{
    static const char *const heads[] = {"p50 (ms)", "n",          "p90 (ms)", "IQR / p50 (%)",
                                        "images/s", "peak (MiB)", "batch",    "threads"};
    const struct rows *l = r->data->source.latency;
    if (l == NULL || l->count == 0)
        return;
    open_section(r, "latency", "Latency");
    html_table(r->out, NULL, "sortable");
    html_head(r->out, HTML_WORD, "cell");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        html_head(r->out, HTML_NUMBER, heads[i]);
    html_head(r->out, HTML_WORD, "precision");
    html_head(r->out, HTML_WORD, "device");
    html_body(r->out);
    unsigned char *taken = mem_zalloc(l->count, 1);
    double *values = mem_zalloc(l->count, sizeof *values);
    for (size_t i = 0; i < l->count; i++) {
        struct timing t = {i, values, 0};
        for (size_t k = i; k < l->count && !taken[i]; k++)
            if (!taken[k] && same_protocol(l, i, k)) {
                if (isfinite(number_of(l, k, "p50_ms")))
                    values[t.n++] = number_of(l, k, "p50_ms");
                taken[k] = k != i;
            }
        if (t.n > 0)
            latency_row(r, l, &t);
    }
    free(taken);
    free(values);
    html_table_end(r->out);
    latency_protocols(r, l);
    strbuf_adds(r->out, "</section>\n");
}

/* ---- published ---- */

void report_published(struct report *r)
{
    const struct rows *p = r->data->source.published;
    if (p == NULL || p->count == 0)
        return;
    open_section(r, "published", "Published numbers");
    strbuf_adds(r->out, "<details><summary>");
    html_textf(r->out, "%zu numbers that the papers printed, for comparison: not measured here",
               p->count);
    strbuf_adds(r->out, "</summary>\n");
    html_table(r->out, NULL, "sortable");
    static const char *const columns[] = {"source", "table", "row", "metric"};
    for (size_t i = 0; i < 4; i++)
        html_head(r->out, HTML_WORD, columns[i]);
    html_head(r->out, HTML_NUMBER, "value");
    html_head(r->out, HTML_WORD, "convention");
    html_head(r->out, HTML_WORD, "note");
    html_body(r->out);
    for (size_t i = 0; i < p->count; i++) {
        html_row(r->out);
        for (size_t k = 0; k < 4; k++)
            html_cell(r->out, HTML_WORD, text_of(p, i, columns[k]));
        number_cell(r->out, number_of(p, i, "value"), -1);
        html_cell(r->out, HTML_WORD, text_of(p, i, "convention"));
        html_cell(r->out, HTML_WORD, text_of(p, i, "note"));
        html_row_end(r->out);
    }
    html_table_end(r->out);
    strbuf_adds(r->out, "</details></section>\n");
}

/* ---- configuration ---- */

static int is_key(const char *column)
{
    return strchr(column, '.') != NULL && strchr(column, '/') == NULL;
}

/* How many different values the key has, and whether some cell has none. */
static size_t values_of(struct report *r, const char *key, struct strbuf *list)
{
    size_t n = 0;
    struct arena *a = &r->data->arena;
    const char **seen = ARENA_ARRAY(a, const char *, r->data->n_cells + 1);
    for (size_t i = 0; i < r->data->n_cells; i++) {
        const char *text = data_cell_key(r->data, &r->data->cells[i], key);
        text = text != NULL ? text : "(not active)";
        size_t k = 0;
        while (k < n && strcmp(seen[k], text) != 0)
            k++;
        if (k < n)
            continue;
        seen[n++] = text;
        if (n <= 24)
            strbuf_addf(list, "%s%s", n > 1 ? ", " : "", text[0] != 0 ? text : "(empty)");
    }
    if (n > 24)
        strbuf_addf(list, " and %zu more", n - 24);
    return n;
}

static void key_table(struct report *r, int varying)
{
    const struct rows *runs = r->data->source.runs;
    struct strbuf list = STRBUF_INIT;
    html_table(r->out, NULL, NULL);
    html_head(r->out, HTML_WORD, "key");
    html_head(r->out, HTML_WORD, varying ? "values" : "value");
    html_body(r->out);
    for (size_t i = 0; i < runs->columns; i++) {
        if (!is_key(runs->names[i]))
            continue;
        strbuf_clear(&list);
        size_t n = values_of(r, runs->names[i], &list);
        if ((n > 1) != varying || strcmp(list.text, "(not active)") == 0)
            continue;
        html_row(r->out);
        strbuf_adds(r->out, "<th scope=\"row\"><code>");
        html_text(r->out, runs->names[i]);
        strbuf_adds(r->out, "</code></th>");
        html_cell(r->out, HTML_WORD, list.text);
        html_row_end(r->out);
    }
    html_table_end(r->out);
    strbuf_release(&list);
}

void report_configuration(struct report *r)
{
    if (r->data->n_cells == 0)
        return;
    open_section(r, "configuration", "Configuration");
    if (r->data->n_cells > 1) {
        strbuf_adds(r->out, "<p>Keys in which the cells differ:</p>\n");
        key_table(r, 1);
    }
    strbuf_adds(r->out, "<details><summary>Configuration that all cells share</summary>\n");
    key_table(r, 0);
    strbuf_adds(r->out, "</details>\n");
    const char *text = report_experiment(r, "text");
    if (text[0] != 0) {
        strbuf_adds(r->out, "<details><summary>The experiment file</summary>\n<pre>");
        html_text(r->out, text);
        strbuf_adds(r->out, "</pre></details>\n");
    }
    strbuf_adds(r->out, "</section>\n");
}

/* ---- environment ---- */

void report_environment(struct report *r)
{
    const struct rows *e = r->data->source.env;
    if (e == NULL || e->count == 0)
        return;
    open_section(r, "environment", "Environment and provenance");
    strbuf_adds(r->out, "<details><summary>");
    html_textf(r->out, "Facts recorded with the runs: %zu", e->count);
    strbuf_adds(r->out, "</summary>\n");
    html_table(r->out, NULL, NULL);
    html_head(r->out, HTML_WORD, "fact");
    html_head(r->out, HTML_WORD, "value");
    html_head(r->out, HTML_NUMBER, "runs");
    html_body(r->out);
    for (size_t i = 0; i < e->count; i++) {
        const char *text = text_of(e, i, "text");
        html_row(r->out);
        strbuf_adds(r->out, "<th scope=\"row\"><code>");
        html_text(r->out, text_of(e, i, "key"));
        strbuf_adds(r->out, "</code></th><td class=\"long\">");
        html_text(r->out, text);
        strbuf_adds(r->out, "</td>");
        number_cell(r->out, number_of(e, i, "runs"), 0);
        html_row_end(r->out);
    }
    html_table_end(r->out);
    strbuf_adds(r->out, "</details></section>\n");
}

/* ---- compute ---- */

static void failed_runs(struct report *r)
{
    const struct rows *runs = r->data->source.runs;
    size_t shown = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const char *state = text_of(runs, i, "state");
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
        html_text(r->out, text_of(runs, i, "run"));
        strbuf_adds(r->out, "</code></th>");
        html_cell(r->out, HTML_WORD, cell_title(r, text_of(runs, i, "cell")));
        html_cell(r->out, HTML_WORD, state);
        html_cell(r->out, HTML_WORD, text_of(runs, i, "message"));
        html_row_end(r->out);
    }
    if (shown > 0)
        html_table_end(r->out);
}

static void compute_row(struct report *r, const char *const *words, double attempts, double wall,
                        double cpu)
{
    html_row(r->out);
    for (int i = 0; i < 3; i++)
        html_cell(r->out, HTML_WORD, words[i]);
    number_cell(r->out, attempts, 0);
    number_cell(r->out, wall, 2);
    number_cell(r->out, cpu, 2);
    html_row_end(r->out);
}

void report_compute(struct report *r)
{
    const struct rows *c = r->data->source.compute;
    double attempts = 0, wall = 0, cpu = 0;
    if (c == NULL || c->count == 0)
        return;
    open_section(r, "compute", "Compute");
    html_table(r->out,
               "Every attempt counts, failed and interrupted ones too. A run that several "
               "experiments share "
               "is charged to the first that asked for it.",
               "sortable");
    html_head(r->out, HTML_WORD, "experiment");
    html_head(r->out, HTML_WORD, "device");
    html_head(r->out, HTML_WORD, "state");
    html_head(r->out, HTML_NUMBER, "attempts");
    html_head(r->out, HTML_NUMBER, "wall hours");
    html_head(r->out, HTML_NUMBER, "CPU hours");
    html_body(r->out);
    for (size_t i = 0; i < c->count; i++) {
        const char *words[] = {text_of(c, i, "experiment"), text_of(c, i, "device"),
                               text_of(c, i, "state")};
        double n = number_of(c, i, "attempts"), w = number_of(c, i, "wall_hours"),
               u = number_of(c, i, "cpu_hours");
        compute_row(r, words, n, w, u);
        attempts += n;
        wall += isfinite(w) ? w : 0;
        cpu += isfinite(u) ? u : 0;
    }
    compute_row(r, (const char *const[]){"all", "", ""}, attempts, wall, cpu);
    html_table_end(r->out);
    failed_runs(r);
    strbuf_adds(r->out, "</section>\n");
}
