/* The sentences that a report begins with. Each is computed: nothing is claimed that the data do
 * not say. */
#include "plots/report_internal.h"

#include <math.h>
#include <string.h>

#include "plots/effect.h"
#include "plots/html.h"

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
    if (report_total(r, "wall_hours") > 0) {
        strbuf_adds(&s, "All attempts together took ");
        report_hours(&s, report_total(r, "wall_hours"));
        strbuf_adds(&s, " of wall time.");
    }
    strbuf_adds(r->out, "<p class=\"summary\">");
    html_text(r->out, s.text);
    strbuf_adds(r->out, "</p>\n");
    strbuf_release(&s);
}
