/* The scheduler with a worker that trains nothing (tests/support/fake_worker.c): endings, limits,
 * two runners at once, GPUs.
 *
 * This program is also the worker: `test_schedule worker FOLDER`. */
#include "tests/support/schedule.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "runner/folder.h"
#include "runner/gpus.h"
#include "tests/support/fake_worker.h"

/* ---- endings -------------------------------------------------------------------------------- */

static void test_grid(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "ok", 12);
    assert_int_equal(request_run(&q), EXIT_FINE);
    request_expect_complete(&q);
    request_expect_message(&q, "12 of 12 done");
    assert_int_equal(request_starts(&q), 12);
    assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_latency WHERE p50_ms = 2.5"), 12);
    assert_int_equal(
        request_ask(&q, "SELECT count(DISTINCT run) FROM v_env WHERE key = 'binary_sha256'"), 12);
    assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_env WHERE key = 'dataset'"), 12);
    /* Once more: everything is kept. */
    assert_int_equal(request_run(&q), EXIT_FINE);
    assert_int_equal(request_starts(&q), 12);
    request_close(&q);
}

static void test_new_cells_only(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "ok", 4);
    assert_int_equal(request_run(&q), EXIT_FINE);
    q.runs = 7;
    assert_int_equal(request_run(&q), EXIT_FINE);
    request_expect_complete(&q);
    assert_int_equal(request_starts(&q), 7);
    request_close(&q);
}

static void test_lost_database(void **state)
{
    (void)state;
    struct request q;
    char path[300];
    request_open(&q, "ok", 5);
    assert_int_equal(request_run(&q), EXIT_FINE);
    static const char *const files[] = {"vittm.db", "vittm.db-wal", "vittm.db-shm"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", q.root, files[i]);
        unlink(path);
    }
    assert_int_equal(request_run(&q), EXIT_FINE);
    request_expect_complete(&q);
    assert_int_equal(request_starts(&q), 5); /* taken in from their folders */
    request_close(&q);
}

static void test_failure(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "fail", 2);
    q.epochs = 9;
    q.retries = 2;
    assert_int_equal(request_run(&q), EXIT_FAILED);
    assert_int_equal(request_starts(&q), 6);
    request_expect_message(&q, "loss is not finite in epoch");
    assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'failed'"), 2);
    /* Left alone, then tried again on request. */
    assert_int_equal(request_run(&q), EXIT_FAILED);
    assert_int_equal(request_starts(&q), 6);
    q.retry_failed = 1;
    q.retries = 0;
    assert_int_equal(request_run(&q), EXIT_FAILED);
    assert_int_equal(request_starts(&q), 8);
    snprintf(q.mode, sizeof q.mode, "ok");
    assert_int_equal(request_run(&q), EXIT_FINE);
    request_expect_complete(&q);
    request_close(&q);
}

static void test_retry(void **state)
{
    (void)state;
    static const char *const modes[] = {"fail_once", "bad_once"};
    for (int i = 0; i < 2; i++) {
        struct request q;
        request_open(&q, modes[i], 3);
        q.retries = 1;
        assert_int_equal(request_run(&q), EXIT_FINE);
        request_expect_complete(&q);
        assert_int_equal(request_starts(&q), 6);
        request_close(&q);
    }
}

static void test_refusal(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "refuse", 1);
    q.retries = 5;
    assert_int_equal(request_run(&q), EXIT_FAILED);
    assert_int_equal(request_starts(&q), 1);
    request_expect_message(&q, "no such device");
    request_close(&q);
}

static void test_silence_and_crash(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "silent", 1);
    assert_int_equal(request_run(&q), EXIT_FAILED);
    request_expect_message(&q, "ended without result.json");
    request_close(&q);
    request_open(&q, "crash", 1);
    assert_int_equal(request_run(&q), EXIT_FAILED);
    request_expect_message(&q, "killed by signal 11");
    request_close(&q);
}

static void test_limits(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "hang", 1);
    q.timeout_s = 0.4;
    assert_int_equal(request_run(&q), EXIT_FAILED);
    assert_int_equal(request_ask(&q, "SELECT count(*) FROM v_runs WHERE state = 'timeout'"), 1);
    request_expect_message(&q, "limits.timeout");
    request_close(&q);

    request_open(&q, "hang", 1);
    q.stall_s = 0.8;
    assert_int_equal(request_run(&q), EXIT_FAILED);
    request_expect_message(&q, "no heartbeat");
    request_close(&q);

    request_open(&q, "deaf", 1); /* SIGTERM is not enough */
    q.epochs = 100000;
    q.timeout_s = 0.3;
    q.grace_s = 0.2;
    double began = clock_now();
    assert_int_equal(request_run(&q), EXIT_FAILED);
    assert_true(clock_now() - began < 3);
    request_close(&q);
}

static void test_no_folder(void **state)
{
    (void)state;
    struct request q;
    struct error err = {0};
    char path[300];
    request_open(&q, "ok", 2);
    snprintf(path, sizeof path, "%s/runs", q.root);
    assert_int_equal(file_write(path, "", 0, &err), 0); /* a file where the folder should be */
    assert_int_equal(request_run(&q), EXIT_ENVIRONMENT);
    request_expect_message(&q, "runs");
    unlink(path);
    assert_int_equal(request_run(&q), EXIT_FINE);
    request_expect_complete(&q);
    request_close(&q);
}

/* ---- together ------------------------------------------------------------------------------- */

static void test_two_runners(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "ok", 24);
    q.epoch_ms = 15;
    pid_t a = request_start(&q), b = request_start(&q);
    assert_int_equal(runner_wait(a), EXIT_FINE);
    assert_int_equal(runner_wait(b), EXIT_FINE);
    request_expect_complete(&q);
    for (int i = 0; i < q.runs; i++)
        assert_int_equal(request_starts_of(&q, i), 1);
    request_close(&q);
}

/* One of them is killed: the other takes over what it had. */
static void test_take_over(void **state)
{
    (void)state;
    struct request q;
    request_open(&q, "ok", 8);
    q.epoch_ms = 100;
    pid_t a = request_start(&q);
    request_wait_starts(&q, 2);
    pid_t b = request_start(&q);
    request_wait_starts(&q, 4);
    kill(a, SIGKILL);
    assert_int_equal(runner_wait(a), -SIGKILL);
    assert_int_equal(runner_wait(b), EXIT_FINE);
    request_expect_complete(&q);
    request_close(&q);
}

static void test_side_by_side(void **state)
{
    (void)state;
    double wall[2];
    for (int jobs = 1; jobs <= 2; jobs++) {
        struct request q;
        request_open(&q, "ok", 8);
        q.epoch_ms = 80;
        q.jobs = jobs;
        double began = clock_now();
        assert_int_equal(request_run(&q), EXIT_FINE);
        wall[jobs - 1] = clock_now() - began;
        request_close(&q);
    }
    printf("# 8 runs of 0.24 s: 1 job %.2f s, 2 jobs %.2f s, ratio %.2f\n", wall[0], wall[1],
           wall[0] / wall[1]);
    assert_true(wall[0] / wall[1] > 1.2); /* about 2 on an idle machine */
}

/* What the run's worker was told to see; "" for nothing. */
static const char *gpu_of(const struct request *q, int i, char text[64])
{
    struct arena a = {0};
    char *path = folder_path(request_run_folder(&a, q, i), "gpu.log"), *read = NULL;
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
    request_open(&q, "ok", 4);
    q.jobs = 4;
    q.n_gpus = 2;
    q.epoch_ms = 100; /* so that no slot is used twice */
    setenv("CUDA_VISIBLE_DEVICES", "7", 1);
    assert_int_equal(request_run(&q), EXIT_FINE);
    for (int i = 0; i < 4; i++) {
        gpu_of(&q, i, text);
        seen[0] += !strcmp(text, "0");
        seen[1] += !strcmp(text, "3");
    }
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    request_close(&q);
    request_open(&q, "ok", 1); /* not shared out: what the user said stays */
    assert_int_equal(request_run(&q), EXIT_FINE);
    assert_string_equal(gpu_of(&q, 0, text), "7");
    unsetenv("CUDA_VISIBLE_DEVICES");
    request_close(&q);
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
        cmocka_unit_test(test_two_runners),
        cmocka_unit_test(test_take_over),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_gpus),
        cmocka_unit_test(test_gpu_lists),
    };
    return cmocka_run_group_tests_name("runner/schedule", tests, NULL, NULL);
}
