/* The section of provenance: facts recorded with the runs. */
#include "plots/report_internal.h"

#include "plots/html.h"
#include "results/rows.h"

void report_environment(struct report *r)
{
    const struct rows *e = r->data->source.env;
    if (e == NULL || e->count == 0)
        return;
    html_section(r->out, "environment", "Environment and provenance");
    strbuf_adds(r->out, "<details><summary>");
    html_textf(r->out, "Facts recorded with the runs: %zu", e->count);
    strbuf_adds(r->out, "</summary>\n");
    html_table(r->out, NULL, NULL);
    html_head(r->out, HTML_WORD, "fact");
    html_head(r->out, HTML_WORD, "value");
    html_head(r->out, HTML_NUMBER, "runs");
    html_body(r->out);
    for (size_t i = 0; i < e->count; i++) {
        const char *text = rows_text_of(e, i, "text");
        html_row(r->out);
        strbuf_adds(r->out, "<th scope=\"row\"><code>");
        html_text(r->out, rows_text_of(e, i, "key"));
        strbuf_adds(r->out, "</code></th><td class=\"long\">");
        html_text(r->out, text);
        strbuf_adds(r->out, "</td>");
        html_number(r->out, rows_number_of(e, i, "runs"), 0);
        html_row_end(r->out);
    }
    html_table_end(r->out);
    strbuf_adds(r->out, "</details>");
    html_section_end(r->out);
}
