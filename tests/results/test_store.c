/* The store: what is written reads back, twice is once, foreign files are refused, failures leave
 * it whole. */
#include "tests/results/store_fixture.h"
#include "base/arena.h"
#include "base/clock.h"
#include "results/maintain.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "results/views.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static long long number(struct store *s, const char *sql)
{
    struct error err = {0};
    long long value = -999;
    if (store_query_integer(s, &err, &value, sql, "") < 0)
        fail_msg("%s: %s", sql, err.msg);
    return value;
}

static void is_whole(struct store *s)
{
    struct error err = {0};
    int healthy = 0;
    struct rows *r = store_doctor(s, &healthy, &err);
    for (size_t i = 0; r && i < r->count && !healthy; i++)
        if (!rows_cell(r, i, 2)->integer && strcmp(rows_cell(r, i, 0)->text, "free space") != 0)
            fail_msg("%s: %s", rows_cell(r, i, 0)->text, rows_cell(r, i, 1)->text);
    rows_free(r);
}

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
    /* A late failure changes nothing. */
    r.state = STORE_FAILED;
    OK(store_ingest(s, "c00-s0-cpu", &r, &ok_err));
    OK(store_set_state(s, "c00-s0-cpu", STORE_FAILED, "no", &ok_err));
    assert_int_equal(number(s, "SELECT state='done' FROM v_runs WHERE run='c00-s0-cpu'"), 1);
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

/* ---- processes ------------------------------------------------------------------------------- */

/* Runs body in a child and returns its exit code, or minus the signal. */
static int in_child(void (*body)(void *), void *context)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        body(context);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#define CHILD_CHECK(cond)                                                                          \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                                     \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void as_nobody(void *context)
{
    (void)context;
    struct error err = {0};
    if (geteuid() == 0 && setuid(65534))
        _exit(77);
    char path[PATH_MAX];
    if (!realpath(folder, path)) /* the checkout is in a folder of root's alone */
        _exit(77);
    struct store *s = store_open(in_folder("readonly.db"), STORE_WRITE, &err);
    CHILD_CHECK(!s && err.code == EXIT_ENVIRONMENT && strstr(err.msg, "writable"));
    s = store_open(in_folder("readonly.db"), STORE_READ, &err);
    if (!s)
        fprintf(stderr, "%s\n", err.msg);
    CHILD_CHECK(s != NULL);
    long long n = 0;
    CHILD_CHECK(store_query_integer(s, &err, &n, "SELECT count(*) FROM v_runs", "") == 1 &&
                n == 12);
    store_close(s);
}

static void test_read_only_folder(void **state)
{
    (void)state;
    struct store *s = open_store("readonly.db");
    put_grid(s, 1);
    store_close(s);
    unlink(in_folder("readonly.db.lock"));
    chmod(in_folder("readonly.db"), 0444);
    chmod(folder, 0555);
    int rc = in_child(as_nobody, NULL);
    chmod(folder, 0755);
    if (rc == 77)
        skip();
    assert_int_equal(rc, 0);
}

/* VITTM_TEST_FULL=1 asks for the counts of a release, which take minutes. */
static int count_of(int few, int all)
{
    const char *full = getenv("VITTM_TEST_FULL");
    return full && *full ? all : few;
}

struct writer {
    int index, rows;
    double longest_s; /* that one of its commits took */
};

static void write_rows(void *context)
{
    struct writer *w = context;
    struct error err = {0};
    struct store *s = store_open(in_folder("many.db"), STORE_WRITE, &err);
    if (!s) {
        fprintf(stderr, "%s\n", err.msg);
        _exit(1);
    }
    for (int i = 0; i < w->rows; i++) {
        char name[40];
        /* Two metrics are its own: views and tables change under the others. */
        snprintf(name, sizeof name, "own/w%d_%d", w->index, i / 10 % 2);
        struct store_metric metrics[] = {{"val/top1", i}, {name, i}};
        struct store_result r = {.state = STORE_DONE, .metrics = metrics, .metric_count = 2};
        char id[STORE_RUN_ID];
        store_run_id(id, "c00", w->index * 1000 + i, "cpu");
        double start = clock_now();
        if (store_ingest(s, id, &r, &err)) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(1);
        }
        w->longest_s = fmax(w->longest_s, clock_now() - start);
    }
    store_close(s);
}

/* As the runner enrols a grid: in one transaction. */
static void plan_runs(struct store *s, int writers, int rows)
{
    OK(store_begin(s, &ok_err));
    for (int i = 0; i < writers * rows; i++)
        OK(store_put_run(s, "quick", "c00", (i / rows + 1) * 1000 + i % rows, "cpu", NULL,
                         &ok_err));
    OK(store_commit(s, &ok_err));
}

/* 64 processes finish runs at once: each commit succeeds, nothing is lost. */
static void test_many_writers(void **state)
{
    (void)state;
    enum { WRITERS = 64 };
    int rows = count_of(10, 1000);
    struct store *s = open_store("many.db");
    put_grid(s, 1);
    plan_runs(s, WRITERS, rows);
    store_close(s); /* nothing may be open over a fork */
    pid_t pids[WRITERS];
    struct writer *w =
        mmap(NULL, WRITERS * sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(w, MAP_FAILED);
    fflush(NULL);
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            w[i] = (struct writer){i + 1, rows, 0};
            write_rows(&w[i]);
            _exit(0);
        }
    }
    int failed = 0, status;
    double longest_s = 0;
    for (int i = 0; i < WRITERS; i++) {
        waitpid(pids[i], &status, 0);
        failed += status != 0;
        longest_s = fmax(longest_s, w[i].longest_s);
    }
    munmap(w, WRITERS * sizeof *w);
    print_message("  %d processes x %d runs, the longest commit took %.2f s\n", WRITERS, rows,
                  longest_s);
    assert_int_equal(failed, 0);
    s = open_store("many.db");
    assert_int_equal(number(s, "SELECT count(*) FROM v_runs WHERE state='done'"), WRITERS * rows);
    assert_int_equal(number(s, "SELECT count(*) FROM run_metric"), 2 * WRITERS * rows);
    assert_true(number(s, "SELECT count(\"own/w64_0\") FROM v_runs") >= 10);
    is_whole(s);
    store_close(s);
}

/* Says a seed on the pipe as soon as its run is stored. */
static void acknowledge(int pipe_end, int first)
{
    struct error err = {0};
    struct store *s = store_open(in_folder("kill.db"), STORE_WRITE, &err);
    if (!s)
        _exit(1);
    for (int32_t seed = first;; seed++) {
        char id[STORE_RUN_ID], name[20];
        struct store_metric metrics[2] = {{"val/top1", seed}, {name, seed}};
        struct store_point points[20];
        struct store_result r = {.state = STORE_DONE,
                                 .metrics = metrics,
                                 .metric_count = 2,
                                 .points = points,
                                 .point_count = 20};
        snprintf(name, sizeof name, "m/%d", seed / 40);
        for (int i = 0; i < 20; i++)
            points[i] = (struct store_point){"train/loss", i, i, seed};
        store_run_id(id, "c00", seed, "cpu");
        if (store_put_run(s, "quick", "c00", seed, "cpu", NULL, &err) ||
            store_ingest(s, id, &r, &err)) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(1);
        }
        if (write(pipe_end, &seed, sizeof seed) != sizeof seed)
            _exit(1);
    }
}

/* One kill, while the writer opens (early) or some time after its first acknowledgement. Returns
 * the last acknowledged seed. */
static int32_t kill_one(int32_t next, int early, int microseconds)
{
    int ends[2], status;
    int32_t seed, last = next - 1;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        acknowledge(ends[1], next);
    }
    close(ends[1]);
    if (!early && read(ends[0], &seed, sizeof seed) == sizeof seed)
        last = seed;
    usleep((useconds_t)microseconds);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status))
        fail_msg("the writer ended by itself");
    while (read(ends[0], &seed, sizeof seed) == sizeof seed)
        last = seed;
    close(ends[0]);
    return last;
}

static void test_killed_writers(void **state)
{
    (void)state;
    struct store *s = open_store("kill.db");
    put_grid(s, 0);
    store_close(s);
    int32_t last = -1;
    unsigned random = 12345;
    int kills = count_of(200, 1000);
    for (int kill_number = 0; kill_number < kills; kill_number++) {
        random = random * 1664525 + 1013904223;
        last = kill_one(last + 1, kill_number % 4 == 0, (int)(random >> 16) % 6000);
        /* Before the next writer could mend it: every run that is done is whole. */
        s = open_store("kill.db");
        assert_int_equal(number(s, "SELECT 20 * count(*) FROM run WHERE state='done'"),
                         number(s, "SELECT count(*) FROM curve"));
        assert_int_equal(number(s, "SELECT 2 * count(*) FROM run WHERE state='done'"),
                         number(s, "SELECT count(*) FROM run_metric"));
        if (kill_number % 50 != 49) {
            store_close(s);
            continue;
        }
        is_whole(s);
        /* Every acknowledged run is there, whole and once. */
        assert_int_equal(number(s, "SELECT min(seed) FROM v_runs WHERE state='done'"), 0);
        assert_true(number(s, "SELECT count(*) FROM v_runs WHERE state='done'") >= last + 1);
        assert_int_equal(
            number(s,
                   "SELECT count(*) FROM v_runs WHERE state='done' AND \"val/top1\" IS NOT seed"),
            0);
        assert_int_equal(number(s, "SELECT 20 * count(*) FROM v_runs WHERE state='done'"),
                         number(s, "SELECT count(*) FROM curve"));
        store_close(s);
    }
    print_message("  %d kills, %d acknowledged runs, none lost\n", kills, (int)last + 1);
    assert_true(last > 100);
}

/* ---- full disk ------------------------------------------------------------------------------- */

static void fill(const char *path, int (*until)(struct store *s, const struct error *err))
{
    struct error err = {0};
    struct store *s = store_open(path, STORE_WRITE, &err);
    CHILD_CHECK(s != NULL);
    put_grid(s, 2);
    char *log = malloc(100000);
    memset(log, 'x', 99999);
    log[99999] = 0;
    struct store_result r = {.state = STORE_DONE, .log = log};
    int stored = 0, rc = 0;
    for (int seed = 100; seed < 400 && !rc; seed++) {
        char id[STORE_RUN_ID];
        log[0] = (char)('a' + seed % 26);
        store_run_id(id, "c00", seed, "cpu");
        rc = store_put_run(s, "quick", "c00", seed, "cpu", NULL, &err);
        if (!rc)
            rc = store_ingest(s, id, &r, &err);
        stored += !rc;
    }
    free(log);
    CHILD_CHECK(rc == -1 && stored > 3 && err.code == EXIT_ENVIRONMENT);
    CHILD_CHECK(until(s, &err));
    long long n = 0, bad = 1;
    CHILD_CHECK(store_query_integer(s, &err, &n, "SELECT count(*) FROM v_runs WHERE state='done'",
                                    "") == 1);
    CHILD_CHECK(n == stored);
    CHILD_CHECK(store_query_integer(s, &err, &bad,
                                    "SELECT count(*) FROM pragma_integrity_check"
                                    " WHERE integrity_check<>'ok'",
                                    "") != 1 ||
                bad == 0);
    store_close(s);
    /* What was stored is still there, and whole. */
    s = store_open(path, STORE_READ, &err);
    CHILD_CHECK(s != NULL);
    CHILD_CHECK(store_query_integer(s, &err, &n, "SELECT count(*) FROM run_log", "") == 1 &&
                n == stored);
    int healthy;
    struct rows *rows = store_doctor(s, &healthy, &err);
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows_cell(rows, i, 0)->text, "integrity") == 0)
            CHILD_CHECK(rows_cell(rows, i, 2)->integer == 1);
    rows_free(rows);
    store_close(s);
}

static int says_full(struct store *s, const struct error *err)
{
    (void)s;
    fprintf(stderr, "  %s\n", err->msg);
    return strstr(err->msg, "disk is full") || strstr(err->msg, "cannot write");
}

static void limited(void *context)
{
    (void)context;
    struct rlimit limit = {3000000, 3000000};
    signal(SIGXFSZ, SIG_IGN);
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    fill(in_folder("limit.db"), says_full);
}

static void tiny_disk(void *context)
{
    const char *mount_point = context;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", mount_point, "tmpfs", 0, "size=2m"))
        _exit(77);
    char path[600];
    snprintf(path, sizeof path, "%s/full.db", mount_point);
    fill(path, says_full);
}

static void test_full_disk(void **state)
{
    (void)state;
    assert_int_equal(in_child(limited, NULL), 0);
    char mount_point[500];
    snprintf(mount_point, sizeof mount_point, "%s", in_folder("mount"));
    assert_int_equal(mkdir(mount_point, 0755), 0);
    int rc = in_child(tiny_disk, mount_point);
    rmdir(mount_point);
    if (rc == 77)
        print_message(
            "  no small disk here: mounting is not allowed; the file size limit alone was tried\n");
    else
        assert_int_equal(rc, 0);
}

/* Two transactions at once in one process (two handles) wait for each other, and a dead one is no
 * lock. */
static void test_lock_is_released(void **state)
{
    (void)state;
    struct store *a = open_store("lock.db");
    put_grid(a, 1);
    OK(store_begin(a, &ok_err));
    assert_int_equal(flock(open(in_folder("lock.db.lock"), O_RDWR), LOCK_EX | LOCK_NB), -1);
    store_rollback(a);
    int fd = open(in_folder("lock.db.lock"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    store_close(a);
}

static void hold_lock(void *context)
{
    int fd = open(in_folder("wait.db.lock"), O_RDWR), *ready = context;
    CHILD_CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHILD_CHECK(write(ready[1], "x", 1) == 1);
    usleep(1300000);
}

/* A writer waits for its turn, over the alarm that lets it give up, and leaves no handler behind.
 */
static void test_waiting_for_a_turn(void **state)
{
    (void)state;
    int ready[2], status;
    char byte;
    struct sigaction after;
    struct store *s = open_store("wait.db");
    store_close(s);
    assert_int_equal(pipe(ready), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        hold_lock(ready);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    s = open_store("wait.db"); /* waits, too: it looks whether to migrate */
    put_grid(s, 1);
    assert_int_equal(waitpid(pid, &status, WNOHANG), pid);
    assert_int_equal(status, 0);
    sigaction(SIGURG, NULL, &after);
    assert_true(after.sa_handler == SIG_DFL);
    store_close(s);
    close(ready[0]);
    close(ready[1]);
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
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_rate_of_a_device),
        cmocka_unit_test(test_waiting_for_a_turn),
        cmocka_unit_test(test_twice_is_once),
        cmocka_unit_test(test_life_of_a_run),
        cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_migration),
        cmocka_unit_test(test_read_only_folder),
        cmocka_unit_test(test_many_writers),
        cmocka_unit_test(test_killed_writers),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_lock_is_released),
    };
    return cmocka_run_group_tests_name("results/store", tests, make_folder, drop_folder);
}
