#include "plots/protocol.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "plots/data.h"
#include "results/rows.h"

/* What is said of a circumstance; a number goes between the words. */
static const struct circumstance {
    const char *column, *before, *one, *after, *differ;
    int long_one; /* too long for a title beside a legend of ours */
} circumstances[] = {{"batch", "batch ", "", "", "several batch sizes", 0},
                     {"precision", "", "", "", "several precisions", 0},
                     {"threads", "", " thread", " threads", "several numbers of threads", 0},
                     {"device", "", "", "", "several devices", 1}};

static int is_measured_so(const char *metric)
{
    return strncmp(metric, "latency/", 8) == 0 || strcmp(metric, "throughput/img_s") == 0;
}

/* Its value in a row, or "". */
static const char *value_at(const struct rows *r, size_t row, const char *column, char text[64])
{
    double number = rows_number_of(r, row, column);
    if (!isfinite(number))
        return rows_text_of(r, row, column);
    snprintf(text, 64, "%.10g", number);
    return text;
}

/* The value that all rows share that have one (of that metric, where rows are of metrics); "" where
 * none has. Returns 0 where they differ. */
static int share(const struct rows *r, const char *metric, const char *column, char value[64])
{
    char text[64];
    int of_metrics = rows_column(r, "metric") >= 0;
    value[0] = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (of_metrics && strcmp(rows_text_of(r, i, "metric"), metric) != 0)
            continue;
        const char *here = value_at(r, i, column, text);
        if (here[0] == 0)
            continue;
        if (value[0] != 0 && strcmp(value, here) != 0)
            return 0;
        snprintf(value, 64, "%s", here);
    }
    return 1;
}

/* title: 0 for a caption, 1 for a title, 2 for one with room. */
static void add_all(const struct rows *r, const char *metric, int title, struct strbuf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < sizeof circumstances / sizeof *circumstances; i++) {
        const struct circumstance *c = &circumstances[i];
        char value[64];
        int same = share(r, metric, c->column, value);
        if (title ? (c->long_one && title < 2) || !same || value[0] == 0 : same && value[0] == 0)
            continue;
        strbuf_adds(out, title || out->len > start ? ", " : "");
        if (same)
            strbuf_addf(out, "%s%s%s", c->before, value,
                        strcmp(value, "1") == 0 ? c->one : c->after);
        else
            strbuf_adds(out, c->differ);
    }
}

static int has_rows(const struct rows *r)
{
    return r != NULL && r->count > 0;
}

void protocol_title(const struct plot_data *d, const char *metric, struct strbuf *out)
{
    const struct rows *r = d->n_cells > 0 ? d->source.latency : d->source.published;
    if (is_measured_so(metric) && has_rows(r))
        add_all(r, metric, d->n_cells > 0 ? 1 : 2, out);
}

void protocol_caption(const struct plot_data *d, const char *metric, struct strbuf *out)
{
    static const char *const words[] = {" Timed with ", " Published with "};
    const struct rows *const rows[] = {d->source.latency, d->source.published};
    for (int i = 0; i < 2 && is_measured_so(metric); i++) {
        struct strbuf all = STRBUF_INIT;
        if (has_rows(rows[i]))
            add_all(rows[i], metric, 0, &all);
        if (all.len > 0)
            strbuf_addf(out, "%s%s.", words[i], all.text);
        strbuf_release(&all);
    }
}
