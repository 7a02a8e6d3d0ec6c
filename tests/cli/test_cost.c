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
    int refused = cost_table_init(&one, c->config, &err);
    assert_int_equal(cli_cost(c->config, &cost, &err), refused);
    if (refused)
        return;
    const struct op_cost *total = &one.rows[0].cost;
    assert_int_equal(cost.params, one.rows[0].params);
    assert_int_equal(cost.macs, total->macs);
    assert_int_equal(cost.macs_fvcore, total->macs_fvcore);
    assert_int_equal(cost.flops, 2 * total->macs + total->other_flops);
    cost_table_release(&one);
}

/* One image, as many as channels, the default, and an odd number; and what options say. */
static void check_model(const struct experiment_source *source, const char *name,
                        const char *const *options, int n)
{
    enum { MOST = 8 };
    const char *all[MOST + 1] = {"latency.batch=1,3,64,7"};
    struct error err = {0};
    struct experiment e;
    assert_true(n <= MOST);
    for (int i = 0; i < n; i++)
        all[i + 1] = options[i];
    must(experiment_load(&e, source, name, all, n + 1, &err), &err);
    must(experiment_expand(&e, NULL, 0, &err), &err);
    assert_true(e.n_cells >= 4);
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
        check_model(&source, *names, NULL, 0);
    arena_release(&arena);
}

/* Every member of every registry that a model chooses from, at sizes that divide. What is refused
 * is so both ways. */
static void test_members(void **state)
{
    (void)state;
    static const struct {
        const char *model, *options[3];
    } cases[] = {
        {"vittm_s_64_64",
         {"model.rw_head=token_summary,cross,latent,latent_cross,linear,dyna",
          "model.latent_dim=96", "model.fusion=erase,add,add_erase"}},
        {"vittm_s_64_64", {"model.memory_block=none,mlp,conv"}},
        {"vittm_s_64_64", {"model.process_init=patch,downsample,latent"}},
        {"vittm_s_64_64", {"model.memory_input=second", "model.second.view=gray,edges,silhouette"}},
        {"vittm_s_64_64", {"model.reduce.method=tome", "model.reduce.r=2"}},
        {"vit_s16", {"model.reduce.method=tome,mctf", "model.reduce.r=8"}},
        {"vit_s16",
         {"model.reduce.method=tome,mctf", "model.reduce.r=8", "model.reduce.unmerge=true"}},
        {"vit_s16", {"train.objective=mae"}},
    };
    struct arena arena = {0};
    struct experiment_source source = {cli_schema(), models_roots(&arena)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = 0;
        while (n < 3 && cases[i].options[n])
            n++;
        check_model(&source, cases[i].model, cases[i].options, n);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models),
                                       cmocka_unit_test(test_members)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
