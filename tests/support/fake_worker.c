#include "tests/support/fake_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

struct fake {
    const char *folder;
    char mode[32];
    int epochs, epoch_ms, epoch, starts;
    long seed;
    uint64_t state; /* what training would have changed */
};

static volatile sig_atomic_t told_to_stop;

static void on_term(int signal)
{
    (void)signal;
    told_to_stop = 1;
}

static const char *path_of(const struct fake *f, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static uint64_t step(uint64_t state)
{
    return state * 6364136223846793005u + 1442695040888963407u;
}

static double top1_of(uint64_t state)
{
    return (double)(state >> 40) / (double)(1 << 24) * 100.0;
}

double fake_worker_top1(long seed, int epochs)
{
    uint64_t state = (uint64_t)seed;
    for (int i = 0; i < epochs; i++)
        state = step(state);
    return top1_of(state);
}

static void put(const struct fake *f, const char *name, const char *text)
{
    struct error err = {0};
    if (file_write(path_of(f, name), text, strlen(text), &err)) {
        fprintf(stderr, "vittm worker: %s\n", err.msg);
        exit(EXIT_ENVIRONMENT);
    }
}

static void append(const struct fake *f, const char *name, const char *text)
{
    FILE *out = fopen(path_of(f, name), "ae");
    if (!out || fputs(text, out) < 0 || fclose(out))
        exit(EXIT_ENVIRONMENT);
}

static int read_config(struct fake *f)
{
    char line[256];
    FILE *in = fopen(path_of(f, "run.yaml"), "re");
    if (!in)
        return -1;
    while (fgets(line, sizeof line, in)) {
        sscanf(line, "epochs: %d", &f->epochs);
        sscanf(line, "epoch_ms: %d", &f->epoch_ms);
        sscanf(line, "seed: %ld", &f->seed);
        sscanf(line, "mode: %31s", f->mode);
    }
    fclose(in);
    return 0;
}

static int count_starts(const struct fake *f)
{
    char line[256];
    int n = 0;
    FILE *in = fopen(path_of(f, "starts.log"), "re");
    while (in && fgets(line, sizeof line, in))
        n++;
    if (in)
        fclose(in);
    return n;
}

/* A POSIX record lock is gone with the process, whatever it started. */
static void notice_clash(const struct fake *f)
{
    struct flock whole = {.l_type = F_WRLCK};
    int fd = open(path_of(f, "exclusive"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || fcntl(fd, F_SETLK, &whole))
        append(f, "CLASH", "two workers\n");
}

/* What a resumed worker owes its readers: a torn line is cut off before anything is appended. */
static void cut_torn_line(const struct fake *f)
{
    char *text = NULL;
    size_t size;
    if (file_read(path_of(f, "events.jsonl"), 1 << 24, &text, &size, NULL))
        return;
    while (size && text[size - 1] != '\n')
        size--;
    if (truncate(path_of(f, "events.jsonl"), (off_t)size))
        exit(EXIT_ENVIRONMENT);
    free(text);
}

static void resume(struct fake *f)
{
    unsigned long long state;
    FILE *in = fopen(path_of(f, "checkpoint.safetensors"), "re");
    f->state = (uint64_t)f->seed;
    if (in && fscanf(in, "%d %llu", &f->epoch, &state) == 2)
        f->state = state;
    if (in)
        fclose(in);
    cut_torn_line(f);
}

static void save(const struct fake *f)
{
    char text[64];
    snprintf(text, sizeof text, "%d %llu\n", f->epoch, (unsigned long long)f->state);
    put(f, "checkpoint.safetensors", text);
}

static void beat(const struct fake *f)
{
    char text[256], temporary[4096];
    snprintf(text, sizeof text,
             "{\"pid\":%ld,\"epoch\":%d,\"epochs\":%d,\"step\":%d,\"steps\":%d,\"img_s\":812.0,"
             "\"eta_s\":%.3f,\"loss\":1.5}",
             (long)getpid(), f->epoch, f->epochs, f->epoch * 10, f->epochs * 10,
             (f->epochs - f->epoch) * f->epoch_ms * 1e-3);
    snprintf(temporary, sizeof temporary, "%s/progress.json.tmp", f->folder);
    FILE *out = fopen(temporary, "we");
    if (!out || fputs(text, out) < 0 || fclose(out) ||
        rename(temporary, path_of(f, "progress.json")))
        exit(EXIT_ENVIRONMENT);
}

/* Sleeps in pieces with a heartbeat each; 1 if told to stop. */
static int work(const struct fake *f, int ms)
{
    for (int left = ms; left > 0 && !told_to_stop; left -= 10) {
        struct timespec t = {.tv_nsec = (left < 10 ? left : 10) * 1000000L};
        nanosleep(&t, NULL);
        if (strcmp(f->mode, "hang") || f->epoch < 1)
            beat(f);
    }
    return told_to_stop;
}

static void event(const struct fake *f)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"epoch\":%d,\"step\":%d,\"metrics\":{\"train/loss\":%.17g,\"val/top1\":%.17g}}\n",
             f->epoch, f->epoch * 10, 1.0 / f->epoch, top1_of(f->state));
    append(f, "events.jsonl", text);
}

static int misbehave(struct fake *f)
{
    const char *m = f->mode;
    if (!strcmp(m, "fail") || (!strcmp(m, "fail_once") && f->starts == 1)) {
        fprintf(stderr, "vittm worker: loss is not finite in epoch %d\n", f->epoch);
        return EXIT_FAILED;
    }
    if (!strcmp(m, "crash")) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler */
        raise(SIGSEGV);
    }
    if (!strcmp(m, "hang"))
        while (!told_to_stop)
            work(f, 1000);
    return -1;
}

static int train(struct fake *f)
{
    while (f->epoch < f->epochs) {
        if (work(f, f->epoch_ms)) {
            save(f);
            return EXIT_INTERRUPTED;
        }
        f->epoch++;
        f->state = step(f->state);
        event(f);
        save(f);
        int code = f->epoch >= 2 ? misbehave(f) : -1;
        if (code >= 0)
            return code;
        printf("epoch %d of %d\n", f->epoch, f->epochs);
        fflush(stdout);
    }
    return EXIT_FINE;
}

static int finish(const struct fake *f)
{
    char text[512];
    if (!strcmp(f->mode, "silent"))
        return EXIT_FINE;
    put(f, "correct.bits", "\x05\x01");
    snprintf(
        text, sizeof text,
        "{\"metrics\":{\"val/top1\":%.17g,\"train/loss\":%.17g},"
        "\"facts\":{\"eval_images\":12,\"dataset\":\"fake\"},"
        "\"rows\":{\"latency\":[{\"model\":\"fake\",\"batch\":1,\"threads\":1,\"p50_ms\":2.5}]}}",
        top1_of(f->state), 1.0 / f->epochs);
    if (!strcmp(f->mode, "bad_once") && f->starts == 1)
        text[40] = 0;
    put(f, "result.json", text);
    return EXIT_FINE;
}

int fake_worker(const char *folder)
{
    struct fake f = {.folder = folder, .epochs = 1, .epoch_ms = 1, .mode = "ok"};
    const char *runner = getenv("VITTM_RUNNER");
    if (read_config(&f))
        return EXIT_USAGE;
    int deaf = !strcmp(f.mode, "deaf");
    if (!deaf) {
        struct sigaction term = {.sa_handler = on_term};
        sigaction(SIGTERM, &term, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (!runner || getppid() != (pid_t)strtol(runner, NULL, 10))
            return EXIT_INTERRUPTED;
    } else {
        signal(SIGTERM, SIG_IGN);
    }
    notice_clash(&f);
    append(&f, "starts.log", "start\n");
    if (getenv("CUDA_VISIBLE_DEVICES"))
        append(&f, "gpu.log", getenv("CUDA_VISIBLE_DEVICES"));
    f.starts = count_starts(&f);
    if (!strcmp(f.mode, "refuse")) {
        fprintf(stderr, "vittm worker: no such device\n");
        return EXIT_ENVIRONMENT;
    }
    resume(&f);
    beat(&f);
    int code = train(&f);
    return code == EXIT_FINE ? finish(&f) : code;
}
