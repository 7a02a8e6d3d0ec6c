/* From a store through the views to figures: what is written there is what is drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "plots/canvas.h"
#include "plots/curve.h"
#include "plots/data.h"
#include "plots/figure.h"
#include "plots/report.h"
#include "results/rows.h"
#include "results/store.h"

enum { CELLS = 4, SEEDS = 3 };

struct fixture {
    char folder[64], database[96], csv[96];
};

static double top1(int cell, int seed)
{
    return 60 + 2 * cell + 0.3 * seed;
}

static void must(int rc, const struct error *err)
{
    if (rc < 0)
        fail_msg("%s", err->msg);
}

static void put_cell(struct store *s, const char *experiment, int i, struct error *err)
{
    static const char *const heads[] = {"linear", "cross"}, *const fusions[] = {"erase", "add"};
    char id[32], identity[96];
    snprintf(id, sizeof id, "%016x", 0xabc0 + i);
    snprintf(identity, sizeof identity, "model.fusion: %s\nmodel.rw_head: %s\n", fusions[i % 2],
             heads[i / 2]);
    struct store_value values[] = {{"model.rw_head", STORE_TEXT, heads[i / 2]},
                                   {"model.fusion", STORE_TEXT, fusions[i % 2]},
                                   {"model.dim", STORE_INTEGER, "96"}};
    struct store_metric costs[] = {{"cost/macs", 1e7 * (1 + i)}, {"cost/params", 1e6 * (1 + i)}};
    struct store_cost rows[] = {{"layer", "patch_embed", 1, 10, 1000, 1000, 0, 0, 0},
                                {"layer", "blocks.0", 1, 20, 5000 + i, 5000, 0, 0, 0}};
    struct store_cell cell = {.id = id,
                              .identity = identity,
                              .config = identity,
                              .values = values,
                              .value_count = 3,
                              .costs = costs,
                              .cost_count = 2,
                              .cost_rows = rows,
                              .cost_row_count = 2};
    must(store_put_cell(s, &cell, err), err);
    must(store_put_member(s, experiment, id, i, NULL, err), err);
    for (int seed = 0; seed < SEEDS; seed++) {
        char run[STORE_RUN_ID];
        store_run_id(run, id, seed, "cpu");
        must(store_put_run(s, experiment, id, seed, "cpu", NULL, err), err);
        struct store_claim claim = {.pid = 1, .pid_start = 1, .host = "host", .boot = "boot"};
        must(store_claim(s, run, &claim, err), err);
        struct store_metric metrics[] = {{"val/top1", top1(i, seed)}, {"latency/p50_ms", 10 + i}};
        struct store_point points[] = {{"val/top1", 1, 10, 30}, {"val/top1", 2, 20, top1(i, seed)}};
        struct store_fact facts[] = {{"commit", "0123456789"}, {"cpu", "a processor"}};
        struct store_result result = {.state = STORE_DONE,
                                      .started = 1e9,
                                      .finished = 1e9 + 60,
                                      .wall_s = 60,
                                      .metrics = metrics,
                                      .metric_count = 2,
                                      .points = points,
                                      .point_count = 2,
                                      .facts = facts,
                                      .fact_count = 2};
        must(store_ingest(s, run, &result, err), err);
    }
}

static void put_experiment(struct store *s, const char *name, int cells, struct error *err)
{
    const char *const axes[] = {"model.rw_head", "model.fusion"};
    struct store_value baseline[] = {{"model.rw_head", STORE_TEXT, "linear"},
                                     {"model.fusion", STORE_TEXT, "add"}};
    struct store_objective objectives[] = {{"val/top1", 1}, {"latency/p50_ms", 0}};
    struct store_experiment e = {.name = name,
                                 .title = "A small one",
                                 .file = "experiments/small.yaml",
                                 .text = "name: small\n",
                                 .published = "published/paper.csv",
                                 .baseline = baseline,
                                 .baseline_count = 2,
                                 .objectives = objectives,
                                 .objective_count = 2,
                                 .axes = axes,
                                 .axis_count = 2};
    must(store_put_experiment(s, &e, err), err);
    for (int i = 0; i < cells; i++)
        put_cell(s, name, i, err);
}

static int set_up(void **state)
{
    static struct fixture f;
    struct error err = {0};
    static const char csv[] =
        "source,table,row,metric,value\n"
        "Paper,Table 1,ViTTM-B,val/top1,64\nPaper,Table 1,ViTTM-B,latency/p50_ms,11\n"
        "Paper,Table 1,ViT-B/16,val/top1,62\nPaper,Table 1,ViT-B/16,latency/p50_ms,13\n";
    file_make_folder("build/tmp", &err);
    snprintf(f.folder, sizeof f.folder, "build/tmp/load.XXXXXX");
    if (mkdtemp(f.folder) == NULL)
        return -1;
    snprintf(f.database, sizeof f.database, "%s/results.db", f.folder);
    snprintf(f.csv, sizeof f.csv, "%s/paper.csv", f.folder);
    struct store *s = store_open(f.database, STORE_WRITE, &err);
    if (s == NULL || file_write(f.csv, csv, sizeof csv - 1, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    put_experiment(s, "small", CELLS, &err);
    put_experiment(s, "half", 2, &err);
    store_close(s);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    const struct fixture *f = *state;
    static const char *const names[] = {"results.db",      "results.db-wal", "results.db-shm",
                                        "results.db.lock", "paper.csv",      "f.svg",
                                        "f.svg.gp",        "f.svg.dat"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    return rmdir(f->folder);
}

static void load(const struct fixture *f, struct plot_data *d, const char *const *names, size_t n)
{
    struct error err = {0};
    struct store *s = store_open(f->database, STORE_READ, &err);
    if (s == NULL || data_load(d, s, names, n, &err) != 0)
        fail_msg("%s", err.msg);
    store_close(s);
}

static void test_load(void **state)
{
    struct plot_data d;
    const struct curve *curves;
    load(*state, &d, (const char *const[]){"small"}, 1);
    assert_int_equal(d.n_cells, CELLS);
    assert_int_equal(d.n_factors, 2);
    assert_string_equal(d.factors[0].key, "model.rw_head");
    assert_string_equal(d.factors[0].levels[0], "linear");
    assert_int_equal(d.n_objectives, 2);
    assert_string_equal(data_main_cost(&d), "latency/p50_ms");
    assert_string_equal(d.title, "A small one");
    for (int i = 0; i < CELLS; i++) {
        struct plot_stat s = data_stat(&d, &d.cells[i], "val/top1"),
                         cost = data_stat(&d, &d.cells[i], "cost/macs");
        assert_int_equal(s.n, SEEDS);
        assert_true(fabs(s.mean - top1(i, 1)) < 1e-9);
        assert_true(fabs(s.std - 0.3) < 1e-9);
        assert_true(cost.mean == 1e7 * (1 + i));
    }
    assert_int_equal(curve_collect(&d, "val/top1", "epoch", &curves), CELLS);
    assert_int_equal(curves[0].n, 2);
    assert_int_equal(curves[0].points[1].n, SEEDS);
    assert_true(fabs(curves[0].points[1].mean - top1(0, 1)) < 1e-9);
    assert_int_equal(d.source.costs->count, 2 * CELLS);
    assert_int_equal(d.source.compute->count, 1);
    data_release(&d);
}

/* A cell that two experiments share is shown in each; the experiment is then a factor. */
static void test_several(void **state)
{
    struct plot_data d;
    load(*state, &d, NULL, 0);
    assert_int_equal(d.n_cells, CELLS + 2);
    assert_true(data_factor(&d, "experiment") >= 0);
    const struct curve *curves;
    assert_int_equal(curve_collect(&d, "val/top1", "epoch", &curves), CELLS + 2);
    for (int i = 0; i < CELLS + 2; i++)
        assert_int_equal(curves[i].points[1].n, SEEDS); /* not twice as many */
    data_release(&d);
    load(*state, &d, (const char *const[]){"half", "small"}, 2);
    assert_int_equal(d.n_cells, CELLS + 2);
    data_release(&d);
    load(*state, &d, (const char *const[]){"half"}, 1);
    assert_int_equal(d.n_cells, 2);
    assert_int_equal(d.n_factors, 1);
    data_release(&d);
}

static void test_unknown(void **state)
{
    const struct fixture *f = *state;
    struct plot_data d;
    struct error err = {0};
    struct store *s = store_open(f->database, STORE_READ, &err);
    assert_non_null(s);
    assert_int_equal(data_load(&d, s, (const char *const[]){"smal"}, 1, &err), -1);
    assert_non_null(strstr(err.msg, "did you mean small?"));
    assert_int_equal(err.code, EXIT_USAGE);
    assert_int_equal(data_load(&d, s, (const char *const[]){"' OR 1=1 --"}, 1, &err), -1);
    store_close(s);
}

/* Every figure and the page can be made from a store, and a store that is read is not changed. */
static void test_all(void **state)
{
    const struct fixture *f = *state;
    struct error err = {0};
    char before[65], after[65];
    assert_int_equal(file_sha256(f->database, before, &err), 0);
    struct plot_data d;
    load(f, &d, (const char *const[]){"small"}, 1);
    struct figure_options none = {0};
    struct report_options options = {0};
    for (int i = 0; figure_at(i) != NULL; i++) {
        struct canvas c = CANVAS_INIT;
        if (strcmp(figure_at(i)->choice.name, "memory") != 0 ||
            data_has_metric(&d, "memory/peak_bytes"))
            must(figure_at(i)->draw(&d, &none, &c, &err), &err);
        canvas_release(&c);
    }
    struct strbuf page = STRBUF_INIT;
    must(report_page(&d, &options, &page, &err), &err);
    assert_non_null(strstr(page.text, "<h1>A small one</h1>"));
    assert_non_null(strstr(page.text, "a processor"));
    assert_non_null(strstr(page.text, "baseline"));
    strbuf_release(&page);
    data_release(&d);
    assert_int_equal(file_sha256(f->database, after, &err), 0);
    assert_string_equal(before, after);
}

static void test_published(void **state)
{
    const struct fixture *f = *state;
    struct error err = {0};
    struct plot_data d;
    data_empty(&d);
    must(data_published(&d, f->csv, &err), &err);
    assert_int_equal(d.source.published->count, 4);
    struct canvas c = CANVAS_INIT;
    struct figure_options o = {.x = "latency/p50_ms", .y = "val/top1"};
    must(figure_find("pareto", &err)->draw(&d, &o, &c, &err), &err);
    assert_non_null(strstr(c.data.text, "\"ViTTM-B\""));
    assert_non_null(strstr(c.summary.text, "1 of 2 published points"));
    canvas_release(&c);
    assert_int_equal(data_published(&d, "build/no-such.csv", &err), -1);
    assert_int_equal(d.source.published->count, 4); /* what was there stays */
    data_release(&d);
}

/* Numbers that the experiment names appear once they are in the store. */
static void test_own_published(void **state)
{
    const struct fixture *f = *state;
    struct error err = {0};
    struct store *s = store_open(f->database, STORE_WRITE, &err);
    assert_non_null(s);
    must(store_published(s, f->csv, &err), &err);
    store_close(s);
    struct plot_data d;
    load(f, &d, (const char *const[]){"small"}, 1);
    assert_int_equal(d.source.published->count, 4);
    data_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),      cmocka_unit_test(test_several),
        cmocka_unit_test(test_unknown),   cmocka_unit_test(test_all),
        cmocka_unit_test(test_published), cmocka_unit_test(test_own_published),
    };
    return cmocka_run_group_tests_name("load", tests, set_up, tear_down);
}
