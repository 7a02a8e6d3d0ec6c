/* ViTTM, the Vision Token Turing Machine (Jajal et al. 2025): few process tokens go through the
 * encoder blocks and read from and write to many memory tokens at every layer.
 *
 * The order of norms, reads and writes is the authors' code's: both streams are normalised, with
 * one set of weights, before the read and again before the write, and the norms replace the
 * streams, so no un-normalised path crosses a layer. */
#include "fusion/fusion.h"
#include "heads/head.h"
#include "model/consistency.h"
#include "model/features.h"
#include "model/memory_block.h"
#include "model/memory_input.h"
#include "model/keys.h"
#include "model/model.h"
#include "model/process_init.h"
#include "model/reducer.h"
#include "model/vittm_internal.h"
#include "nn/nn.h"

enum stream { STREAM_PROCESS, STREAM_MEMORY };

static const struct config_choice streams[] = {
    {.name = "process", .doc = "in the encoder blocks"},
    {.name = "memory", .doc = "between read and write, by the memory tokens themselves"},
};

static const struct config_choice *stream_choice(int i)
{
    return i >= 0 && i < 2 ? &streams[i] : NULL;
}

static const struct config_key keys[] = {
    MODEL_TOWER_KEYS,
    MODEL_TABLE_SIZE_KEY,
    MODEL_POS_RESIZE_KEY,
    {.name = "model.memory_patch",
     .type = CONFIG_INT,
     .fallback = "16",
     .min = 1,
     .max = 1024,
     .doc = "side of a memory patch, pixels"},
    {.name = "model.memory_input",
     .type = CONFIG_CHOICE,
     .fallback = "image",
     .choice = memory_input_choice,
     .doc = "what the memory tokens are patches of"},
    {.name = "model.process_init",
     .type = CONFIG_CHOICE,
     .fallback = "patch",
     .choice = process_init_choice,
     .doc = "where the process tokens come from"},
    {.name = "model.rw_head",
     .type = CONFIG_CHOICE,
     .fallback = "linear",
     .choice = head_choice,
     .doc = "read-write head"},
    {.name = "model.fusion",
     .type = CONFIG_CHOICE,
     .fallback = "add",
     .choice = fusion_choice,
     .doc = "how what was read or written meets the tokens"},
    {.name = "model.memory_block",
     .type = CONFIG_CHOICE,
     .fallback = "none",
     .choice = memory_block_choice,
     .doc = "block on the memory stream"},
    {.name = "model.memory_dim",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 65536,
     .doc = "width of the memory tokens (0: dim); heads project what they read to the asking "
            "stream's width"},
    {.name = "model.rw_every",
     .type = CONFIG_INT,
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .doc = "read and write at layers 0, k, 2k, …; between them only the process tokens move"},
    MODEL_LAYER_SCALE_KEY,
    MODEL_REDUCE_KEY,
    {.name = "model.reduce.stream",
     .type = CONFIG_CHOICE,
     .fallback = "process",
     .choice = stream_choice,
     .doc = "which tokens model.reduce.method merges"},
    {.name = "model.upstream_patch_size",
     .type = CONFIG_INT,
     .fallback = "16",
     .min = 1,
     .max = 1024,
     .doc = "patch of the ViT that the authors' class derives from: sizes its unused tables, and "
            "its patch "
            "embedding is the memory's where both patches agree"},
    MODEL_EVAL_HEAD_KEY,
    {0},
};

static const char *in_scope(const struct builder *b, const char *name)
{
    const char *scope = b->g->scope;
    return *scope ? arena_printf(&b->g->arena, "%s.%s", scope, name) : name;
}

static void second_name(struct builder *b, const char *name, const char *other)
{
    graph_find(b->g, in_scope(b, name))->alias_name = in_scope(b, other);
}

/* What the authors' class inherits from timm's ViT and never reads. */
static void declare_inherited(struct builder *b, const struct tensor *image, int64_t memory_patch,
                              int64_t dim)
{
    int64_t patch = config_int(b->c, "model.upstream_patch_size");
    int64_t table = config_int(b->c, "model.table_image_size"), channels = image->shape.dim[1];
    int64_t rows = (table ? table : image->shape.dim[2]) / patch;
    int64_t cols = (table ? table : image->shape.dim[3]) / patch;
    nn_unused_param(b, "cls_token", SHAPE(1, 1, dim), (struct init){INIT_NORMAL, 1e-6});
    nn_unused_param(b, "pos_embed", SHAPE(1, rows * cols + 1, dim), nn_normal_002);
    if (patch != memory_patch) {
        nn_unused_patch_embed(b, "patch_embed", channels, patch, dim);
        return;
    }
    second_name(b, "memory_embedder.proj.weight", "patch_embed.proj.weight");
    second_name(b, "memory_embedder.proj.bias", "patch_embed.proj.bias");
}

/* Stochastic depth on what was read or written, with the full rate: the authors have it in their
 * segmentation class only. */
static struct tensor *drop_transfer(struct builder *b, const char *direction, int64_t layer,
                                    struct tensor *fresh)
{
    double rate = config_float(b->c, "model.drop_path");
    if (!b->dense || !b->training || rate <= 0)
        return fresh;
    const char *name =
        arena_printf(&b->g->arena, "%s_head.%lld.drop_path", direction, (long long)layer);
    return op_drop_path(b->g, fresh, rate, name);
}

/* What reads or writes is called after the direction. */
struct direction {
    const char *name, *head, *fusion, *norm, *norm_process;
};
static const struct direction reading = {"read", "read_head", "read_fusion", "read_norm",
                                         "read_norm_process"};
static const struct direction writing = {"write", "write_head", "write_fusion", "write_norm",
                                         "write_norm_process"};

static struct tensor *transfer(struct builder *b, const struct vittm_parts *p,
                               const struct direction *direction, int64_t layer,
                               struct tensor *source, struct tensor *query)
{
    int64_t width = shape_last(query->shape);
    const char *old = nn_enter(b, nn_numbered(b, direction->head, layer));
    if (shape_last(source->shape) != width)
        source = nn_linear(b, "source", source, width);
    struct tensor *fresh = p->head->build(b, source, query);
    nn_pop(b, old);
    fresh = drop_transfer(b, direction->name, layer, fresh);
    old = nn_enter(b, direction->fusion);
    struct tensor *fused = p->fusion->build(b, fresh, query);
    nn_pop(b, old);
    return fused;
}

/* One LayerNorm over both streams; one each where their widths differ. */
static void normalise(struct builder *b, const struct direction *direction, int64_t layer,
                      struct tensor **memory, struct tensor **process)
{
    const char *name = nn_numbered(b, direction->norm, layer);
    *memory = nn_layer_norm(b, name, *memory, NN_EPS_TIMM);
    if (shape_last((*memory)->shape) != shape_last((*process)->shape))
        name = nn_numbered(b, direction->norm_process, layer);
    *process = nn_layer_norm(b, name, *process, NN_EPS_TIMM);
}

static void layer(struct builder *b, struct vittm_parts *p, int64_t i,
                  const struct block_options *o, struct tensor **memory, struct tensor **process)
{
    const char *block = nn_numbered(b, "blocks", i);
    if (i % p->every) {
        *process = reduction_block(b, &p->process_merges, i, block, *process, o);
        return;
    }
    normalise(b, &reading, i, memory, process);
    *process = transfer(b, p, &reading, i, *memory, *process);
    struct tensor *kept = *memory;
    if (p->memory_block->before_write)
        *memory = p->memory_block->before_write(b, i, *memory);
    *memory = reduction_merge(b, &p->memory_merges, i, *memory);
    *process = reduction_block(b, &p->process_merges, i, block, *process, o);
    normalise(b, &writing, i, memory, process);
    *memory = transfer(b, p, &writing, i, *process, *memory);
    if (p->memory_block->after_write)
        *memory = p->memory_block->after_write(b, i, *memory, kept);
}

/* Mean over tokens, norm and a classifier that starts at zero. */
static struct tensor *classify(struct builder *b, const char *norm, const char *head,
                               struct tensor *x)
{
    struct tensor *pooled = nn_layer_norm(b, norm, op_mean_tokens(b->g, x), NN_EPS_TIMM);
    return nn_linear_init(b, head, pooled, config_int(b->c, "model.classes"), nn_zero);
}

/* Merging leaves another number of tokens to each layer, in no spatial order. */
static int can_merge(struct builder *b, const struct vittm_parts *p)
{
    int of_memory = config_choice(b->c, "model.reduce.stream") == &streams[STREAM_MEMORY];
    const char *method = config_string(b->c, "model.reduce.method");
    if (!((const struct reducer *)config_choice(b->c, "model.reduce.method"))->block)
        return 1;
    if (p->fusion->fixed_tokens)
        graph_refuse(b->g,
                     "model.fusion %s needs the same number of tokens in all layers, which "
                     "model.reduce.method %s changes",
                     p->fusion->choice.name, method);
    else if (consistency_asked(b))
        graph_refuse(b->g, "model.reduce.consistency trains models of family vit only");
    else if (of_memory && p->memory_block->changes_tokens)
        graph_refuse(b->g,
                     "model.memory_block %s works on neighbouring memory tokens, which "
                     "model.reduce.method %s takes apart (choose model.reduce.stream process)",
                     p->memory_block->choice.name, method);
    return !graph_failed(b->g, NULL);
}

static void begin_merges(struct builder *b, struct vittm_parts *p, const struct tensor *memory,
                         const struct tensor *process, int64_t depth)
{
    if (config_choice(b->c, "model.reduce.stream") == &streams[STREAM_MEMORY])
        reduction_init(&p->memory_merges, b, memory, depth, 0);
    else
        reduction_init(&p->process_merges, b, process, depth, 0);
}

static int compatible(struct builder *b, const struct vittm_parts *p)
{
    if (p->fusion->replaces && p->head->ignores_query && p->head->ignores_query(b->c)) {
        graph_refuse(
            b->g,
            "model.rw_head %s does not look at the tokens that ask and model.fusion %s drops "
            "them, so they would have no effect (for dyna: model.dyna_concat true)",
            p->head->choice.name, p->fusion->choice.name);
        return 0;
    }
    if (!can_merge(b, p))
        return 0;
    if (!p->memory_block->changes_tokens)
        return 1;
    if (p->head->fixed_tokens || p->fusion->fixed_tokens) {
        graph_refuse(
            b->g,
            "model.%s %s needs a fixed number of memory tokens, which model.memory_block %s "
            "changes before the write",
            p->head->fixed_tokens ? "rw_head" : "fusion",
            p->head->fixed_tokens ? p->head->choice.name : p->fusion->choice.name,
            p->memory_block->choice.name);
        return 0;
    }
    return 1;
}

/* Sizes that follow from token counts, and merges, cannot be where tokens are left out. */
static int can_leave_out(struct builder *b, const struct vittm_parts *p)
{
    const char *why = "depends on the number of tokens, which is another where some are left out";
    if (p->head->fixed_tokens)
        graph_refuse(b->g, "model.rw_head %s %s", p->head->choice.name, why);
    else if (p->fusion->fixed_tokens)
        graph_refuse(b->g, "model.fusion %s %s", p->fusion->choice.name, why);
    else if (((const struct reducer *)config_choice(b->c, "model.reduce.method"))->block)
        graph_refuse(b->g, "model.reduce.method %s merges tokens whose places must stay known",
                     config_string(b->c, "model.reduce.method"));
    return !graph_failed(b->g, NULL);
}

int vittm_find_parts(struct builder *b, struct vittm_parts *p, int leaves_out)
{
    const struct config *c = b->c;
    *p = (struct vittm_parts){
        .head = (const struct head *)config_choice(c, "model.rw_head"),
        .fusion = (const struct fusion *)config_choice(c, "model.fusion"),
        .memory_block = (const struct memory_block *)config_choice(c, "model.memory_block"),
        .process_init = (const struct process_init *)config_choice(c, "model.process_init"),
        .every = config_int(c, "model.rw_every"),
    };
    return compatible(b, p) && (!leaves_out || can_leave_out(b, p)) ? 0 : -1;
}

/* Side of the table for images of table pixels, and of the image's own grid. */
static struct pos_grid process_grid(const struct builder *b, const struct vittm_parts *p,
                                    const struct tensor *image, int64_t table)
{
    struct pos_grid at = {.kind = pos_resize_kind(b->c)};
    int64_t (*grid)(const struct config *, int64_t) = p->process_init->grid;
    if (!grid || !table)
        return at;
    at.now = (struct grid){grid(b->c, image->shape.dim[2]), grid(b->c, image->shape.dim[3])};
    at.stored = (struct grid){grid(b->c, table), grid(b->c, table)};
    return at;
}

int vittm_embed(struct builder *b, const struct vittm_parts *p, struct tensor *image,
                struct tensor *seen, struct vittm_tokens *out)
{
    const struct config *c = b->c;
    int64_t dim = config_int(c, "model.dim"), patch = config_int(c, "model.memory_patch");
    int64_t width = config_int(c, "model.memory_dim") ? config_int(c, "model.memory_dim") : dim;
    int64_t table = config_int(c, "model.table_image_size"), stored = memory_input_table(b) / patch;
    int inherits = width == dim && seen->shape.dim[1] == image->shape.dim[1];
    struct pos_grid grid = {.stored = {stored, stored}, .kind = pos_resize_kind(c)};
    if (graph_failed(b->g, NULL) || !nn_patch_grid(b, "model.memory_patch", patch, seen, &grid.now))
        return -1;
    struct tensor *memory =
        nn_patch_embed(b, "memory_embedder", seen, patch, width, PATCH_TORCH); /* (B,T,C) */
    struct tensor *process = p->process_init->build(b, image, memory, grid.now, dim);
    if (graph_failed(b->g, NULL))
        return -1;
    declare_inherited(b, image, inherits ? patch : 0, dim);
    out->memory = nn_pos_embed_grid(b, "memory_pos_embed", memory, grid);
    out->process = nn_pos_embed_grid(b, "process_pos_embed", process,
                                     process_grid(b, p, image, table)); /* (B,K,C) */
    return graph_failed(b->g, NULL);
}

void vittm_run_layers(struct builder *b, struct vittm_parts *p, struct vittm_tokens *x,
                      struct vittm_tokens *behind)
{
    const struct config *c = b->c;
    int64_t depth = config_int(c, "model.depth");
    struct block_options o = {.heads = (int)config_int(c, "model.heads"),
                              .mlp_ratio = config_float(c, "model.mlp_ratio"),
                              .layer_scale =
                                  config_bool(c, "model.layer_scale") ? MODEL_LAYER_SCALE_INIT : 0};
    begin_merges(b, p, x->memory, x->process, depth);
    for (int64_t i = 0; i < depth; i++) {
        o.drop_path = nn_drop_rate(config_float(c, "model.drop_path"), i, depth);
        layer(b, p, i, &o, &x->memory, &x->process);
        if (behind)
            behind[i] = *x;
    }
    x->memory = reduction_finish(b, &p->memory_merges, x->memory);
    x->process = reduction_finish(b, &p->process_merges, x->process);
    if (behind)
        behind[depth - 1] = *x;
}

int vittm_encode(struct builder *b, struct model_io *io, const struct vittm_keep *keep,
                 struct vittm_tokens *out)
{
    struct vittm_parts p;
    if (vittm_find_parts(b, &p, keep != NULL))
        return -1;
    struct tensor *seen = memory_input(b, io);
    if (graph_failed(b->g, NULL) || vittm_embed(b, &p, io->image, seen, out))
        return -1;
    if (keep) {
        out->memory = op_gather_rows(b->g, out->memory, keep->memory, 1);
        out->process = op_gather_rows(b->g, out->process, keep->process, 1);
    }
    vittm_run_layers(b, &p, out, NULL);
    out->process = nn_layer_norm(b, "process_norm", out->process, NN_EPS_TIMM);
    return graph_failed(b->g, NULL);
}

static void build(struct builder *b, struct model_io *io)
{
    struct vittm_tokens tokens;
    if (vittm_encode(b, io, NULL, &tokens))
        return;
    if (b->token_outputs) {
        graph_output(b->g, "output/memory_tokens", tokens.memory);
        graph_output(b->g, "output/process_tokens", tokens.process);
    }
    io->logits[0] = classify(b, "fc_norm", "head", tokens.memory);
    io->logits[1] = classify(b, "fc_norm_process", "process_head", tokens.process);
    io->logits_names[0] = "memory_logits";
    io->logits_names[1] = "process_logits";
    io->n_logits = 2;
}

const struct model model_vittm = {
    .choice = {.name = "vittm", .doc = "Vision Token Turing Machine", .keys = keys},
    .paper = "Jajal et al. 2025, Token Turing Machines are Efficient Vision Models",
    .build = build,
    .features = vittm_features,
    .features_scope = "backbone",
};
