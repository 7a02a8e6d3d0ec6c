/* The section of main effects. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>

#include "plots/effect.h"
#include "plots/html.h"

static void effect_row(struct report *r, const struct effect_list *list,
                       const struct effect_level *l)
{
    char text[128];
    int d = r->metric_scale.decimals;
    double f = r->metric_scale.factor;
    html_row(r->out);
    metric_key_title(r->data->factors[l->factor].key, text, sizeof text);
    html_cell(r->out, HTML_WORD, text);
    report_level_title(r, l->factor, l->level, text, sizeof text);
    html_cell(r->out, HTML_WORD, text);
    snprintf(text, sizeof text, "%.*f", d, l->mean * f);
    html_value(r->out, HTML_NUMBER, l->mean, text);
    snprintf(text, sizeof text, "%+.*f", d, (l->mean - list->mean) * f);
    html_value(r->out, HTML_NUMBER, l->mean - list->mean, text);
    if (isfinite(l->half))
        snprintf(text, sizeof text, "± %.*f", d, l->half * f);
    html_value(r->out, HTML_NUMBER, l->half, isfinite(l->half) ? text : "—");
    snprintf(text, sizeof text, "%zu × %zu", l->cells, l->seeds);
    html_cell(r->out, HTML_NUMBER, text);
    html_row_end(r->out);
}

void report_effects(struct report *r)
{
    struct effect_list list;
    if (r->metric == NULL || r->data->n_factors == 0)
        return;
    effect_collect(&list, r->data, r->metric, 8);
    if (list.n == 0)
        return;
    html_section(r->out, "effects-table", "Main effects in numbers");
    html_table(r->out,
               list.balanced ? "Mean at each level of each key over all cells that have it. The "
                               "interval is Student's at 95% "
                               "over seeds: each seed gives one mean over the cells."
                             : "Mean at each level of each key over all cells that have it. The "
                               "grid is not full, so levels "
                               "are compared over different cells: read with care.",
               "sortable");
    html_head(r->out, HTML_WORD, "key");
    html_head(r->out, HTML_WORD, "level");
    html_head(r->out, HTML_NUMBER, r->metric_scale.header);
    html_head(r->out, HTML_NUMBER, "effect");
    html_head(r->out, HTML_NUMBER, "95% interval");
    html_head(r->out, HTML_NUMBER, "cells × seeds");
    html_body(r->out);
    for (int i = 0; i < list.n; i++)
        effect_row(r, &list, &list.levels[i]);
    html_table_end(r->out);
    html_section_end(r->out);
}
