/* What a ViTTM gives to a decoder of dense predictions: its tokens as a map of features.
 *
 * The image is padded to whole patches of both streams, so that each lies on a grid that covers it,
 * and no norm follows the last write (the authors' segmentation backbone). model.decoder.streams
 * says which stream the decoder sees, model.decoder.blocks behind which layers; what is seen
 * together is moved to the finer of the grids, bilinearly, and joined on channels, layer by layer,
 * process tokens first. What the authors' class has and does not compute is declared, so that it is
 * counted, and never trained. */
#include "model/features.h"
#include "model/memory_input.h"
#include "model/process_init.h"
#include "model/vittm_internal.h"
#include "nn/nn.h"

#include <string.h>

static int64_t common_multiple(int64_t a, int64_t b)
{
    int64_t x = a, y = b;
    while (y) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

/* The classifiers and norms that the authors' segmentation class inherits and does not call. */
static void declare_classifiers(struct builder *b)
{
    static const char *const norms[] = {"fc_norm", "process_norm", "fc_norm_process"};
    int64_t classes = config_int(b->c, "model.backbone_classes"),
            dim = config_int(b->c, "model.dim");
    for (size_t i = 0; classes && i < sizeof norms / sizeof *norms; i++) {
        const char *old = nn_enter(b, norms[i]);
        nn_unused_param(b, "weight", SHAPE(dim), nn_one);
        nn_unused_param(b, "bias", SHAPE(dim), nn_zero);
        nn_pop(b, old);
    }
    if (classes) {
        nn_unused_linear(b, "head", dim, classes);
        nn_unused_linear(b, "process_head", dim, classes);
    }
}

/* Where the decoder looks at the process tokens alone, the last write is not computed; its
 * parameters are counted, as the authors' are, and never trained. */
static void drop_unseen(struct graph *g, struct tensor *seen)
{
    graph_prune(g, &seen, 1);
    char *read = arena_alloc(&g->arena, (size_t)g->n_tensors);
    memset(read, 0, (size_t)g->n_tensors);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            read[g->nodes[i]->in[k]->id] = 1;
    for (int i = 0; i < g->n_tensors; i++)
        g->tensors[i]->unused |= g->tensors[i]->kind == TENSOR_PARAM && !read[i];
}

struct stream_grids {
    struct grid memory, process; /* process.rows 0: its tokens have no places */
};

/* The stream that the configuration names, or a refusal. */
static enum feature_stream choose_stream(struct builder *b, const struct stream_grids *grids)
{
    enum feature_stream s = features_stream(b->c);
    if (s == FEATURES_AUTO)
        s = grids->memory.rows == grids->process.rows && grids->memory.cols == grids->process.cols
                ? FEATURES_BOTH
                : FEATURES_PROCESS;
    if (s != FEATURES_MEMORY && !grids->process.rows)
        nn_refuse(b, "model.decoder.streams",
                  "process tokens of model.process_init %s have no places in the image (choose "
                  "memory)",
                  config_string(b->c, "model.process_init"));
    return s;
}

/* x (B,N,C) on one grid, bilinearly on another. */
static struct tensor *move_to(struct builder *b, struct tensor *x, struct grid from, struct grid to)
{
    struct arena *a = &b->g->arena;
    if (from.rows == to.rows && from.cols == to.cols)
        return x;
    struct mixing *rows = mixing_resize(a, MIXING_BILINEAR, from.rows, to.rows);
    struct mixing *cols = mixing_resize(a, MIXING_BILINEAR, from.cols, to.cols);
    return op_resample(b->g, x, 1, mixing_grid(a, rows, cols),
                       4 * to.rows * to.cols * shape_last(x->shape));
}

static void join(struct builder *b, enum feature_stream stream, const struct stream_grids *grids,
                 const struct vittm_tokens *behind, const int64_t *taps, int n,
                 struct features *out)
{
    struct tensor **parts = ARENA_ARRAY(&b->g->arena, struct tensor *, 2 * n);
    int n_parts = 0, has_process = stream != FEATURES_MEMORY,
        has_memory = stream != FEATURES_PROCESS;
    out->grid = has_process ? grids->process : grids->memory;
    if (has_memory && grids->memory.rows * grids->memory.cols > out->grid.rows * out->grid.cols)
        out->grid = grids->memory;
    for (int i = 0; i < n; i++) {
        const struct vittm_tokens *x = &behind[taps[i]];
        if (has_process)
            parts[n_parts++] = move_to(b, x->process, grids->process, out->grid);
        if (has_memory)
            parts[n_parts++] = move_to(b, x->memory, grids->memory, out->grid);
    }
    out->tokens = n_parts > 1 ? op_concat(b->g, parts, n_parts, 2) : parts[0];
    if (!has_memory)
        drop_unseen(b->g, out->tokens);
}

/* Both streams as they leave the last write, without a final norm (the authors' segmentation
 * backbone). */
void vittm_features(struct builder *b, struct tensor *image, struct features *out)
{
    const struct config *c = b->c;
    struct vittm_parts p;
    struct vittm_tokens x, *behind;
    int64_t depth = config_int(c, "model.depth"), patch = config_int(c, "model.memory_patch");
    int64_t *taps = ARENA_ARRAY(&b->g->arena, int64_t, depth);
    int n = features_taps(b, depth, taps);
    if (!n || features_check_merges(b, n) || vittm_find_parts(b, &p, 0) ||
        memory_input_must_be_image(b, "train.objective segment"))
        return;
    image = nn_pad_image(
        b, image, p.process_init->patch ? common_multiple(patch, p.process_init->patch(c)) : patch);
    int64_t height = image->shape.dim[2], width = image->shape.dim[3];
    struct stream_grids grids = {.memory = {height / patch, width / patch}};
    if (p.process_init->grid)
        grids.process =
            (struct grid){p.process_init->grid(c, height), p.process_init->grid(c, width)};
    enum feature_stream stream = choose_stream(b, &grids);
    if (graph_failed(b->g, NULL) || vittm_embed(b, &p, image, image, &x))
        return;
    behind = ARENA_ARRAY(&b->g->arena, struct vittm_tokens, depth);
    vittm_run_layers(b, &p, &x, behind);
    if (graph_failed(b->g, NULL))
        return;
    *out = (struct features){.height = height, .width = width};
    declare_classifiers(b);
    join(b, stream, &grids, behind, taps, n, out);
}
