/* The costs of an experiment's cells: shared, computed by several threads, room on disk, time. */
#include "tests/support/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "runner/enroll.h"

static int only_model(const char *key)
{
    return !strncmp(key, "model.", 6);
}

/* Cells that differ only in what cannot change a cost share one call, and its refusal. */
static void test_shared_costs(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab->model.matters = only_model;
    lab_load(
        lab, &e,
        "grid: {train.epochs: [1, 2, 3], model.dim: [96, 97, 192]}\nwhere: cost.params > 2e5\n",
        NULL, 0);
    lab->model.matters = NULL;
    assert_int_equal(lab->calls, 3);
    assert_int_equal(e.n_refused, 3);
    assert_int_equal(e.n_excluded, 3);
    assert_int_equal(e.cells[8].cost.params, 192 * 192 * 12);
    assert_int_equal(e.cells[7].state, CELL_REFUSED);
    assert_string_equal(e.cells[7].reason, e.cells[1].reason);
    experiment_release(&e);
}

/* lab_cost from several threads at once: calls is an atomic_int. */
static int shared_cost(void *calls, const struct config *c, struct cell_cost *out,
                       struct error *err)
{
    int uncounted = 0;
    atomic_fetch_add((atomic_int *)calls, 1);
    return lab_cost(&uncounted, c, out, err);
}

/* Costs computed by several threads are those of one, refusals and what depends on costs too. */
static void test_concurrent_costs(void **state)
{
    struct lab *lab = *state;
    static const char text[] = "grid: {model.dim: 'range(60, 360, 3)', model.depth: [1, 2, 3]}\n"
                               "model: {heads: 6}\nwhere: cost.params < 200000\n";
    struct experiment one, many;
    atomic_int shared_calls = 0;
    const struct cost_model serial = lab->model;
    lab_load(lab, &one, text, NULL, 0);
    lab->model = (struct cost_model){.cost = shared_cost, .ctx = &shared_calls, .concurrent = 1};
    lab_load(lab, &many, text, NULL, 0);
    lab->model = serial;
    assert_int_equal(atomic_load(&shared_calls), 300);
    assert_int_equal(one.n_refused, 150);
    assert_int_equal(many.n_cells, one.n_cells);
    for (int i = 0; i < one.n_cells; i++) {
        const struct cell *a = &one.cells[i], *b = &many.cells[i];
        assert_int_equal(a->state, b->state);
        assert_memory_equal(&a->cost, &b->cost, sizeof a->cost);
        assert_string_equal(a->reason ? a->reason : "", b->reason ? b->reason : "");
    }
    experiment_release(&one);
    experiment_release(&many);
}

static const struct config_choice averages[] = {{"none", "none", NULL}, {"ema", "ema", NULL}};
static const struct config_choice *average(int i)
{
    return i < 2 ? &averages[i] : NULL;
}
static const struct config_key average_keys[] = {
    {"train.average", CONFIG_CHOICE, "none", 0, 0, average, 0, "running mean of the weights"}, {0}};

/* Two checkpoints of weights and two moments, and the weights at the end; a running mean stands in
 * each of the three. */
static void test_disk(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    struct arena arena = {0};
    struct schedule_task *tasks;
    size_t n;
    const struct config_key *const average_tables[] = {lab_tables[0], lab_tables[1], average_keys,
                                                       NULL};
    const struct enroll_options options = {.out = "out", .device = "cpu", .threads = 1};
    lab->source.tables = average_tables;
    lab_load(lab, &e, "grid: {train.average: [none, ema]}\nmodel: {dim: 96, depth: 1}\nseeds: 2\n",
             NULL, 0);
    lab->source.tables = lab_tables;
    enroll_preview(&e, &options, &arena, &tasks, &n);
    assert_int_equal(n, 4);
    assert_int_equal(tasks[0].disk_bytes, 7 * 4 * 96 * 96);
    assert_int_equal(tasks[2].disk_bytes, 10 * 4 * 96 * 96);
    e.measure = EXPERIMENT_COST;
    enroll_preview(&e, &options, &arena, &tasks, &n);
    assert_int_equal(tasks[2].disk_bytes, 0);
    experiment_release(&e);
    arena_release(&arena);
}

static void test_speed(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    double start = clock_now();
    lab_load(
        lab, &e,
        "grid: {model.dim: 'range(96,396,3)', train.epochs: 'range(1,51)', model.rw_head: [cross, "
        "latent]}\n"
        "model: {family: vittm, depth: 6, latent_dim: 48}\ntrain: {lr: 5e-4, weight_decay: 0.1}\n"
        "exclude: [\"model.rw_head == 'cross' and model.dim == 96\"]\nwhere: cost.macs < 1e12\n",
        NULL, 0);
    print_message("%d cells planned in %.3f s\n", e.n_cells, clock_now() - start);
    assert_int_equal(e.n_cells, 10000);
    assert_int_equal(e.n_excluded, 50);
    experiment_release(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_costs),
        cmocka_unit_test(test_concurrent_costs),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests_name("runner/experiment_costs", tests, lab_setup, lab_teardown);
}
