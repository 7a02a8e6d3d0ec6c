/* The local launcher: posix_spawn of `program worker FOLDER` on this machine.
 *
 * Each slot has its own cores, taken from the runner's own affinity mask and held against other
 * runners of the machine, so that two commands do not pile up on core 0. A slot that finds no free
 * cores is not pinned.
 *
 * A worker inherits the descriptor of FOLDER/lock, locked with flock(2), as descriptor 3. The lock
 * belongs to the open file, so it lasts exactly as long as the worker or anything it started lives,
 * also when the runner was killed: nobody starts a second worker in a folder by mistake, and a
 * survivor is found without any record of its number. */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "runner/launcher.h"
#include "runner/machine.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOCK_FD = 3, MAX_CORES = 1024 };

struct slot {
    cpu_set_t cores;
    int pinned;
};

struct local {
    struct launch_plan plan;
    struct slot *slots;
    int *held; /* descriptors of taken cores */
    size_t n_held;
    char **environment; /* of every worker; ends with NULL */
    size_t n_environment;
};

static const char visible[] = "CUDA_VISIBLE_DEVICES"; /* decided where GPUs are shared out */

/* Variables that the runner decides: set below, or dropped because they would undo the pinning. */
static const char *const decided[] = {
    "OMP_NUM_THREADS",      "OMP_PROC_BIND",    "OMP_PLACES",  "GOMP_CPU_AFFINITY",
    "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "VITTM_RUNNER"};

static int is_called(const char *entry, const char *name)
{
    size_t n = strlen(name);
    return !strncmp(entry, name, n) && entry[n] == '=';
}

static int is_decided(const struct local *l, const char *entry)
{
    for (size_t i = 0; i < sizeof decided / sizeof *decided; i++)
        if (is_called(entry, decided[i]))
            return 1;
    return l->plan.n_gpus && is_called(entry, visible);
}

static void add_variable(struct local *l, const char *name, long value)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s=%ld", name, value);
    l->environment[l->n_environment++] = strbuf_detach(&s);
}

static void make_environment(struct local *l)
{
    extern char **environ;
    size_t n = 0;
    while (environ[n])
        n++;
    /* With a place for the slot's GPU and the end. */
    l->environment = mem_zalloc(n + sizeof decided / sizeof *decided + 2, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        if (!is_decided(l, environ[i]))
            l->environment[l->n_environment++] = mem_strdup(environ[i]);
    add_variable(l, "OMP_NUM_THREADS", l->plan.threads);
    add_variable(l, "OPENBLAS_NUM_THREADS", l->plan.threads);
    /* The worker compares this with its parent after asking to be told of the parent's death: where
     * they differ the runner died in between. */
    add_variable(l, "VITTM_RUNNER", (long)getpid());
}

/* Gives each slot `threads` cores that no other runner holds; slots that find none stay unpinned.
 */
static void share_cores(struct local *l)
{
    int cores[MAX_CORES], n = machine_cores(cores, MAX_CORES), next = 0;
    l->held = mem_zalloc((size_t)n + 1, sizeof *l->held);
    for (int s = 0; s < l->plan.jobs; s++) {
        struct slot *slot = &l->slots[s];
        int got = 0;
        CPU_ZERO(&slot->cores);
        for (; next < n && got < l->plan.threads; next++) {
            int fd = machine_take_core(cores[next]);
            if (fd < 0)
                continue;
            l->held[l->n_held++] = fd;
            CPU_SET(cores[next], &slot->cores);
            got++;
        }
        slot->pinned = got == l->plan.threads;
    }
}

static int local_open(const struct launch_plan *plan, void **state, struct error *err)
{
    if (access(plan->program, X_OK))
        return error_env(err, "%s: cannot be started as a worker: %s", plan->program,
                         strerror(errno));
    struct local *l = mem_zalloc(1, sizeof *l);
    l->plan = *plan;
    l->slots = mem_zalloc((size_t)plan->jobs, sizeof *l->slots);
    share_cores(l);
    make_environment(l);
    *state = l;
    return 0;
}

static void local_close(void *state)
{
    struct local *l = state;
    for (size_t i = 0; i < l->n_held; i++)
        close(l->held[i]);
    for (size_t i = 0; i < l->n_environment; i++)
        free(l->environment[i]);
    free(l->environment);
    free(l->held);
    free(l->slots);
    free(l);
}

static char *join(const char *folder, const char *name)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/%s", folder, name);
    return strbuf_detach(&s);
}

/* Opens folder/name well above the descriptors that the worker gets. */
static int open_high(const char *folder, const char *name, int flags, struct error *err)
{
    char *path = join(folder, name);
    int low = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 10);
    if (fd < 0)
        error_env(err, "%s: cannot open: %s", path, strerror(errno));
    if (low >= 0)
        close(low);
    free(path);
    return fd;
}

static char *gpu_of(const struct local *l, int slot)
{
    struct strbuf s = STRBUF_INIT;
    if (!l->plan.n_gpus)
        return NULL;
    strbuf_addf(&s, "%s=%s", visible, l->plan.gpus[slot % l->plan.n_gpus]);
    return strbuf_detach(&s);
}

static int spawn(struct local *l, const char *folder, int slot, int log, int lock, pid_t *pid)
{
    char *argv[] = {(char *)l->plan.name, "worker", (char *)folder, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, log, 1);
    posix_spawn_file_actions_adddup2(&files, log, 2);
    posix_spawn_file_actions_adddup2(&files, lock, LOCK_FD);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                       POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    char *gpu = gpu_of(l, slot);
    l->environment[l->n_environment] = gpu; /* behind it stands NULL */
    int rc = posix_spawn(pid, l->plan.program, &files, &how, argv, l->environment);
    l->environment[l->n_environment] = NULL;
    free(gpu);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* A child inherits the affinity of the thread that spawns it: set, spawn, set back. */
static int spawn_pinned(struct local *l, const char *folder, int slot, int log, int lock,
                        pid_t *pid)
{
    cpu_set_t own;
    const struct slot *s = &l->slots[slot];
    int pin = s->pinned && !sched_getaffinity(0, sizeof own, &own);
    if (pin)
        pin = !sched_setaffinity(0, sizeof s->cores, &s->cores);
    int rc = spawn(l, folder, slot, log, lock, pid);
    if (pin)
        sched_setaffinity(0, sizeof own, &own);
    return rc;
}

static int local_start(void *state, const char *folder, int slot, struct launch_job *job,
                       struct error *err)
{
    struct local *l = state;
    int rc = -1, log = -1, lock = open_high(folder, "lock", O_RDWR, err);
    pid_t pid = -1;
    if (lock < 0)
        goto done;
    if (flock(lock, LOCK_EX | LOCK_NB)) {
        error_code(err, EXIT_INTERRUPTED, "%s: another worker is still at work in this folder",
                   folder);
        goto done;
    }
    log = open_high(folder, "log.txt", O_WRONLY | O_APPEND, err);
    if (log < 0)
        goto done;
    int failed = spawn_pinned(l, folder, slot, log, lock, &pid);
    if (failed) {
        error_env(err, "%s: cannot start a worker: %s", l->plan.program, strerror(failed));
        goto done;
    }
    *job = (struct launch_job){.id = pid, .slot = slot};
    rc = 0;
done:
    if (log >= 0)
        close(log);
    if (lock >= 0)
        close(lock);
    return rc;
}

static int local_poll(void *state, struct launch_job *job, struct launch_ending *ending)
{
    int status;
    struct rusage used;
    siginfo_t info = {0};
    (void)state;
    if (!waitid(P_PID, (id_t)job->id, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid)
        return 0;
    /* Whatever the worker left behind in its group; before it is reaped, while the number is its
     * own. */
    kill(-(pid_t)job->id, SIGKILL);
    pid_t pid;
    while ((pid = wait4((pid_t)job->id, &status, 0, &used)) < 0 && errno == EINTR)
        ;
    *ending = (struct launch_ending){.code = -1, .cpu_s = -1, .peak_bytes = -1};
    if (pid < 0)
        return 1; /* not our child any more: nothing is known of its ending */
    if (WIFEXITED(status))
        ending->code = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        ending->signal = WTERMSIG(status);
    ending->cpu_s = (double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec +
                    (double)used.ru_stime.tv_sec + 1e-6 * (double)used.ru_stime.tv_usec;
    ending->peak_bytes = (long long)used.ru_maxrss * 1024;
    return 1;
}

static void local_signal(void *state, const struct launch_job *job, int signal)
{
    (void)state;
    kill(-(pid_t)job->id, signal);
}

/* The runner that started a process, from the environment it was given; -1 if it is no worker's. */
static long runner_of(long pid)
{
    char path[64], *text = NULL;
    size_t size = 0;
    long runner = -1;
    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    if (file_read(path, 4 << 20, &text, &size, NULL))
        return -1;
    for (const char *entry = text; entry < text + size; entry += strlen(entry) + 1)
        if (!strncmp(entry, "VITTM_RUNNER=", 13))
            runner = strtol(entry + 13, NULL, 10);
    free(text);
    return runner;
}

static int holds(long pid, const struct stat *lock)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", pid, LOCK_FD);
    return !stat(path, &st) && st.st_dev == lock->st_dev && st.st_ino == lock->st_ino;
}

/* Signals the group of a process that holds the lock, unless its runner lives: then it is at work
 * for another database. A worker's group bears the worker's number, so its parent says whose it is.
 */
static void signal_holder(long pid, int signal)
{
    long runner = runner_of(pid);
    pid_t group = getpgid((pid_t)pid);
    if (runner > 0 && group > 1 && group != getpgrp() && machine_parent(group) != runner)
        kill(-group, signal);
}

static int signal_holders(const struct stat *lock, int signal)
{
    int n = 0;
    struct dirent *e;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    while ((e = readdir(proc))) {
        long pid = isdigit((unsigned char)e->d_name[0]) ? strtol(e->d_name, NULL, 10) : 0;
        if (pid <= 1 || pid == (long)getpid() || !holds(pid, lock))
            continue;
        n++;
        if (signal)
            signal_holder(pid, signal);
    }
    closedir(proc);
    return n;
}

static int local_survivors(void *state, const char *folder, int signal)
{
    int n = 0;
    struct stat st;
    (void)state;
    char *path = join(folder, "lock");
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &st)) {
        n = signal_holders(&st, signal);
        n = n ? n : 1; /* locked from where we cannot look, another container for one */
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return n;
}

const struct launcher launch_local = {
    .choice = {.name = "local", .doc = "worker processes on this machine, each on its own cores"},
    .open = local_open,
    .close = local_close,
    .start = local_start,
    .poll = local_poll,
    .signal = local_signal,
    .survivors = local_survivors,
};
