/* Merge, export, import, gc, doctor. */
#include "tests/results/store_fixture.h"
#include "base/arena.h"
#include "results/maintain.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/views.h"

#include <sqlite3.h>

/* What the views show, without the columns that tell when and where. */
static char *dump(struct store *s)
{
    static const char *const sql[] = {
        "SELECT run, experiment, cell, label, position, seed, state, device, attempts, started, "
        "finished,"
        " wall_s, \"model.rw_head\", \"model.dim\", \"train.lr\", \"cost/params\", \"val/top1\","
        " tags, commit_hash FROM v_runs ORDER BY run, experiment",
        "SELECT * FROM v_cells ORDER BY experiment, cell, metric",
        "SELECT * FROM v_curves ORDER BY 1, 7, 8, 9",
        "SELECT * FROM v_cost ORDER BY cell, by, name",
        "SELECT * FROM v_latency ORDER BY run",
        "SELECT * FROM v_pareto ORDER BY 1, 2, 5",
        "SELECT * FROM v_compute ORDER BY 1, 2, 3",
        "SELECT * FROM v_env ORDER BY run, key",
        "SELECT run, images, hex(bits) FROM correct ORDER BY run",
        "SELECT experiment, title, axes, objectives, baseline FROM v_experiments ORDER BY 1"};
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        struct error err = {0};
        char *part;
        size_t size;
        struct rows *r = store_query(s, &err, sql[i], "");
        if (!r)
            fail_msg("%s: %s", sql[i], err.msg);
        FILE *f = open_memstream(&part, &size);
        rows_print(r, ROWS_JSONL, f, NULL);
        fclose(f);
        strbuf_adds(&text, part);
        free(part);
        rows_free(r);
    }
    return strbuf_detach(&text);
}

static struct merge_report merge(struct store *s, const char *name)
{
    struct merge_report report;
    OK(store_merge(s, in_folder(name), &report, &ok_err));
    return report;
}

static void test_merge(void **state)
{
    (void)state;
    /* Three machines: a has seed 0, b seed 1 and a failure, c both experiments' seed 2. */
    struct store *a = open_store("a.db"), *b = open_store("b.db"), *c = open_store("c.db");
    struct error err = {0};
    put_grid(a, 3);
    put_grid(b, 3);
    put_grid(c, 3);
    struct store_experiment e = {.name = "other", .title = "Another"};
    OK(store_put_experiment(c, &e, &ok_err));
    OK(store_put_member(c, "other", "c00", 0, NULL, &ok_err));
    OK(store_put_run(c, "other", "c00", 2, "cpu", "runs/y", &ok_err));
    ingest_run(a, "c00", 0, 70);
    ingest_run(b, "c00", 1, 71);
    ingest_run(c, "c00", 2, 72);
    OK(store_tag(b, "c00-s1-cpu", "remote", &ok_err));
    struct store_result failed = {
        .state = STORE_FAILED, .exit_code = 1, .message = "no", .wall_s = 9};
    OK(store_ingest(b, "c11-s0-cpu", &failed, &ok_err));
    store_close(b);
    store_close(c);
    struct merge_report r = merge(a, "b.db");
    assert_int_equal(r.replaced, 1);
    assert_int_equal(r.runs + r.cells + r.experiments + r.conflicts, 0);
    r = merge(a, "c.db");
    assert_int_equal(r.experiments, 1);
    assert_int_equal(r.replaced, 1);
    assert_int_equal(number(a, "SELECT n FROM v_cells WHERE experiment='quick' AND cell='c00'"
                               " AND metric='val/top1'"),
                     3);
    assert_int_equal(
        number(a, "SELECT count(*) FROM v_runs WHERE experiment='other' AND folder IS NULL"), 1);
    assert_int_equal(number(a, "SELECT tags='remote' FROM v_runs WHERE run='c00-s1-cpu'"), 1);
    char *once = dump(a);
    merge(a, "b.db");
    r = merge(a, "c.db");
    assert_int_equal(r.same, 36);
    char *twice = dump(a);
    assert_string_equal(once, twice);
    free(twice);
    /* Into an empty store: everything comes, and twice is once there too. */
    store_close(a);
    struct store *d = open_store("d.db");
    r = merge(d, "a.db");
    assert_int_equal(r.runs, 36);
    assert_int_equal(r.cells, 12);
    char *copied = dump(d);
    assert_string_equal(once, copied);
    merge(d, "a.db");
    char *again = dump(d);
    assert_string_equal(once, again);
    free(once);
    free(copied);
    free(again);
    struct merge_report report;
    assert_int_equal(store_merge(d, in_folder("d.db"), &report, &err), -1);
    assert_non_null(strstr(err.msg, "into itself"));
    assert_int_equal(store_merge(d, in_folder("none.db"), &report, &err), -1);
    int healthy;
    rows_free(store_doctor(d, &healthy, &err));
    assert_true(healthy);
    store_close(d);
}

static void test_conflicts(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *a = open_store("ours.db"), *b = open_store("theirs.db");
    put_grid(a, 1);
    put_grid(b, 1);
    ingest_run(a, "c00", 0, 70);
    ingest_run(b, "c00", 0, 70.5); /* top-1 and top-5 contradict */
    ingest_run(a, "c01", 0, 71);
    ingest_run(b, "c01", 0, 71);
    store_close(b);
    for (int i = 0; i < 2; i++) {
        struct merge_report r = merge(a, "theirs.db");
        assert_int_equal(r.conflicts, 1);
        assert_int_equal(r.same, 11);
    }
    struct rows *r = store_conflicts(a, &err);
    assert_int_equal(r->count, 2);
    assert_string_equal(rows_cell(r, 0, 0)->text, "c00-s0-cpu");
    assert_string_equal(rows_cell(r, 0, 1)->text, "val/top1");
    assert_string_equal(rows_cell(r, 0, 2)->text, "70");
    assert_string_equal(rows_cell(r, 0, 3)->text, "70.5");
    rows_free(r);
    assert_int_equal(number(a, "SELECT \"val/top1\" FROM v_runs WHERE run='c00-s0-cpu'"), 70);
    store_close(a);
}

static void finish(struct store *s, const char *run, double speed, double started)
{
    struct store_metric metrics[] = {
        {"val/top1", 70}, {"train/img_s", speed}, {"train/data_wait_s", 1 / speed}};
    struct store_result r = {.state = STORE_DONE,
                             .started = started,
                             .wall_s = 10,
                             .metrics = metrics,
                             .metric_count = 3};
    OK(store_ingest(s, run, &r, &ok_err));
}

/* Two machines ran the same: speeds are no contradiction, and both worked. */
static void test_both_ran(void **state)
{
    (void)state;
    struct store *a = open_store("here.db"), *b = open_store("there.db");
    struct store_result failed = {.state = STORE_FAILED, .started = 50, .wall_s = 4};
    put_grid(a, 1);
    put_grid(b, 1);
    finish(a, "c00-s0-cpu", 900, 100);
    finish(b, "c00-s0-cpu", 1000, 200);
    OK(store_ingest(a, "c01-s0-cpu", &failed, &ok_err));
    failed.started = 60;
    OK(store_ingest(b, "c01-s0-cpu", &failed, &ok_err));
    struct store_experiment e = {.name = "quick", .text = "name: quick"};
    OK(store_put_experiment(a, &e, &ok_err));
    e.text = "name: quick # mine";
    OK(store_put_experiment(b, &e, &ok_err));
    store_close(b);
    for (int i = 0; i < 2; i++) {
        struct merge_report r = merge(a, "there.db");
        assert_int_equal(r.conflicts, 0);
        assert_int_equal(r.same, 12);
        assert_int_equal(r.differing, 1);
        assert_string_equal(r.example, "quick");
        assert_int_equal(number(a, "SELECT sum(attempts) FROM v_compute"), 4);
        assert_int_equal(number(a, "SELECT round(3600 * sum(wall_hours)) FROM v_compute"), 28);
        assert_int_equal(number(a, "SELECT sum(attempts) FROM run"), 4);
    }
    /* What fails there later is one attempt more, not all of them once more. */
    b = open_store("there.db");
    struct store_claim claim = {.pid = 42, .pid_start = 7, .host = "h", .boot = "b"};
    struct error err = {0};
    assert_int_equal(store_claim(b, "c01-s0-cpu", &claim, &err), 1);
    merge(a, "there.db");
    assert_int_equal(number(a, "SELECT sum(attempts) FROM v_compute WHERE state='stale'"), 1);
    finish(b, "c01-s0-cpu", 800, 0);
    merge(a, "there.db");
    assert_int_equal(number(a, "SELECT sum(attempts) FROM v_compute"), 5);
    assert_int_equal(number(a, "SELECT sum(attempts) FROM v_compute WHERE state='done'"), 3);
    store_close(b);
    store_close(a);
}

static void test_published_too(void **state)
{
    (void)state;
    static const char text[] =
        "source,table,row,metric,value,unit,convention,device,precision,batch,note,model.dim\n"
        "Paper,1,ViT-S,val/top1,79.9,%,,,,,,384\n"
        "Paper,1,ViT-B,val/top1,81.8,%,,,,,,768\n";
    struct error err = {0};
    struct store *a = open_store("without.db"), *b = open_store("with.db");
    assert_int_equal(file_write(in_folder("one.csv"), text, sizeof text - 1, &err), 0);
    assert_int_equal(file_write(in_folder("two.csv"), text, sizeof text - 1, &err), 0);
    OK(store_published(a, in_folder("one.csv"), &ok_err));
    OK(store_published(b, in_folder("one.csv"), &ok_err));
    OK(store_published(b, in_folder("two.csv"), &ok_err));
    store_close(b);
    for (int i = 0; i < 2; i++) {
        merge(a, "with.db");
        assert_int_equal(number(a, "SELECT count(*) FROM v_published"), 4);
        assert_int_equal(number(a, "SELECT 10 * value FROM v_published WHERE file='two'"
                                   " AND \"model.dim\"=768"),
                         818);
    }
    store_close(a);
}

/* A damaged page in the middle of their file: named and left alone, ours whole. */
static void test_damaged(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *a = open_store("good.db"), *b = open_store("bad.db");
    put_grid(a, 1);
    put_grid(b, 3);
    for (int f = 0; f < 3; f++)
        for (int seed = 0; seed < 3; seed++)
            ingest_run(b, f == 0 ? "c00" : f == 1 ? "c01" : "c02", seed, 70);
    store_close(b);
    int damaged = 0;
    for (long page = 2; page < 60; page += 3) {
        char *data;
        size_t size;
        OK(file_read(in_folder("bad.db"), 1 << 26, &data, &size, &ok_err));
        if ((size_t)(page + 1) * 4096 <= size) {
            memset(data + page * 4096, 0x5a, 4096);
            OK(file_write(in_folder("bad2.db"), data, size, &ok_err));
            struct merge_report report;
            memset(&err, 0, sizeof err);
            if (store_merge(a, in_folder("bad2.db"), &report, &err)) {
                damaged++;
                assert_int_equal(err.code, EXIT_ENVIRONMENT);
            }
        }
        free(data);
    }
    assert_true(damaged > 5);
    int healthy;
    rows_free(store_doctor(a, &healthy, &err));
    assert_true(healthy);
    store_close(a);
}

static void print_to(struct rows *r, const char *path)
{
    FILE *f = fopen(path, "w");
    assert_int_equal(rows_print(r, ROWS_CSV, f, NULL), 0);
    fclose(f);
    rows_free(r);
}

static void test_export_import(void **state)
{
    (void)state;
    struct error err = {0};
    int64_t runs;
    struct store *a = open_store("from.db");
    put_grid(a, 2);
    ingest_run(a, "c00", 0, 70.25);
    ingest_run(a, "c12", 1, 71.5);
    print_to(store_export(a, "quick", &err), in_folder("quick.csv"));
    assert_null(store_export(a, "none", &err));
    store_close(a);
    struct store *b = open_store("to.db");
    for (int i = 0; i < 2; i++) {
        OK(store_import(b, in_folder("quick.csv"), &runs, &ok_err));
        assert_int_equal(runs, i ? 0 : 2);
    }
    assert_int_equal(number(b, "SELECT count(*) FROM v_runs WHERE experiment='quick'"), 24);
    assert_int_equal(
        number(b, "SELECT 100 * \"val/top1\" FROM v_runs WHERE cell='c00' AND state='done'"
                  " AND \"model.rw_head\"='token_summary' AND \"model.dim\"=96"
                  " AND label='token_summary erase'"),
        7025);
    /* The experiment planned here later takes the imported cells over. */
    put_grid(b, 2);
    assert_int_equal(number(b, "SELECT count(*) FROM v_runs WHERE state='done'"), 2);
    store_close(b);
    /* Another tool's file: no ids; the same keys are one cell. */
    static const char foreign[] =
        "model.dim,train.lr,seed,val/top1\n64,1e-3,0,50\n64,1e-3,1,51\n96,1e-3,0,55\n";
    assert_int_equal(file_write(in_folder("foreign.csv"), foreign, sizeof foreign - 1, &err), 0);
    struct store *c = open_store("foreign.db");
    OK(store_import(c, in_folder("foreign.csv"), &runs, &ok_err));
    assert_int_equal(runs, 3);
    assert_int_equal(number(c, "SELECT count(DISTINCT cell) FROM v_runs"), 2);
    static const char bad[] = "model.dim,seed,val/top1\n64,0,fifty\n";
    assert_int_equal(file_write(in_folder("bad.csv"), bad, sizeof bad - 1, &err), 0);
    assert_int_equal(store_import(c, in_folder("bad.csv"), &runs, &err), -1);
    assert_non_null(strstr(err.msg, "bad.csv:2: val/top1 is 'fifty'"));
    store_close(c);
}

static void test_gc(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *s = open_store("gc.db");
    put_grid(s, 2);
    ingest_run(s, "c00", 0, 70);
    OK(store_put_run(s, NULL, "c00", 7, "cpu", "runs/seven", &ok_err));
    struct rows *r = store_gc(s, 0, 0, &err);
    assert_int_equal(r->count, 1);
    assert_string_equal(rows_cell(r, 0, 2)->text, "runs/seven");
    rows_free(r);
    assert_int_equal(number(s, "SELECT count(*) FROM v_runs"), 24);
    OK(store_clear_members(s, "quick", &ok_err));
    r = store_gc(s, 0, 1, &err); /* dry */
    assert_int_equal(r->count, 23);
    rows_free(r);
    assert_int_equal(number(s, "SELECT count(*) FROM run"), 24);
    rows_free(store_gc(s, 0, 0, &err));
    assert_int_equal(number(s, "SELECT count(*) FROM run"), 1); /* what is done stays */
    assert_int_equal(number(s, "SELECT count(*) FROM cell"), 1);
    rows_free(store_gc(s, 1, 0, &err));
    assert_int_equal(number(s, "SELECT count(*) FROM run") +
                         number(s, "SELECT count(*) FROM cell") +
                         number(s, "SELECT count(*) FROM run_metric") +
                         number(s, "SELECT count(*) FROM fact_text"),
                     0);
    int healthy;
    rows_free(store_doctor(s, &healthy, &err));
    assert_true(healthy);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_export_import),
        cmocka_unit_test(test_gc),
        cmocka_unit_test(test_both_ran),
        cmocka_unit_test(test_published_too),
    };
    return cmocka_run_group_tests_name("results/merge", tests, make_folder, drop_folder);
}
