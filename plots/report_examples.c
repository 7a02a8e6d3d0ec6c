/* What segmenting runs left in their folders: pictures of a few evaluation images. A folder that is
 * gone, or on another machine, leaves its cell out. */
#include "plots/report_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "plots/html.h"

#define EXAMPLES_FILE "examples.png"

enum { CELLS_MAX = 6, BYTES_MAX = 4 << 20 };

/* A run's file; folders are stored relative to the database's. */
static void example_path(const struct report *r, size_t row, struct strbuf *path)
{
    const char *folder = data_text(r->data, row, "folder"), *database = r->options->database;
    const char *slash = database != NULL ? strrchr(database, '/') : NULL;
    if (folder[0] != '/' && slash != NULL)
        strbuf_add(path, database, (size_t)(slash - database) + 1);
    strbuf_addf(path, "%s/%s", folder, EXAMPLES_FILE);
}

/* Width and height stand in the first chunk of every PNG file, big end first. */
static int png_side(const char *png, size_t at)
{
    const unsigned char *b = (const unsigned char *)png + at;
    return b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static void open_section(struct report *r)
{
    html_section(r->out, "examples", "Examples");
    strbuf_adds(r->out, "<p>Evaluation images, their true classes, and the classes that the model "
                        "finds.</p>\n");
}

static int add_example(struct report *r, const struct plot_cell *c, int first)
{
    struct strbuf path = STRBUF_INIT;
    struct error err;
    char *png = NULL;
    size_t size = 0;
    for (size_t i = 0; i < c->n_rows && png == NULL; i++) {
        if (strcmp(data_text(r->data, c->rows[i], "state"), "done") != 0)
            continue;
        strbuf_clear(&path);
        example_path(r, c->rows[i], &path);
        if (file_exists(path.text) && file_read(path.text, BYTES_MAX, &png, &size, &err) != 0)
            png = NULL;
    }
    strbuf_release(&path);
    if (png == NULL || size < 24) {
        free(png);
        return 0;
    }
    const char *title = data_cell_title(r->data, c);
    if (first)
        open_section(r);
    strbuf_adds(r->out, "<figure style=\"display:inline-block;margin:0 1em 1em 0\">");
    html_png(r->out, png, size, png_side(png, 16) * 3 / 4, png_side(png, 20) * 3 / 4, title);
    strbuf_adds(r->out, "<figcaption>");
    html_text(r->out, title);
    strbuf_adds(r->out, "</figcaption></figure>\n");
    free(png);
    return 1;
}

void report_examples(struct report *r)
{
    int shown = 0;
    for (size_t i = 0; i < r->data->n_cells && shown < CELLS_MAX; i++)
        shown += add_example(r, &r->data->cells[i], shown == 0);
    if (shown)
        html_section_end(r->out);
}
