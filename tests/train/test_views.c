/* The memory's own input: what each view shows, that both inputs are one augmented image, what it
 * costs, that it trains, and what is refused. */
#include "model/view.h"
#include "train/trainer.h"
#include "train/views.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "tensor/graph/graph.h"
#include "tests/support/run.h"
#include "tests/support/training.h"
#include "train/run_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char tiny[] =
    "model: {family: vittm, image_size: 16, classes: 10, dim: 16, depth: 2, heads: 2,\n"
    "  memory_patch: 8, process_patch: 8, latent_dim: 8, memory_input: second,\n"
    "  second: {view: image, image_size: 32}}\n"
    "data: {dataset: shapes, train_size: 100, val_size: 50}\n"
    "train: {epochs: 2, batch: 16, lr: 3e-3, eval_batch: 20}\n";

static struct config *configure(const char *const pairs[][2])
{
    return run_configure(tiny, pairs);
}

static struct device one_thread(void)
{
    return run_device("cpu", 1);
}

/* ---- what a view shows ----------------------------------------------------------------------- */

static const struct view *view_named(const char *name)
{
    for (int i = 0; view_at(i); i++)
        if (!strcmp(view_at(i)->choice.name, name))
            return view_at(i);
    fail_msg("no view %s", name);
    return NULL;
}

static void test_shrink(void **state)
{
    (void)state;
    const float in[2 * 4] = {1, 2, 3, 6, -1, 0, 5, 8};
    float out[2];
    view_shrink(in, 2, 2, 1, out);
    assert_float_equal(out[0], 3, 1e-6);
    assert_float_equal(out[1], 3, 1e-6);
    float ramp[16], half[4];
    for (int i = 0; i < 16; i++)
        ramp[i] = (float)i;
    view_shrink(ramp, 1, 4, 2, half);
    assert_float_equal(half[0], 2.5, 1e-6);
    assert_float_equal(half[1], 4.5, 1e-6);
    assert_float_equal(half[2], 10.5, 1e-6);
}

static void test_views(void **state)
{
    (void)state;
    float image[3 * 16], out[3 * 16];
    uint8_t mask[16] = {0, 3, 255, 10};
    for (int i = 0; i < 48; i++)
        image[i] = (float)(i % 16 % 4) * (float)(1 + i / 16); /* rises to the right, by channel */
    view_named("image")->derive(image, NULL, 3, 4, out);
    assert_memory_equal(image, out, sizeof image);
    view_named("gray")->derive(image, NULL, 3, 4, out);
    for (int i = 0; i < 16; i++)
        assert_float_equal(out[i], (float)(i % 4) * (0.299f + 2 * 0.587f + 3 * 0.114f), 1e-5);
    view_named("edges")->derive(image, NULL, 1, 4, out);
    for (int i = 0; i < 16; i++) /* 4 weights * difference over two pixels / 4; one at the border */
        assert_float_equal(out[i], (i % 4 == 0 || i % 4 == 3 ? 1 : 2), 1e-5);
    view_named("silhouette")->derive(image, mask, 3, 4, out);
    const float seen[5] = {-1, 1, -1, 1, -1};
    assert_memory_equal(out, seen, sizeof seen);
}

/* ---- the inputs of a batch ------------------------------------------------------------------- */

static void open_network(struct network *n, const struct config *c, const struct device *d)
{
    struct error err = {0};
    struct network_options o = {.batch = 4};
    if (network_open(n, c, d, &o, &err))
        fail_msg("%s", err.msg);
}

static float *contents(const struct network *n, const struct tensor *t)
{
    float *x = mem_alloc(sizeof *x * (size_t)shape_count(t->shape));
    network_read(n, t, x);
    return x;
}

/* The large input is the loader's image, the small one its mean over 2 x 2 pixels. */
static void test_both_inputs_are_one_image(void **state)
{
    (void)state;
    struct config *c = configure(NULL);
    struct device device = one_thread();
    struct error err = {0};
    struct network n;
    struct dataset *d;
    struct loader *l;
    open_network(&n, c, &device);
    assert_int_equal(views_side(&n), 32);
    assert_int_equal(n.second->shape.dim[1], 3);
    struct loader_options o = {.batch = 4, .image_size = 32, .train = 1, .shuffle = 1};
    if (dataset_open(&d, c, SPLIT_TRAIN, &err) || loader_open(&l, d, &o, &err))
        fail_msg("%s", err.msg);
    const struct batch *b = loader_next(l, &err);
    views_write(&n, b->images, b->masks);
    float *small = contents(&n, n.image), *large = contents(&n, n.second);
    assert_memory_equal(large, b->images, sizeof *large * 4 * 3 * 32 * 32);
    for (int plane = 0; plane < 12; plane++)
        for (int y = 0; y < 16; y++)
            for (int x = 0; x < 16; x++) {
                const float *p = large + plane * 1024 + 64 * y + 2 * x;
                assert_float_equal(small[plane * 256 + 16 * y + x],
                                   0.25f * (p[0] + p[1] + p[32] + p[33]), 1e-5);
            }
    free(small);
    free(large);
    loader_close(l);
    dataset_close(d);
    network_close(&n);
    config_free(c);
}

static void test_silhouette_follows_the_crop(void **state)
{
    (void)state;
    struct config *c = configure((const char *const[][2]){
        {"model.second.view", "silhouette"}, {"data.augment.crop", "rrc"}, {NULL, NULL}});
    struct device device = one_thread();
    struct error err = {0};
    struct network n;
    struct dataset *d;
    struct loader *l;
    open_network(&n, c, &device);
    assert_true(views_need_masks(&n));
    struct loader_options o = {.batch = 4, .image_size = 32, .train = 1, .shuffle = 1, .masks = 1};
    if (dataset_open(&d, c, SPLIT_TRAIN, &err) || loader_open(&l, d, &o, &err))
        fail_msg("%s", err.msg);
    const struct batch *b = loader_next(l, &err);
    views_write(&n, b->images, b->masks);
    float *seen = contents(&n, n.second);
    int figures = 0;
    for (int i = 0; i < 4 * 1024; i++) {
        int figure = b->masks[i] > 0 && b->masks[i] < 255;
        assert_float_equal(seen[i], (figure ? 1 : -1), 0);
        figures += figure;
    }
    assert_in_range(figures, 100, 4000);
    free(seen);
    loader_close(l);
    dataset_close(d);
    network_close(&n);
    config_free(c);
}

/* ---- cost ------------------------------------------------------------------------------------ */

static int64_t tokens_and_params(const char *const pairs[][2], int64_t *params)
{
    struct config *c = configure(pairs);
    struct device device = one_thread();
    struct network n;
    open_network(&n, c, &device);
    *params = 0;
    for (int i = 0; i < n.plan->n_params; i++)
        *params += shape_count(n.plan->params[i]->shape);
    int64_t tokens = graph_find(n.plan->graph, "memory_pos_embed")->shape.dim[1];
    network_close(&n);
    config_free(c);
    return tokens;
}

static void test_cost(void **state)
{
    (void)state;
    int64_t one, two, four;
    assert_int_equal(
        tokens_and_params((const char *const[][2]){{"model.memory_input", "image"}, {NULL, NULL}},
                          &one),
        4);
    assert_int_equal(tokens_and_params(NULL, &two), 16);
    assert_int_equal(two - one, 12 * 16); /* twelve more rows of the position table */
    assert_int_equal(tokens_and_params((const char *const[][2]){{"model.second.view", "given"},
                                                                {"model.second.channels", "4"},
                                                                {"model.second.image_size", "48"},
                                                                {NULL, NULL}},
                                       &four),
                     36);
    assert_int_equal(four - two, 20 * 16 + 8 * 8 * 16); /* and one more channel of the kernel */
}

/* ---- training -------------------------------------------------------------------------------- */

static double train_with(const char *const pairs[][2], struct metrics *m)
{
    struct config *c = configure(pairs);
    struct device d = one_thread();
    struct trainer t;
    training_whole(&t, c, &d, 3, m);
    double loss = metrics_get(m, "train/loss");
    trainer_close(&t);
    config_free(c);
    return loss;
}

static void test_training(void **state)
{
    (void)state;
    for (int i = 0; view_at(i); i++) {
        const char *name = view_at(i)->choice.name;
        struct metrics m;
        if (!view_at(i)->derive)
            continue;
        double loss = train_with((const char *const[][2]){{"model.second.view", name},
                                                          {"train.epochs", "12"},
                                                          {"train.lr", "0.01"},
                                                          {"train.eval_every", "12"},
                                                          {NULL, NULL}},
                                 &m);
        print_message("%s: loss %.3f (%.3f at the start), top-1 %.1f %%, evaluated %.1f %%\n", name,
                      loss, 2 * log(10), metrics_get(&m, "train/top1"),
                      metrics_get(&m, "val/top1"));
        if (!(loss < 0.95 * 2 * log(10)) || !isfinite(metrics_get(&m, "val/top1")))
            fail_msg("%s: loss %g", name, loss);
    }
}

/* Mixed images, and masked autoencoding of another modality. */
static void test_training_with_others(void **state)
{
    (void)state;
    struct metrics m;
    assert_true(isfinite(train_with((const char *const[][2]){{"model.second.view", "edges"},
                                                             {"data.mix.cutmix_alpha", "1"},
                                                             {NULL, NULL}},
                                    &m)));
    assert_true(isfinite(train_with((const char *const[][2]){{"model.second.view", "gray"},
                                                             {"model.memory_patch", "4"},
                                                             {"model.process_patch", "4"},
                                                             {"train.objective", "mae"},
                                                             {"train.mae.dim", "16"},
                                                             {"train.mae.depth", "1"},
                                                             {"train.mae.heads", "2"},
                                                             {NULL, NULL}},
                                    &m)));
    assert_true(isfinite(metrics_get(&m, "val/memory_loss")));
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void expect_refusal(const char *const pairs[][2], const char *reason)
{
    struct config *c = configure(pairs);
    struct device d = one_thread();
    struct error err = {0};
    struct trainer t;
    struct trainer_options o = {.config = c, .device = &d, .seed = 3, .cell = ""};
    if (!trainer_open(&t, &o, &err))
        fail_msg("not refused: %s", reason);
    if (!strstr(err.msg, reason))
        fail_msg("%s\ndoes not say %s", err.msg, reason);
    config_free(c);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_refusal((const char *const[][2]){{"model.process_init", "latent"}, {NULL, NULL}},
                   "model.process_init latent do not look at it (choose patch)");
    expect_refusal((const char *const[][2]){{"model.process_init", "downsample"},
                                            {"model.process_grid", "2"},
                                            {NULL, NULL}},
                   "model.process_init downsample do not look at it (choose patch)");
    expect_refusal((const char *const[][2]){{"model.second.image_size", "24"}, {NULL, NULL}},
                   "of 24 and 16 pixels (model.image_size) one must be a multiple of the other");
    expect_refusal((const char *const[][2]){{"model.second.view", "given"}, {NULL, NULL}},
                   "no data set supplies given");
    expect_refusal((const char *const[][2]){{"model.second.view", "silhouette"},
                                            {"data.mix.mixup_alpha", "0.8"},
                                            {NULL, NULL}},
                   "not mixed as images are (set data.mix.mixup_alpha");
    expect_refusal((const char *const[][2]){{"train.objective", "segment"},
                                            {"model.classes", "11"},
                                            {NULL, NULL}},
                   "train.objective segment has one input");
    expect_refusal((const char *const[][2]){{"model.memory_patch", "12"}, {NULL, NULL}},
                   "model.memory_patch 12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_both_inputs_are_one_image),
        cmocka_unit_test(test_silhouette_follows_the_crop),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_training_with_others),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("train/views", tests, NULL, NULL);
}
