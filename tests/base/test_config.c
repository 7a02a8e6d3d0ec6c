/* Typed configurations: values, messages, activity, identity, speed. */
#include "base/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"
#include "base/rng.h"
#include "base/strbuf.h"

/* ---- a small schema: a family with a head, whose members own keys ---- */

static const struct config_key latent_keys[] = {
    {"model.latent_dim", CONFIG_INT, "24", 1, 4096, NULL, 0, "width of the latent space"}, {0}};
static const struct config_key linear_keys[] = {
    {"model.latent_dim", CONFIG_INT, "32", 1, 4096, NULL, 0, "width of the latent space"},
    {"model.eps", CONFIG_FLOAT, "1e-6", 0, 1, NULL, 0, "added to the normaliser"},
    {0}};
static const struct config_choice heads[] = {{"cross", "cross attention", NULL},
                                             {"latent", "latent", latent_keys},
                                             {"latent_cross", "latent cross", latent_keys},
                                             {"linear", "linear attention", linear_keys}};

static const struct config_choice *head(int i)
{
    return i < 4 ? &heads[i] : NULL;
}

static const struct config_key vittm_keys[] = {
    {"model.rw_head", CONFIG_CHOICE, "linear", 0, 0, head, 0, "read-write head"}, {0}};
static const struct config_choice families[] = {{"vit", "plain", NULL},
                                                {"vittm", "two streams", vittm_keys}};

static const struct config_choice *family(int i)
{
    return i < 2 ? &families[i] : NULL;
}

static const struct config_key model_keys[] = {
    {"model.family", CONFIG_CHOICE, NULL, 0, 0, family, CONFIG_REQUIRED, "kind of network"},
    {"model.dim", CONFIG_INT, "192", 1, 65536, NULL, 0, "channels"},
    {"model.class_token", CONFIG_BOOL, "false", 0, 0, NULL, 0, "class token"},
    {"model.patch", CONFIG_INTS, "16", 1, 1024, NULL, 0, "patch size, pixels"},
    {0}};
static const struct config_key train_keys[] = {
    {"train.epochs", CONFIG_INT, "10", 0, 1e9, NULL, 0, "epochs"},
    {"train.lr", CONFIG_FLOAT, "1e-3", 0, 1e30, NULL, 0, "learning rate"},
    {"train.betas", CONFIG_FLOATS, "0.9, 0.999", 0, 1, NULL, 0, "AdamW's betas"},
    {"train.note", CONFIG_STRING, "", 0, 0, NULL, CONFIG_UNHASHED, "free text"},
    {"train.tag", CONFIG_STRING, "none", 0, 0, NULL, 0, "free text that counts"},
    {0}};
static const struct config_key *const tables[] = {model_keys, train_keys, NULL};

static struct config_origin at(int line, int column)
{
    return (struct config_origin){"q.yaml", line, column};
}

static void set(struct config *c, const char *key, const char *text)
{
    struct error err = {0};
    if (config_set(c, key, text, at(1, 1), &err))
        fail_msg("%s", err.msg);
}

static void resolve(struct config *c)
{
    struct error err = {0};
    if (config_resolve(c, &err))
        fail_msg("%s", err.msg);
}

static struct config *vittm(void)
{
    struct config *c = config_new(tables);
    set(c, "model.family", "vittm");
    return c;
}

/* ---- numbers ---- */

static void test_integers(void **state)
{
    (void)state;
    int64_t v;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"96", 96},
                {"-3", -3},
                {"+7", 7},
                {"1e6", 1000000},
                {"2.5e3", 2500},
                {"010", 10},
                {"9223372036854775807", INT64_MAX},
                {"40E6", 40000000}};
    static const char *const bad[] = {"",      "96x", "1.5", "2_000", "0x10",
                                      "1e-3",  " 3",  "3 ",  "e6",    ".",
                                      "-",     "1e",  "inf", "nan",   "9223372036854775808",
                                      "1e300", "0o7", "1e19"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(number_int(good[i].text, &v), 0);
        assert_int_equal(v, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!number_int(bad[i], &v))
            fail_msg("%s was taken for the integer %lld", bad[i], (long long)v);
}

static void test_floats(void **state)
{
    (void)state;
    double v;
    char text[32], again[32];
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "0"},
                 {3, "3"},
                 {0.1, "0.1"},
                 {1e-3, "0.001"},
                 {1e-4, "0.0001"},
                 {1e-5, "1e-5"},
                 {2.5e-7, "2.5e-7"},
                 {40e6, "40000000"},
                 {1e15, "1000000000000000"},
                 {1e16, "1e16"},
                 {-2.5e20, "-2.5e20"},
                 {1.0 / 3, "0.3333333333333333"},
                 {123.456, "123.456"},
                 {5e-324, "5e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e308"}};
    static const char *const bad[] = {"",      ".inf",  "nan", "inf", "0x1p3",
                                      "1e999", "1.2.3", "1,2", "--1"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(number_format(cases[i].value, text), cases[i].text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(number_float(bad[i], &v), -1);
    assert_int_equal(number_float(".5", &v), 0);
    assert_true(v == 0.5);
    assert_int_equal(number_float("5.", &v), 0);
    assert_true(v == 5);
    struct rng r;
    rng_init(&r, 1, "test", 0, 0);
    for (int i = 0; i < 20000; i++) {
        double x = ldexp(rng_uniform(&r) - 0.5, (int)rng_below(&r, 200) - 100);
        assert_int_equal(number_float(number_format(x, text), &v), 0);
        assert_true(v == x);
        assert_string_equal(number_format(v, again), text);
    }
}

/* As printf does it, at middles, at the ends of what is done without it, and anywhere. */
static void test_short_numbers(void **state)
{
    (void)state;
    char text[32], want[40];
    static const double cases[] = {0.0001, 0.00099999995, 999999.5, 0.5000005, 1.0000005,
                                   -2.5,   123456.5,      1e-5,     1e6,       12.34565};
    struct rng r;
    rng_init(&r, 2, "test", 0, 0);
    for (int i = 0; i < 100000; i++) {
        double x = i < 10       ? cases[i]
                   : i % 2 == 0 ? floor(1e7 * rng_uniform(&r)) / pow(10, (double)rng_below(&r, 9))
                                : ldexp(rng_uniform(&r) - 0.5, (int)rng_below(&r, 60) - 30);
        snprintf(want, sizeof want, "%.6g", x);
        assert_string_equal(number_short(x, text), want);
    }
}

/* ---- values and activity ---- */

static void test_values(void **state)
{
    (void)state;
    struct config *c = vittm();
    const int64_t *ints;
    const double *floats;
    set(c, "model.dim", "1e2");
    set(c, "model.class_token", "true");
    set(c, "model.patch", "[4, 8]");
    set(c, "train.lr", "5e-4");
    set(c, "train.note", "some: text");
    resolve(c);
    assert_int_equal(config_int(c, "model.dim"), 100);
    assert_true(config_bool(c, "model.class_token"));
    assert_int_equal(config_ints(c, "model.patch", &ints), 2);
    assert_int_equal(ints[1], 8);
    assert_true(config_float(c, "train.lr") == 5e-4);
    assert_int_equal(config_floats(c, "train.betas", &floats), 2);
    assert_true(floats[1] == 0.999);
    assert_string_equal(config_string(c, "train.note"), "some: text");
    assert_string_equal(config_string(c, "model.rw_head"), "linear");
    assert_ptr_equal(config_choice(c, "model.rw_head"), &heads[3]);
    assert_int_equal(config_int(c, "model.latent_dim"), 32);
    set(c, "model.patch", "7");
    set(c, "train.betas", "");
    set(c, "model.rw_head", "latent"); /* the other member's default */
    resolve(c);
    assert_int_equal(config_ints(c, "model.patch", &ints), 1);
    assert_int_equal(ints[0], 7);
    assert_int_equal(config_floats(c, "train.betas", &floats), 0);
    assert_int_equal(config_int(c, "model.latent_dim"), 24);
    config_free(c);
}

static void test_activity(void **state)
{
    (void)state;
    struct config *c = vittm(), *copy;
    struct strbuf owners = STRBUF_INIT;
    set(c, "model.latent_dim", "48");
    set(c, "model.rw_head", "cross");
    resolve(c);
    assert_false(config_is_active(c, "model.latent_dim"));
    assert_true(config_is_set(c, "model.latent_dim"));
    assert_true(config_is_active(c, "model.rw_head"));
    copy = config_copy(c);
    set(copy, "model.rw_head", "linear");
    resolve(copy);
    assert_int_equal(config_int(copy, "model.latent_dim"), 48);
    assert_false(config_is_active(c, "model.latent_dim"));
    config_free(c);
    set(copy, "model.family", "vit");
    resolve(copy);
    assert_false(config_is_active(copy, "model.rw_head"));
    assert_false(config_is_active(copy, "model.eps"));
    config_unset(copy, "model.latent_dim");
    assert_false(config_is_set(copy, "model.latent_dim"));
    config_owners(copy, "model.latent_dim", &owners);
    assert_string_equal(owners.text, "model.rw_head latent, latent_cross, linear");
    strbuf_clear(&owners);
    config_owners(copy, "model.dim", &owners);
    assert_string_equal(owners.text, "");
    assert_string_equal(config_find(copy, "model.dim")->doc, "channels");
    assert_null(config_find(copy, "model.nothing"));
    strbuf_release(&owners);
    config_free(copy);
}

/* ---- refusals ---- */

static void refuses(const char *key, const char *text, const char *message)
{
    struct config *c = vittm();
    struct error err = {0};
    if (!config_set(c, key, text, at(14, 3), &err) && !config_resolve(c, &err))
        fail_msg("%s: %s was accepted", key, text);
    assert_string_equal(err.msg, message);
    assert_int_equal(err.code, EXIT_USAGE);
    config_free(c);
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("model.rwhead", "cross",
            "q.yaml:14:3: unknown key model.rwhead (did you mean model.rw_head?)");
    refuses("epocs", "3", "q.yaml:14:3: unknown key epocs (did you mean train.epochs?)");
    refuses("zzzzzz", "3", "q.yaml:14:3: unknown key zzzzzz");
    refuses("model.dim", "96x", "q.yaml:14:3: model.dim: 96x is not an integer");
    refuses("model.dim", "", "q.yaml:14:3: model.dim: an empty value is not an integer");
    refuses("model.dim", "0", "q.yaml:14:3: model.dim: 0 is out of range (1 to 65536)");
    refuses("train.lr", "-1", "q.yaml:14:3: train.lr: -1 is too small (at least 0)");
    refuses("train.lr", "fast", "q.yaml:14:3: train.lr: fast is not a number");
    refuses("train.betas", "0.9, 2", "q.yaml:14:3: train.betas: 2 is out of range (0 to 1)");
    refuses("model.patch", "[4, 8", "q.yaml:14:3: model.patch: [4, 8: the closing ] is missing");
    refuses("model.patch", "[4,, 8]", "q.yaml:14:3: model.patch: an empty value is not an integer");
    refuses("model.class_token", "yes", "q.yaml:14:3: model.class_token: yes is not true or false");
    refuses("model.rw_head", "linaer",
            "q.yaml:14:3: model.rw_head: unknown value linaer (did you mean linear? known: "
            "cross, latent, latent_cross, linear)");
    refuses("model.rw_head", "gru",
            "q.yaml:14:3: model.rw_head: unknown value gru (known: cross, latent, latent_cross, "
            "linear)");
}

static void test_inactive_values_are_checked(void **state)
{
    (void)state;
    struct config *c = vittm();
    struct error err = {0};
    set(c, "model.rw_head", "cross");
    assert_int_equal(config_set(c, "model.latent_dim", "x", at(2, 9), &err), 0);
    assert_int_equal(config_resolve(c, &err), -1);
    assert_string_equal(err.msg, "q.yaml:2:9: model.latent_dim: x is not an integer");
    config_free(c);
}

static void test_required_and_error(void **state)
{
    (void)state;
    struct config *c = config_new(tables);
    struct error err = {0};
    assert_int_equal(config_resolve(c, &err), -1);
    assert_string_equal(err.msg, "model.family is not set and has no default: kind of network");
    assert_int_equal(
        config_set(c, "model.family", "vit", (struct config_origin){"command line", 0, 0}, &err),
        0);
    resolve(c);
    config_error(c, &err, "model.family", "no %s", "way");
    assert_string_equal(err.msg, "command line: model.family vit: no way");
    config_error(c, &err, "model.dim", "30 is not divisible by 4");
    assert_string_equal(err.msg, "default: model.dim 192: 30 is not divisible by 4");
    config_free(c);
}

/* ---- text ---- */

static void identity_is(struct config *c, const char *expected)
{
    struct strbuf s = STRBUF_INIT;
    resolve(c);
    config_identity(c, &s);
    assert_string_equal(s.text, expected);
    strbuf_release(&s);
}

static void test_identity(void **state)
{
    (void)state;
    struct config *c = vittm();
    identity_is(c, "model.family: vittm\n");
    set(c, "train.note", "changes nothing");
    set(c, "model.dim", "1.92e2"); /* the default, written otherwise */
    set(c, "train.betas", "[.9,0.9990]");
    identity_is(c, "model.family: vittm\n");
    set(c, "train.lr", "0.00050");
    set(c, "model.patch", "4,8");
    set(c, "model.latent_dim", "48");
    identity_is(
        c, "model.family: vittm\nmodel.latent_dim: 48\nmodel.patch: [4, 8]\ntrain.lr: 0.0005\n");
    set(c, "model.rw_head", "cross"); /* latent_dim is not read any more */
    identity_is(
        c, "model.family: vittm\nmodel.patch: [4, 8]\nmodel.rw_head: cross\ntrain.lr: 0.0005\n");
    set(c, "train.tag", "a \"b\"\n\x01");
    set(c, "train.lr", "1e-3");
    set(c, "model.patch", "16");
    identity_is(c,
                "model.family: vittm\nmodel.rw_head: cross\ntrain.tag: \"a \\\"b\\\"\\n\\x01\"\n");
    config_free(c);
}

static void test_dump_and_items(void **state)
{
    (void)state;
    struct config *c = vittm();
    struct strbuf s = STRBUF_INIT;
    struct config_item item;
    set(c, "model.rw_head", "cross");
    set(c, "model.latent_dim", "48");
    set(c, "train.tag", "true");
    resolve(c);
    config_dump(c, &s);
    assert_string_equal(s.text, "model.class_token: false\n"
                                "model.dim: 192\n"
                                "model.family: vittm\n"
                                "model.patch: [16]\n"
                                "model.rw_head: cross\n"
                                "train.betas: [0.9, 0.999]\n"
                                "train.epochs: 10\n"
                                "train.lr: 0.001\n"
                                "train.note: \"\"\n"
                                "train.tag: \"true\"\n");
    assert_true(config_item(c, 3, &item));
    assert_string_equal(item.key->name, "model.latent_dim");
    assert_string_equal(item.text, "48");
    assert_false(item.active);
    assert_true(item.assigned);
    assert_string_equal(item.origin.file, "q.yaml");
    assert_true(config_item(c, 1, &item));
    assert_string_equal(item.key->name, "model.dim");
    assert_false(item.assigned);
    assert_string_equal(item.origin.file, "default");
    assert_true(config_item(c, 10, &item));
    assert_false(config_item(c, 11, &item));
    assert_string_equal(config_name(c, 0), "model.class_token");
    assert_null(config_name(c, 12));
    strbuf_release(&s);
    config_free(c);
}

/* ---- speed ---- */

static void test_speed(void **state)
{
    (void)state;
    enum { KEYS = 120, SET = 60, CELLS = 2000 };
    static struct config_key many[KEYS + 1];
    static char names[KEYS][32];
    const struct config_key *const roots[] = {many, NULL};
    struct config *base, *cells[CELLS];
    struct strbuf s = STRBUF_INIT;
    struct error err = {0};
    char text[32];
    for (int i = 0; i < KEYS; i++) {
        snprintf(names[i], sizeof names[i], "section%d.some_key_%d", i % 7, i);
        many[i] = (struct config_key){
            names[i], i % 2 ? CONFIG_INT : CONFIG_FLOAT, "7", 0, 1e9, NULL, 0, "x"};
    }
    base = config_new(roots);
    double start = clock_now();
    for (int i = 0; i < CELLS; i++) {
        cells[i] = config_copy(base);
        for (int k = 0; k < SET; k++) {
            snprintf(text, sizeof text, "%d", (i + k) % 100);
            assert_int_equal(config_set(cells[i], names[k], text, at(i, k), &err), 0);
        }
        assert_int_equal(config_resolve(cells[i], &err), 0);
        strbuf_clear(&s);
        config_identity(cells[i], &s);
    }
    double us = 1e6 * (clock_now() - start) / CELLS;
    print_message("copy, set %d of %d keys, resolve and identify: %.1f us a configuration\n", SET,
                  KEYS, us);

    for (int i = 0; i < CELLS; i++)
        config_free(cells[i]);
    config_free(base);
    strbuf_release(&s);
}

static const char *name_of(const void *ctx, int i)
{
    return ((const char *const *)ctx)[i];
}

static void test_hint(void **state)
{
    static const char *const names[] = {"train/loss",  "val/loss",  "val/top1",
                                        "cost/params", "step/loss", NULL};
    static const struct {
        const char *typed, *hint;
    } cases[] = {
        {"val/topp1", " (did you mean val/top1?)"}, /* a whole name before parts */
        {"params", " (did you mean cost/params?)"},
        {"test/param", " (did you mean cost/params?)"},
        {"loss", " (did you mean train/loss, val/loss or step/loss?)"},
        {"losses", " (did you mean train/loss, val/loss or step/loss?)"},
        {"model.dim", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf out = STRBUF_INIT;
        config_hint(&out, cases[i].typed, name_of, names);
        assert_string_equal(out.text, cases[i].hint);
        strbuf_release(&out);
    }
}

static void test_plain(void **state)
{
    static const char *const same[] = {"8", "add", "[]", "[a, b]", "[3", "3]", "", "[1]/[2]"};
    struct arena a = {0};
    (void)state;
    assert_string_equal(config_plain(&a, "[8]"), "8");
    assert_string_equal(config_plain(&a, "[3, 6, 9]"), "3,6,9");
    assert_string_equal(config_plain(&a, "[-1, 0.5, 1e-05]"), "-1,0.5,1e-05");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_ptr_equal(config_plain(&a, same[i]), same[i]);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_short_numbers),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_activity),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_inactive_values_are_checked),
        cmocka_unit_test(test_required_and_error),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_dump_and_items),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_hint),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests_name("base/config", tests, NULL, NULL);
}
