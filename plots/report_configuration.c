/* The section of configuration: keys that vary, keys that are shared, the experiment file. */
#include "plots/report_internal.h"

#include <string.h>

#include "plots/html.h"
#include "results/rows.h"

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
        const char *text = data_cell_value(r->data, &r->data->cells[i], key);
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
    html_section(r->out, "configuration", "Configuration");
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
    html_section_end(r->out);
}
