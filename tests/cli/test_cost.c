/* What a cell costs is counted from the graph of a batch: as much as a graph of one image says, for
 * every named model and whatever the batch. */
#include "cli/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"
#include "cli/models.h"
#include "cli/schema.h"
#include "runner/experiment.h"
#include "train/cost.h"

static void must(int failed, const struct error *err)
{
    if (failed)
        fail_msg("%s", err->msg);
}

static void check_cell(const struct cell *c)
{
    struct error err = {0};
    struct cost_table one;
    struct cell_cost cost;
    must(cli_cost(c->config, &cost, &err), &err);
    must(cost_table_init(&one, c->config, &err), &err);
    const struct op_cost *total = &one.rows[0].cost;
    assert_int_equal(cost.params, one.rows[0].params);
    assert_int_equal(cost.macs, total->macs);
    assert_int_equal(cost.macs_fvcore, total->macs_fvcore);
    assert_int_equal(cost.flops, 2 * total->macs + total->other_flops);
    cost_table_release(&one);
}

/* The batches: one, one that is the number of channels, the default, and an odd one. */
static void check_model(const struct experiment_source *source, const char *name)
{
    static const char *const batches[] = {"latency.batch=1,3,64,7"};
    struct error err = {0};
    struct experiment e;
    must(experiment_load(&e, source, name, batches, 1, &err), &err);
    must(experiment_expand(&e, NULL, 0, &err), &err);
    assert_int_equal(e.n_cells, 4);
    for (int i = 0; i < e.n_cells; i++)
        check_cell(&e.cells[i]);
    experiment_release(&e);
}

static void test_models(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err = {0};
    struct experiment_source source = {cli_schema(), models_roots(&arena)};
    const char *const *names = models_names(&arena, &err);
    must(!names, &err);
    for (; *names; names++)
        check_model(&source, *names);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
