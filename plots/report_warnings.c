/* What a reader must know before comparing numbers. */
#include "plots/report_internal.h"

#include <stdio.h>
#include <string.h>

#include "plots/html.h"
#include "results/stats.h"

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
