#include "plots/figure.h"

#include <string.h>

#include "base/error.h"
#include "plots/canvas.h"
#include "plots/gnuplot.h"

#define FIGURE(name) extern const struct figure figure_##name;
#include "plots/figures.def"
#undef FIGURE

static const struct figure *const figures[] = {
#define FIGURE(name) &figure_##name,
#include "plots/figures.def"
#undef FIGURE
    NULL,
};

const struct figure *figure_at(int i)
{
    return figures[i];
}

const struct config_choice *figure_choice(int i)
{
    return figures[i] != NULL ? &figures[i]->choice : NULL;
}

static const char *name_at(const void *context, int i)
{
    (void)context;
    return figures[i] != NULL ? figures[i]->choice.name : NULL;
}

const struct figure *figure_find(const char *name, struct error *err)
{
    for (int i = 0; figures[i] != NULL; i++)
        if (strcmp(figures[i]->choice.name, name) == 0)
            return figures[i];
    const char *near = config_nearest(name, name_at, NULL);
    if (near != NULL)
        error_set(err, "unknown figure %s (did you mean %s?)", name, near);
    else
        error_set(err, "unknown figure %s (`vittm list figures` lists them)", name);
    return NULL;
}

int figure_write(const struct figure *f, struct plot_data *d, const struct figure_options *o,
                 const char *path, char **summary, struct error *err)
{
    struct canvas c = CANVAS_INIT;
    int rc = gnuplot_check_path(path, err);
    if (rc == 0)
        rc = f->draw(d, o, &c, err);
    if (rc == 0)
        rc = gnuplot_render(path, c.width, c.height, c.script.text, c.data.text, err);
    if (rc == 0 && summary != NULL)
        *summary = strbuf_detach(&c.summary);
    canvas_release(&c);
    return rc;
}
