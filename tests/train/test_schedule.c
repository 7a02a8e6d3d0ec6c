/* Learning-rate schedules: closed-form values, and the reference rates where they are at hand. */
#include "train/schedule.h"

#include "base/error.h"
#include "train/keys.h"
#include "train/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct lr_schedule *kind(const char *name)
{
    for (int i = 0; lr_schedule_at(i); i++)
        if (!strcmp(lr_schedule_at(i)->choice.name, name))
            return lr_schedule_at(i);
    fail_msg("no schedule %s", name);
    return NULL;
}

static void expect_rate(const struct lr_plan *p, int64_t t, double want, double relative)
{
    double got = lr_plan_rate(p, t);
    if (!(fabs(got - want) <= relative * fabs(want) + 1e-15))
        fail_msg("%s: step %lld has %.12g, not %.12g", p->kind->choice.name, (long long)t, got,
                 want);
}

static void test_closed_forms(void **state)
{
    (void)state;
    struct lr_plan p = {kind("cosine"), 1e-3, 1e-6, 1e-5, 0.9, 10, 110};
    expect_rate(&p, 0, 1e-6, 1e-12);
    expect_rate(&p, 5, 1e-6 + (1e-3 - 1e-6) * 0.5, 1e-12);
    expect_rate(&p, 10, 1e-3, 1e-12);
    expect_rate(&p, 60, (1e-3 + 1e-5) / 2, 1e-12);
    expect_rate(&p, 110, 1e-5, 1e-12);
    expect_rate(&p, 160, (1e-3 + 1e-5) / 2, 1e-12); /* not clamped */
    p.kind = kind("poly");
    expect_rate(&p, 9, 1e-6 + (1e-3 - 1e-6) * 0.9, 1e-12);
    expect_rate(&p, 10, 1e-3, 1e-12);
    expect_rate(&p, 60, 1e-3 * pow(0.5, 0.9), 1e-12);
    expect_rate(&p, 110, 0, 1e-12);
    expect_rate(&p, 111, 0, 1e-12);
    p.kind = kind("poly_min");
    expect_rate(&p, 10, 1e-3, 1e-12);
    expect_rate(&p, 109, 1e-5, 1e-12);
    expect_rate(&p, 500, 1e-5, 1e-12);
    p.kind = kind("constant");
    expect_rate(&p, 3, 1e-6 + (1e-3 - 1e-6) * 0.3, 1e-12);
    expect_rate(&p, 500, 1e-3, 1e-12);
}

/* Every kind without a warm-up begins at lr; one step of training is defined. */
static void test_no_warmup(void **state)
{
    (void)state;
    for (int i = 0; lr_schedule_at(i); i++) {
        struct lr_plan p = {lr_schedule_at(i), 2e-3, 1e-6, 1e-5, 0.9, 0, 7};
        expect_rate(&p, 0, 2e-3, 1e-12);
        p.total = 1;
        assert_true(isfinite(lr_plan_rate(&p, 0)));
    }
}

/* ---- from a configuration -------------------------------------------------------------------- */

static const struct config_key *const tables[] = {train_keys, NULL};

static struct config *configure(const char *const pairs[][2])
{
    struct error err = {0};
    struct config *c = config_new(tables);
    for (; (*pairs)[0]; pairs++)
        if (config_set(c, (*pairs)[0], (*pairs)[1], (struct config_origin){"test", 0, 0}, &err))
            fail_msg("%s", err.msg);
    if (config_resolve(c, &err))
        fail_msg("%s", err.msg);
    return c;
}

static void test_from_config(void **state)
{
    (void)state;
    struct error err = {0};
    struct lr_plan p;
    struct config *c = configure((const char *const[][2]){{"train.epochs", "4"},
                                                          {"train.warmup_epochs", "1.5"},
                                                          {"train.lr", "0.01"},
                                                          {"train.min_lr", "0.001"},
                                                          {NULL, NULL}});
    assert_int_equal(train_check(c, &err), 0);
    assert_int_equal(lr_plan_init(&p, c, 11, &err), 0);
    assert_int_equal(p.warmup, 17); /* 16.5 rounds up */
    assert_int_equal(p.total, 44);
    expect_rate(&p, 44, 0.001, 1e-12);
    config_free(c);

    c = configure((const char *const[][2]){{"train.epochs", "1"},
                                           {"train.warmup_epochs", "3"},
                                           {"train.warmup_steps", "7"},
                                           {NULL, NULL}});
    assert_int_equal(train_check(c, &err), 0); /* steps are in place of epochs */
    assert_int_equal(lr_plan_init(&p, c, 11, &err), 0);
    assert_int_equal(p.warmup, 7);
    assert_int_equal(lr_plan_init(&p, c, 7, &err), -1);
    assert_non_null(strstr(err.msg, "train.warmup_steps 7: the warm-up of 7 steps leaves none"));
    config_free(c);

    c = configure((const char *const[][2]){{"train.epochs", "2"},
                                           {"train.warmup_epochs", "2"},
                                           {"train.schedule", "poly"},
                                           {NULL, NULL}});
    assert_false(config_is_active(c, "train.min_lr"));
    assert_int_equal(train_check(c, &err), -1);
    assert_non_null(strstr(err.msg, "train.warmup_epochs 2: must be less than train.epochs (2)"));
    assert_int_equal(lr_plan_init(&p, c, 11, &err), -1);
    assert_int_equal(err.code, EXIT_USAGE);
    config_free(c);

    c = configure((const char *const[][2]){{"train.betas", "[0.9]"}, {NULL, NULL}});
    assert_int_equal(train_check(c, &err), -1);
    assert_non_null(strstr(err.msg, "needs two numbers"));
    config_free(c);
    c = configure((const char *const[][2]){{NULL, NULL}});
    assert_int_equal(train_check(c, &err), 0);
    config_free(c);
}

/* ---- reference rates ------------------------------------------------------------------------- */

static double number(const json_t *object, const char *key, double fallback)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : fallback;
}

static void check_golden(const char *name)
{
    char path[600], *text;
    const char *root = getenv("VITTM_SHARED");
    struct safetensors s;
    struct error err = {0};
    snprintf(path, sizeof path, "%s/golden/data/%s.safetensors", root ? root : "../shared", name);
    if (safetensors_open(&s, path, &err))
        fail_msg("%s", err.msg);
    json_t *c = json_loads(safetensors_metadata(&s, "case"), 0, NULL);
    const struct safetensors_tensor *rates = safetensors_find(&s, "lr");
    text = strdup(json_string_value(json_object_get(c, "sched")));
    struct lr_plan p = {kind(strcmp(text, "mmseg_poly") ? text : "poly_min"),
                        number(c, "lr", 0),
                        number(c, "warmup_lr", 0),
                        number(c, "min_lr", number(c, "eta_min", 0)),
                        number(c, "power", 0),
                        (int64_t)number(c, "warmup_steps", 0),
                        (int64_t)number(c, "total_steps", number(c, "end", 0))};
    double *want = calloc((size_t)rates->count, sizeof *want);
    safetensors_read_double(rates, want);
    for (int64_t t = 0; t < rates->count; t++)
        expect_rate(&p, t, want[t], strstr(name, "overrun") ? 1e-7 : 1e-9);
    free(want);
    free(text);
    json_decref(c);
    safetensors_close(&s);
}

static void test_golden(void **state)
{
    (void)state;
    static const char *const names[] = {"sched_cosine_0", "sched_cosine_1",       "sched_cosine_2",
                                        "sched_cosine_3", "sched_cosine_overrun", "sched_poly_0",
                                        "sched_poly_1",   "sched_mmseg_poly"};
    char path[600];
    const char *root = getenv("VITTM_SHARED");
    snprintf(path, sizeof path, "%s/golden/data", root ? root : "../shared");
    if (!file_is_folder(path)) {
        print_message("no %s\n", path);
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_golden(names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_forms), cmocka_unit_test(test_no_warmup),
        cmocka_unit_test(test_from_config), cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
