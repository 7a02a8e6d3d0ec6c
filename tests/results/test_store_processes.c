/* The store among processes: read only, crowded, killed, on a full disk; what waits for whom. */
#include "tests/results/store_fixture.h"
#include "base/clock.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_for_a_turn), cmocka_unit_test(test_read_only_folder),
        cmocka_unit_test(test_many_writers),       cmocka_unit_test(test_killed_writers),
        cmocka_unit_test(test_full_disk),          cmocka_unit_test(test_lock_is_released),
    };
    return cmocka_run_group_tests_name("results/store_processes", tests, make_folder, drop_folder);
}
