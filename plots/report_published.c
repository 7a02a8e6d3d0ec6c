/* The section of numbers that papers printed, beside what was measured here. */
#include "plots/report_internal.h"

#include <math.h>
#include <string.h>

#include "base/config.h"
#include "base/number.h"
#include "plots/html.h"
#include "results/rows.h"

/* Does the paper's row say of the key what the cell has? Numbers as numbers: 0.5 is .5. */
static int same_level(struct arena *a, const struct rows *p, size_t row,
                      const struct plot_factor *f, int level)
{
    double published = rows_number_of(p, row, f->key), here;
    if (level < 0)
        return 0;
    if (isfinite(published))
        return number_float(f->levels[level], &here) == 0 && here == published;
    return strcmp(config_plain(a, rows_text_of(p, row, f->key)), f->levels[level]) == 0;
}

static int same_design(const struct report *r, const struct plot_cell *c, size_t row)
{
    int keys = 0;
    const char *mapped = rows_text_of(r->data->source.published, row, "cell");
    if (*mapped)
        return strcmp(c->label, mapped) == 0;
    if (strcmp(c->label, rows_text_of(r->data->source.published, row, "row")) == 0)
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
    return data_stat(r->data, found, rows_text_of(r->data->source.published, row, "metric"));
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
    html_section(r->out, "published", "Published numbers");
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
            html_cell(r->out, HTML_WORD, rows_text_of(p, i, columns[k]));
        html_number(r->out, rows_number_of(p, i, "value"), -1);
        struct plot_stat here = measured(r, i);
        if (beside > 0)
            html_number(r->out, here.n > 0 ? here.mean : NAN, -1);
        html_cell(r->out, HTML_WORD, rows_text_of(p, i, "convention"));
        html_cell(r->out, HTML_WORD, rows_text_of(p, i, "note"));
        html_row_end(r->out);
    }
    html_table_end(r->out);
    strbuf_adds(r->out, "</details>");
    html_section_end(r->out);
}
