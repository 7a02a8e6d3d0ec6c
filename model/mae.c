/* Masked autoencoding of a ViTTM. Loss: mean over images of each stream's error, added up; an
 * image's error is the squared difference, averaged over the pixels of a patch and over the hidden
 * patches. */
#include "model/mae.h"
#include "base/memory.h"
#include "base/rng.h"
#include "model/memory_input.h"
#include "model/objective.h"
#include "model/process_init.h"
#include "model/vittm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mask_kind { MASKS_INDEPENDENT, MASKS_MATCHED };

static const struct config_choice mask_kinds[] = {
    {.name = "independent", .doc = "each stream hides patches of its own"},
    {.name = "matched", .doc = "the memory hides what lies under the hidden process patches"}};

static const struct config_choice *mask_choice(int i)
{
    return i >= 0 && i < 2 ? &mask_kinds[i] : NULL;
}

static const struct config_key keys[] = {
    {.name = "train.mae.hidden",
     .type = CONFIG_FLOAT,
     .fallback = "0.75",
     .min = 0.001,
     .max = 0.999,
     .doc = "share of the patches that are hidden; of n patches int(n * (1 - it)) are kept"},
    {.name = "train.mae.masks",
     .type = CONFIG_CHOICE,
     .fallback = "independent",
     .choice = mask_choice,
     .doc = "how the masks of the two streams go together"},
    {.name = "train.mae.normalize",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .doc = "the pixels to be told are normalised, patch by patch"},
    {.name = "train.mae.dim",
     .type = CONFIG_INT,
     .fallback = "512",
     .min = 1,
     .max = 65536,
     .doc = "token width of the decoders"},
    {.name = "train.mae.depth",
     .type = CONFIG_INT,
     .fallback = "8",
     .min = 1,
     .max = 1000,
     .doc = "encoder blocks of each decoder"},
    {.name = "train.mae.heads",
     .type = CONFIG_INT,
     .fallback = "16",
     .min = 1,
     .max = 1024,
     .doc = "attention heads of the decoders"},
    {.name = "train.mae.mlp_ratio",
     .type = CONFIG_FLOAT,
     .fallback = "4",
     .min = 0.01,
     .max = 64,
     .doc = "hidden width of a decoder block's MLP over its width"},
    {.name = "train.mae.norm_eps",
     .type = CONFIG_FLOAT,
     .fallback = "1e-5",
     .min = 1e-12,
     .max = 1,
     .doc = "epsilon of the decoders' layer norms"},
    {0},
};

/* ---- masks ----------------------------------------------------------------------------------- */

/* Marks of one stream -> places in ascending order. */
static void split(const unsigned char *hides, int64_t n, int32_t *kept, int32_t *hidden)
{
    for (int64_t i = 0; i < n; i++) {
        if (hides[i])
            *hidden++ = (int32_t)i;
        else
            *kept++ = (int32_t)i;
    }
}

static void draw_stream(const struct mae_stream *s, uint64_t seed, uint64_t epoch, uint64_t sample,
                        unsigned char *hides)
{
    char purpose[32];
    struct rng r;
    int64_t n = s->side * s->side;
    int32_t *order = mem_alloc(sizeof *order * (size_t)n);
    snprintf(purpose, sizeof purpose, "mae/%s", s->name);
    rng_init(&r, seed, purpose, epoch, sample);
    rng_permutation(&r, order, n);
    memset(hides, 1, (size_t)n);
    for (int64_t i = 0; i < s->n_kept; i++)
        hides[order[i]] = 0;
    free(order);
}

/* Nearest upsampling. */
static void enlarge(const unsigned char *small, int64_t small_side, unsigned char *large,
                    int64_t side)
{
    int64_t times = side / small_side;
    for (int64_t y = 0; y < side; y++)
        for (int64_t x = 0; x < side; x++)
            large[y * side + x] = small[y / times * small_side + x / times];
}

void mae_draw(const struct mae *m, uint64_t seed, uint64_t epoch, uint64_t sample,
              int32_t *const kept[MAE_STREAMS], int32_t *const hidden[MAE_STREAMS])
{
    unsigned char *hides[MAE_STREAMS];
    for (int i = MAE_STREAMS - 1; i >= 0; i--) { /* the process first: the memory may follow it */
        const struct mae_stream *s = &m->streams[i];
        hides[i] = mem_alloc((size_t)(s->side * s->side));
        if (m->matched && i == MAE_MEMORY)
            enlarge(hides[MAE_PROCESS], m->streams[MAE_PROCESS].side, hides[i], s->side);
        else
            draw_stream(s, seed, epoch, sample, hides[i]);
        split(hides[i], s->side * s->side, kept[i], hidden[i]);
    }
    for (int i = 0; i < MAE_STREAMS; i++)
        free(hides[i]);
}

/* ---- what there is to keep ------------------------------------------------------------------- */

static void set_counts(struct mae_stream *s, int64_t n_kept)
{
    s->n_kept = n_kept;
    s->n_hidden = s->side * s->side - n_kept;
}

static int plan_matched(struct builder *b, struct mae *m)
{
    struct mae_stream *memory = &m->streams[MAE_MEMORY], *process = &m->streams[MAE_PROCESS];
    int64_t times = memory->side / process->side;
    if (memory->side % process->side) {
        graph_refuse(b->g,
                     "train.mae.masks matched: every process patch must lie over as many memory "
                     "patches, and a grid of %lld x %lld is none of %lld x %lld enlarged (choose "
                     "model.process_patch a multiple of model.memory_patch)",
                     (long long)memory->side, (long long)memory->side, (long long)process->side,
                     (long long)process->side);
        return -1;
    }
    set_counts(memory, process->n_kept * times * times);
    return 0;
}

static int plan_masks(struct builder *b, struct mae *m, struct tensor *const image[MAE_STREAMS])
{
    double share = 1 - config_float(b->c, "train.mae.hidden");
    static const char *const names[] = {"memory", "process"};
    for (int i = 0; i < MAE_STREAMS; i++) {
        struct mae_stream *s = &m->streams[i];
        const char *key = arena_printf(&b->g->arena, "model.%s_patch", names[i]);
        s->name = names[i];
        s->side = image[i]->shape.dim[2] / config_int(b->c, key);
        s->kept = arena_printf(&b->g->arena, "mask/%s_kept", names[i]);
        s->hidden = arena_printf(&b->g->arena, "mask/%s_hidden", names[i]);
        s->error = arena_printf(&b->g->arena, "output/%s_error", names[i]);
        set_counts(s, (int64_t)((double)(s->side * s->side) * share));
        if (s->n_kept < 1 || s->n_hidden < 1) {
            graph_refuse(b->g,
                         "train.mae.hidden %g keeps %lld of the %lld %s patches: some must be "
                         "kept and some hidden (a smaller %s)",
                         1 - share, (long long)s->n_kept, (long long)(s->side * s->side), names[i],
                         key);
            return -1;
        }
    }
    m->matched = config_choice(b->c, "train.mae.masks") == &mask_kinds[MASKS_MATCHED];
    return m->matched ? plan_matched(b, m) : 0;
}

static int suits(struct builder *b, const struct model *m)
{
    const struct config *c = b->c;
    if (strcmp(m->choice.name, "vittm") != 0) {
        graph_refuse(b->g, "train.objective mae trains the two streams of model.family vittm");
        return 0;
    }
    const struct process_init *init =
        (const struct process_init *)config_choice(c, "model.process_init");
    if (strcmp(init->choice.name, "patch") != 0) {
        graph_refuse(b->g,
                     "train.objective mae hides process patches, which model.process_init %s does "
                     "not have (choose patch)",
                     init->choice.name);
        return 0;
    }
    return nn_check_heads(b, "train.mae.dim", config_int(c, "train.mae.dim"),
                          (int)config_int(c, "train.mae.heads"));
}

/* ---- decoders -------------------------------------------------------------------------------- */

/* Rows of the hidden patches, their values in the order (row, column, channel): (B,n,p*p*c). */
static struct tensor *targets(struct builder *b, struct tensor *image, int64_t side,
                              struct tensor *hidden)
{
    struct graph *g = b->g;
    int64_t patch = image->shape.dim[2] / side, channels = image->shape.dim[1];
    int64_t cells = patch * patch, n = hidden->shape.dim[1];
    struct tensor *x = op_gather_rows(g, op_patchify(g, image, patch), hidden, 1); /* (B,n,c*p*p) */
    x = op_swap(g, op_reshape(g, x, SHAPE(b->batch, n, channels, cells)), 2);      /* (B,n,p*p,c) */
    x = op_reshape(g, x, SHAPE(b->batch, n, cells * channels));
    if (!config_bool(b->c, "train.mae.normalize"))
        return x;
    double values = (double)(cells * channels);
    if (values < 2) {
        graph_refuse(g, "train.mae.normalize needs patches of more than one value");
        return x;
    }
    x = op_sub(g, x, op_sum(g, x, 2, 1, 1, 1 / values));
    struct tensor *variance = op_sum(g, op_mul(g, x, x), 2, 1, 1, 1 / (values - 1)); /* unbiased */
    return op_div(g, x, op_sqrt(g, op_affine(g, variance, 1, 1e-6)));
}

static struct tensor *decoder_blocks(struct builder *b, struct tensor *x)
{
    struct block_options o = {.heads = (int)config_int(b->c, "train.mae.heads"),
                              .mlp_ratio = config_float(b->c, "train.mae.mlp_ratio"),
                              .eps = config_float(b->c, "train.mae.norm_eps")};
    int64_t depth = config_int(b->c, "train.mae.depth");
    for (int64_t i = 0; i < depth; i++) {
        const char *name = nn_numbered(b, "blocks", i);
        x = nn_block(b, name, x, &o);
    }
    return x;
}

/* Kept tokens (B,k,C) -> pixels of the hidden patches (B,n,values). The hidden ones' places hold
 * the mask token and stand behind the kept ones: attention does not mind the order. */
static struct tensor *decode(struct builder *b, const struct mae_stream *s, struct tensor *tokens,
                             struct tensor *kept, struct tensor *hidden, int64_t values)
{
    struct graph *g = b->g;
    int64_t dim = config_int(b->c, "train.mae.dim");
    struct tensor *mask = nn_param(b, "mask_token", SHAPE(1, 1, dim), nn_normal_002);
    const char *old = nn_push(b, "%s_decoder", s->name);
    struct tensor *places =
        nn_param(b, "pos_embed", SHAPE(1, s->side * s->side, dim), nn_normal_002);
    places = op_repeat(g, places, b->batch); /* (B,N,D) */
    struct tensor *x = nn_linear(b, "embed", tokens, dim);
    struct tensor *both[] = {op_add(g, x, op_gather_rows(g, places, kept, 1)),
                             op_add(g, op_gather_rows(g, places, hidden, 1), mask)};
    x = decoder_blocks(b, op_concat(g, both, 2, 1)); /* (B,N,D) */
    x = op_slice(g, x, 1, s->n_kept, s->n_hidden);
    x = nn_layer_norm(b, "norm", x, config_float(b->c, "train.mae.norm_eps"));
    x = nn_linear(b, "pred", x, values);
    nn_pop(b, old);
    return x;
}

/* (B) */
static struct tensor *stream_error(struct builder *b, const struct mae_stream *s,
                                   struct tensor *image, struct tensor *tokens, struct tensor *kept,
                                   struct tensor *hidden)
{
    struct graph *g = b->g;
    struct tensor *want = targets(b, image, s->side, hidden);
    int64_t values = shape_last(want->shape);
    struct tensor *got = decode(b, s, tokens, kept, hidden, values);
    struct tensor *d = op_sub(g, got, want);
    if (b->token_outputs)
        graph_output(g, arena_printf(&g->arena, "output/%s_prediction", s->name), got);
    return op_sum(g, op_mul(g, d, d), 1, 2, 0, 1 / (double)(s->n_hidden * values));
}

static void build(struct builder *b, const struct model *m, const struct model_options *o,
                  struct model_io *io)
{
    struct graph *g = b->g;
    struct mae *mae = ARENA_NEW(&g->arena, struct mae);
    struct tensor *kept[MAE_STREAMS], *hidden[MAE_STREAMS];
    struct vittm_tokens tokens;
    (void)o; /* the errors are what there is to see: with or without training */
    if (!suits(b, m))
        return;
    struct tensor *image[MAE_STREAMS] = {memory_input(b, io), io->image};
    if (graph_failed(g, NULL) || plan_masks(b, mae, image))
        return;
    for (int i = 0; i < MAE_STREAMS; i++) {
        const struct mae_stream *s = &mae->streams[i];
        kept[i] = graph_input(g, s->kept, SHAPE(b->batch, s->n_kept), TENSOR_INT);
        hidden[i] = graph_input(g, s->hidden, SHAPE(b->batch, s->n_hidden), TENSOR_INT);
    }
    struct vittm_keep keep = {kept[MAE_MEMORY], kept[MAE_PROCESS]};
    if (vittm_encode(b, io, &keep, &tokens))
        return;
    struct tensor *of[MAE_STREAMS] = {tokens.memory, tokens.process};
    b->xavier = 1;
    for (int i = 0; i < MAE_STREAMS; i++) {
        const struct mae_stream *s = &mae->streams[i];
        struct tensor *error = stream_error(b, s, image[i], of[i], kept[i], hidden[i]);
        graph_output(g, s->error, error);
        model_add_loss(g, io, s->name, op_sum(g, error, 0, 1, 0, 1 / (double)b->batch));
    }
    graph_output(g, "loss", io->loss);
    io->mae = mae;
}

const struct objective objective_mae = {
    .choice = {.name = "mae",
               .doc = "the pixels of hidden patches (masked autoencoder)",
               .keys = keys},
    .paper = "He et al. 2022, Masked Autoencoders Are Scalable Vision Learners; both streams as in "
             "the ViTTM authors' code",
    .unlabelled = 1,
    .build = build,
};
