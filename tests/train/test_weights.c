/* The rules of importing weights, training that starts from them, and what of it counts in a cell's
 * identity. */
#include "train/trainer.h"
#include "train/weights_file.h"
#include "train/weights_names.h"
#include "train/weights_start.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "train/run_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char vit[] = "model: {family: vit, image_size: 16, classes: 10, dim: 16, depth: 2,\n"
                          "  heads: 2, patch: 4}\n";
static const char vittm[] =
    "model: {family: vittm, image_size: 16, classes: 10, dim: 16, depth: 2, heads: 2,\n"
    "  memory_patch: 4, process_patch: 8, upstream_patch_size: 4, latent_dim: 8}\n"
    "data: {dataset: shapes, train_size: 64, val_size: 20}\n"
    "train: {epochs: 1, batch: 16, eval_batch: 20}\n";

static char root[200];
static struct device cpu;

static int open_all(void **state)
{
    (void)state;
    struct error err = {0};
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/vittm-weights-XXXXXX", tmp ? tmp : "/tmp");
    return !mkdtemp(root) || device_open(&cpu, "cpu", 1, &err) ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    return rmdir(root);
}

static const char *in_root(const char *name)
{
    static char path[4][300];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
    return path[turn];
}

/* ---- models and files ------------------------------------------------------------------------ */

/* A configuration from YAML and one more assignment (or NULL). */
static struct config *configure(const char *text, const char *key, const char *value)
{
    struct error err = {0};
    struct config *c;
    if (run_config_parse(&c, "test", text, strlen(text), &err) ||
        (key && config_set(c, key, value, (struct config_origin){"test", 0, 0}, &err)) ||
        config_resolve(c, &err))
        fail_msg("%s", err.msg);
    return c;
}

struct model_under_test {
    struct config *config;
    struct network net;
    struct weights initial, weights;
    struct weights_report report;
};

static void model_open(struct model_under_test *m, const char *text, const char *key,
                       const char *value)
{
    struct error err = {0};
    *m = (struct model_under_test){.config = configure(text, key, value)};
    if (network_open(&m->net, m->config, &cpu, &(struct network_options){.batch = 1}, &err))
        fail_msg("%s", err.msg);
    network_init(&m->net, 1);
    weights_init(&m->initial, &m->net);
    weights_init(&m->weights, &m->net);
    weights_get(&m->initial, &m->net);
}

static void model_close(struct model_under_test *m)
{
    weights_report_release(&m->report);
    weights_release(&m->initial);
    weights_release(&m->weights);
    network_close(&m->net);
    config_free(m->config);
}

/* A file in the making: the parameters of a model, with random values that no initialisation has.
 */
struct draft {
    struct model_under_test model;
    struct safetensors_entry entries[200];
    size_t n;
    struct arena arena;
};

static void draft_open(struct draft *d, const char *text, const char *key, const char *value)
{
    *d = (struct draft){.n = 0};
    model_open(&d->model, text, key, value);
    struct weights *w = &d->model.weights;
    for (int i = 0; i < w->n; i++) {
        struct rng r;
        rng_init(&r, 99, w->tensors[i]->name, 0, 0);
        for (int64_t k = 0; k < shape_count(w->tensors[i]->shape); k++)
            ((float *)(void *)w->values[i])[k] = (float)rng_normal(&r);
    }
    weights_entries(w, "", &d->arena, d->entries);
    d->n = (size_t)w->n;
}

static void draft_close(struct draft *d)
{
    model_close(&d->model);
    arena_release(&d->arena);
}

static struct safetensors_entry *draft_find(struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++)
        if (!strcmp(d->entries[i].name, name))
            return &d->entries[i];
    fail_msg("no %s in the draft", name);
    return NULL;
}

static void draft_drop(struct draft *d, const char *name)
{
    struct safetensors_entry *e = draft_find(d, name);
    *e = d->entries[--d->n];
}

static void draft_add(struct draft *d, const char *name, int rank, const int64_t *dim,
                      const float *values)
{
    struct safetensors_entry *e = &d->entries[d->n++];
    *e = (struct safetensors_entry){
        .name = name, .type = SAFETENSORS_F32, .rank = rank, .data = values};
    memcpy(e->dim, dim, sizeof *dim * (size_t)rank);
}

static const char *draft_write(struct draft *d, const char *name)
{
    struct error err = {0};
    const char *path = in_root(name);
    if (safetensors_write(path, d->entries, d->n, NULL, 0, NULL, &err))
        fail_msg("%s", err.msg);
    return path;
}

/* Writes the draft, imports it into m and removes it. */
static int import(struct model_under_test *m, struct draft *d, struct weights_rules rules,
                  struct error *err)
{
    struct safetensors file;
    const char *path = draft_write(d, "draft.safetensors");
    weights_copy(&m->weights, &m->initial);
    weights_report_release(&m->report);
    assert_int_equal(weights_open(&file, path, err), 0);
    int rc = weights_import(&m->weights, &file, &rules, &m->report, err);
    safetensors_close(&file);
    unlink(path);
    return rc;
}

static void must_import(struct model_under_test *m, struct draft *d, struct weights_rules rules)
{
    struct error err = {0};
    if (import(m, d, rules, &err))
        fail_msg("%s", err.msg);
}

static void must_refuse(struct model_under_test *m, struct draft *d, struct weights_rules rules,
                        const char *part)
{
    struct error err = {0};
    assert_int_equal(import(m, d, rules, &err), -1);
    if (!strstr(err.msg, part))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, part);
}

static const struct weights_row *row_of(const struct model_under_test *m, const char *name)
{
    for (int i = 0; i < m->report.n; i++) {
        const struct weights_row *r = &m->report.rows[i];
        if (!strcmp(r->parameter ? r->parameter : r->tensor, name))
            return r;
    }
    fail_msg("no row for %s", name);
    return NULL;
}

static void expect_row(const struct model_under_test *m, const char *name, enum weights_state state,
                       const char *part)
{
    const struct weights_row *r = row_of(m, name);
    if (r->state != state || !strstr(r->why, part))
        fail_msg("%s: %s, %s", name, weights_state_name(r->state), r->why);
}

static int64_t count_of(const struct weights *w, const char *name)
{
    for (int i = 0; i < w->n; i++)
        if (!strcmp(w->tensors[i]->name, name))
            return shape_count(w->tensors[i]->shape);
    fail_msg("no parameter %s", name);
    return 0;
}

static int same(const struct weights *a, const char *x, const struct weights *b, const char *y)
{
    return count_of(a, x) == count_of(b, y) &&
           !memcmp(weights_find(a, x), weights_find(b, y), sizeof(float) * (size_t)count_of(a, x));
}

static const struct weights_rules strict = {.lenient = 0}, lenient = {.lenient = 1};

/* ---- rules ----------------------------------------------------------------------------------- */

static void test_vit_into_vittm(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    draft_open(&d, vit, NULL, NULL);
    model_open(&m, vittm, NULL, NULL);
    must_import(&m, &d, strict);
    const struct weights *from = &d.model.weights;
    assert_true(same(&m.weights, "blocks.1.mlp.fc1.weight", from, "blocks.1.mlp.fc1.weight"));
    assert_true(same(&m.weights, "memory_embedder.proj.weight", from, "patch_embed.proj.weight"));
    assert_true(same(&m.weights, "head.weight", from, "head.weight"));
    assert_true(same(&m.weights, "cls_token", from, "cls_token"));
    static const char *const fresh[] = {
        "process_embedder.proj.weight", "memory_pos_embed",    "process_pos_embed",
        "read_head.0.q.weight",         "write_norm.1.weight", "process_head.weight",
        "process_norm.weight",          "fc_norm.weight"};
    for (size_t i = 0; i < sizeof fresh / sizeof *fresh; i++) {
        assert_true(same(&m.weights, fresh[i], &m.initial, fresh[i]));
        assert_int_equal(row_of(&m, fresh[i])->state, WEIGHTS_MISSING);
    }
    expect_row(&m, "process_head.weight", WEIGHTS_MISSING, "starts at 0");
    expect_row(&m, "norm.weight", WEIGHTS_IGNORED, "fc_norm");
    model_close(&m);
    draft_close(&d);
}

/* With another memory patch its embedding is new, unless the ViT's is spread over both streams. */
static void test_other_patch_size(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    struct weights_rules spread = {.spread_patches = 1};
    draft_open(&d, vit, NULL, NULL);
    model_open(&m, vittm, "model.memory_patch", "2");
    must_import(&m, &d, strict);
    const char *memory = "memory_embedder.proj.weight", *process = "process_embedder.proj.weight";
    assert_true(same(&m.weights, memory, &m.initial, memory));
    must_import(&m, &d, spread);
    expect_row(&m, memory, WEIGHTS_RESHAPED, "kernel 4x4 resized to 2x2 by pseudo-inverse");
    expect_row(&m, process, WEIGHTS_RESHAPED, "kernel 4x4 resized to 8x8 by pseudo-inverse");
    expect_row(&m, "memory_embedder.proj.bias", WEIGHTS_USED, "");
    float kernel[16 * 3 * 64];
    memcpy(kernel, weights_find(&m.weights, process), sizeof kernel);
    spread.kernels = RESAMPLE_INTERPOLATE;
    must_import(&m, &d, spread);
    expect_row(&m, process, WEIGHTS_RESHAPED, "interpolation");
    assert_memory_not_equal(kernel, weights_find(&m.weights, process), sizeof kernel);
    model_close(&m);
    draft_close(&d);
}

static void test_same_model_another_patch_and_image(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    draft_open(&d, vit, NULL, NULL);
    model_open(&m, vit, "model.image_size", "24");
    must_import(&m, &d, strict);
    expect_row(&m, "pos_embed", WEIGHTS_RESHAPED, "grid 4x4 resampled to 6x6");
    assert_memory_equal(weights_find(&m.weights, "pos_embed"),
                        weights_find(&d.model.weights, "pos_embed"), sizeof(float) * 16);
    model_close(&m);
    model_open(&m, vit, "model.patch", "8");
    must_import(&m, &d, strict);
    expect_row(&m, "pos_embed", WEIGHTS_RESHAPED, "grid 4x4 resampled to 2x2");
    expect_row(&m, "patch_embed.proj.weight", WEIGHTS_RESHAPED, "kernel 4x4 resized to 8x8");
    model_close(&m);
    draft_close(&d);
}

static void test_heads(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    draft_open(&d, vit, NULL, NULL);
    model_open(&m, vit, "model.classes", "7");
    must_import(&m, &d, strict);
    expect_row(&m, "head.weight", WEIGHTS_REPLACED, "for 10 classes, this for 7; starts random");
    assert_true(same(&m.weights, "head.weight", &m.initial, "head.weight"));
    model_close(&m);
    model_open(&m, vit, NULL, NULL);
    must_import(&m, &d, (struct weights_rules){.replace_heads = 1});
    expect_row(&m, "head.bias", WEIGHTS_REPLACED, "as asked for; starts at 0");
    assert_true(same(&m.weights, "head.weight", &m.initial, "head.weight"));
    draft_drop(&d, "head.weight");
    draft_drop(&d, "head.bias");
    must_import(&m, &d, strict);
    expect_row(&m, "head.weight", WEIGHTS_MISSING, "no classifier");
    model_close(&m);
    draft_close(&d);
}

/* DeiT's distilled checkpoints: a second token, its position entry and its classifier. */
static void test_distilled(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    float table[18 * 16], zeros[10 * 16] = {0};
    draft_open(&d, vit, NULL, NULL);
    model_open(&m, vit, NULL, NULL);
    const float *own = weights_find(&d.model.weights, "pos_embed");
    memcpy(table, own, sizeof(float) * 16);
    memset(table + 16, 0, sizeof(float) * 16);
    memcpy(table + 32, own + 16, sizeof(float) * 16 * 16);
    draft_drop(&d, "pos_embed");
    draft_add(&d, "pos_embed", 3, (int64_t[]){1, 18, 16}, table);
    draft_add(&d, "dist_token", 3, (int64_t[]){1, 1, 16}, zeros);
    draft_add(&d, "head_dist.weight", 2, (int64_t[]){10, 16}, zeros);
    draft_add(&d, "head_dist.bias", 1, (int64_t[]){10}, zeros);
    must_import(&m, &d, strict);
    expect_row(&m, "pos_embed", WEIGHTS_RESHAPED, "without the distillation token's entry");
    expect_row(&m, "head_dist.bias", WEIGHTS_IGNORED, "distillation");
    expect_row(&m, "dist_token", WEIGHTS_IGNORED, "distillation");
    float *got = (float *)(uintptr_t)weights_find(&m.weights, "pos_embed");
    for (int i = 0; i < 17 * 16; i++)
        assert_true(fabsf(got[i] - own[i]) < 1e-6f);
    model_close(&m);
    model_open(&m, vit, "model.no_embed_class", "true");
    must_import(&m, &d, strict);
    expect_row(&m, "pos_embed", WEIGHTS_RESHAPED, "without its class token's entry");
    model_close(&m);
    draft_close(&d);
}

/* DeiT III: gains, and no position entry for the class token. */
static void test_deit3_into_vittm(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    struct error err = {0};
    draft_open(&d, vit, "model.layer_scale", "true");
    model_open(&m, vittm, NULL, NULL);
    must_refuse(&m, &d, strict, "blocks.0.ls1.gamma (16) is not in this model");
    model_close(&m);
    model_open(&m, vittm, "model.layer_scale", "true");
    must_import(&m, &d, strict);
    assert_true(same(&m.weights, "blocks.1.ls2.gamma", &d.model.weights, "blocks.1.ls2.gamma"));
    draft_close(&d);
    draft_open(&d, vit, "model.no_embed_class", "true");
    assert_int_equal(import(&m, &d, lenient, &err), 0);
    expect_row(&m, "pos_embed", WEIGHTS_RESHAPED, "0 for the class token");
    model_close(&m);
    draft_close(&d);
}

static void test_refusals(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    static const float few[4] = {1, 2, 3, 4};
    draft_open(&d, vit, NULL, NULL);
    model_open(&m, vit, "model.dim", "32");
    must_refuse(&m, &d, lenient, "has the shape (16), this model's patch_embed.proj.bias has (32)");
    model_close(&m);
    model_open(&m, vit, "model.depth", "1");
    must_refuse(&m, &d, strict, "blocks.1.attn.proj.bias (16) is not in this model");
    must_refuse(&m, &d, strict, "12 tensors in all");
    must_import(&m, &d, lenient);
    expect_row(&m, "blocks.1.attn.proj.bias", WEIGHTS_IGNORED, "not in this model");
    model_close(&m);
    model_open(&m, vit, "model.depth", "3");
    must_refuse(&m, &d, strict, "lacks this model's blocks.2.norm1.weight (16)");
    must_import(&m, &d, lenient);
    expect_row(&m, "blocks.2.norm1.weight", WEIGHTS_MISSING, "not in the file; starts at 1");
    model_close(&m);
    model_open(&m, vit, NULL, NULL);
    draft_add(&d, "module.norm.bias", 1, (int64_t[]){4}, few);
    must_refuse(&m, &d, strict, "are both norm.bias without their prefixes");
    d.entries[d.n - 1].name = "extra";
    must_refuse(&m, &d, strict, "extra (4) is not in this model");
    d.entries[0] = d.entries[d.n - 1];
    d.n = 1;
    must_refuse(&m, &d, lenient,
                "lacks every tensor of this model (has 1 of its own, one is extra)");
    model_close(&m);
    draft_close(&d);
}

static void test_values(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    draft_open(&d, vittm, NULL, NULL);
    model_open(&m, vittm, NULL, NULL);
    struct safetensors_entry *e = draft_find(&d, "memory_embedder.proj.bias");
    draft_add(&d, "patch_embed.proj.bias", 1, e->dim, e->data);
    must_import(&m, &d, strict);
    d.entries[d.n - 1].data = draft_find(&d, "process_embedder.proj.bias")->data;
    must_refuse(&m, &d, strict, "are one tensor in this model, and differ in the file");
    d.n--;
    ((float *)(uintptr_t)weights_find(&d.model.weights, "head.bias"))[3] = NAN;
    must_refuse(&m, &d, strict, "head.bias holds values that are not finite");
    model_close(&m);
    draft_close(&d);
}

static void test_text(void **state)
{
    (void)state;
    struct draft d;
    struct model_under_test m;
    struct strbuf s = STRBUF_INIT;
    draft_open(&d, vit, NULL, NULL);
    model_open(&m, vittm, NULL, NULL);
    must_import(&m, &d, strict);
    weights_report_text(&m.report, &s);
    assert_non_null(strstr(s.text, "missing   read_head.*.q.weight (2): a ViT has none; starts"));
    assert_null(strstr(s.text, "blocks"));
    strbuf_clear(&s);
    weights_report_summary(&m.report, &s);
    assert_non_null(strstr(s.text, " used, "));
    strbuf_release(&s);
    model_close(&m);
    draft_close(&d);
}

static void test_pickles(void **state)
{
    (void)state;
    struct error err = {0};
    const char *path = in_root("weights");
    assert_int_equal(weights_refuse_pickle("model.pth", &err), -1);
    assert_non_null(strstr(err.msg, "weights_only=True"));
    assert_int_equal(file_write(path, "PK\3\4 and so on", 14, &err), 0);
    assert_int_equal(weights_refuse_pickle(path, &err), -1);
    assert_int_equal(file_write(path, "\x80\2}q\1(X\4\0\0\0", 12, &err), 0);
    assert_int_equal(weights_refuse_pickle(path, &err), -1);
    assert_int_equal(file_write(path, "\x80\2\0\0\0\0\0\0{}", 10, &err), 0);
    assert_int_equal(weights_refuse_pickle(path, &err), 0); /* a header of 640 bytes */
    unlink(path);
}

/* ---- training -------------------------------------------------------------------------------- */

static void test_training_starts_from_weights(void **state)
{
    (void)state;
    struct draft d;
    struct trainer t;
    struct error err = {0};
    draft_open(&d, vit, NULL, NULL);
    const char *path = draft_write(&d, "start.safetensors");
    struct config *c = configure(vittm, "train.weights", path);
    struct trainer_options o = {.config = c, .device = &cpu, .seed = 7, .cell = ""};
    assert_int_equal(weights_check(c, &err), 0);
    if (trainer_open(&t, &o, &err))
        fail_msg("%s", err.msg);
    weights_get(&t.weights, &t.net);
    assert_true(
        same(&t.weights, "blocks.0.attn.qkv.weight", &d.model.weights, "blocks.0.attn.qkv.weight"));
    struct strbuf s = STRBUF_INIT;
    weights_config_text(c, &s);
    assert_null(strstr(s.text, path)); /* a path is nobody else's business */
    strbuf_release(&s);
    trainer_close(&t);
    config_free(c);
    draft_drop(&d, "blocks.1.norm2.bias");
    draft_write(&d, "start.safetensors");
    c = configure(vittm, "train.weights", path);
    assert_int_equal(weights_check(c, &err), -1);
    assert_non_null(strstr(err.msg, "lacks this model's blocks.1.norm2.bias"));
    config_free(c);
    unlink(path);
    draft_close(&d);
}

static char *identity(const char *path)
{
    struct strbuf s = STRBUF_INIT;
    struct config *c = configure(vittm, "train.weights", path);
    config_identity(c, &s);
    config_free(c);
    return strbuf_detach(&s);
}

static void test_identity_is_the_content(void **state)
{
    (void)state;
    struct error err = {0};
    const char *x = in_root("x"), *y = in_root("y");
    assert_int_equal(file_write(x, "one", 3, &err) | file_write(y, "one", 3, &err), 0);
    char *a = identity(x), *b = identity(y);
    assert_int_equal(file_write(y, "two", 3, &err), 0);
    char *c = identity(y);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_non_null(strstr(a, "train.weights: sha256-7692c3ad3540bb80"));
    unlink(x);
    unlink(y);
    struct config *missing = configure(vittm, NULL, NULL);
    config_set(missing, "train.weights", x, (struct config_origin){"cell.yaml", 3, 2}, &err);
    assert_int_equal(config_resolve(missing, &err), -1);
    assert_non_null(strstr(err.msg, "cell.yaml:3:2: train.weights: "));
    assert_non_null(strstr(err.msg, x));
    config_free(missing);
    free(a);
    free(b);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vit_into_vittm),
        cmocka_unit_test(test_other_patch_size),
        cmocka_unit_test(test_same_model_another_patch_and_image),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_distilled),
        cmocka_unit_test(test_deit3_into_vittm),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_pickles),
        cmocka_unit_test(test_training_starts_from_weights),
        cmocka_unit_test(test_identity_is_the_content),
    };
    return cmocka_run_group_tests_name("train/weights", tests, open_all, close_all);
}
