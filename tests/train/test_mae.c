/* Masked autoencoding: masks, what the error is, that hidden pixels are hidden, and that training
 * brings the error down and leaves an encoder to go on with. */
#include "train/trainer.h"
#include "train/weights_start.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tests/support/run.h"
#include "train/masker.h"
#include "train/run_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* 64 memory patches of 48 values, 16 process patches of 192; int(16 * 0.3) = 4 and 19 are kept. */
static const char tiny[] =
    "model: {family: vittm, image_size: 32, classes: 10, dim: 16, depth: 2, heads: 2,\n"
    "  memory_patch: 4, process_patch: 8, latent_dim: 8}\n"
    "data: {dataset: shapes, train_size: 192, val_size: 50}\n"
    "train: {objective: mae, mae: {dim: 16, depth: 1, heads: 2, hidden: 0.7}, epochs: 3,\n"
    "  batch: 16, lr: 3e-3, eval_batch: 20}\n";

static struct config *configure(const char *key, const char *value)
{
    return run_configure(tiny, (const char *const[][2]){{key, value}, {NULL, NULL}});
}

static struct device device_named(const char *name)
{
    return run_device(name, 1);
}

/* ---- masks ----------------------------------------------------------------------------------- */

enum { MEMORY = 64, PROCESS = 16 };

struct masks {
    int32_t kept[MAE_STREAMS][MEMORY], hidden[MAE_STREAMS][MEMORY];
};

static struct masks draw(const struct mae *m, uint64_t seed, uint64_t epoch, uint64_t sample)
{
    struct masks x;
    memset(&x, -1, sizeof x);
    mae_draw(m, seed, epoch, sample, (int32_t *[]){x.kept[0], x.kept[1]},
             (int32_t *[]){x.hidden[0], x.hidden[1]});
    return x;
}

static const struct mae independent = {
    .streams = {{.name = "memory", .side = 8, .n_kept = 19, .n_hidden = 45},
                {.name = "process", .side = 4, .n_kept = 4, .n_hidden = 12}}};

static void test_masks_are_partitions(void **state)
{
    (void)state;
    int64_t hits[MEMORY] = {0};
    for (uint64_t sample = 0; sample < 400; sample++) {
        struct masks x = draw(&independent, 3, 1, sample);
        for (int s = 0; s < MAE_STREAMS; s++) {
            const struct mae_stream *m = &independent.streams[s];
            int seen[MEMORY] = {0};
            for (int64_t i = 0; i < m->n_kept; i++) {
                seen[x.kept[s][i]]++;
                hits[x.kept[s][i]] += s == MAE_MEMORY;
                assert_true(!i || x.kept[s][i] > x.kept[s][i - 1]);
            }
            for (int64_t i = 0; i < m->n_hidden; i++) {
                seen[x.hidden[s][i]]++;
                assert_true(!i || x.hidden[s][i] > x.hidden[s][i - 1]);
            }
            for (int64_t i = 0; i < m->side * m->side; i++)
                assert_int_equal(seen[i], 1);
        }
    }
    for (int i = 0; i < MEMORY; i++) /* 400 * 19 / 64 = 119 expected, deviation 9 */
        assert_in_range(hits[i], 119 - 50, 119 + 50);
}

static void test_masks_follow_seed_epoch_and_sample(void **state)
{
    (void)state;
    struct masks a = draw(&independent, 3, 1, 7), b = draw(&independent, 3, 1, 7);
    assert_memory_equal(&a, &b, sizeof a);
    static const uint64_t others[][3] = {{4, 1, 7}, {3, 2, 7}, {3, 1, 8}};
    for (int i = 0; i < 3; i++) {
        b = draw(&independent, others[i][0], others[i][1], others[i][2]);
        assert_memory_not_equal(&a, &b, sizeof a);
    }
}

static void test_matched_masks(void **state)
{
    (void)state;
    struct mae m = independent;
    m.matched = 1;
    m.streams[MAE_MEMORY].n_kept = 16;
    m.streams[MAE_MEMORY].n_hidden = 48;
    struct masks x = draw(&m, 3, 1, 7), y = draw(&independent, 3, 1, 7);
    int hidden[PROCESS] = {0};
    assert_memory_equal(x.kept[MAE_PROCESS], y.kept[MAE_PROCESS], sizeof x.kept[MAE_PROCESS]);
    for (int i = 0; i < 12; i++)
        hidden[x.hidden[MAE_PROCESS][i]] = 1;
    for (int i = 0; i < 48; i++) {
        int row = x.hidden[MAE_MEMORY][i] / 8, col = x.hidden[MAE_MEMORY][i] % 8;
        assert_true(hidden[row / 2 * 4 + col / 2]);
    }
}

/* ---- the error ------------------------------------------------------------------------------- */

/* A network in double for a batch of one, with random parameters and masks, and its image. */
struct subject {
    struct config *config;
    struct device device;
    struct network net;
    struct masks masks;
    double image[3 * 32 * 32];
};

static void put(struct subject *s, const char *name, double (*value)(int64_t i, struct rng *r))
{
    const struct tensor *t = graph_find(s->net.plan->graph, name);
    assert_non_null(t);
    int64_t n = shape_count(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)n);
    struct rng r;
    rng_init(&r, 5, name, 0, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = value(i, &r);
    network_put(&s->net, t, x);
    free(x);
}

static double noise(int64_t i, struct rng *r)
{
    (void)i;
    return 0.3 * rng_normal(r);
}

static double zero(int64_t i, struct rng *r)
{
    (void)i;
    (void)r;
    return 0;
}

static void subject_open(struct subject *s, const char *key, const char *value)
{
    struct error err = {0};
    struct rng r;
    *s = (struct subject){.config = configure(key, value), .device = device_named("judge")};
    if (network_open(&s->net, s->config, &s->device, &(struct network_options){.batch = 1}, &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < s->net.plan->n_params; i++)
        put(s, s->net.plan->params[i]->name, noise);
    rng_init(&r, 6, "image", 0, 0);
    for (size_t i = 0; i < sizeof s->image / sizeof *s->image; i++)
        s->image[i] = rng_normal(&r);
    s->masks = draw(s->net.mae, 0, 0, 0); /* what a network starts with */
}

static void subject_close(struct subject *s)
{
    network_close(&s->net);
    config_free(s->config);
}

static double error_of(struct subject *s, int stream)
{
    double e;
    network_put(&s->net, s->net.image, s->image);
    network_run(&s->net, 0, 0);
    network_get(&s->net, s->net.errors[stream], &e);
    return e;
}

/* Where pixel (row, column, channel) of a patch is in the image. */
static size_t pixel(int64_t patch, int64_t side, int64_t size, int64_t row, int64_t col, int64_t ch)
{
    int64_t y = patch / side * size + row, x = patch % side * size + col;
    return (size_t)(ch * 32 * 32 + y * 32 + x);
}

static double *values_of(const struct subject *s, const char *stream, const char *name)
{
    char full[100];
    snprintf(full, sizeof full, "%s_decoder.%s", stream, name);
    const struct tensor *t = graph_find(s->net.plan->graph, *stream ? full : name);
    assert_non_null(t);
    double *x = mem_alloc(sizeof *x * (size_t)shape_count(t->shape));
    network_get(&s->net, t, x);
    return x;
}

enum { WIDTH = 16 };

/* With blocks that add nothing, a hidden patch's token is its place and the mask token. */
static void predict(const struct subject *s, const char *stream, int32_t patch, int64_t values,
                    double *out)
{
    double *mask = values_of(s, "", "mask_token"), *places = values_of(s, stream, "pos_embed");
    double *gamma = values_of(s, stream, "norm.weight"), *beta = values_of(s, stream, "norm.bias");
    double *w = values_of(s, stream, "pred.weight"), *bias = values_of(s, stream, "pred.bias");
    double x[WIDTH], mean = 0, square = 0;
    for (int i = 0; i < WIDTH; i++) {
        x[i] = mask[i] + places[patch * WIDTH + i];
        mean += x[i] / WIDTH;
    }
    for (int i = 0; i < WIDTH; i++)
        square += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        x[i] = (x[i] - mean) / sqrt(square + 1e-5) * gamma[i] + beta[i];
    for (int64_t k = 0; k < values; k++) {
        out[k] = bias[k];
        for (int i = 0; i < WIDTH; i++)
            out[k] += w[k * WIDTH + i] * x[i];
    }
    free(mask);
    free(places);
    free(gamma);
    free(beta);
    free(w);
    free(bias);
}

/* Values of a patch in the order (row, column, channel). */
static double expected_error(const struct subject *s, int stream, int normalize)
{
    const struct mae_stream *m = &s->net.mae->streams[stream];
    int64_t size = 32 / m->side, values = size * size * 3;
    double sum = 0;
    for (int64_t i = 0; i < m->n_hidden; i++) {
        double mean = 0, square = 0, at[192], told[192];
        for (int64_t k = 0; k < values; k++) {
            at[k] = s->image[pixel(s->masks.hidden[stream][i], m->side, size, k / (3 * size),
                                   k / 3 % size, k % 3)];
            mean += at[k] / (double)values;
        }
        for (int64_t k = 0; k < values; k++)
            square += (at[k] - mean) * (at[k] - mean) / (double)(values - 1);
        predict(s, m->name, s->masks.hidden[stream][i], values, told);
        for (int64_t k = 0; k < values; k++) {
            double want = normalize ? (at[k] - mean) / sqrt(square + 1e-6) : at[k];
            sum += (told[k] - want) * (told[k] - want) / (double)(values * m->n_hidden);
        }
    }
    return sum;
}

/* The last linear layers of the decoders' blocks. */
static int ends_a_branch(const char *name)
{
    return strstr(name, "_decoder.blocks.") && (strstr(name, "attn.proj") || strstr(name, "fc2"));
}

static void check_error(const char *key, const char *value, int normalize)
{
    struct subject s;
    subject_open(&s, key, value);
    for (int i = 0; i < s.net.plan->n_params; i++)
        if (ends_a_branch(s.net.plan->params[i]->name))
            put(&s, s.net.plan->params[i]->name, zero);
    for (int i = 0; i < MAE_STREAMS; i++) {
        double got = error_of(&s, i), want = expected_error(&s, i, normalize);
        if (!(fabs(got - want) < 1e-12 * want))
            fail_msg("%s: error %.15g, expected %.15g", s.net.heads[i], got, want);
    }
    subject_close(&s);
}

static void test_error(void **state)
{
    (void)state;
    check_error(NULL, NULL, 0);
    check_error("train.mae.normalize", "true", 1);
    check_error("train.mae.masks", "matched", 0);
}

/* Where both streams hide the same pixels, changing them by +-d changes the targets alone: the
 * second difference of the error is then 2 d^2, whatever the network. A kept pixel goes through the
 * network. */
static double second_difference(struct subject *s, int stream, size_t at, double d)
{
    double x = s->image[at], middle = error_of(s, stream);
    s->image[at] = x + d;
    double up = error_of(s, stream);
    s->image[at] = x - d;
    double down = error_of(s, stream);
    s->image[at] = x;
    return up + down - 2 * middle;
}

static void test_hidden_is_hidden(void **state)
{
    (void)state;
    struct subject s;
    double d = 0.5;
    subject_open(&s, "train.mae.masks", "matched");
    for (int i = 0; i < MAE_STREAMS; i++) {
        const struct mae_stream *m = &s.net.mae->streams[i];
        int64_t size = 32 / m->side;
        double share = 1 / (double)(m->n_hidden * size * size * 3);
        double hidden =
            second_difference(&s, i, pixel(s.masks.hidden[i][2], m->side, size, 1, 2, 1), d);
        double kept =
            second_difference(&s, i, pixel(s.masks.kept[i][1], m->side, size, 1, 2, 1), d);
        assert_true(fabs(hidden - 2 * d * d * share) < 1e-12);
        assert_true(fabs(kept) > 1e-9);
    }
    subject_close(&s);
}

/* ---- what the tokens know -------------------------------------------------------------------- */

/* Adds to a row of a table, and says whether a stream's error minds. */
static int minds(struct subject *s, int stream, const char *table, int64_t row)
{
    const struct tensor *t = graph_find(s->net.plan->graph, table);
    assert_non_null(t);
    int64_t n = shape_count(t->shape), width = shape_last(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)n), before = error_of(s, stream);
    network_get(&s->net, t, x);
    for (int64_t i = 0; i < width; i++)
        x[row * width + i] += 0.2 * (double)(i + 1);
    network_put(&s->net, t, x);
    double after = error_of(s, stream);
    for (int64_t i = 0; i < width; i++)
        x[row * width + i] -= 0.2 * (double)(i + 1);
    network_put(&s->net, t, x);
    free(x);
    return fabs(after - before) > 1e-9;
}

/* Kept tokens have the encoder's place of their patch, and both kinds the decoder's; the mask token
 * is one for both streams; what is kept of a stream reaches the other through the encoder alone. */
static void test_places(void **state)
{
    (void)state;
    static const char *const names[] = {"memory", "process"};
    struct subject s;
    subject_open(&s, "model.rw_head", "cross");
    for (int i = 0; i < MAE_STREAMS; i++) {
        char encoder[40], decoder[40];
        snprintf(encoder, sizeof encoder, "%s_pos_embed", names[i]);
        snprintf(decoder, sizeof decoder, "%s_decoder.pos_embed", names[i]);
        int32_t kept = s.masks.kept[i][1], hidden = s.masks.hidden[i][2];
        assert_true(minds(&s, i, encoder, kept));
        assert_true(minds(&s, !i, encoder, kept));
        assert_false(minds(&s, i, encoder, hidden));
        assert_false(minds(&s, !i, encoder, hidden));
        assert_true(minds(&s, i, decoder, kept));
        assert_true(minds(&s, i, decoder, hidden));
        assert_false(minds(&s, !i, decoder, kept));
        assert_true(minds(&s, i, "mask_token", 0));
    }
    subject_close(&s);
}

/* Tokens are known by their places, not by where they stand. */
static void test_order_does_not_matter(void **state)
{
    (void)state;
    struct subject s;
    subject_open(&s, "model.rw_head", "linear");
    double before[MAE_STREAMS];
    for (int i = 0; i < MAE_STREAMS; i++)
        before[i] = error_of(&s, i);
    for (int i = 0; i < MAE_STREAMS; i++) {
        const struct mae_stream *m = &s.net.mae->streams[i];
        int32_t kept[MEMORY], hidden[MEMORY];
        for (int64_t k = 0; k < m->n_kept; k++)
            kept[k] = s.masks.kept[i][m->n_kept - 1 - k];
        for (int64_t k = 0; k < m->n_hidden; k++)
            hidden[k] = s.masks.hidden[i][(k + 3) % m->n_hidden];
        network_write(&s.net, s.net.kept[i], kept);
        network_write(&s.net, s.net.hidden[i], hidden);
    }
    for (int i = 0; i < MAE_STREAMS; i++) {
        double after = error_of(&s, i);
        if (!(fabs(after - before[i]) < 1e-11 * before[i]))
            fail_msg("%s: error %.15g, %.15g in another order", s.net.heads[i], before[i], after);
    }
    subject_close(&s);
}

/* ---- training -------------------------------------------------------------------------------- */

static char root[200];

static int make_root(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/vittm-mae-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static const char *in_root(const char *name)
{
    static char path[2][300];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
    return path[turn];
}

static int remove_root(void **state)
{
    (void)state;
    static const char *const names[] = {"events.jsonl", "progress.json", "checkpoint.safetensors",
                                        "checkpoint.previous.safetensors", "weights.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_root(names[i]));
    return rmdir(root);
}

static void train(const struct config *c, int64_t stop_after, char digest[65], struct metrics *m)
{
    struct device d = device_named("cpu");
    for (int rc = 1; rc == 1;) {
        struct trainer t;
        struct error err = {0};
        struct trainer_options o = {.config = c,
                                    .device = &d,
                                    .seed = 7,
                                    .cell = "tiny",
                                    .folder = root,
                                    .stop_after = stop_after};
        if (trainer_open(&t, &o, &err))
            fail_msg("%s", err.msg);
        rc = trainer_run(&t, &err);
        if (!rc)
            rc = trainer_finish(&t, m, &err);
        if (!rc)
            rc = trainer_save(&t, digest, &err);
        if (rc < 0)
            fail_msg("%s", err.msg);
        trainer_close(&t);
    }
}

static void expect_encoder_fits_a_classifier(const char *path)
{
    struct error err = {0};
    struct config *c = configure("train.objective", "classify");
    if (config_set(c, "train.weights", path, (struct config_origin){"test", 0, 0}, &err) ||
        config_resolve(c, &err) || weights_check(c, &err))
        fail_msg("%s", err.msg);
    config_free(c);
}

static void test_training(void **state)
{
    (void)state;
    struct config *c = configure(NULL, NULL);
    struct metrics m = {0}, again = {0};
    char digest[65], resumed[65];
    train(c, 0, digest, &m);
    print_message("validation error %.4f, at zero prediction about 2\n",
                  metrics_get(&m, "val/loss"));
    assert_true(metrics_get(&m, "val/loss") < 1.75);
    assert_true(fabs(metrics_get(&m, "val/memory_loss") + metrics_get(&m, "val/process_loss") -
                     metrics_get(&m, "val/loss")) < 1e-9);
    assert_true(metrics_get(&m, "val/loss") == metrics_get(&m, "val/best_loss"));
    assert_true(isnan(metrics_get(&m, "val/top1")));
    expect_encoder_fits_a_classifier(in_root("weights.safetensors"));
    unlink(in_root("checkpoint.safetensors"));
    unlink(in_root("checkpoint.previous.safetensors"));
    train(c, 5, resumed, &again); /* stopped every 5 steps */
    assert_string_equal(digest, resumed);
    config_free(c);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void expect_refusal(const char *key, const char *value, const char *more_key,
                           const char *more, const char *part)
{
    struct error err = {0};
    struct device d = device_named("cpu");
    struct network n;
    struct config *c = configure(key, value);
    if (more_key && (config_set(c, more_key, more, (struct config_origin){"test", 0, 0}, &err) ||
                     config_resolve(c, &err)))
        fail_msg("%s", err.msg);
    assert_int_equal(network_open(&n, c, &d, &(struct network_options){.batch = 1}, &err), -1);
    if (!strstr(err.msg, part))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, part);
    config_free(c);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_refusal("model.process_patch", "32", NULL, NULL, "keeps 0 of the 1 process patches");
    expect_refusal("train.mae.hidden", "0.95", NULL, NULL, "keeps 0 of the 16 process patches");
    expect_refusal("model.memory_patch", "16", "train.mae.masks", "matched",
                   "a grid of 2 x 2 is none of 4 x 4 enlarged");
    expect_refusal("model.process_init", "latent", NULL, NULL, "model.process_init latent");
    expect_refusal("model.rw_head", "token_summary", NULL, NULL, "model.rw_head token_summary");
    expect_refusal("model.rw_head", "dyna", NULL, NULL, "model.rw_head dyna");
    expect_refusal("model.fusion", "add_erase", NULL, NULL, "model.fusion add_erase");
    expect_refusal("model.reduce.method", "tome", NULL, NULL, "model.reduce.method tome");
    expect_refusal("train.mae.heads", "3", NULL, NULL,
                   "train.mae.dim 16: not divisible by 3 heads");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_are_partitions),
        cmocka_unit_test(test_masks_follow_seed_epoch_and_sample),
        cmocka_unit_test(test_matched_masks),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_hidden_is_hidden),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("train/mae", tests, make_root, remove_root);
}
