/* Whole processes: from the start of a worker to its first step, the resident memory of a training
 * step against PyTorch's, and two runs side by side against two of PyTorch. A program of ours is
 * this one, started again. Usage: bench_worker [--seconds S]; VITTM names the program
 * (build/release/vittm). */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/cpu/wait.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "bench/peer.h"
#include "bench/subject.h"

#define FOLDER "build/tmp/bench-worker"

enum { STARTS = 7, PAIR = 2, MEMORY_STEPS = 3 };

static const struct subject *subject_named(const char *part)
{
    int i = 0;
    while (subject_at(i) && !strstr(subject_at(i)->name, part))
        i++;
    return subject_at(i);
}

/* ---- start-up -------------------------------------------------------------------------------- */

static void write_run(const char *dataset)
{
    struct error err = {0};
    struct strbuf s = STRBUF_INIT;
    char *keys = strdup(subject_named("96x6")->keys), *rest = keys;
    for (char *word; (word = strsep(&rest, " "));) {
        char *value = strchr(word, '=');
        if (value)
            strbuf_addf(&s, "%.*s: %s\n", (int)(value - word), word, value + 1);
    }
    free(keys);
    strbuf_addf(&s,
                "data.dataset: %s\ntrain.batch: 128\nseed: 0\nthreads: 1\nmeasure: [accuracy]\n",
                dataset);
    bench_check(file_make_folder(FOLDER, &err), &err);
    bench_check(file_write(FOLDER "/run.yaml", s.text, s.len, &err), &err);
    strbuf_release(&s);
}

static void clear_folder(void)
{
    static const char *const names[] = {"events.jsonl", "progress.json", "checkpoint.safetensors",
                                        "checkpoint.previous.safetensors"};
    char path[200];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, FOLDER "/%s", names[i]);
        unlink(path);
    }
}

/* Whether progress.json tells of a step that is done. */
static int has_stepped(void)
{
    char text[500] = "";
    FILE *f = fopen(FOLDER "/progress.json", "r");
    if (!f)
        return 0;
    const char *line = fgets(text, sizeof text, f), *at = line ? strstr(line, "\"step\":") : NULL;
    fclose(f);
    return at && strtol(at + strlen("\"step\":"), NULL, 10) > 0;
}

/* Seconds from the start of a worker to the end of its first step; negative where it ended before.
 */
static double first_step(void)
{
    const char *program = getenv("VITTM") ? getenv("VITTM") : "./vittm";
    struct timespec nap = {0, 200000};
    int stepped, ended = 0;
    clear_folder();
    double start = clock_now();
    pid_t pid = fork();
    if (!pid) {
        int log = open(FOLDER "/log.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);
        dup2(log, 1);
        dup2(log, 2);
        execl(program, program, "worker", FOLDER, (char *)NULL);
        _exit(127);
    }
    while (!(stepped = has_stepped()) && !(ended = waitpid(pid, NULL, WNOHANG) > 0))
        nanosleep(&nap, NULL);
    double seconds = clock_now() - start;
    if (!ended) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return stepped ? seconds : -1;
}

static double best_start(const char *dataset)
{
    double best = -1;
    write_run(dataset);
    for (int i = 0; i < STARTS; i++) {
        double s = first_step();
        best = s >= 0 && (best < 0 || s < best) ? s : best;
    }
    return best;
}

static void measure_start(void)
{
    static const char *const datasets[] = {"cifar10", "shapes"};
    struct loaded l;
    loaded_open(&l, subject_named("96x6"), PRECISION_FP32);
    loaded_run(&l);
    double start = clock_now();
    loaded_run(&l);
    double step = clock_now() - start;
    loaded_close(&l);
    for (int i = 0; i < 2; i++) {
        double s = best_start(datasets[i]);
        if (s < 0)
            printf("worker start to the end of the first step, %s: not there\n", datasets[i]);
        else
            printf("worker start to the first step, %s: %.3f s (goal 0.2); to its end %.3f s, the "
                   "step itself %.3f s\n",
                   datasets[i], s - step, s, step);
        fflush(stdout);
    }
}

/* ---- children -------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    FILE *from;
};

/* This program again, as "--child NAME SECONDS". */
static struct child start_child(const struct subject *s, double seconds)
{
    struct child c = {0};
    int out[2];
    char text[32];
    snprintf(text, sizeof text, "%g", seconds);
    if (pipe(out))
        exit(EXIT_ENVIRONMENT);
    c.pid = fork();
    if (!c.pid) {
        dup2(out[1], 1);
        close(out[0]);
        execl("/proc/self/exe", "bench_worker", "--child", s->name, text, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    c.from = fdopen(out[0], "r");
    return c;
}

/* Steps a second and resident bytes. */
static void end_child(struct child *c, double *rate, double *resident)
{
    if (fscanf(c->from, "%lf %lf", rate, resident) != 2)
        *rate = *resident = 0;
    fclose(c->from);
    waitpid(c->pid, NULL, 0);
}

static int be_child(const char *name, double seconds)
{
    struct loaded l;
    struct rusage u;
    int steps = 0;
    loaded_open(&l, subject_named(name), PRECISION_FP32);
    loaded_run(&l);
    double start = clock_now();
    for (; clock_now() - start < seconds || steps < MEMORY_STEPS; steps++)
        loaded_run(&l);
    getrusage(RUSAGE_SELF, &u);
    printf("%.9g %.9g\n", steps / (clock_now() - start), 1024.0 * (double)u.ru_maxrss);
    loaded_close(&l);
    return 0;
}

static void measure_memory(const char *name)
{
    const struct subject *s = subject_named(name);
    struct child c = start_child(s, 0);
    struct peer p;
    double rate, ours, theirs;
    end_child(&c, &rate, &ours);
    printf("resident memory of a training step, %s, batch %d: %.0f MB", s->name, s->batch,
           1e-6 * ours);
    if (peer_open(&p) && !peer_load(&p, "it", s, NULL, PRECISION_FP32, 0) &&
        peer_run(&p, "it", MEMORY_STEPS) > 0) {
        theirs = peer_resident(&p);
        printf(", PyTorch %.0f MB: %.3f times (goal 0.4)", 1e-6 * theirs, ours / theirs);
    }
    putchar('\n');
    fflush(stdout);
    peer_close(&p);
}

/* ---- side by side ---------------------------------------------------------------------------- */

static double our_pair(const struct subject *s, double seconds)
{
    struct child c[PAIR];
    double all = 0, rate, resident;
    for (int i = 0; i < PAIR; i++)
        c[i] = start_child(s, seconds);
    for (int i = 0; i < PAIR; i++) {
        end_child(&c[i], &rate, &resident);
        all += rate;
    }
    return all;
}

/* Two processes of PyTorch, asked by two of ours at once. */
static double their_pair(struct peer *p, int calls)
{
    int out[PAIR][2];
    double all = 0, seconds = -1;
    for (int i = 0; i < PAIR; i++) {
        if (pipe(out[i]))
            exit(EXIT_ENVIRONMENT);
        pid_t pid = fork();
        if (!pid) {
            seconds = peer_run(&p[i], "it", calls);
            _exit(write(out[i][1], &seconds, sizeof seconds) != sizeof seconds);
        }
        close(out[i][1]);
    }
    for (int i = 0; i < PAIR; i++) {
        int good = read(out[i][0], &seconds, sizeof seconds) == sizeof seconds && seconds > 0;
        all += good ? 1 / seconds : 0;
        close(out[i][0]);
        wait(NULL);
    }
    return all;
}

static void measure_pair(const char *name, double seconds)
{
    const struct subject *s = subject_named(name);
    struct peer p[PAIR] = {{0}};
    double ours = 0, theirs = 0, now, once = 0;
    int there = 1;
    for (int i = 0; i < PAIR && there; i++)
        there = peer_open(&p[i]) && !peer_load(&p[i], "it", s, NULL, PRECISION_FP32, 0) &&
                (once = peer_run(&p[i], "it", 2)) > 0;
    for (int r = 0; r < 3; r++) {
        now = our_pair(s, seconds);
        ours = now > ours ? now : ours;
        now = there ? their_pair(p, (int)(seconds / once) + 1) : 0;
        theirs = now > theirs ? now : theirs;
    }
    printf("two processes side by side, %s, batch %d: %.2f steps/s", s->name, s->batch, ours);
    if (there)
        printf(", PyTorch's two %.2f: %.2f times (goal 2)", theirs, ours / theirs);
    putchar('\n');
    fflush(stdout);
    for (int i = 0; i < PAIR; i++)
        peer_close(&p[i]);
}

int main(int argc, char **argv)
{
    cpu_wait_briefly(argv, 0);
    if (argc == 4 && !strcmp(argv[1], "--child"))
        return be_child(argv[2], strtod(argv[3], NULL));
    double seconds = argc == 3 && !strcmp(argv[1], "--seconds") ? strtod(argv[2], NULL) : 3;
    measure_pair("64x4", seconds);
    measure_pair("96x6", seconds);
    measure_pair("vittm 192x6", seconds);
    measure_memory("96x6");
    measure_memory("vit-s/16");
    measure_start();
    return 0;
}
