/* Puts the page together. */
#include "plots/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "plots/canvas.h"
#include "plots/figure.h"
#include "plots/gnuplot.h"
#include "plots/html.h"
#include "plots/report_internal.h"

/* ---- figures ---- */

struct drawing {
    const char *name, *title;
};

static void figure_details(struct report *r, const struct canvas *c)
{
    if (c->data.len > 40000)
        return;
    strbuf_adds(r->out, "<details><summary>Data of the figure</summary>\n<pre>");
    html_text(r->out, c->data.text);
    strbuf_adds(r->out, "</pre></details>\n");
}

static void put_figure(struct report *r, const struct drawing *what, const struct canvas *c,
                       const char *svg, size_t size)
{
    strbuf_addf(r->out, "<section id=\"%s\"><h2>%s</h2>\n<figure>\n", what->name, what->title);
    html_image(r->out, svg, size, c->width, c->height, what->title);
    strbuf_adds(r->out, "<figcaption>");
    html_text(r->out, c->summary.text);
    strbuf_adds(r->out, "</figcaption>\n</figure>\n");
    figure_details(r, c);
    strbuf_adds(r->out, "</section>\n");
}

/* Returns 1 where there is nothing to draw yet, which is no error of the page. */
static int draw_one(struct report *r, const struct drawing *what, const char *folder,
                    struct error *err)
{
    struct canvas c = CANVAS_INIT;
    struct figure_options none = {0};
    struct error why = {0};
    char *path = arena_printf(&r->data->arena, "%s/%s.svg", folder, what->name), *svg = NULL;
    size_t size = 0;
    int rc = figure_find(what->name, err)->draw(r->data, &none, &c, &why) == 0 ? 0 : 1;
    if (rc == 0)
        rc = gnuplot_render(path, c.width, c.height, c.script.text, c.data.text, err);
    if (rc == 0)
        rc = file_read(path, (size_t)1 << 26, &svg, &size, err);
    if (rc == 0)
        put_figure(r, what, &c, svg, size);
    free(svg);
    canvas_release(&c);
    return rc;
}

static void remove_folder(struct report *r, const char *folder, const struct drawing *all, size_t n)
{
    static const char *const suffixes[] = {"svg", "gp", "dat"};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++)
            unlink(arena_printf(&r->data->arena, "%s/%s.%s", folder, all[i].name, suffixes[k]));
    rmdir(folder);
}

static int draw_figures(struct report *r, struct error *err)
{
    static const struct drawing all[] = {
        {"pareto", "Pareto front"},    {"heatmap", "Heatmap"},
        {"effects", "Main effects"},   {"interaction", "Interaction"},
        {"curves", "Training curves"}, {"memory", "Memory and cost by layer"}};
    const size_t n = sizeof all / sizeof *all;
    const char *base = getenv("TMPDIR");
    char *folder = arena_printf(&r->data->arena, "%s/vittm-report.XXXXXX",
                                base != NULL && *base != 0 ? base : "/tmp");
    if (mkdtemp(folder) == NULL)
        return error_env(err, "%s: a temporary folder cannot be made: %s", folder, strerror(errno));
    struct error why = {0};
    int rc = 0;
    for (size_t i = 0; i < n && rc >= 0; i++)
        rc = draw_one(r, &all[i], folder, &why);
    remove_folder(r, folder, all, n);
    if (rc >= 0)
        return 0;
    warn("the report has no figures: %s", why.msg);
    strbuf_adds(r->out, "<aside class=\"warnings\"><p>Figures are missing: ");
    html_text(r->out, why.msg);
    strbuf_adds(r->out, "</p></aside>\n");
    return 0;
}

/* ---- page ---- */

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
    int rc = o->figures ? draw_figures(&r, err) : 0;
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
