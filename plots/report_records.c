/* The tables of a report that hold circumstances: latency, configuration, environment, compute. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/memory.h"
#include "base/number.h"
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
           strcmp(text_of(l, a, "protocol"), text_of(l, b, "protocol")) == 0 &&
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

/* What a measurement is made under. A column where it varies, a word in the note where it does not.
 */
struct condition {
    const char *column;
    int number; /* else a text */
    int brief;  /* of which what stands before the first colon is shown */
    int varies;
};

enum { CONDITIONS = 5 };

static void condition_text(const struct condition *c, const struct rows *l, size_t row,
                           struct strbuf *out)
{
    if (c->number && isfinite(number_of(l, row, c->column)))
        strbuf_addf(out, "%.0f", number_of(l, row, c->column));
    else if (c->brief)
        strbuf_add(out, text_of(l, row, c->column), strcspn(text_of(l, row, c->column), ":"));
    else if (!c->number)
        strbuf_adds(out, text_of(l, row, c->column));
}

static void find_varying(struct condition *all, const struct rows *l)
{
    for (int i = 0; i < CONDITIONS; i++) {
        struct strbuf first = STRBUF_INIT, other = STRBUF_INIT;
        condition_text(&all[i], l, 0, &first);
        for (size_t k = 1; k < l->count && !all[i].varies; k++) {
            strbuf_clear(&other);
            condition_text(&all[i], l, k, &other);
            all[i].varies = strcmp(first.text, other.text) != 0;
        }
        strbuf_release(&first);
        strbuf_release(&other);
    }
}

static void latency_row(struct report *r, const struct rows *l, const struct timing *t,
                        const struct condition *conditions)
{
    struct strbuf text = STRBUF_INIT;
    html_row(r->out);
    html_row_name(r->out, cell_title(r, text_of(l, t->row, "cell")));
    double mean = stats_mean(t->p50, t->n), std = stats_std(t->p50, t->n);
    int decimals = mean < 0.1 ? 4 : mean < 1 ? 3 : 2;
    strbuf_addf(&text, "%.*f", decimals, mean);
    if (isfinite(std))
        strbuf_addf(&text, " ± %.*f", decimals, std);
    html_value(r->out, HTML_NUMBER, mean, text.text);
    number_cell(r->out, (double)t->n, 0);
    number_cell(r->out, number_of(l, t->row, "p90_ms"), 2);
    number_cell(r->out, number_of(l, t->row, "iqr_ms") / number_of(l, t->row, "p50_ms") * 100, 1);
    number_cell(r->out, number_of(l, t->row, "images_per_s"), 0);
    number_cell(r->out, number_of(l, t->row, "peak_bytes") * 1e-6, 1);
    for (int i = 0; i < CONDITIONS; i++) {
        strbuf_clear(&text);
        condition_text(&conditions[i], l, t->row, &text);
        if (conditions[i].varies)
            html_cell(r->out, conditions[i].number ? HTML_NUMBER : HTML_WORD, text.text);
    }
    html_row_end(r->out);
    strbuf_release(&text);
}

/* Different protocols are printed below, each once. */
static void latency_note(struct report *r, const struct rows *l, const struct condition *conditions)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_adds(
        &text,
        "p50: mean ± standard deviation over runs; p90, IQR, throughput and peak of the first.");
    for (int i = 0; i < CONDITIONS; i++) {
        size_t before = text.len;
        strbuf_addf(&text, " %c%s ", conditions[i].column[0] - 32, conditions[i].column + 1);
        size_t named = text.len;
        condition_text(&conditions[i], l, 0, &text);
        if (conditions[i].varies || conditions[i].brief || text.len == named)
            strbuf_truncate(&text, before);
        else
            strbuf_addc(&text, '.');
    }
    size_t printed = 0;
    for (size_t i = 0; i < l->count; i++) {
        size_t k = 0;
        while (k < i && strcmp(text_of(l, k, "protocol"), text_of(l, i, "protocol")) != 0)
            k++;
        if (k == i && text_of(l, i, "protocol")[0] != 0)
            strbuf_addf(&text, "%s%s",
                        printed++ > 0 ? " | " : " Protocol: ", text_of(l, i, "protocol"));
    }
    strbuf_adds(r->out, "<p class=\"note\">");
    html_text(r->out, text.text);
    strbuf_adds(r->out, printed > 0 ? ".</p>\n" : " The protocol was not recorded.</p>\n");
    strbuf_release(&text);
}

static void latency_head(struct report *r, const struct condition *conditions)
{
    static const char *const heads[] = {"p50 (ms)",      "n",        "p90 (ms)",
                                        "IQR / p50 (%)", "images/s", "peak (MB)"};
    html_table(r->out, NULL, "sortable");
    html_head(r->out, HTML_WORD, "cell");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        html_head(r->out, HTML_NUMBER, heads[i]);
    for (int i = 0; i < CONDITIONS; i++)
        if (conditions[i].varies)
            html_head(r->out, conditions[i].number ? HTML_NUMBER : HTML_WORD, conditions[i].column);
    html_body(r->out);
}

/* The rows from i on that were measured under the same conditions, as one. */
static void latency_group(struct report *r, const struct rows *l, size_t i, unsigned char *taken,
                          const struct condition *conditions, double *values)
{
    struct timing t = {i, values, 0};
    for (size_t k = i; k < l->count; k++)
        if (!taken[k] && same_protocol(l, i, k)) {
            if (isfinite(number_of(l, k, "p50_ms")))
                values[t.n++] = number_of(l, k, "p50_ms");
            taken[k] = 1;
        }
    if (t.n > 0)
        latency_row(r, l, &t, conditions);
}

void report_latency(struct report *r)
{
    const struct rows *l = r->data->source.latency;
    struct condition conditions[CONDITIONS] = {{.column = "batch", .number = 1},
                                               {.column = "threads", .number = 1},
                                               {.column = "precision"},
                                               {.column = "device"},
                                               {.column = "protocol", .brief = 1}};
    if (l == NULL || l->count == 0)
        return;
    find_varying(conditions, l);
    open_section(r, "latency", "Latency");
    latency_head(r, conditions);
    unsigned char *taken = mem_zalloc(l->count, 1);
    double *values = mem_zalloc(l->count, sizeof *values);
    for (size_t c = 0; c < r->data->n_cells; c++)
        for (size_t i = 0; i < l->count; i++)
            if (!taken[i] && strcmp(text_of(l, i, "cell"), r->data->cells[c].id) == 0)
                latency_group(r, l, i, taken, conditions, values);
    free(taken);
    free(values);
    html_table_end(r->out);
    latency_note(r, l, conditions);
    strbuf_adds(r->out, "</section>\n");
}

/* ---- published ---- */

/* Does the paper's row say of the key what the cell has? Numbers as numbers: 0.5 is .5. */
static int same_level(struct arena *a, const struct rows *p, size_t row,
                      const struct plot_factor *f, int level)
{
    double published = number_of(p, row, f->key), here;
    if (level < 0)
        return 0;
    if (isfinite(published))
        return number_float(f->levels[level], &here) == 0 && here == published;
    return strcmp(config_plain(a, text_of(p, row, f->key)), f->levels[level]) == 0;
}

static int same_design(const struct report *r, const struct plot_cell *c, size_t row)
{
    int keys = 0;
    const char *mapped = text_of(r->data->source.published, row, "cell");
    if (*mapped)
        return strcmp(c->label, mapped) == 0;
    if (strcmp(c->label, text_of(r->data->source.published, row, "row")) == 0)
        return 1;
    for (int i = 0; i < r->data->n_factors; i++) {
        const struct plot_factor *f = &r->data->factors[i];
        if (strchr(f->key, '.') == NULL)
            continue;
        if (!same_level(&r->data->arena, r->data->source.published, row, f, c->levels[i]))
            return 0;
        keys++;
    }
    return keys > 0;
}

/* What was measured here for the paper's row: of the only cell that is called like it, or that has
 * its value of every key that varies. n is 0 where there is none. */
static struct plot_stat measured(const struct report *r, size_t row)
{
    const struct plot_cell *found = NULL;
    for (size_t i = 0; i < r->data->n_cells; i++)
        if (same_design(r, &r->data->cells[i], row)) {
            if (found != NULL)
                return (struct plot_stat){.n = 0};
            found = &r->data->cells[i];
        }
    if (found == NULL)
        return (struct plot_stat){.n = 0};
    return data_stat(r->data, found, text_of(r->data->source.published, row, "metric"));
}

static size_t count_measured(const struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->data->source.published->count; i++)
        n += measured(r, i).n > 0;
    return n;
}

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
    size_t beside = count_measured(r);
    html_table(r->out,
               beside > 0
                   ? "Measured here: the mean over seeds of the cell of the same design, with "
                     "this experiment's data, size and recipe, not the paper's."
                   : NULL,
               "sortable");
    static const char *const columns[] = {"source", "table", "row", "metric"};
    for (size_t i = 0; i < 4; i++)
        html_head(r->out, HTML_WORD, columns[i]);
    html_head(r->out, HTML_NUMBER, beside > 0 ? "published" : "value");
    if (beside > 0)
        html_head(r->out, HTML_NUMBER, "measured here");
    html_head(r->out, HTML_WORD, "convention");
    html_head(r->out, HTML_WORD, "note");
    html_body(r->out);
    for (size_t i = 0; i < p->count; i++) {
        html_row(r->out);
        for (size_t k = 0; k < 4; k++)
            html_cell(r->out, HTML_WORD, text_of(p, i, columns[k]));
        number_cell(r->out, number_of(p, i, "value"), -1);
        struct plot_stat here = measured(r, i);
        if (beside > 0)
            number_cell(r->out, here.n > 0 ? here.mean : NAN, -1);
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
    number_cell(r->out, attempts, 0);
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
    html_head(r->out, HTML_NUMBER, "wall time");
    html_head(r->out, HTML_NUMBER, "CPU time");
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
