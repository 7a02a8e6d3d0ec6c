/* Batch augmentation: plans repeat, targets sum to 1, pixels come from where the plan says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

static int is_in(struct box b, int y, int x)
{
    return y >= b.top && y < b.top + b.height && x >= b.left && x < b.left + b.width;
}

static void plans_repeat_and_use_both_kinds(void **state)
{
    (void)state;
    struct mix_plan a, b;
    int seen[3] = {0};
    mix_plan_init(&a, B);
    mix_plan_init(&b, B);
    for (uint64_t n = 0; n < 200; n++) {
        mix_plan_draw(&both, 7, 1, n, B, S, S, &a);
        mix_plan_draw(&both, 7, 1, n, B, S, S, &b);
        assert_memory_equal(a.draw, b.draw, sizeof *a.draw * B);
        assert_true(a.draw[0].lambda >= 0 && a.draw[0].lambda <= 1);
        for (int i = 1; i < B; i++)
            assert_memory_equal(&a.draw[i], &a.draw[0], sizeof *a.draw);
        assert_int_equal(a.partner[0], B - 1);
        assert_memory_equal(a.erased, b.erased, sizeof *a.erased * B);
        seen[a.draw[0].kind]++;
    }
    assert_true(seen[MIX_NONE] == 0 && seen[MIX_MIXUP] > 60 && seen[MIX_CUTMIX] > 60);
    mix_plan_release(&a);
    mix_plan_release(&b);
}

/* Flip is the batch backwards; permutations are permutations, differ, and use every partner. Pixels
 * and targets follow the partner. */
static void pairings_pair(void **state)
{
    (void)state;
    struct mix m = both;
    struct mix_plan p;
    const int32_t labels[B] = {0, 1, 2, 3, 4};
    float x[B * S * S], y[B * S * S], t[B * B];
    int used[B][B] = {{0}};
    for (int i = 0; i < B * S * S; i++)
        x[i] = (float)(i / (S * S)); /* every pixel says its sample */
    mix_plan_init(&p, B);
    m.erase_probability = 0;
    for (uint64_t n = 0; n < 300; n++) {
        int seen[B] = {0};
        m.pairing = n % 2 ? MIX_PERMUTATION : MIX_FLIP;
        mix_plan_draw(&m, 3, 0, n, B, S, S, &p);
        mix_apply(&p, B, 1, S, S, x, y);
        mix_targets(&p, labels, B, B, 0, t);
        for (int i = 0; i < B; i++) {
            int j = p.partner[i];
            assert_in_range(j, 0, B - 1);
            assert_int_equal(seen[j]++, 0);
            if (m.pairing == MIX_FLIP)
                assert_int_equal(j, B - 1 - i);
            else
                used[i][j]++;
            double own = p.draw[i].lambda, sum = 0;
            for (int k = 0; k < S * S; k++)
                sum += y[i * S * S + k];
            assert_true(fabs(sum / (S * S) - (own * i + (1 - own) * j)) < 1e-5);
            assert_true(fabs(t[i * B + i] - (i == j ? 1 : own)) < 1e-6);
        }
    }
    for (int i = 0; i < B * B; i++)
        assert_true(used[i / B][i % B] > 5);
    mix_plan_release(&p);
}

/* Pixel by pixel what the header says, each sample with its own draw: kind, share, box and what is
 * erased. */
static void samples_draw_their_own(void **state)
{
    (void)state;
    struct mix m = both;
    struct mix_plan p;
    float x[B * S * S], y[B * S * S];
    int kinds[B] = {0}, differ = 0;
    for (int i = 0; i < B * S * S; i++)
        x[i] = (float)(i + 1);
    mix_plan_init(&p, B);
    m.scope = m.erase_scope = MIX_SAMPLE;
    for (uint64_t n = 0; n < 200; n++) {
        mix_plan_draw(&m, 9, 0, n, B, S, S, &p);
        mix_apply(&p, B, 1, S, S, x, y);
        for (int i = 0; i < B * S * S; i++) {
            int k = i / (S * S), row = i / S % S, column = i % S, j = p.partner[k];
            const struct mix_draw *d = &p.draw[k];
            float a = is_in(p.erased[k], row, column) ? 0 : x[i];
            float b = is_in(p.erased[j], row, column) ? 0 : x[(j * S + row) * S + column];
            float want = d->kind == MIX_MIXUP ? a * (float)d->lambda + b * (float)(1 - d->lambda)
                         : is_in(d->box, row, column) ? b
                                                      : a;
            if (y[i] != want)
                fail_msg("batch %d, sample %d at %d %d: %g, not %g", (int)n, k, row, column, y[i],
                         want);
        }
        for (int i = 0; i < B; i++)
            kinds[i] += p.draw[i].kind == MIX_CUTMIX;
        differ += p.draw[1].kind != p.draw[0].kind;
    }
    for (int i = 0; i < B; i++)
        assert_in_range(kinds[i], 60, 140);
    assert_in_range(differ, 60, 140);
    mix_plan_release(&p);
}

/* One rectangle a batch, or each image its own: some erased and some not, in different places. */
static void erasing_has_its_scope(void **state)
{
    (void)state;
    struct mix m = {
        .erase_probability = 0.5, .erase_scale = {0.02, 0.33}, .erase_ratio = {0.3, 3.3}};
    struct mix_plan p;
    float x[B * S * S], y[B * S * S];
    int erased = 0, differ = 0, mixed = 0;
    for (int i = 0; i < B * S * S; i++)
        x[i] = 1;
    mix_plan_init(&p, B);
    for (uint64_t n = 0; n < 400; n++) {
        m.erase_scope = n % 2 ? MIX_SAMPLE : MIX_BATCH;
        mix_plan_draw(&m, 5, 2, n, B, S, S, &p);
        mix_apply(&p, B, 1, S, S, x, y);
        int some = 0;
        for (int i = 0; i < B; i++) {
            double sum = 0;
            const struct box *b = &p.erased[i];
            for (int k = 0; k < S * S; k++)
                sum += y[i * S * S + k];
            assert_true(sum == S * S - b->height * b->width);
            some += b->height > 0;
            if (m.erase_scope == MIX_BATCH)
                assert_memory_equal(b, &p.erased[0], sizeof *b);
            else
                differ += memcmp(b, &p.erased[0], sizeof *b) != 0;
        }
        mixed += some > 0 && some < B;
        erased += some;
    }
    assert_in_range(erased, 400 * B * 4 / 10, 400 * B * 6 / 10);
    assert_true(differ > 100 && mixed > 100);
    mix_plan_release(&p);
}

static void targets_weigh_both_labels(void **state)
{
    (void)state;
    const int32_t labels[B] = {0, 1, 2, 2, 1};
    float t[B * 3];
    struct mix_plan p;
    mix_plan_init(&p, B);
    mix_plan_draw(&both, 1, 0, 0, B, S, S, &p);
    mix_targets(&p, labels, B, 3, 0, t);
    for (int i = 0; i < B; i++)
        assert_true(fabsf(t[3 * i] + t[3 * i + 1] + t[3 * i + 2] - 1) < 1e-6f);
    assert_true(fabsf(t[0] - (float)p.draw[0].lambda) < 1e-6f);
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

static void means_are_of_the_draws(void **state)
{
    (void)state;
    struct mix_plan p;
    struct mix_mean mean;
    mix_plan_init(&p, 4);
    mix_plan_mean(&p, 4, &mean); /* nothing drawn yet: nothing is mixed */
    assert_true(mean.lambda == 1 && mean.cutmix == 0);
    p.draw[1] = (struct mix_draw){.kind = MIX_CUTMIX, .lambda = 0.25};
    p.draw[2] = (struct mix_draw){.kind = MIX_MIXUP, .lambda = 0.75};
    mix_plan_mean(&p, 4, &mean);
    assert_true(mean.lambda == 0.75 && mean.cutmix == 0.25);
    mix_plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_repeat_and_use_both_kinds),
        cmocka_unit_test(pairings_pair),
        cmocka_unit_test(samples_draw_their_own),
        cmocka_unit_test(erasing_has_its_scope),
        cmocka_unit_test(targets_weigh_both_labels),
        cmocka_unit_test(beta_has_its_mean_and_variance),
        cmocka_unit_test(means_are_of_the_draws),
    };
    return cmocka_run_group_tests_name("data/mix", tests, NULL, NULL);
}
