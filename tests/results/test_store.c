/* The store: what is written reads back, twice is once, foreign files are refused. */
#include "tests/results/store_fixture.h"
#include "base/arena.h"
#include "results/store_internal.h"
#include "results/views.h"

/* Everything that the views show, as one text. */
static char *dump(struct store *s)
{
    struct strbuf text = STRBUF_INIT;
    for (int i = 0; view_doc(i); i++) {
        struct strbuf sql = STRBUF_INIT;
        struct error err = {0};
        char *part;
        size_t size;
        strbuf_addf(&sql, "SELECT * FROM %s ORDER BY 1, 2, 3, 4, 5, 6, 7", view_doc(i)->name);
        if (strcmp(view_doc(i)->name, "v_env") == 0)
            sql = (strbuf_release(&sql), (struct strbuf)STRBUF_INIT),
            strbuf_adds(&sql, "SELECT * FROM v_env ORDER BY 1, 2");
        struct rows *r = store_query(s, &err, sql.text, "");
        if (!r)
            fail_msg("%s: %s", sql.text, err.msg);
        FILE *f = open_memstream(&part, &size);
        rows_print(r, ROWS_JSONL, f, NULL);
        fclose(f);
        strbuf_addf(&text, "== %s\n%s", view_doc(i)->name, part);
        free(part);
        rows_free(r);
        strbuf_release(&sql);
    }
    return strbuf_detach(&text);
}

static void test_views(void **state)
{
    (void)state;
    struct store *s = open_store("views.db");
    put_grid(s, 3);
    for (int seed = 0; seed < 3; seed++) {
        ingest_run(s, "c00", seed, 70 + seed);
        ingest_run(s, "c31", seed, 76 + 0.25 * seed);
    }
    assert_int_equal(number(s, "SELECT count(*) FROM v_runs"), 36);
    assert_int_equal(
        number(s, "SELECT count(*) FROM v_runs WHERE state='done' AND experiment='quick'"), 6);
    assert_int_equal(number(s, "SELECT count(*) FROM v_runs WHERE \"model.rw_head\"='linear'"
                               " AND \"val/top1\" > 76.1 AND \"model.dim\" = 96"),
                     2);
    assert_int_equal(
        number(s, "SELECT \"cost/params\" FROM v_runs WHERE label='cross add' AND seed=0"),
        1001001);
    assert_int_equal(
        number(s, "SELECT 1000 * mean FROM v_cells WHERE cell='c31' AND metric='val/top1'"), 76250);
    assert_int_equal(
        number(s, "SELECT 1000 * std FROM v_cells WHERE cell='c31' AND metric='val/top1'"), 250);
    assert_int_equal(number(s, "SELECT n FROM v_cells WHERE cell='c11' AND metric='cost/macs'"), 0);
    /* Two points at (epoch 1, step 200): the last one stays. */
    assert_int_equal(
        number(s, "SELECT 10 * value FROM v_curves WHERE run='c00-s0-cpu' AND metric='train/loss'"
                  " AND epoch=1"),
        14);
    assert_int_equal(number(s, "SELECT count(*) FROM v_cost WHERE cell='c00'"), 2);
    assert_int_equal(number(s, "SELECT p99_ms IS NULL AND batch=64 FROM v_latency LIMIT 1"), 1);
    assert_int_equal(number(s, "SELECT count(*) FROM v_env WHERE key='commit' AND text='0123abc'"),
                     6);
    assert_int_equal(number(s, "SELECT count(DISTINCT text) FROM fact_text"), 3);
    assert_int_equal(number(s, "SELECT 3600 * wall_hours FROM v_compute WHERE state='done'"), 360);
    /* c31: better accuracy, more MACs; c00: fewer MACs: both on the front. */
    assert_int_equal(number(s, "SELECT sum(on_front) FROM v_pareto"), 4);
    ingest_run(s, "c01", 0, 90); /* same MACs as c00, more accurate than all: the only one left */
    assert_int_equal(number(s, "SELECT count(DISTINCT cell) FROM v_pareto WHERE on_front"), 1);
    is_whole(s);
    store_close(s);
}

static void test_twice_is_once(void **state)
{
    (void)state;
    struct store *s = open_store("twice.db");
    put_grid(s, 2);
    ingest_run(s, "c00", 0, 70);
    char *once = dump(s);
    put_grid(s, 2);
    ingest_run(s, "c00", 0, 70);
    char *twice = dump(s);
    assert_string_equal(once, twice);
    free(once);
    free(twice);
    /* Other numbers replace, also those that are gone. */
    struct store_metric only = {"val/new", 5};
    struct store_result r = {.state = STORE_DONE, .metrics = &only, .metric_count = 1};
    OK(store_ingest(s, "c00-s0-cpu", &r, &ok_err));
    assert_int_equal(number(s, "SELECT \"val/top1\" IS NULL AND \"val/new\"=5 FROM v_runs"
                               " WHERE run='c00-s0-cpu'"),
                     1);
    assert_int_equal(number(s, "SELECT count(*) FROM run_metric"), 1);
    /* A late failure changes nothing, the ledger neither. */
    once = dump(s);
    r = (struct store_result){.state = STORE_FAILED, .exit_code = 1, .wall_s = 5, .message = "no"};
    OK(store_ingest(s, "c00-s0-cpu", &r, &ok_err));
    OK(store_set_state(s, "c00-s0-cpu", STORE_FAILED, "no", &ok_err));
    twice = dump(s);
    assert_string_equal(once, twice);
    assert_int_equal(number(s, "SELECT state='done' FROM v_runs WHERE run='c00-s0-cpu'"), 1);
    free(once);
    free(twice);
    store_close(s);
}

static void test_life_of_a_run(void **state)
{
    (void)state;
    struct store *s = open_store("life.db");
    struct error err = {0};
    struct arena arena = {0};
    struct store_run run;
    put_grid(s, 1);
    struct store_claim claim = {
        .pid = 42, .pid_start = 7, .host = "h", .boot = "b", .folder = "runs/x"};
    assert_int_equal(store_claim(s, "c00-s0-cpu", &claim, &err), 1);
    assert_int_equal(store_claim(s, "c00-s0-cpu", &claim, &err), 0);
    assert_int_equal(store_claim(s, "nobody", &claim, &err), -1);
    assert_non_null(strstr(err.msg, "nobody"));
    OK(store_set_pid(s, "c00-s0-cpu", 43, 8, &ok_err));
    assert_int_equal(store_run(s, "c00-s0-cpu", &arena, &run, &err), 1);
    assert_true(run.state == STORE_RUNNING && run.pid == 43 && run.attempts == 1 &&
                run.started > 0);
    assert_string_equal(run.folder, "runs/x");
    OK(store_set_state(s, "c00-s0-cpu", STORE_STALE, "its process is gone", &ok_err));
    assert_int_equal(store_claim(s, "c00-s0-cpu", &claim, &err), 1);
    struct store_result failed = {.state = STORE_FAILED,
                                  .exit_code = 1,
                                  .message = "loss is nan",
                                  .wall_s = 5,
                                  .log = "last line"};
    OK(store_ingest(s, "c00-s0-cpu", &failed, &ok_err));
    assert_int_equal(store_claim(s, "c00-s0-cpu", &claim, &err), 1);
    ingest_run(s, "c00", 0, 71);
    assert_int_equal(store_claim(s, "c00-s0-cpu", &claim, &err), 0);
    /* The ledger has all three attempts. */
    assert_int_equal(number(s, "SELECT sum(attempts) FROM v_compute"), 3);
    assert_int_equal(number(s, "SELECT wall_hours * 3600 FROM v_compute WHERE state='failed'"), 5);
    OK(store_tag(s, "c00-s0-cpu", "good", &ok_err));
    OK(store_tag(s, "c00-s0-cpu", "good", &ok_err));
    assert_int_equal(number(s, "SELECT tags='good' FROM v_runs WHERE run='c00-s0-cpu'"), 1);
    struct store_run *runs;
    size_t count;
    OK(store_runs(s, "quick", &arena, &runs, &count, &ok_err));
    assert_int_equal(count, 12);
    assert_true(runs[0].state == STORE_DONE && runs[11].position == 11);
    OK(store_clear_members(s, "quick", &ok_err));
    OK(store_runs(s, "quick", &arena, &runs, &count, &ok_err));
    assert_int_equal(count, 0);
    OK(store_runs(s, NULL, &arena, &runs, &count, &ok_err));
    assert_int_equal(count, 12);
    arena_release(&arena);
    is_whole(s);
    store_close(s);
}

static void test_refused_names(void **state)
{
    (void)state;
    struct store *s = open_store("names.db");
    struct error err = {0};
    put_grid(s, 1);
    struct store_metric bad = {"val\"; DROP TABLE run; --", 1};
    struct store_result r = {.state = STORE_DONE, .metrics = &bad, .metric_count = 1};
    assert_int_equal(store_ingest(s, "c00-s0-cpu", &r, &err), -1);
    assert_non_null(strstr(err.msg, "metric name"));
    struct store_cell cell = {.id = "../x", .identity = "", .config = ""};
    assert_int_equal(store_put_cell(s, &cell, &err), -1);
    cell = (struct store_cell){.id = "c00", .identity = "other", .config = ""};
    assert_int_equal(store_put_cell(s, &cell, &err), -1);
    assert_non_null(strstr(err.msg, "another identity"));
    assert_int_equal(store_put_run(s, "quick", "c00", 0, "gpu 0", NULL, &err), -1);
    assert_int_equal(store_put_run(s, "nothing", "c00", 0, "cpu", NULL, &err), -1);
    struct store_experiment e = {.name = "../etc"};
    assert_int_equal(store_put_experiment(s, &e, &err), -1);
    /* A transaction of which a part failed cannot be committed. */
    OK(store_begin(s, &ok_err));
    OK(store_tag(s, "c00-s0-cpu", "lost", &ok_err));
    assert_int_equal(store_put_cell(s, &cell, &err), -1);
    assert_int_equal(store_commit(s, &err), -1);
    assert_int_equal(number(s, "SELECT count(*) FROM tag"), 0);
    is_whole(s);
    store_close(s);
}

static void write_text(const char *path, const char *text)
{
    struct error err = {0};
    if (file_write(path, text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

static void refused(const char *path, enum store_mode mode, const char *part)
{
    struct error err = {0};
    struct store *s = store_open(path, mode, &err);
    if (s)
        fail_msg("%s was opened", path);
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    if (!strstr(err.msg, part) || strchr(err.msg, '\n'))
        fail_msg("'%s' lacks '%s'", err.msg, part);
}

static void test_refused_files(void **state)
{
    (void)state;
    sqlite3 *db;
    struct strbuf long_text = STRBUF_INIT;
    for (int i = 0; i < 200; i++)
        strbuf_adds(&long_text, "this is not a database, whatever it is called\n");
    write_text(in_folder("text.db"), long_text.text);
    strbuf_release(&long_text);
    refused(in_folder("text.db"), STORE_WRITE, "is not a vittm database");
    refused(in_folder("text.db"), STORE_READ, "is not a vittm database");
    sqlite3_open(in_folder("other.db"), &db);
    sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL);
    sqlite3_close(db);
    refused(in_folder("other.db"), STORE_WRITE, "another program");
    refused(in_folder("other.db"), STORE_READ, "another program");
    store_close(open_store("newer.db"));
    sqlite3_open(in_folder("newer.db"), &db);
    sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL);
    sqlite3_close(db);
    refused(in_folder("newer.db"), STORE_WRITE, "newer vittm");
    refused(in_folder("newer.db"), STORE_READ, "newer vittm");
    refused(in_folder("absent.db"), STORE_READ, "no such database");
    refused(in_folder("no/such/folder.db"), STORE_WRITE, "folder");
    refused(folder, STORE_WRITE, "not a regular file");
    write_text(in_folder("empty.db"), "");
    refused(in_folder("empty.db"), STORE_READ, "is empty");
    store_close(open_store("empty.db")); /* ours to make */
}

static void test_migration(void **state)
{
    (void)state;
    static const struct migration next[] = {{NULL}, {"CREATE TABLE later(x INTEGER) STRICT"}};
    static const struct migration broken[] = {
        {NULL}, {NULL}, {"CREATE TABLE half(x); CREATE TABLE later(x)"}};
    struct error err = {0};
    struct store *s = open_store("migrate.db");
    put_grid(s, 1);
    OK(schema_migrate(s, next, 2, &ok_err));
    assert_int_equal(number(s, "SELECT count(*) FROM later"), 0);
    assert_int_equal(number(s, "SELECT count(*) FROM v_runs"), 12);
    assert_true(file_exists(in_folder("migrate.db.backup-v1")));
    /* A step that fails leaves the version before. */
    assert_int_equal(schema_migrate(s, broken, 3, &err), -1);
    int64_t version = 0, half = 0;
    assert_int_equal(sql_integer(s, &err, &version, "PRAGMA user_version", ""), 1);
    assert_int_equal(version, 2);
    assert_int_equal(
        sql_integer(s, &err, &half, "SELECT count(*) FROM sqlite_schema WHERE name='half'", ""), 1);
    assert_int_equal(half, 0);
    store_close(s);
    struct store *old = store_open(in_folder("migrate.db.backup-v1"), STORE_READ, &err);
    if (!old)
        fail_msg("%s", err.msg);
    assert_int_equal(number(old, "SELECT count(*) FROM v_runs"), 12);
    store_close(old);
}

static void test_rate_of_a_device(void **state)
{
    (void)state;
    double rate = 0;
    struct error err = {0};
    struct store *s = open_store("rate.db");
    assert_int_equal(store_rate(s, "vm: a CPU, 2 threads", &rate, &err), 0);
    OK(store_put_rate(s, "vm: a CPU, 2 threads", 1.25e10, &ok_err));
    OK(store_put_rate(s, "vm: a CPU, 2 threads", 2.5e10, &ok_err));
    assert_int_equal(store_rate(s, "vm: a CPU, 2 threads", &rate, &err), 1);
    assert_true(rate == 2.5e10);
    assert_int_equal(store_rate(s, "vm: a CPU, 4 threads", &rate, &err), 0);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),         cmocka_unit_test(test_rate_of_a_device),
        cmocka_unit_test(test_twice_is_once), cmocka_unit_test(test_life_of_a_run),
        cmocka_unit_test(test_refused_names), cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_migration),
    };
    return cmocka_run_group_tests_name("results/store", tests, make_folder, drop_folder);
}
