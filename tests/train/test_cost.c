/* Cost rows: ops and layers both add up to the total, and the total is what a ViT costs on paper.
 */
#include "train/cost.h"

#include "base/error.h"
#include "train/run_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct cost_table table_of(const char *text)
{
    struct error err = {0};
    struct config *c;
    struct cost_table t;
    if (run_config_parse(&c, "test", text, strlen(text), &err) || cost_table_init(&t, c, &err))
        fail_msg("%s", err.msg);
    config_free(c);
    return t;
}

static void expect_sums(const struct cost_table *t, const char *by, int params)
{
    struct cost_row sum = {.by = by};
    const struct cost_row *all = &t->rows[0];
    assert_string_equal(all->by, "total");
    for (int i = 0; i < t->n; i++) {
        const struct cost_row *r = &t->rows[i];
        if (strcmp(r->by, by))
            continue;
        sum.calls += r->calls;
        sum.params += r->params;
        sum.cost.macs += r->cost.macs;
        sum.cost.macs_fvcore += r->cost.macs_fvcore;
        sum.cost.other_flops += r->cost.other_flops;
        sum.cost.bytes_read += r->cost.bytes_read;
        for (int k = 0; k < i; k++)
            if (!strcmp(t->rows[k].by, by) && !strcmp(t->rows[k].name, r->name))
                fail_msg("two rows of %s %s", by, r->name);
    }
    assert_int_equal(sum.calls, all->calls);
    assert_int_equal(sum.cost.macs, all->cost.macs);
    assert_int_equal(sum.cost.macs_fvcore, all->cost.macs_fvcore);
    assert_int_equal(sum.cost.other_flops, all->cost.other_flops);
    assert_int_equal(sum.cost.bytes_read, all->cost.bytes_read);
    if (params)
        assert_int_equal(sum.params, all->params);
}

static void test_vit(void **state)
{
    (void)state;
    struct cost_table t =
        table_of("model: {family: vit, image_size: 32, patch: 8, dim: 48, depth: 3, heads: 3,\n"
                 "  mlp_ratio: 2, classes: 10, class_token: true, pool: token}\n");
    enum { N = 17, C = 48, L = 3, I = 3 * 8 * 8, K = 10 };
    int64_t block = 4 * C * C + 2 * 2 * C * C; /* qkv, proj, fc1, fc2: multiply-adds a token */
    int64_t macs = 16 * I * C + L * (N * block + 2 * N * N * C) + C * K;
    int64_t params =
        (I + 1) * C + C + N * C + L * (block + 4 * C + 2 * C + C + 2 * 2 * C) + 2 * C + (C + 1) * K;
    assert_int_equal(t.rows[0].cost.macs, macs);
    assert_int_equal(t.rows[0].params, params);
    expect_sums(&t, "op", 0);
    expect_sums(&t, "layer", 1);
    int blocks = 0;
    for (int i = 0; i < t.n; i++)
        blocks += !strncmp(t.rows[i].name, "blocks.", 7);
    assert_int_equal(blocks, L);
    cost_table_release(&t);
}

static void test_vittm(void **state)
{
    (void)state;
    struct cost_table t = table_of(
        "model: {family: vittm, image_size: 32, memory_patch: 4, process_patch: 8, dim: 48,\n"
        "  depth: 2, heads: 3, classes: 10, rw_head: cross, fusion: add_erase}\n");
    expect_sums(&t, "op", 0);
    expect_sums(&t, "layer", 1);
    cost_table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vit), cmocka_unit_test(test_vittm)};
    return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
