/* vittm eval: the accuracy of weights. */
#include "cli/command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/store.h"
#include "cli/weights.h"
#include "data/codec.h"
#include "data/dataset.h"
#include "data/palette.h"
#include "model/objective.h"
#include "train/evaluate.h"
#include "train/keys.h"
#include "train/metrics.h"
#include "train/trainer.h"
#include "train/views.h"
#include "train/weights_start.h"

static const struct option_spec options[] = {
    OPTION_BATCH("images at a time (default: train.eval_batch)"),
    OPTION_THREADS("threads (0: as many as cores)"),
    OPTION_DEVICE("NAME", "where to run: auto, cpu, …"),
    {.name = "image",
     .type = OPTION_TEXT,
     .value = "FILE",
     .doc = "segmentation: this JPEG or PNG in place of the data set; -o gets it under the colours "
            "of its classes"},
    {.name = "by-class", .doc = "segmentation: a row a class"},
    {.name = "seed",
     .type = OPTION_INT,
     .value = "N",
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .doc = "of initial weights"},
    OPTION_FORMAT,
    OPTION_OUTPUT,
    {0}};

static const char word_random[] = "random"; /* in place of a file: initial weights */

/* Everything an evaluation holds; released whole. */
struct eval {
    struct config *config;
    struct device device;
    struct dataset *data; /* NULL: --image, and it is not there */
    struct preprocess preprocess;
    struct loaded_model model;
};

static int set_precision(struct eval *e, struct error *err)
{
    if (device_set_precision(&e->device, train_precision(e->config), err))
        return error_prefix(err, "train.precision");
    return 0;
}

/* One picture does not need the data set to be there, unless its colours are normalised by it. */
static int open_data(struct eval *e, const struct args *a, struct error *err)
{
    struct error why = {0};
    if (!dataset_open(&e->data, e->config, SPLIT_VAL, &why))
        return trainer_check_data(e->config, e->data, err);
    if (args_given(a, "image") && strcmp(config_string(e->config, "data.normalize"), "auto") != 0) {
        struct dataset any = {.channels = 3};
        return preprocess_init(&e->preprocess, e->config, &any, err);
    }
    *err = why;
    return -1;
}

static int load_model(struct eval *e, const struct args *a, const struct safetensors *file,
                      struct error *err)
{
    struct strbuf text = STRBUF_INIT;
    struct network_options o = {
        .batch = args_given(a, "image")   ? 1
                 : args_given(a, "batch") ? args_int(a, "batch")
                                          : config_int(e->config, "train.eval_batch"),
        .bytes = e->data && views_give_bytes(e->config, e->data, 0),
    };
    if (loaded_model_open(&e->model, e->config, &e->device, &o, (uint64_t)args_int(a, "seed"), file,
                          err))
        return -1;
    weights_report_text(&e->model.report, &text);
    fputs(text.text, stderr);
    strbuf_release(&text);
    return 0;
}

/* Before the data is looked at: which sets are here must not decide what is said. */
static int check_asked(const struct config *c, const struct args *a, struct error *err)
{
    const struct objective *objective =
        (const struct objective *)config_choice(c, "train.objective");
    if (!objective->dense && (args_given(a, "image") || args_flag(a, "by-class")))
        return error_set(err,
                         "--image and --by-class are of segmentation (train.objective segment)");
    return 0;
}

static int prepare(struct eval *e, const struct args *a, const struct safetensors *file,
                   struct error *err)
{
    e->config = cli_weights_config(a, 1, file, err);
    if (!e->config ||
        device_open(&e->device, args_text(a, "device"), (int)args_int(a, "threads"), err) ||
        set_precision(e, err) || check_asked(e->config, a, err) || open_data(e, a, err) ||
        load_model(e, a, file, err))
        return -1;
    if (e->data)
        e->preprocess = e->data->preprocess;
    return 0;
}

static void release(struct eval *e)
{
    loaded_model_release(&e->model);
    dataset_close(e->data);
    if (e->config)
        config_free(e->config);
}

static struct rows *make_rows(const struct eval *e, const char *path, const struct evaluation *v)
{
    struct metrics m = {0};
    const char *names[METRICS_MAX + 6] = {"weights", "dataset", "images"};
    size_t n = 3;
    evaluation_metrics(v, &e->model.net, "", &m);
    for (int i = 0; i < m.n; i++)
        names[n++] = m.all[i].name;
    names[n++] = "images_per_s";
    names[n++] = "precision";
    names[n++] = "device";
    struct rows *rows = rows_new(n, names);
    struct rows_cell *cell = rows_append(rows);
    rows_set_text(rows, cell++, path);
    rows_set_text(rows, cell++, dataset_name(e->data));
    rows_set_integer(cell++, v->images);
    for (int i = 0; i < m.n; i++)
        rows_set_real(cell++, m.all[i].value);
    rows_set_real(cell++, (double)v->images / v->wall_s);
    rows_set_text(rows, cell++, device_precision(&e->device));
    rows_set_text(rows, cell, e->device.text);
    return rows;
}

static const char *class_name(const struct eval *e, int k)
{
    return e->data ? dataset_mask_class_name(e->data, k) : "";
}

static struct rows *class_rows(const struct eval *e, const struct confusion *c)
{
    static const char *const names[] = {"class", "name", "iou", "acc", "labelled", "predicted"};
    struct rows *rows = rows_new(sizeof names / sizeof *names, names);
    for (int k = 0; k < c->classes; k++) {
        struct rows_cell *cell = rows_append(rows);
        rows_set_integer(&cell[0], k);
        rows_set_text(rows, &cell[1], class_name(e, k));
        if (isfinite(confusion_iou(c, k)))
            rows_set_real(&cell[2], confusion_iou(c, k));
        if (isfinite(confusion_class_acc(c, k)))
            rows_set_real(&cell[3], confusion_class_acc(c, k));
        rows_set_integer(&cell[4], c->labelled[k]);
        rows_set_integer(&cell[5], c->predicted[k]);
    }
    return rows;
}

static int evaluate_all(struct eval *e, const struct args *a, struct error *err)
{
    struct evaluate_options o;
    struct evaluation v;
    if (evaluate_options_init(&o, e->config, err) || evaluate(&v, &e->model.net, e->data, &o, err))
        return -1;
    struct rows *rows =
        args_flag(a, "by-class") ? class_rows(e, &v.confusion) : make_rows(e, a->operands[0], &v);
    int rc = cli_print_to(a, rows, "nothing evaluated", err);
    evaluation_release(&v);
    return rc;
}

/* ---- one picture ----------------------------------------------------------------------------- */

/* The classes in the picture, the largest first, with their colours. */
static struct rows *picture_rows(const struct eval *e, const unsigned char *classes, size_t pixels)
{
    static const char *const names[] = {"class", "name", "share", "color"};
    struct rows *rows = rows_new(sizeof names / sizeof *names, names);
    int64_t count[256] = {0};
    for (size_t i = 0; i < pixels; i++)
        count[classes[i]]++;
    for (;;) {
        int most = 0;
        char color[8];
        unsigned char rgb[3];
        for (int k = 1; k < 256; k++)
            most = count[k] > count[most] ? k : most;
        if (!count[most])
            return rows;
        struct rows_cell *cell = rows_append(rows);
        palette_color(most, rgb);
        snprintf(color, sizeof color, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
        rows_set_integer(&cell[0], most);
        rows_set_text(rows, &cell[1], class_name(e, most));
        rows_set_real(&cell[2], 100 * (double)count[most] / (double)pixels);
        rows_set_text(rows, &cell[3], color);
        count[most] = 0;
    }
}

static int write_overlay(const char *path, const struct image_view *picture,
                         const unsigned char *classes, struct error *err)
{
    unsigned char *rgb = mem_alloc((size_t)picture->width * (size_t)picture->height * 3);
    palette_overlay(picture, classes, 0.55, rgb);
    struct image_view v = {
        rgb, picture->width, picture->height, 3, 1, (ptrdiff_t)picture->width * 3, 3};
    int rc = codec_write_png(path, &v, err);
    free(rgb);
    return rc;
}

static int segment_picture(struct eval *e, const struct args *a, struct error *err)
{
    struct image image = {0};
    struct evaluate_options o;
    struct segmenter s;
    struct segment_image im = {0};
    if (!args_given(a, "output"))
        return error_set(err, "--image needs a file for the result: -o FILE.png");
    if (evaluate_options_init(&o, e->config, err) ||
        codec_load(args_text(a, "image"), &image, err)) {
        image_release(&image);
        return -1;
    }
    struct image_view picture = image_view(&image);
    size_t pixels = (size_t)picture.width * (size_t)picture.height;
    unsigned char *classes = mem_alloc(pixels);
    segmenter_open(&s, &e->model.net, &o.segment, &e->preprocess);
    segmenter_prepare(&s, &im, &picture);
    segmenter_run(&s, &im, classes);
    int rc = write_overlay(args_text(a, "output"), &picture, classes, err);
    if (!rc)
        rc = cli_print(a, picture_rows(e, classes, pixels), "no pixels", err);
    segment_image_release(&im);
    segmenter_close(&s);
    free(classes);
    image_release(&image);
    return rc;
}

static int run(const struct args *a, struct error *err)
{
    struct safetensors file;
    struct eval e = {.config = NULL};
    int is_random = !strcmp(a->operands[0], word_random), rc = -1;
    if (is_random && a->n_operands < 2)
        return error_set(err, "random weights belong to a model: name one, or FILE.yaml, after it");
    if (!is_random && weights_open(&file, a->operands[0], err))
        return -1;
    if (!prepare(&e, a, is_random ? NULL : &file, err))
        rc = args_given(a, "image") ? segment_picture(&e, a, err) : evaluate_all(&e, a, err);
    release(&e);
    if (!is_random)
        safetensors_close(&file);
    return rc;
}

const struct command command_eval = {
    .name = "eval",
    .group = "Models",
    .summary = "measure the accuracy of weights",
    .operands = "WEIGHTS|random [FILE.yaml|MODEL] [key=value …]",
    .min_operands = 1,
    .max_operands = 2,
    .operand_kind = OPERAND_FILE,
    .flags = COMMAND_OVERRIDES,
    .options = options,
    .details =
        "WEIGHTS is a safetensors file. Those that a run left in its folder (weights.safetensors) "
        "say themselves which configuration they belong to; for others name a model or a file "
        "with one cell. The whole validation split is evaluated, each image once. val/top1 and "
        "val/top5 are percent; of a model with two classifiers they are those of "
        "train.eval_head, a ViTTM's memory head by default. "
        "Segmentation has val/miou, val/pixel_acc and val/mean_acc over all pixels of the split, "
        "from windows that slide over whole images, and what the most frequent class alone would "
        "reach (val/majority_miou); or one picture with --image, its classes on stdout. The word "
        "random in place of WEIGHTS takes initial weights.",
    .examples = "  vittm eval out/runs/3fa2c1d09be41f77-s0/weights.safetensors\n"
                "  vittm eval weights.safetensors data.val_size=1000 --format json\n"
                "  vittm eval vit_s16.safetensors vit_s16 data.dataset=imagenet1k\n"
                "  vittm eval weights.safetensors --by-class --format csv\n"
                "  vittm eval weights.safetensors --image street.jpg -o street.png",
    .run = run,
};
