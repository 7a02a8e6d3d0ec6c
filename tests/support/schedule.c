#include "tests/support/schedule.h"

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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "results/query.h"
#include "results/rows.h"
#include "runner/folder.h"
#include "runner/provenance.h"
#include "runner/schedule.h"
#include "tests/support/fake_worker.h"

/* ---- a grid to schedule --------------------------------------------------------------------- */

enum { MAX_RUNS = 64 };

struct grid {
    struct arena arena;
    struct schedule_task tasks[MAX_RUNS];
    struct provenance provenance;
};

static char *cell_id(struct arena *a, int i)
{
    return arena_printf(a, "%016x", 0xabc000 + i);
}

char *request_run_folder(struct arena *a, const struct request *q, int i)
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
            .folder = request_run_folder(&g->arena, q, i),
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

void request_open(struct request *q, const char *mode, int runs)
{
    *q = (struct request){.runs = runs, .epochs = 3, .epoch_ms = 5, .jobs = 2, .grace_s = 5};
    struct error err = {0};
    assert_int_equal(file_make_folder("build/tmp", &err), 0);
    snprintf(q->root, sizeof q->root, "build/tmp/schedule.XXXXXX");
    snprintf(q->mode, sizeof q->mode, "%s", mode);
    assert_non_null(mkdtemp(q->root));
}

void request_close(const struct request *q)
{
    /* Files of ours, by a program of the system: argv, no shell. */
    pid_t pid = fork();
    if (!pid) {
        execlp("rm", "rm", "-rf", "--", q->root, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* The database is opened after the fork. */
pid_t request_start(const struct request *q)
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

int runner_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int request_run(const struct request *q)
{
    return runner_wait(request_start(q));
}

void sleep_ms(double ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                         .tv_nsec = (long)((ms - 1000 * (double)(long)(ms / 1000)) * 1e6)};
    nanosleep(&t, NULL);
}

/* ---- what is true afterwards ---------------------------------------------------------------- */

long long request_ask(const struct request *q, const char *sql)
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

int request_starts_of(const struct request *q, int i)
{
    struct arena a = {0};
    char line[64];
    int n = 0;
    char *path = folder_path(request_run_folder(&a, q, i), "starts.log");
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in))
        n++;
    if (in)
        fclose(in);
    free(path);
    arena_release(&a);
    return n;
}

int request_starts(const struct request *q)
{
    int n = 0;
    for (int i = 0; i < q->runs; i++)
        n += request_starts_of(q, i);
    return n;
}

void request_expect_complete(const struct request *q)
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
        char *clash = folder_path(request_run_folder(&a, q, i), "CLASH");
        if (file_exists(clash))
            fail_msg("%s: two workers at once", clash);
        free(clash);
    }
    arena_release(&a);
    /* One row per metric and epoch, whatever was written twice. */
    assert_int_equal(request_ask(q, "SELECT count(*) FROM v_curves WHERE metric='val/top1'"),
                     q->runs * q->epochs);
}

void request_expect_message(const struct request *q, const char *part)
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

int request_held(const struct request *q)
{
    struct error err = {0};
    struct arena a = {0};
    struct store_run *runs;
    size_t count;
    int held = 0;
    struct store *s = open_store(q);
    assert_non_null(s);
    if (store_runs(s, "fake", &a, &runs, &count, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < count; i++)
        held += schedule_held(&runs[i]);
    store_close(s);
    arena_release(&a);
    return held;
}

void request_wait_starts(const struct request *q, int n)
{
    double deadline = clock_now() + 20;
    while (request_starts(q) < n) {
        assert_true(clock_now() < deadline);
        sleep_ms(5);
    }
}
