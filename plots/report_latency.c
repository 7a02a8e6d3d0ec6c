/* The section of latencies: a row a cell and circumstances, what all share in a note. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plots/html.h"
#include "results/rows.h"
#include "results/stats.h"

/* Measurements of one cell with one batch, precision, device and number of threads. */
struct timing {
    size_t row; /* the first */
    double *p50;
    size_t n;
};

static int same_protocol(const struct rows *l, size_t a, size_t b)
{
    return strcmp(rows_text_of(l, a, "cell"), rows_text_of(l, b, "cell")) == 0 &&
           strcmp(rows_text_of(l, a, "precision"), rows_text_of(l, b, "precision")) == 0 &&
           strcmp(rows_text_of(l, a, "protocol"), rows_text_of(l, b, "protocol")) == 0 &&
           strcmp(rows_text_of(l, a, "device"), rows_text_of(l, b, "device")) == 0 &&
           rows_number_of(l, a, "batch") == rows_number_of(l, b, "batch") &&
           rows_number_of(l, a, "threads") == rows_number_of(l, b, "threads");
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
    if (c->number && isfinite(rows_number_of(l, row, c->column)))
        strbuf_addf(out, "%.0f", rows_number_of(l, row, c->column));
    else if (c->brief)
        strbuf_add(out, rows_text_of(l, row, c->column),
                   strcspn(rows_text_of(l, row, c->column), ":"));
    else if (!c->number)
        strbuf_adds(out, rows_text_of(l, row, c->column));
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
    html_row_name(r->out, report_cell_title(r, rows_text_of(l, t->row, "cell")));
    double mean = stats_mean(t->p50, t->n), std = stats_std(t->p50, t->n);
    int decimals = mean < 0.1 ? 4 : mean < 1 ? 3 : 2;
    strbuf_addf(&text, "%.*f", decimals, mean);
    if (isfinite(std))
        strbuf_addf(&text, " ± %.*f", decimals, std);
    html_value(r->out, HTML_NUMBER, mean, text.text);
    html_number(r->out, (double)t->n, 0);
    html_number(r->out, rows_number_of(l, t->row, "p90_ms"), 2);
    html_number(r->out,
                rows_number_of(l, t->row, "iqr_ms") / rows_number_of(l, t->row, "p50_ms") * 100, 1);
    html_number(r->out, rows_number_of(l, t->row, "images_per_s"), 0);
    html_number(r->out, rows_number_of(l, t->row, "peak_bytes") * 1e-6, 1);
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
        while (k < i && strcmp(rows_text_of(l, k, "protocol"), rows_text_of(l, i, "protocol")) != 0)
            k++;
        if (k == i && rows_text_of(l, i, "protocol")[0] != 0)
            strbuf_addf(&text, "%s%s",
                        printed++ > 0 ? " | " : " Protocol: ", rows_text_of(l, i, "protocol"));
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
            if (isfinite(rows_number_of(l, k, "p50_ms")))
                values[t.n++] = rows_number_of(l, k, "p50_ms");
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
    html_section(r->out, "latency", "Latency");
    latency_head(r, conditions);
    unsigned char *taken = mem_zalloc(l->count, 1);
    double *values = mem_zalloc(l->count, sizeof *values);
    for (size_t c = 0; c < r->data->n_cells; c++)
        for (size_t i = 0; i < l->count; i++)
            if (!taken[i] && strcmp(rows_text_of(l, i, "cell"), r->data->cells[c].id) == 0)
                latency_group(r, l, i, taken, conditions, values);
    free(taken);
    free(values);
    html_table_end(r->out);
    latency_note(r, l, conditions);
    html_section_end(r->out);
}
