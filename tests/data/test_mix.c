/* Batch augmentation: plans repeat, targets sum to 1, pixels come from where the plan says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/rng.h"
#include "data/mix.h"

#define B 5
#define S 8

static const struct mix both = {.mixup_alpha = 0.5,
                                .cutmix_alpha = 1,
                                .erase_probability = 0.5,
                                .erase_scale = {0.02, 0.33},
                                .erase_ratio = {0.3, 3.3}};

static void plans_repeat_and_use_both_kinds(void **state)
{
    (void)state;
    struct mix_plan a, b;
    int seen[3] = {0};
    mix_plan_init(&a, B);
    mix_plan_init(&b, B);
    for (uint64_t n = 0; n < 200; n++) {
        mix_draw(&both, 7, 1, n, B, S, S, &a);
        mix_draw(&both, 7, 1, n, B, S, S, &b);
        assert_int_equal(a.kind, b.kind);
        assert_true(a.lambda == b.lambda && a.lambda >= 0 && a.lambda <= 1);
        assert_int_equal(a.partner[0], B - 1);
        assert_memory_equal(a.erased, b.erased, sizeof *a.erased * B);
        seen[a.kind]++;
    }
    assert_true(seen[MIX_NONE] == 0 && seen[MIX_MIXUP] > 60 && seen[MIX_CUTMIX] > 60);
    mix_plan_release(&a);
    mix_plan_release(&b);
}

static void targets_weigh_both_labels(void **state)
{
    (void)state;
    const int32_t labels[B] = {0, 1, 2, 2, 1};
    float t[B * 3];
    struct mix_plan p;
    mix_plan_init(&p, B);
    mix_draw(&both, 1, 0, 0, B, S, S, &p);
    mix_targets(&p, labels, B, 3, t);
    for (int i = 0; i < B; i++)
        assert_true(fabsf(t[3 * i] + t[3 * i + 1] + t[3 * i + 2] - 1) < 1e-6f);
    assert_true(fabsf(t[0] - (float)p.lambda) < 1e-6f);
    assert_true(fabsf(t[3 * 3 + 2] - 1) < 1e-6f);
    mix_plan_release(&p);
}

static void beta_has_its_mean_and_variance(void **state)
{
    (void)state;
    struct rng r;
    double sum = 0, squares = 0;
    rng_init(&r, 3, "test", 0, 0);
    for (int i = 0; i < 20000; i++) {
        double v = mix_beta(&r, 0.5);
        sum += v;
        squares += v * v;
    }
    assert_true(fabs(sum / 20000 - 0.5) < 0.01);
    assert_true(fabs(squares / 20000 - 0.25 - 0.125) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_repeat_and_use_both_kinds),
        cmocka_unit_test(targets_weigh_both_labels),
        cmocka_unit_test(beta_has_its_mean_and_variance),
    };
    return cmocka_run_group_tests_name("data/mix", tests, NULL, NULL);
}
