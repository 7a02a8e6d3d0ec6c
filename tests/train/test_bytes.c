/* Images in bytes up to the device, which mixes them too: which runs have them, and that nothing
 * they compute has another bit than with images that the loader normalised and the host mixed. */
#include "train/views.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "tensor/ops/op.h"
#include "tests/support/data.h"
#include "tests/support/run.h"
#include "train/mixer.h"
#include "train/network.h"
#include "train/trainer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 6 };

static const char tiny[] =
    "model: {family: vittm, image_size: 16, classes: 10, dim: 16, depth: 2,\n"
    "  heads: 2, memory_patch: 4, process_patch: 8, latent_dim: 8}\n"
    "data: {dataset: shapes, train_size: 20, val_size: 20}\n"
    "train: {epochs: 1, batch: 6, eval_batch: 6}\n";

static struct dataset *open_data(const struct config *c, int train)
{
    struct dataset *d;
    struct error err = {0};
    if (dataset_open(&d, c, train ? SPLIT_TRAIN : SPLIT_VAL, &err))
        fail_msg("%s", err.msg);
    return d;
}

static struct loader *open_loader(const struct dataset *d, int size, int train, int bytes)
{
    struct loader *l;
    struct error err = {0};
    struct loader_options o = {.batch = BATCH,
                               .image_size = size,
                               .channels = d->channels,
                               .train = train,
                               .shuffle = train,
                               .seed = 5,
                               .bytes = bytes};
    if (loader_open(&l, d, &o, &err))
        fail_msg("%s", err.msg);
    return l;
}

/* ---- which runs ------------------------------------------------------------------------------ */

static int gives(const char *const pairs[][2], int train)
{
    struct config *c = run_configure(tiny, pairs);
    struct dataset *d = open_data(c, train);
    int yes = views_give_bytes(c, d, train);
    dataset_close(d);
    config_free(c);
    return yes;
}

static void test_which_runs(void **state)
{
    (void)state;
    const char *const pad[][2] = {{"data.augment.crop", "pad"}, {NULL, NULL}};
    const char *const rrc[][2] = {{"data.augment.crop", "rrc"}, {NULL, NULL}};
    const char *const policy[][2] = {{"data.augment.policy", "three"}, {NULL, NULL}};
    const char *const scene[][2] = {{"data.augment.crop", "scene"}, {NULL, NULL}};
    const char *const mixed[][2] = {{"data.mix.cutmix_alpha", "1"}, {NULL, NULL}};
    const char *const rand[][2] = {{"data.augment.policy", "rand"}, {NULL, NULL}};
    const char *const pil[][2] = {{"data.augment.policy", "rand"},
                                  {"data.augment.rand.flavour", "pil"},
                                  {"data.augment.crop", "rrc"},
                                  {NULL, NULL}};
    const char *const second[][2] = {
        {"model.memory_input", "second"}, {"model.second.view", "gray"}, {NULL, NULL}};
    assert_true(gives(NULL, 1));
    assert_true(gives(pad, 1));
    assert_false(gives(rrc, 1));    /* resampled to floats */
    assert_false(gives(policy, 1)); /* changes floats */
    assert_false(gives(rand, 1));   /* changes floats, unless told otherwise */
    assert_false(gives(scene, 1));  /* its border is 0 after normalisation */
    assert_true(gives(pil, 1));     /* changes bytes, and resamples to them */
    assert_true(gives(mixed, 1));
    assert_false(gives(second, 1)); /* derived from values */
    assert_true(gives(rrc, 0));
    assert_true(gives(policy, 0));
    assert_false(gives(second, 0));
}

/* ---- batches --------------------------------------------------------------------------------- */

/* Every value is the table's for its byte, in every batch of two epochs. */
static void compare_batches(const struct dataset *d, int size, int train)
{
    struct loader *floats = open_loader(d, size, train, 0), *bytes = open_loader(d, size, train, 1);
    const float(*table)[256] = preprocess_table(&d->preprocess, train);
    const struct batch *a, *b;
    struct error err;
    for (int epoch = 0; epoch < 2; epoch++) {
        while ((a = loader_next(floats, &err))) {
            b = loader_next(bytes, &err);
            assert_non_null(b);
            assert_null(b->images);
            assert_int_equal(a->count, b->count);
            assert_memory_equal(a->labels, b->labels, sizeof *a->labels * BATCH);
            for (int i = 0; i < a->count * d->channels * size * size; i++) {
                float value = table[i / (size * size) % d->channels][b->bytes[i]];
                if (memcmp(&value, &a->images[i], sizeof value))
                    fail_msg("value %d is %.9g instead of %.9g", i, (double)value,
                             (double)a->images[i]);
            }
        }
        assert_null(loader_next(bytes, &err));
    }
    loader_close(floats);
    loader_close(bytes);
}

static void test_batches(void **state)
{
    (void)state;
    struct error err = {0};
    char folder[256];
    data_write_cifar10(data_folder(folder), 4);
    static const char *const crops[] = {"none", "pad", "rrc"};
    static const char *const flavours[] = {NULL, "tensor-u8", "pil"};
    for (int i = 0; i < 18; i++) {
        const char *crop = crops[i / 2 % 3], *flavour = flavours[i / 6];
        int train = i % 2;
        if (train && !flavour && !strcmp(crop, "rrc"))
            continue; /* floats */
        struct dataset *d = data_open(
            &err, train ? SPLIT_TRAIN : SPLIT_VAL, "data.dataset", "cifar10", "data.root", folder,
            "data.augment.crop", crop, "data.augment.flip", "true", "data.augment.policy",
            flavour ? "rand" : "none", flavour ? "data.augment.rand.flavour" : NULL, flavour, NULL);
        if (!d)
            fail_msg("%s", err.msg);
        compare_batches(d, 32, train);
        compare_batches(d, 20, train); /* resampled to bytes */
        dataset_close(d);
    }
    data_folder_remove(folder);
}

/* ---- networks -------------------------------------------------------------------------------- */

/* Initial values have classifiers of zeros, which would hide everything. */
static void fill_params(struct network *n)
{
    for (int i = 0; i < n->plan->n_params; i++) {
        int64_t count = shape_count(n->plan->params[i]->shape);
        float *x = mem_alloc(sizeof *x * (size_t)count);
        for (int64_t k = 0; k < count; k++)
            x[k] = (float)((k * 37 + i) % 101 - 50) / 200;
        network_write(n, n->plan->params[i], x);
        free(x);
    }
}

/* A network and what mixes its batches: the host where images come as floats. */
struct side {
    struct network net;
    struct mixer mixer;
};

static void open_side(struct side *s, const struct config *c, const struct device *device,
                      int train, int bytes)
{
    struct error err = {0};
    struct network_options o = {.batch = BATCH, .training = train, .bytes = bytes};
    if (mixer_init(&s->mixer, c, &err))
        fail_msg("%s", err.msg);
    o.soft_targets = mixer_has_targets(&s->mixer);
    o.mix = bytes && train && mix_is_on(&s->mixer.mix);
    if (network_open(&s->net, c, device, &o, &err))
        fail_msg("%s", err.msg);
    network_init(&s->net, 3);
    fill_params(&s->net);
    if (train)
        mixer_open(&s->mixer, &s->net);
    assert_int_equal(s->net.levels != NULL, bytes);
    assert_int_equal(s->net.mix != NULL, o.mix);
}

static void close_side(struct side *s)
{
    mixer_close(&s->mixer);
    network_close(&s->net);
}

static int count_steps(const struct network *n, const char *op)
{
    int count = 0;
    for (int i = 0; i < n->plan->n_steps; i++)
        count += !strcmp(n->plan->steps[i].node->op->name, op);
    return count;
}

static void run(struct side *s, const struct dataset *d, int train, float *result)
{
    struct network *n = &s->net;
    struct error err = {0};
    const float no_update[HYPER_COUNT] = {0};
    struct loader *l = open_loader(d, views_side(n), train, n->levels != NULL);
    const struct batch *b = loader_next(l, &err);
    assert_non_null(b);
    views_write_levels(n, d, train);
    mixer_write(&s->mixer, n, b, 5);
    if (n->hyper)
        network_write(n, n->hyper, no_update);
    network_run(n, 1, 0);
    network_read(n, n->logits[0], result);
    if (n->norm_square)
        network_read(n, n->norm_square, result + BATCH * n->classes);
    loader_close(l);
}

/* Logits, and in training the gradient's norm: the same bits. */
static void compare_networks(const char *device_name, const char *const pairs[][2], int train)
{
    struct config *c = run_configure(tiny, pairs);
    struct dataset *d = open_data(c, train);
    struct device device = run_device(device_name, 1);
    struct side floats, bytes;
    float a[BATCH * 10 + 1] = {0}, b[BATCH * 10 + 1] = {0};
    open_side(&floats, c, &device, train, 0);
    open_side(&bytes, c, &device, train, 1);
    int mixes = bytes.net.mix != NULL;
    /* memory and process tokens */
    assert_int_equal(count_steps(&bytes.net, mixes ? "patch_mix" : "patch_levels"), 2);
    assert_int_equal(count_steps(&bytes.net, "levels"), 0);
    assert_int_equal(count_steps(&bytes.net, "mix"), 0);
    assert_int_equal(count_steps(&bytes.net, "patchify"), 0);
    run(&floats, d, train, a);
    run(&bytes, d, train, b);
    assert_memory_equal(a, b, sizeof a);
    assert_true(a[0] != a[1]);
    close_side(&floats);
    close_side(&bytes);
    dataset_close(d);
    config_free(c);
}

static const char *const mixing[][2] = {{"data.mix.mixup_alpha", "0.8"},
                                        {"data.mix.cutmix_alpha", "0.8"},
                                        {"data.mix.scope", "sample"},
                                        {"data.erase.probability", "0.5"},
                                        {NULL, NULL}};

static void test_networks(void **state)
{
    (void)state;
    compare_networks("cpu", NULL, 0);
    compare_networks("cpu", NULL, 1);
    compare_networks("cpu", mixing, 0);
    compare_networks("cpu", mixing, 1);
}

static void test_emulated(void **state)
{
    (void)state;
    struct device d;
    struct error err = {0};
    if (device_open(&d, "sim", 1, &err)) {
        print_message("%s\n", err.msg);
        skip();
    }
    compare_networks("sim", mixing, 1);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Who mixes in a run: the device, or the host where it makes a second input of the images. */
static void check_run(const char *const pairs[][2], int on_device, int bytes)
{
    struct config *c = run_configure(tiny, pairs);
    struct device device = run_device("cpu", 1);
    struct trainer t;
    struct error err = {0};
    struct trainer_options o = {.config = c, .device = &device, .seed = 3, .cell = ""};
    if (trainer_open(&t, &o, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(t.net.mix != NULL, on_device);
    assert_int_equal(t.mixer.images == NULL, on_device);
    assert_int_equal(t.net.levels != NULL, bytes);
    assert_null(t.eval_net.mix);
    trainer_close(&t);
    config_free(c);
}

static void test_runs(void **state)
{
    (void)state;
    const char *const resampled[][2] = {
        {"data.erase.probability", "0.5"}, {"data.augment.crop", "rrc"}, {NULL, NULL}};
    const char *const second[][2] = {{"model.memory_input", "second"},
                                     {"model.second.view", "gray"},
                                     {"data.mix.cutmix_alpha", "1"},
                                     {NULL, NULL}};
    check_run(mixing, 1, 1);
    check_run(resampled, 1, 0);
    check_run(second, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_runs), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_networks),   cmocka_unit_test(test_emulated),
        cmocka_unit_test(test_runs),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
