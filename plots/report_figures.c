/* The sections of figures: drawn by gnuplot in a folder of their own, and put into the page. */
#include "plots/report_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "plots/canvas.h"
#include "plots/figure.h"
#include "plots/gnuplot.h"
#include "plots/html.h"

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
    html_section(r->out, what->name, what->title);
    strbuf_adds(r->out, "<figure>\n");
    html_image(r->out, svg, size, c->width, c->height, what->title);
    strbuf_adds(r->out, "<figcaption>");
    html_text(r->out, c->summary.text);
    strbuf_adds(r->out, "</figcaption>\n</figure>\n");
    figure_details(r, c);
    html_section_end(r->out);
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
    for (size_t i = 0; i < n; i++)
        gnuplot_remove(arena_printf(&r->data->arena, "%s/%s.svg", folder, all[i].name));
    rmdir(folder);
}

int report_figures(struct report *r, struct error *err)
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
