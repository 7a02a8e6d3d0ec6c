/* Reading a run's folder, however torn its files are; progress lines; processes and estimates. */
#include "runner/folder.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "runner/estimate.h"
#include "runner/launcher.h"
#include "runner/machine.h"
#include "runner/progress.h"

static char folder[64];

static int set_up(void **state)
{
    struct error err = {0};
    (void)state;
    snprintf(folder, sizeof folder, "build/tmp/folder.XXXXXX");
    return file_make_folder("build/tmp", &err) || !mkdtemp(folder);
}

static int tear_down(void **state)
{
    static const char *const files[] = {"events.jsonl", "progress.json", "result.json", "log.txt"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = folder_path(folder, files[i]);
        unlink(path);
        free(path);
    }
    return rmdir(folder);
}

static void put(const char *name, const char *text, size_t size)
{
    struct error err = {0};
    char *path = folder_path(folder, name);
    assert_int_equal(file_write(path, text, size, &err), 0);
    free(path);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* ---- events --------------------------------------------------------------------------------- */

struct seen {
    int n, epoch;
    double last;
};

static int see(void *context, const struct folder_metric *m)
{
    struct seen *s = context;
    s->n++;
    s->epoch = m->epoch;
    s->last = m->value;
    return 0;
}

static void test_events(void **state)
{
    static const char text[] =
        "{\"epoch\":1,\"step\":10,\"metrics\":{\"train/loss\":2.5,\"val/top1\":10}}\n"
        "{\"epoch\":2,\"ste{\"epoch\":2,\"step\":20,\"metrics\":{}}\n" /* torn, then resumed */
        "\n"
        "{\"epoch\":2,\"step\":20,\"metrics\":{\"train/loss\":null,\"val/top1\":20}}\n"
        "{\"epoch\":3,\"step\":30,\"metrics\":{\"val/top1\":30}}\n";
    (void)state;
    struct error err = {0};
    /* Whatever byte the file ends at: nothing twice, nothing lost, nothing torn. */
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct seen s = {0};
        off_t at = 0;
        int skipped = 0;
        put("events.jsonl", text, cut);
        assert_int_equal(folder_events(folder, &at, see, &s, &skipped, &err), 0);
        assert_true(at <= (off_t)cut);
        put("events.jsonl", text, sizeof text - 1);
        assert_int_equal(folder_events(folder, &at, see, &s, &skipped, &err), 0);
        assert_int_equal(s.n, 4);
        assert_int_equal(s.epoch, 3);
        assert_true(s.last == 30);
        assert_int_equal(skipped, 1);
        assert_int_equal(at, sizeof text - 1);
    }
}

static void test_no_events(void **state)
{
    (void)state;
    struct error err = {0};
    off_t at = 0;
    char *path = folder_path(folder, "events.jsonl");
    unlink(path);
    free(path);
    assert_int_equal(folder_events(folder, &at, see, NULL, NULL, &err), 0);
}

/* ---- result, progress, log ------------------------------------------------------------------ */

static void test_result(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"metrics\":[]}",
                                      "{\"metrics\":{\"a\":\"b\"}}",
                                      "{\"metrics\":{},\"facts\":3}",
                                      "{\"metrics\":{},\"rows\":[]}",
                                      "{\"metrics\":{\"a\":1,\"a\":2}}"};
    (void)state;
    struct error err = {0};
    assert_null(folder_result(folder, &err));
    assert_int_equal(err.code, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text("result.json", bad[i]);
        err = (struct error){0};
        assert_null(folder_result(folder, &err));
        assert_int_equal(err.code, EXIT_FAILED);
        assert_non_null(strstr(err.msg, "result.json"));
    }
    put_text("result.json", "{\"metrics\":{\"val/top1\":41.5}}");
    json_t *result = folder_result(folder, &err);
    assert_non_null(result);
    json_decref(result);
}

static void test_progress_file(void **state)
{
    (void)state;
    struct folder_progress p, again;
    assert_int_equal(folder_progress(folder, &p), 0);
    put_text("progress.json", "{\"epoch\":");
    assert_int_equal(folder_progress(folder, &p), 0);
    put_text("progress.json",
             "{\"pid\":7,\"epoch\":3,\"epochs\":10,\"loss\":null,\"img_s\":812.5}");
    assert_int_equal(folder_progress(folder, &p), 1);
    assert_int_equal(p.pid, 7);
    assert_int_equal(p.epochs, 10);
    assert_true(isnan(p.loss) && p.img_s == 812.5);
    put_text("progress.json",
             "{\"pid\":7,\"epoch\":3,\"epochs\":10,\"loss\":null,\"img_s\":812.5}");
    assert_int_equal(folder_progress(folder, &again), 1);
    assert_true(p.version != again.version); /* replaced by the same: a heartbeat */
}

static void test_last_line(void **state)
{
    (void)state;
    static const struct {
        const char *log, *line;
    } cases[] = {{"", ""},
                 {"one\n", "one"},
                 {"one\ntwo\n\n \n", "two"},
                 {"one\nvittm worker: loss is not finite", "loss is not finite"},
                 {"a\033[31mb\xff\xc3\xa9", "a [31mb?\xc3\xa9"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf s = STRBUF_INIT;
        put_text("log.txt", cases[i].log);
        folder_last_line(folder, 0, &s);
        assert_string_equal(s.text, cases[i].line);
        strbuf_release(&s);
    }
    struct strbuf s = STRBUF_INIT;
    put_text("log.txt", "first attempt\n");
    folder_last_line(folder, folder_log_size(folder), &s);
    assert_string_equal(s.text, ""); /* of an attempt that said nothing */
    folder_log_tail(folder, 9, &s);
    assert_string_equal(s.text, ""); /* not the second half of a line */
    folder_log_tail(folder, 100, &s);
    assert_string_equal(s.text, "first attempt\n");
    strbuf_release(&s);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
    (void)state;
    struct strbuf s = STRBUF_INIT;
    const struct progress_run run = {.label = "linear/add seed 0",
                                     .epoch = 3,
                                     .epochs = 10,
                                     .loss = 1.8321,
                                     .score = {"top-1", 41.2},
                                     .images_per_s = 812,
                                     .left_s = 94};
    progress_run_text(&s, &run, 99);
    assert_string_equal(s.text, "  linear/add seed 0  epoch 3/10  loss 1.832  top-1 41.2 %  "
                                "812 img/s  1 min 34 s left");
    strbuf_clear(&s);
    progress_run_text(&s, &run, 79);
    assert_string_equal(s.text, "  linear/add seed 0  epoch 3/10  loss 1.832  top-1 41.2 %  "
                                "1 min 34 s left");
    strbuf_clear(&s);
    progress_run_text(&s, &run, 69);
    assert_string_equal(s.text,
                        "  lin.. seed 0  epoch 3/10  loss 1.832  top-1 41.2 %  1 min 34 s left");
    strbuf_clear(&s);
    const struct progress_run new = {.label = "a", .loss = NAN, .images_per_s = NAN, .left_s = NAN};
    progress_run_text(&s, &new, 79);
    assert_string_equal(s.text, "  a  starting");
    strbuf_clear(&s);
    const struct progress_total total = {
        .runs = 36, .done = 7, .running = 2, .failed = 1, .left_s = 200};
    progress_total_text(&s, &total, 79);
    assert_string_equal(s.text, "7 of 36 done, 2 running, 1 failed, about 3 min 20 s left");
    strbuf_clear(&s);
    progress_total_text(&s, &total, 7); /* UTF-8 and width: whole characters */
    assert_string_equal(s.text, "7 of 36");
    strbuf_release(&s);
}

/* A long message goes on under the label: nothing is lost and nothing is torn. */
static void test_folded(void **state)
{
    (void)state;
    struct strbuf s = STRBUF_INIT;
    progress_folded_text(&s, "failed  linear/add seed 0: out of memory", 79);
    assert_string_equal(s.text, "failed  linear/add seed 0: out of memory");
    strbuf_clear(&s);
    progress_folded_text(&s, "failed  linear/add seed 0: out of memory (use train.micro_batch)",
                         30);
    assert_string_equal(s.text, "failed  linear/add seed 0: out\n"
                                "        of memory (use\n"
                                "        train.micro_batch)");
    strbuf_clear(&s);
    progress_folded_text(&s, "failed  a: /tmp/one_long_path_without_blanks", 20);
    assert_string_equal(s.text, "failed  a:\n"
                                "        /tmp/one_lon\n"
                                "        g_path_witho\n"
                                "        ut_blanks");
    strbuf_release(&s);
}

/* Without a terminal nothing is drawn and no escape is written. */
static void test_plain(void **state)
{
    (void)state;
    int ends[2];
    char text[200];
    assert_int_equal(pipe(ends), 0);
    struct progress *p = progress_new(ends[1]);
    const struct progress_total total = {.runs = 1};
    assert_int_equal(progress_is_live(p), 0);
    progress_draw(p, NULL, 0, &total);
    progress_say(p, PROGRESS_BAD, "failed %d", 1);
    progress_free(p);
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(n > 0);
    text[n] = 0;
    assert_string_equal(text, "failed 1\n");
}

/* ---- processes, estimates ------------------------------------------------------------------- */

static void test_life(void **state)
{
    (void)state;
    struct machine_process self, other;
    machine_self(&self);
    assert_int_equal(machine_life(&self), MACHINE_ALIVE);
    other = self;
    other.start++; /* the number was given to somebody else */
    assert_int_equal(machine_life(&other), MACHINE_DEAD);
    other = self;
    snprintf(other.boot, sizeof other.boot, "another boot");
    assert_int_equal(machine_life(&other), MACHINE_DEAD);
    snprintf(other.host, sizeof other.host, "another host");
    assert_int_equal(machine_life(&other), MACHINE_UNKNOWN);
    other = self;
    other.pid = fork();
    if (!other.pid)
        _exit(0);
    siginfo_t info;
    waitid(P_PID, (id_t)other.pid, &info, WEXITED | WNOWAIT);
    assert_int_equal(machine_life(&other), MACHINE_DEAD); /* a zombie */
    waitpid((pid_t)other.pid, NULL, 0);
    assert_int_equal(machine_life(&other), MACHINE_DEAD);
    assert_int_equal(machine_parent((long)getpid()), (long)getppid());
}

static void test_cores(void **state)
{
    (void)state;
    int cores[1024];
    assert_true(machine_cores(cores, 1024) >= 1);
    int fd = machine_take_core(100000); /* no such core: nobody else wants it */
    assert_true(fd >= 0);
    assert_int_equal(machine_take_core(100000), -1);
    close(fd);
    fd = machine_take_core(100000);
    assert_true(fd >= 0);
    close(fd);
}

static void test_estimate(void **state)
{
    (void)state;
    struct estimate e = {0};
    assert_true(isnan(estimate_run(&e, 10)));
    estimate_guess(&e, 10, 5, 15);
    assert_true(estimate_run(&e, 20) == 40);
    estimate_add(&e, 10, 30);
    assert_true(estimate_run(&e, 20) == 60); /* measured beats forecast */
    estimate_add(&e, 0, 30);
    assert_true(estimate_run(&e, 20) == 60);
    assert_true(estimate_total(60, 20, 15, 2) == 40);
    assert_true(estimate_total(0, 20, 15, 2) == 15); /* the last one alone */
}

static void test_launchers(void **state)
{
    (void)state;
    assert_non_null(launcher_find("local"));
    assert_null(launcher_find("remote"));
    for (int i = 0; launcher_at(i); i++) {
        assert_non_null(launcher_at(i)->choice.doc);
        assert_non_null(launcher_at(i)->start);
        assert_non_null(launcher_at(i)->survivors);
        assert_ptr_equal(launcher_find(launcher_at(i)->choice.name), launcher_at(i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_events), cmocka_unit_test(test_events),
        cmocka_unit_test(test_result),    cmocka_unit_test(test_progress_file),
        cmocka_unit_test(test_last_line), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_folded),    cmocka_unit_test(test_plain),
        cmocka_unit_test(test_life),      cmocka_unit_test(test_cores),
        cmocka_unit_test(test_estimate),  cmocka_unit_test(test_launchers),
    };
    return cmocka_run_group_tests_name("runner/folder", tests, set_up, tear_down);
}
