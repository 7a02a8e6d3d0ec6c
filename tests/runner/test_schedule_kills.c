/* The scheduler under signals, and runners and workers killed at any moment.
 *
 * This program is also the worker: `test_schedule_kills worker FOLDER`. */
#include "tests/support/schedule.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "runner/folder.h"
#include "runner/machine.h"
#include "tests/support/fake_worker.h"

/* ---- signals -------------------------------------------------------------------------------- */

static void test_ctrl_c(void **state)
{
    (void)state;
    static const struct {
        int signal, code;
    } cases[] = {{SIGINT, EXIT_CTRL_C}, {SIGTERM, EXIT_INTERRUPTED}, {SIGHUP, EXIT_INTERRUPTED}};
    for (int i = 0; i < 3; i++) {
        struct request q;
        request_open(&q, "ok", 4);
        q.epochs = 40; /* nobody is done when the signal comes, however busy the machine is */
        q.epoch_ms = 120;
        q.grace_s = 30;
        pid_t pid = request_start(&q);
        request_wait_starts(&q, 2);
        sleep_ms(150);
        double began = clock_now();
        kill(pid, cases[i].signal);
        assert_int_equal(runner_wait(pid), cases[i].code);
        assert_true(clock_now() - began < q.grace_s);
        assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'interrupted'"),
                         2);
        assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'planned'"), 2);
        q.epoch_ms = 1;
        assert_int_equal(request_run(&q), EXIT_FINE);
        request_expect_complete(&q);
        assert_int_equal(request_starts(&q), 6);
        request_close(&q);
    }
}

static void test_ctrl_c_twice(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "deaf", 2);
    q.epochs = 100000;
    pid_t pid = request_start(&q);
    request_wait_starts(&q, 2);
    kill(pid, SIGINT);
    sleep_ms(300);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* waits for the checkpoints */
    double began = clock_now();
    kill(pid, SIGINT);
    assert_int_equal(runner_wait(pid), EXIT_CTRL_C);
    assert_true(clock_now() - began < 2);
    assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'interrupted'"), 2);
    request_close(&q);
}

/* ---- kill -9 -------------------------------------------------------------------------------- */

static void test_kill_runner(void **state)
{
    (void)state;
    struct request q;
    struct rng r;
    int kills = 0, code;
    rng_init(&r, 2026, "kill runner", 0, 0);
    request_open(&q, "ok", 20);
    q.epochs = 6;
    q.epoch_ms = 40;
    do {
        long long done =
            kills ? request_ask(&q, "SELECT count(*) FROM v_runs WHERE state='done'") : 0;
        pid_t pid = request_start(&q);
        if (kills < 50) {
            sleep_ms(rng_range(&r, 1, 140));
            kill(pid, SIGKILL);
            kills++;
        }
        code = runner_wait(pid);
        /* What was acknowledged stays. */
        assert_true(request_ask(&q, "SELECT count(*) FROM v_runs WHERE state='done'") >= done);
    } while (code == -SIGKILL);
    assert_int_equal(code, EXIT_FINE);
    request_expect_complete(&q);
    printf("# %d kills of the runner, %d starts for %d runs\n", kills, request_starts(&q), q.runs);
    request_close(&q);
}

/* The worker of a run, from its heartbeat; 0 if there is none. A number in a stale file may be
 * anybody's by now: only children of the runner count. */
static pid_t worker_of(const struct request *q, int i, pid_t runner)
{
    struct arena a = {0};
    struct folder_progress p = {0};
    int there = folder_progress(request_run_folder(&a, q, i), &p) && p.pid > 1 &&
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
    request_open(&q, "ok", 8);
    q.epochs = 6;
    q.epoch_ms = 40;
    q.retries = 1;
    do {
        pid_t pid = request_start(&q);
        while (!waitpid(pid, &status, WNOHANG)) {
            sleep_ms(rng_range(&r, 1, 120));
            pid_t worker = kills < 40 ? some_worker(&q, &r, pid) : 0;
            if (worker)
                kills += !kill(worker, SIGKILL);
        }
        code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    } while (code == EXIT_INTERRUPTED);
    assert_int_equal(code, EXIT_FINE);
    request_expect_complete(&q);
    printf("# %d kills of workers, %d starts for %d runs\n", kills, request_starts(&q), q.runs);
    request_close(&q);
}

/* What `vittm status` asks: the database says running until the next runner has a look. */
static void test_held(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "ok", 2);
    q.epochs = 100000;
    q.epoch_ms = 20;
    pid_t pid = request_start(&q);
    request_wait_starts(&q, 2);
    assert_int_equal(request_held(&q), 2);
    kill(pid, SIGKILL);
    runner_wait(pid);
    double deadline = clock_now() + 20;
    while (request_held(&q)) {
        assert_true(clock_now() < deadline);
        sleep_ms(5);
    }
    assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'running'"), 2);
    request_close(&q);
}

/* Workers that do not notice the death of their runner: the next one stops them first. */
static void test_survivors(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "deaf", 2);
    q.epochs = 30;
    q.epoch_ms = 100;
    q.grace_s = 0.3;
    pid_t pid = request_start(&q);
    request_wait_starts(&q, 2);
    sleep_ms(250);
    kill(pid, SIGKILL);
    runner_wait(pid);
    snprintf(q.mode, sizeof q.mode, "ok");
    q.epoch_ms = 1;
    assert_int_equal(request_run(&q), EXIT_FINE);
    request_expect_message(&q, "earlier runner");
    request_expect_complete(&q);
    assert_int_equal(request_starts(&q), 4);
    request_close(&q);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "worker"))
        return fake_worker(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ctrl_c),      cmocka_unit_test(test_ctrl_c_twice),
        cmocka_unit_test(test_kill_runner), cmocka_unit_test(test_kill_workers),
        cmocka_unit_test(test_held),        cmocka_unit_test(test_survivors),
    };
    return cmocka_run_group_tests_name("runner/schedule_kills", tests, NULL, NULL);
}
