/* Segmentation: a backbone's tokens, a decoder, and its scores resampled to the pixels. */
#include "model/decoder.h"
#include "model/features.h"
#include "model/objective.h"
#include "model/segment.h"

static const struct config_choice averages[] = {
    {.name = "labelled", .doc = "over the pixels that are not ignored (the Segmenter authors)"},
    {.name = "all", .doc = "over all pixels, the ignored ones included (mmseg's default)"},
};

static const struct config_choice *average_choice(int i)
{
    return i >= 0 && i < 2 ? &averages[i] : NULL;
}

static const struct config_choice absents[] = {
    {.name = "skip", .doc = "left out of the mean (mmseg)"},
    {.name = "zero", .doc = "0 (the official evaluation of ADE20K)"},
};

static const struct config_choice *absent_choice(int i)
{
    return i >= 0 && i < 2 ? &absents[i] : NULL;
}

int segment_absent_is_zero(const struct config *c)
{
    return config_choice(c, "train.segment.absent") == &absents[1];
}

static const struct config_key keys[] = {
    {.name = "model.decoder.type",
     .type = CONFIG_CHOICE,
     .fallback = "mask_transformer",
     .choice = decoder_choice,
     .doc = "from tokens to the scores of classes"},
    FEATURES_KEYS,
    {.name = "train.segment.average",
     .type = CONFIG_CHOICE,
     .fallback = "labelled",
     .choice = average_choice,
     .doc = "what the loss is a mean over"},
    {.name = "train.segment.stride",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 65536,
     .doc =
         "evaluation: pixels from window to window (0: a window's side, model.image_size; papers "
         "on ADE20K: 480)"},
    {.name = "train.segment.short_side",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 65536,
     .doc = "evaluation: images are resized to this shorter side (0: model.image_size)"},
    {.name = "train.segment.long_side",
     .type = CONFIG_INT,
     .fallback = "2048",
     .min = 1,
     .max = 65536,
     .doc = "evaluation: … unless the longer one then had more than this"},
    {.name = "train.segment.scales",
     .type = CONFIG_FLOATS,
     .fallback = "1",
     .min = 0.05,
     .max = 16,
     .doc = "evaluation: probabilities are averaged over images resized by these factors"},
    {.name = "train.segment.flip",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .doc = "evaluation: … and over their mirror images"},
    {.name = "latency.frames",
     .type = CONFIG_INT,
     .fallback = "200",
     .min = 0,
     .max = 1000000,
     .doc = "images of the data set that throughput/fps times one by one (0: none)"},
    {.name = "latency.frames_skipped",
     .type = CONFIG_INT,
     .fallback = "5",
     .min = 0,
     .max = 1000000,
     .doc = "of which the first so many do not count"},
    {.name = "train.segment.absent",
     .type = CONFIG_CHOICE,
     .fallback = "skip",
     .choice = absent_choice,
     .doc = "val/miou: what a class is that no pixel has, labelled or predicted"},
    {0},
};

struct tensor *segment_upsample(struct graph *g, struct tensor *masks, struct grid covered,
                                struct grid image)
{
    struct arena *a = &g->arena;
    struct shape s = masks->shape;
    const struct mixing *rows = mixing_resize(a, MIXING_BILINEAR, s.dim[1], covered.rows);
    const struct mixing *cols = mixing_resize(a, MIXING_BILINEAR, s.dim[2], covered.cols);
    struct tensor *x = op_resample(g, masks, 1, mixing_first(a, rows, image.rows), 0);
    return op_resample(g, x, 2, mixing_first(a, cols, image.cols),
                       4 * covered.rows * covered.cols * s.dim[3]);
}

/* (B, rows, cols, K) under the layout of segmentation code, (B,K,rows,cols). */
static void output_planes(struct builder *b, const char *name, struct tensor *x, int64_t rows,
                          int64_t cols)
{
    int64_t classes = shape_last(x->shape);
    x = op_swap(b->g, op_reshape(b->g, x, SHAPE(b->batch, rows * cols, classes)), 1);
    graph_output(b->g, name, op_reshape(b->g, x, SHAPE(b->batch, classes, rows, cols)));
}

static struct tensor *loss(struct builder *b, struct tensor *scores, struct tensor *target,
                           double smoothing, int over_all)
{
    struct label_loss_attr a = {smoothing, SEGMENT_IGNORE, over_all};
    return op_label_cross_entropy(b->g, scores, target, a);
}

static void add_loss(struct builder *b, const struct model_options *o, struct model_io *io,
                     struct tensor *scores)
{
    struct graph *g = b->g;
    struct shape s = scores->shape;
    int over_all = config_choice(b->c, "train.segment.average") == &averages[1];
    if (o->bce)
        graph_refuse(g, "train.objective segment knows cross entropy only (set train.loss=ce)");
    io->target = graph_input(g, "target", SHAPE(s.dim[0], s.dim[1], s.dim[2]), TENSOR_INT);
    io->loss = loss(b, scores, io->target, o->smoothing, over_all);
    graph_output(g, "loss", io->loss);
    if (b->token_outputs) /* the other convention beside it */
        graph_output(g, "loss_mmseg", loss(b, scores, io->target, o->smoothing, 1));
}

static void refuse_family(struct builder *b)
{
    const char *able = "";
    for (int i = 0; model_at(i); i++)
        if (model_at(i)->features)
            able = arena_printf(&b->g->arena, "%s%s%s", able, *able ? ", " : "",
                                model_at(i)->choice.name);
    nn_refuse(b, "model.family", "has no features for train.objective segment (these have: %s)",
              able);
}

static void build(struct builder *b, const struct model *m, const struct model_options *o,
                  struct model_io *io)
{
    struct graph *g = b->g;
    struct features f;
    int64_t height = io->image->shape.dim[2], width = io->image->shape.dim[3];
    int64_t classes = config_int(b->c, "model.classes");
    if (!m->features) {
        refuse_family(b);
        return;
    }
    b->dense = 1;
    const char *old = nn_enter(b, m->features_scope);
    m->features(b, io->image, &f);
    nn_pop(b, old);
    if (graph_failed(g, NULL))
        return;
    const struct decoder *decoder =
        (const struct decoder *)config_choice(b->c, "model.decoder.type");
    old = nn_enter(b, "decoder");
    struct tensor *masks = decoder->build(b, f.tokens, classes); /* (B,N,K) */
    nn_pop(b, old);
    if (graph_failed(g, NULL))
        return;
    struct tensor *scores = segment_upsample(
        g, op_reshape(g, masks, SHAPE(b->batch, f.grid.rows, f.grid.cols, classes)),
        (struct grid){f.height, f.width}, (struct grid){height, width});
    struct segment *s = ARENA_NEW(&g->arena, struct segment);
    *s = (struct segment){height, width, classes};
    io->segment = s;
    if (!o->training || b->token_outputs)
        graph_output(g, SEGMENT_SCORES, scores);
    if (b->token_outputs) {
        graph_output(g, "output/decoder_input", f.tokens);
        output_planes(b, "output/masks", masks, f.grid.rows, f.grid.cols);
        output_planes(b, "output/logits", scores, height, width);
    }
    if (o->with_loss)
        add_loss(b, o, io, scores);
}

const struct objective objective_segment = {
    .choice = {.name = "segment",
               .doc = "the class of every pixel (semantic segmentation)",
               .keys = keys},
    .paper = "Strudel et al. 2021, Segmenter; on ViTTM as in Jajal et al. 2025, section 4.4",
    .dense = 1,
    .build = build,
};
