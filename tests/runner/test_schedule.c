/* The scheduler with a worker that trains nothing (tests/support/fake_worker.c): endings, limits,
 * signals, kills of the runner and of workers at any moment, two runners at once.
 *
 * This program is also the worker (`test_schedule worker FOLDER`) and, for what needs to be killed,
 * the runner (`test_schedule runner FOLDER …`). */
#include "runner/schedule.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "results/query.h"
#include "results/rows.h"
#include "runner/folder.h"
#include "runner/gpus.h"
#include "runner/machine.h"
#include "runner/provenance.h"
#include "tests/support/fake_worker.h"

/* ---- a grid to schedule --------------------------------------------------------------------- */

enum { MAX_RUNS = 64 };

/* What a test asks of a runner. */
struct request {
    char root[200]; /* database and runs are in here */
    char mode[32];
    int runs, epochs, epoch_ms;
    int jobs, retries, retry_failed, n_gpus;
    double timeout_s, stall_s, grace_s;
};

struct grid {
    struct arena arena;
    struct schedule_task tasks[MAX_RUNS];
    struct provenance provenance;
};

static char *cell_id(struct arena *a, int i)
{
    return arena_printf(a, "%016x", 0xabc000 + i);
}

static char *run_folder(struct arena *a, const struct request *q, int i)
{
    return arena_printf(a, "%s/runs/%s-s%d", q->root, cell_id(a, i), i);
}

static struct store *open_store(const struct request *q)
{
    struct error err = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/vittm.db", q->root);
    struct store *s = store_open(path, STORE_WRITE, &err);
    if (!s)
        fprintf(stderr, "%s\n", err.msg);
    return s;
}

static int enrol(struct store *s, const struct request *q, struct grid *g, struct error *err)
{
    static const struct store_experiment experiment = {.name = "fake"};
    const struct provenance_command command = {.program = "/proc/self/exe"};
    *g = (struct grid){.arena = {0}};
    if (provenance_collect(&g->provenance, &command, 1, &g->arena, err) || store_begin(s, err))
        return -1;
    int rc = store_put_experiment(s, &experiment, err);
    for (int i = 0; i < q->runs && !rc; i++) {
        const char *id = cell_id(&g->arena, i);
        const struct store_value value = {
            .key = "fake.number", .type = STORE_INTEGER, .text = arena_printf(&g->arena, "%d", i)};
        const struct store_cell cell = {.id = id,
                                        .identity = arena_printf(&g->arena, "fake.number: %d\n", i),
                                        .config = "fake: true\n",
                                        .values = &value,
                                        .value_count = 1};
        char *run = arena_alloc(&g->arena, STORE_RUN_ID);
        store_run_id(run, id, i, "cpu");
        g->tasks[i] = (struct schedule_task){
            .run = run,
            .folder = run_folder(&g->arena, q, i),
            .label = arena_printf(&g->arena, "cell %d", i),
            .config =
                arena_printf(&g->arena, "mode: %s\nepochs: %d\nepoch_ms: %d\nseed: %d\ncell: %s\n",
                             q->mode, q->epochs, q->epoch_ms, i, id),
            .work = 1};
        rc = store_put_cell(s, &cell, err) || store_put_member(s, "fake", id, i, NULL, err) ||
             store_put_run(s, "fake", id, i, "cpu", g->tasks[i].folder, err);
    }
    if (rc)
        store_rollback(s);
    return rc ? -1 : store_commit(s, err);
}

static int schedule(const struct request *q, int messages, struct schedule_report *report)
{
    struct error err = {0};
    struct grid *g = mem_zalloc(1, sizeof *g);
    struct store *s = open_store(q);
    static const char *const gpus[] = {"0", "3"};
    int rc = s ? enrol(s, q, g, &err) : -1;
    if (!rc) {
        const struct schedule_options o = {.launcher = launcher_find("local"),
                                           .launch = {.program = "/proc/self/exe",
                                                      .name = "fake",
                                                      .jobs = q->jobs,
                                                      .threads = 1,
                                                      .gpus = gpus,
                                                      .n_gpus = q->n_gpus},
                                           .provenance = &g->provenance,
                                           .retry_failed = q->retry_failed,
                                           .retries = q->retries,
                                           .timeout_s = q->timeout_s,
                                           .stall_s = q->stall_s,
                                           .grace_s = q->grace_s,
                                           .progress_fd = messages};
        rc = schedule_run(s, g->tasks, (size_t)q->runs, &o, report, &err);
    }
    if (rc < 0)
        dprintf(messages, "runner: %s\n", err.msg);
    store_close(s);
    arena_release(&g->arena);
    free(g);
    return rc < 0 ? err.code : rc;
}

/* ---- runners as processes ------------------------------------------------------------------- */

static void open_request(struct request *q, const char *mode, int runs)
{
    *q = (struct request){.runs = runs, .epochs = 3, .epoch_ms = 5, .jobs = 2, .grace_s = 5};
    struct error err = {0};
    assert_int_equal(file_make_folder("build/tmp", &err), 0);
    snprintf(q->root, sizeof q->root, "build/tmp/schedule.XXXXXX");
    snprintf(q->mode, sizeof q->mode, "%s", mode);
    assert_non_null(mkdtemp(q->root));
}

static void close_request(const struct request *q)
{
    /* Files of ours, by a program of the system: argv, no shell. */
    pid_t pid = fork();
    if (!pid) {
        execlp("rm", "rm", "-rf", "--", q->root, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* A runner in a child; its messages go to ROOT/messages. The database is opened after the fork. */
static pid_t start_runner(const struct request *q)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    char path[300];
    struct schedule_report report;
    snprintf(path, sizeof path, "%s/messages", q->root);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(schedule(q, fd, &report));
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(const struct request *q)
{
    return wait_for(start_runner(q));
}

static void sleep_ms(double ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                         .tv_nsec = (long)((ms - 1000 * (double)(long)(ms / 1000)) * 1e6)};
    nanosleep(&t, NULL);
}

/* ---- what is true afterwards ---------------------------------------------------------------- */

static long long ask(const struct request *q, const char *sql)
{
    struct error err = {0};
    struct store *s = open_store(q);
    long long value = -1;
    assert_non_null(s);
    if (store_query_integer(s, &err, &value, sql, "") < 0)
        fail_msg("%s: %s", sql, err.msg);
    store_close(s);
    return value;
}

static int starts_of(const struct request *q, int i)
{
    struct arena a = {0};
    char line[64];
    int n = 0;
    char *path = folder_path(run_folder(&a, q, i), "starts.log");
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in))
        n++;
    if (in)
        fclose(in);
    free(path);
    arena_release(&a);
    return n;
}

static int starts(const struct request *q)
{
    int n = 0;
    for (int i = 0; i < q->runs; i++)
        n += starts_of(q, i);
    return n;
}

/* Every run is in the database once, done, with the bits an undisturbed run has; no two workers
 * ever met. */
static void expect_complete(const struct request *q)
{
    struct error err = {0};
    struct store *s = open_store(q);
    struct rows *r = store_query(
        s, &err, "SELECT seed, state, \"val/top1\" AS top1 FROM v_runs ORDER BY seed", "");
    if (!r)
        fail_msg("%s", err.msg);
    assert_int_equal(r->count, q->runs);
    for (int i = 0; i < q->runs; i++) {
        assert_int_equal(rows_cell(r, (size_t)i, 0)->integer, i);
        assert_string_equal(rows_cell(r, (size_t)i, 1)->text, "done");
        double top1 = rows_number(rows_cell(r, (size_t)i, 2));
        if (top1 != fake_worker_top1(i, q->epochs))
            fail_msg("run %d: top-1 %.17g, expected %.17g", i, top1,
                     fake_worker_top1(i, q->epochs));
    }
    rows_free(r);
    store_close(s);
    struct arena a = {0};
    for (int i = 0; i < q->runs; i++) {
        char *clash = folder_path(run_folder(&a, q, i), "CLASH");
        if (file_exists(clash))
            fail_msg("%s: two workers at once", clash);
        free(clash);
    }
    arena_release(&a);
    /* One row per metric and epoch, whatever was written twice. */
    assert_int_equal(ask(q, "SELECT count(*) FROM v_curves WHERE metric='val/top1'"),
                     q->runs * q->epochs);
}

static void expect_message(const struct request *q, const char *part)
{
    char path[300], *text = NULL;
    size_t size;
    struct error err = {0};
    snprintf(path, sizeof path, "%s/messages", q->root);
    if (file_read(path, 1 << 24, &text, &size, &err))
        fail_msg("%s", err.msg);
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
    free(text);
}

/* ---- endings -------------------------------------------------------------------------------- */

static void test_grid(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "ok", 12);
    assert_int_equal(run(&q), EXIT_FINE);
    expect_complete(&q);
    expect_message(&q, "12 of 12 done");
    assert_int_equal(starts(&q), 12);
    assert_int_equal(ask(&q, "SELECT count(*) FROM v_latency WHERE p50_ms = 2.5"), 12);
    assert_int_equal(ask(&q, "SELECT count(DISTINCT run) FROM v_env WHERE key = 'binary_sha256'"),
                     12);
    assert_int_equal(ask(&q, "SELECT count(*) FROM v_env WHERE key = 'dataset'"), 12);
    /* Once more: everything is kept. */
    assert_int_equal(run(&q), EXIT_FINE);
    assert_int_equal(starts(&q), 12);
    close_request(&q);
}

static void test_new_cells_only(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "ok", 4);
    assert_int_equal(run(&q), EXIT_FINE);
    q.runs = 7;
    assert_int_equal(run(&q), EXIT_FINE);
    expect_complete(&q);
    assert_int_equal(starts(&q), 7);
    close_request(&q);
}

static void test_lost_database(void **state)
{
    (void)state;
    struct request q;
    char path[300];
    open_request(&q, "ok", 5);
    assert_int_equal(run(&q), EXIT_FINE);
    static const char *const files[] = {"vittm.db", "vittm.db-wal", "vittm.db-shm"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", q.root, files[i]);
        unlink(path);
    }
    assert_int_equal(run(&q), EXIT_FINE);
    expect_complete(&q);
    assert_int_equal(starts(&q), 5); /* taken in from their folders */
    close_request(&q);
}

static void test_failure(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "fail", 2);
    q.epochs = 9;
    q.retries = 2;
    assert_int_equal(run(&q), EXIT_FAILED);
    assert_int_equal(starts(&q), 6);
    expect_message(&q, "loss is not finite in epoch");
    assert_int_equal(ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'failed'"), 2);
    /* Left alone, then tried again on request. */
    assert_int_equal(run(&q), EXIT_FAILED);
    assert_int_equal(starts(&q), 6);
    q.retry_failed = 1;
    q.retries = 0;
    assert_int_equal(run(&q), EXIT_FAILED);
    assert_int_equal(starts(&q), 8);
    snprintf(q.mode, sizeof q.mode, "ok");
    assert_int_equal(run(&q), EXIT_FINE);
    expect_complete(&q);
    close_request(&q);
}

static void test_retry(void **state)
{
    (void)state;
    static const char *const modes[] = {"fail_once", "bad_once"};
    for (int i = 0; i < 2; i++) {
        struct request q;
        open_request(&q, modes[i], 3);
        q.retries = 1;
        assert_int_equal(run(&q), EXIT_FINE);
        expect_complete(&q);
        assert_int_equal(starts(&q), 6);
        close_request(&q);
    }
}

static void test_refusal(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "refuse", 1);
    q.retries = 5;
    assert_int_equal(run(&q), EXIT_FAILED);
    assert_int_equal(starts(&q), 1);
    expect_message(&q, "no such device");
    close_request(&q);
}

static void test_silence_and_crash(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "silent", 1);
    assert_int_equal(run(&q), EXIT_FAILED);
    expect_message(&q, "ended without result.json");
    close_request(&q);
    open_request(&q, "crash", 1);
    assert_int_equal(run(&q), EXIT_FAILED);
    expect_message(&q, "killed by signal 11");
    close_request(&q);
}

static void test_limits(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "hang", 1);
    q.timeout_s = 0.4;
    assert_int_equal(run(&q), EXIT_FAILED);
    assert_int_equal(ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'timeout'"), 1);
    expect_message(&q, "limits.timeout");
    close_request(&q);

    open_request(&q, "hang", 1);
    q.stall_s = 0.8;
    assert_int_equal(run(&q), EXIT_FAILED);
    expect_message(&q, "no heartbeat");
    close_request(&q);

    open_request(&q, "deaf", 1); /* SIGTERM is not enough */
    q.epochs = 100000;
    q.timeout_s = 0.3;
    q.grace_s = 0.2;
    double began = clock_now();
    assert_int_equal(run(&q), EXIT_FAILED);
    assert_true(clock_now() - began < 3);
    close_request(&q);
}

static void test_no_folder(void **state)
{
    (void)state;
    struct request q;
    struct error err = {0};
    char path[300];
    open_request(&q, "ok", 2);
    snprintf(path, sizeof path, "%s/runs", q.root);
    assert_int_equal(file_write(path, "", 0, &err), 0); /* a file where the folder should be */
    assert_int_equal(run(&q), EXIT_ENVIRONMENT);
    expect_message(&q, "runs");
    unlink(path);
    assert_int_equal(run(&q), EXIT_FINE);
    expect_complete(&q);
    close_request(&q);
}

/* ---- signals -------------------------------------------------------------------------------- */

/* Waits until n runs have started (each has a heartbeat). */
static void wait_for_starts(const struct request *q, int n)
{
    double deadline = clock_now() + 20;
    while (starts(q) < n) {
        assert_true(clock_now() < deadline);
        sleep_ms(5);
    }
}

static void test_ctrl_c(void **state)
{
    (void)state;
    static const struct {
        int signal, code;
    } cases[] = {{SIGINT, EXIT_CTRL_C}, {SIGTERM, EXIT_INTERRUPTED}, {SIGHUP, EXIT_INTERRUPTED}};
    for (int i = 0; i < 3; i++) {
        struct request q;
        open_request(&q, "ok", 4);
        q.epoch_ms = 120;
        pid_t pid = start_runner(&q);
        wait_for_starts(&q, 2);
        sleep_ms(150);
        double began = clock_now();
        kill(pid, cases[i].signal);
        assert_int_equal(wait_for(pid), cases[i].code);
        assert_true(clock_now() - began < 2);
        assert_int_equal(ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'interrupted'"), 2);
        assert_int_equal(ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'planned'"), 2);
        q.epoch_ms = 1;
        assert_int_equal(run(&q), EXIT_FINE);
        expect_complete(&q);
        assert_int_equal(starts(&q), 6);
        close_request(&q);
    }
}

static void test_ctrl_c_twice(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "deaf", 2);
    q.epochs = 100000;
    pid_t pid = start_runner(&q);
    wait_for_starts(&q, 2);
    kill(pid, SIGINT);
    sleep_ms(300);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* waits for the checkpoints */
    double began = clock_now();
    kill(pid, SIGINT);
    assert_int_equal(wait_for(pid), EXIT_CTRL_C);
    assert_true(clock_now() - began < 2);
    assert_int_equal(ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'interrupted'"), 2);
    close_request(&q);
}

/* ---- kill -9 -------------------------------------------------------------------------------- */

static void test_kill_runner(void **state)
{
    (void)state;
    struct request q;
    struct rng r;
    int kills = 0, code;
    rng_init(&r, 2026, "kill runner", 0, 0);
    open_request(&q, "ok", 20);
    q.epochs = 6;
    q.epoch_ms = 40;
    do {
        long long done = kills ? ask(&q, "SELECT count(*) FROM v_runs WHERE state='done'") : 0;
        pid_t pid = start_runner(&q);
        if (kills < 50) {
            sleep_ms(rng_range(&r, 1, 140));
            kill(pid, SIGKILL);
            kills++;
        }
        code = wait_for(pid);
        /* What was acknowledged stays. */
        assert_true(ask(&q, "SELECT count(*) FROM v_runs WHERE state='done'") >= done);
    } while (code == -SIGKILL);
    assert_int_equal(code, EXIT_FINE);
    expect_complete(&q);
    printf("# %d kills of the runner, %d starts for %d runs\n", kills, starts(&q), q.runs);
    close_request(&q);
}

/* The worker of a run, from its heartbeat; 0 if there is none. A number in a stale file may be
 * anybody's by now: only children of the runner count. */
static pid_t worker_of(const struct request *q, int i, pid_t runner)
{
    struct arena a = {0};
    struct folder_progress p = {0};
    int there = folder_progress(run_folder(&a, q, i), &p) && p.pid > 1 &&
                machine_parent(p.pid) == (long)runner;
    arena_release(&a);
    return there ? (pid_t)p.pid : 0;
}

static pid_t some_worker(const struct request *q, struct rng *r, pid_t runner)
{
    int first = (int)rng_below(r, q->runs);
    for (int i = 0; i < q->runs; i++) {
        pid_t pid = worker_of(q, (first + i) % q->runs, runner);
        if (pid)
            return pid;
    }
    return 0;
}

static void test_kill_workers(void **state)
{
    (void)state;
    struct request q;
    struct rng r;
    int kills = 0, code, status;
    rng_init(&r, 2026, "kill workers", 0, 0);
    open_request(&q, "ok", 8);
    q.epochs = 6;
    q.epoch_ms = 40;
    q.retries = 1;
    do {
        pid_t pid = start_runner(&q);
        while (!waitpid(pid, &status, WNOHANG)) {
            sleep_ms(rng_range(&r, 1, 120));
            pid_t worker = kills < 40 ? some_worker(&q, &r, pid) : 0;
            if (worker)
                kills += !kill(worker, SIGKILL);
        }
        code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    } while (code == EXIT_INTERRUPTED);
    assert_int_equal(code, EXIT_FINE);
    expect_complete(&q);
    printf("# %d kills of workers, %d starts for %d runs\n", kills, starts(&q), q.runs);
    close_request(&q);
}

/* Workers that do not notice the death of their runner: the next one stops them first. */
static void test_survivors(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "deaf", 2);
    q.epochs = 30;
    q.epoch_ms = 100;
    q.grace_s = 0.3;
    pid_t pid = start_runner(&q);
    wait_for_starts(&q, 2);
    sleep_ms(250);
    kill(pid, SIGKILL);
    wait_for(pid);
    snprintf(q.mode, sizeof q.mode, "ok");
    q.epoch_ms = 1;
    assert_int_equal(run(&q), EXIT_FINE);
    expect_message(&q, "earlier runner");
    expect_complete(&q);
    assert_int_equal(starts(&q), 4);
    close_request(&q);
}

/* ---- together ------------------------------------------------------------------------------- */

static void test_two_runners(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "ok", 24);
    q.epoch_ms = 15;
    pid_t a = start_runner(&q), b = start_runner(&q);
    assert_int_equal(wait_for(a), EXIT_FINE);
    assert_int_equal(wait_for(b), EXIT_FINE);
    expect_complete(&q);
    for (int i = 0; i < q.runs; i++)
        assert_int_equal(starts_of(&q, i), 1);
    close_request(&q);
}

/* One of them is killed: the other takes over what it had. */
static void test_take_over(void **state)
{
    (void)state;
    struct request q;
    open_request(&q, "ok", 8);
    q.epoch_ms = 100;
    pid_t a = start_runner(&q);
    wait_for_starts(&q, 2);
    pid_t b = start_runner(&q);
    wait_for_starts(&q, 4);
    kill(a, SIGKILL);
    assert_int_equal(wait_for(a), -SIGKILL);
    assert_int_equal(wait_for(b), EXIT_FINE);
    expect_complete(&q);
    close_request(&q);
}

static void test_side_by_side(void **state)
{
    (void)state;
    double wall[2];
    for (int jobs = 1; jobs <= 2; jobs++) {
        struct request q;
        open_request(&q, "ok", 8);
        q.epoch_ms = 80;
        q.jobs = jobs;
        double began = clock_now();
        assert_int_equal(run(&q), EXIT_FINE);
        wall[jobs - 1] = clock_now() - began;
        close_request(&q);
    }
    printf("# 8 runs of 0.24 s: 1 job %.2f s, 2 jobs %.2f s, ratio %.2f\n", wall[0], wall[1],
           wall[0] / wall[1]);
    assert_true(wall[0] / wall[1] > 1.2); /* about 2 on an idle machine */
}

/* What the run's worker was told to see; "" for nothing. */
static const char *gpu_of(const struct request *q, int i, char text[64])
{
    struct arena a = {0};
    char *path = folder_path(run_folder(&a, q, i), "gpu.log"), *read = NULL;
    size_t size;
    struct error err = {0};
    text[0] = 0;
    if (!file_read(path, 60, &read, &size, &err))
        snprintf(text, 64, "%s", read);
    free(read);
    free(path);
    arena_release(&a);
    return text;
}

/* Four slots over two GPUs: two runs a GPU, each run seeing its own alone. */
static void test_gpus(void **state)
{
    (void)state;
    struct request q;
    char text[64];
    int seen[2] = {0, 0};
    open_request(&q, "ok", 4);
    q.jobs = 4;
    q.n_gpus = 2;
    q.epoch_ms = 100; /* so that no slot is used twice */
    setenv("CUDA_VISIBLE_DEVICES", "7", 1);
    assert_int_equal(run(&q), EXIT_FINE);
    for (int i = 0; i < 4; i++) {
        gpu_of(&q, i, text);
        seen[0] += !strcmp(text, "0");
        seen[1] += !strcmp(text, "3");
    }
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    close_request(&q);
    open_request(&q, "ok", 1); /* not shared out: what the user said stays */
    assert_int_equal(run(&q), EXIT_FINE);
    assert_string_equal(gpu_of(&q, 0, text), "7");
    unsetenv("CUDA_VISIBLE_DEVICES");
    close_request(&q);
}

static void test_gpu_lists(void **state)
{
    (void)state;
    struct arena a = {0};
    struct error err = {0};
    const char *const *gpus;
    assert_int_equal(gpus_parse("0-2,5,GPU-8f4e", &a, &gpus, &err), 5);
    static const char *const want[] = {"0", "1", "2", "5", "GPU-8f4e"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(gpus[i], want[i]);
    static const char *const bad[] = {"", "0,,1", "3-1", "0-1,1", "1-x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(gpus_parse(bad[i], &a, &gpus, &err), -1);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "worker"))
        return fake_worker(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_new_cells_only),
        cmocka_unit_test(test_lost_database),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_silence_and_crash),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_ctrl_c),
        cmocka_unit_test(test_ctrl_c_twice),
        cmocka_unit_test(test_kill_runner),
        cmocka_unit_test(test_kill_workers),
        cmocka_unit_test(test_survivors),
        cmocka_unit_test(test_two_runners),
        cmocka_unit_test(test_take_over),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_gpus),
        cmocka_unit_test(test_gpu_lists),
    };
    return cmocka_run_group_tests_name("runner/schedule", tests, NULL, NULL);
}
