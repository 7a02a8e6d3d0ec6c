#include "train/weights_start.h"

#include "base/config.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "model/model.h"
#include "train/weights_names.h"

#include <stdio.h>
#include <string.h>

static const struct config_choice kernel_choices[] = {
    {"pinv", "pseudo-inverse of the resize: a resized patch keeps its embedding (FlexiViT)", NULL},
    {"interpolate", "antialiased bicubic resize of the kernel", NULL}};

const struct config_choice *weights_kernel_choice(int i)
{
    return i >= 0 && i < 2 ? &kernel_choices[i] : NULL;
}

static enum resample_kernel weights_kernel_named(const char *name)
{
    return strcmp(name, "interpolate") ? RESAMPLE_PINV : RESAMPLE_INTERPOLATE;
}

struct weights_rules weights_rules_of(const struct config *c)
{
    return (struct weights_rules){.kernels =
                                      weights_kernel_named(config_string(c, "train.weights_patch")),
                                  .spread_patches = config_bool(c, "train.weights_spread"),
                                  .replace_heads = config_bool(c, "train.weights_replace_head"),
                                  .lenient = !config_bool(c, "train.weights_strict")};
}

int weights_open(struct safetensors *s, const char *path, struct error *err)
{
    if (weights_refuse_pickle(path, err) || safetensors_open(s, path, err))
        return -1;
    if (!safetensors_verify(s, err))
        return 0;
    safetensors_close(s);
    return -1;
}

/* Into w, whose values are initial ones. */
static int start(struct weights *w, const struct config *c, struct weights_report *report,
                 struct error *err)
{
    struct safetensors file;
    struct weights_rules rules = weights_rules_of(c);
    if (weights_open(&file, config_string(c, "train.weights"), err))
        return -1;
    int rc = weights_import(w, &file, &rules, report, err);
    safetensors_close(&file);
    return rc ? error_prefix(err, "train.weights") : 0;
}

static void say(const char *path, const struct weights_report *report)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "weights of %s: ", path);
    weights_report_summary(report, &text);
    strbuf_addc(&text, '\n');
    weights_report_text(report, &text);
    fputs(text.text, stderr);
    strbuf_release(&text);
}

int weights_start(struct network *n, struct weights *scratch, const struct config *c,
                  struct error *err)
{
    const char *path = config_string(c, "train.weights");
    struct weights_report report = {0};
    if (!*path)
        return 0;
    weights_get(scratch, n);
    int rc = start(scratch, c, &report, err);
    if (!rc) {
        weights_put(scratch, n);
        say(path, &report);
    }
    weights_report_release(&report);
    return rc;
}

int weights_check(const struct config *c, struct error *err)
{
    struct model_io io;
    struct weights w;
    if (!*config_string(c, "train.weights"))
        return 0;
    struct graph *g = model_build(c, &(struct model_options){.batch = 1}, &io, err);
    if (!g)
        return -1;
    weights_init_graph(&w, g);
    int rc = start(&w, c, NULL, err);
    weights_release(&w);
    graph_free(g);
    return rc;
}
