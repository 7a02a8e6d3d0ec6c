/* Masked autoencoding: how many patches are kept, and what the decoders are made of. */
#include "model/model.h"

#include "base/error.h"
#include "model/mae.h"
#include "tensor/graph/graph.h"
#include "train/run_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 64 memory patches and 16 process patches. */
static const char tiny[] =
    "model: {family: vittm, image_size: 32, classes: 10, dim: 16, depth: 2, heads: 2,\n"
    "  memory_patch: 4, process_patch: 8, latent_dim: 8}\n"
    "data: {dataset: shapes}\n"
    "train: {objective: mae, mae: {dim: 16, depth: 1, heads: 2}}\n";

static const char published[] =
    "model: {family: vittm, image_size: 224, classes: 10, dim: 32, depth: 1, heads: 2,\n"
    "  memory_patch: 16, process_patch: 32, latent_dim: 8}\n"
    "data: {dataset: shapes}\n"
    "train: {objective: mae}\n";

static void set(struct config *c, const char *key, const char *value)
{
    struct error err = {0};
    if (value && config_set(c, key, value, (struct config_origin){"test", 0, 0}, &err))
        fail_msg("%s", err.msg);
}

static struct config *configure(const char *text, const char *hidden, const char *masks)
{
    struct error err = {0};
    struct config *c;
    if (run_config_parse(&c, "test", text, strlen(text), &err))
        fail_msg("%s", err.msg);
    set(c, "train.mae.hidden", hidden);
    set(c, "train.mae.masks", masks);
    if (config_resolve(c, &err))
        fail_msg("%s", err.msg);
    return c;
}

static struct graph *built(const struct config *c, struct model_io *io)
{
    struct error err = {0};
    struct graph *g = model_build(c, &(struct model_options){.batch = 1}, io, &err);
    if (!g)
        fail_msg("%s", err.msg);
    return g;
}

/* Parameters of a stream's decoder: 8 blocks of width 512 behind an embedding of width 32. */
static int64_t decoder_size(int64_t patches, int64_t values)
{
    enum { DIM = 512, BLOCKS = 8, HIDDEN = 4 * DIM };
    int64_t block = 2 * 2 * DIM + (DIM + 1) * 3 * DIM + (DIM + 1) * DIM + (DIM + 1) * HIDDEN +
                    (HIDDEN + 1) * DIM;
    return (32 + 1) * DIM + patches * DIM + BLOCKS * block + 2 * DIM + (DIM + 1) * values;
}

/* What nothing but train.objective mae asks for: three quarters hidden, two decoders of the
 * authors' size, one mask token. */
static void test_published_sizes(void **state)
{
    (void)state;
    struct model_io io;
    struct config *c = configure(published, NULL, NULL);
    struct graph *g = built(c, &io);
    static const int64_t counts[MAE_STREAMS][4] = {{14, 49, 147, 768}, {7, 12, 37, 3072}};
    int64_t expected[MAE_STREAMS], sizes[MAE_STREAMS] = {0}, shared = 0;
    for (int i = 0; i < MAE_STREAMS; i++) {
        const struct mae_stream *s = &io.mae->streams[i];
        assert_int_equal(s->side, counts[i][0]);
        assert_int_equal(s->n_kept, counts[i][1]);
        assert_int_equal(s->n_hidden, counts[i][2]);
        expected[i] = decoder_size(s->side * s->side, counts[i][3]);
    }
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        if (t->kind != TENSOR_PARAM)
            continue;
        sizes[MAE_MEMORY] += strncmp(t->name, "memory_decoder.", 15) ? 0 : shape_count(t->shape);
        sizes[MAE_PROCESS] += strncmp(t->name, "process_decoder.", 16) ? 0 : shape_count(t->shape);
        shared += strcmp(t->name, "mask_token") ? 0 : shape_count(t->shape);
    }
    assert_int_equal(sizes[MAE_MEMORY], expected[MAE_MEMORY]);
    assert_int_equal(sizes[MAE_PROCESS], expected[MAE_PROCESS]);
    assert_int_equal(shared, 512);
    graph_free(g);
    config_free(c);
}

/* int(n * (1 - share)), whatever is left over. */
static void test_kept_counts(void **state)
{
    (void)state;
    static const struct {
        const char *hidden, *masks;
        int64_t memory, process;
    } cases[] = {{"0.75", "independent", 16, 4}, {"0.6", "independent", 25, 6},
                 {"0.9", "independent", 6, 1},   {"0.2", "independent", 51, 12},
                 {"0.6", "matched", 24, 6},      {"0.9", "matched", 4, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_io io;
        struct config *c = configure(tiny, cases[i].hidden, cases[i].masks);
        struct graph *g = built(c, &io);
        assert_int_equal(io.mae->streams[MAE_MEMORY].n_kept, cases[i].memory);
        assert_int_equal(io.mae->streams[MAE_MEMORY].n_hidden, 64 - cases[i].memory);
        assert_int_equal(io.mae->streams[MAE_PROCESS].n_kept, cases[i].process);
        assert_int_equal(io.mae->streams[MAE_PROCESS].n_hidden, 16 - cases[i].process);
        graph_free(g);
        config_free(c);
    }
}

static void expect_start(const struct graph *g, const char *name, enum init_kind kind, double scale)
{
    const struct tensor *t = graph_find(g, name);
    assert_non_null(t);
    if (t->init.kind != kind || !(fabs(t->init.scale - scale) < 1e-9))
        fail_msg("%s starts with kind %d, %g", name, (int)t->init.kind, t->init.scale);
}

static void test_start_values(void **state)
{
    (void)state;
    struct model_io io;
    struct config *c = configure(tiny, NULL, NULL);
    struct graph *g = built(c, &io);
    expect_start(g, "mask_token", INIT_NORMAL, 0.02);
    expect_start(g, "memory_decoder.embed.weight", INIT_UNIFORM, sqrt(6.0 / (16 + 16)));
    expect_start(g, "memory_decoder.embed.bias", INIT_ZERO, 0);
    expect_start(g, "memory_decoder.blocks.0.attn.qkv.weight", INIT_UNIFORM, sqrt(6.0 / (16 + 48)));
    expect_start(g, "memory_decoder.blocks.0.mlp.fc1.weight", INIT_UNIFORM, sqrt(6.0 / (16 + 64)));
    expect_start(g, "process_decoder.pred.weight", INIT_UNIFORM, sqrt(6.0 / (16 + 192)));
    expect_start(g, "process_decoder.pred.bias", INIT_ZERO, 0);
    expect_start(g, "blocks.0.attn.qkv.weight", INIT_NORMAL, 0.02); /* the encoder as ever */
    graph_free(g);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_sizes),
        cmocka_unit_test(test_kept_counts),
        cmocka_unit_test(test_start_values),
    };
    return cmocka_run_group_tests_name("train/mae_sizes", tests, NULL, NULL);
}
