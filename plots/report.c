/* Puts the page together. */
#include "plots/report.h"

#include "base/file.h"
#include "plots/html.h"
#include "plots/report_internal.h"

static const char *page_title(const struct report *r)
{
    if (r->data->title != NULL)
        return r->data->title;
    const char *name = report_experiment(r, "experiment");
    return name[0] != 0 ? name : "Experiments";
}

static void page_head(struct report *r)
{
    strbuf_adds(r->out,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'; img-src data:; script-src ");
    html_script_hash(r->out, report_script);
    strbuf_adds(r->out, "; base-uri 'none'; form-action 'none'\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    html_text(r->out, page_title(r));
    strbuf_adds(r->out, "</title>\n<style>\n");
    strbuf_adds(r->out, report_style);
    strbuf_adds(r->out, "</style>\n</head>\n<body>\n<main>\n<header><h1>");
    html_text(r->out, page_title(r));
    strbuf_adds(r->out, "</h1>\n<p class=\"by\">");
    const char *name = report_experiment(r, "experiment"), *version = r->options->version;
    html_textf(r->out, "%s%s%s%s%s", name, name[0] != 0 && version != NULL ? " · " : "",
               version != NULL ? version : "", r->options->date != NULL ? " · " : "",
               r->options->date != NULL ? r->options->date : "");
    strbuf_adds(r->out, "</p></header>\n");
}

static void page_end(struct report *r)
{
    strbuf_adds(r->out, "<footer><p>");
    if (r->options->database != NULL) {
        html_textf(r->out, "Every number can be traced to a run of %s: ", r->options->database);
        html_prose(r->out, "`vittm show RUN`. ");
    }
    strbuf_adds(r->out, "This page reads nothing from a network.</p></footer>\n</main>\n<script>");
    strbuf_adds(r->out, report_script);
    strbuf_adds(r->out, "</script>\n</body>\n</html>\n");
}

int report_page(struct plot_data *d, const struct report_options *o, struct strbuf *out,
                struct error *err)
{
    struct report r = {.data = d, .options = o, .out = out};
    report_analyse(&r);
    page_head(&r);
    report_summary(&r);
    report_warnings(&r);
    report_ablation(&r);
    int rc = o->figures ? report_figures(&r, err) : 0;
    report_effects(&r);
    report_cells(&r);
    report_examples(&r);
    report_latency(&r);
    report_published(&r);
    report_configuration(&r);
    report_compute(&r);
    report_environment(&r);
    report_checklist(&r);
    report_reproduce(&r);
    page_end(&r);
    report_release(&r);
    return rc;
}

int report_write(struct plot_data *d, const struct report_options *o, const char *path,
                 struct error *err)
{
    struct strbuf page = STRBUF_INIT;
    int rc = report_page(d, o, &page, err);
    if (rc == 0)
        rc = file_write(path, page.text, page.len, err);
    strbuf_release(&page);
    return rc;
}
