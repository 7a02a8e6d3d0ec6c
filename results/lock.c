/* The queue of writers: an exclusive flock on PATH.lock around every write transaction. The file
 * holds the pid and host of whoever has it, for the message; it is never removed (removing it would
 * let two writers lock two different files of the same name). */
#include "results/store_internal.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id /* glibc has the field, not the name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { WAIT_S = 60 };

int lock_open(struct store *s, struct error *err)
{
    s->lock_fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (s->lock_fd < 0)
        return error_env(
            err, "%s: cannot make the lock file: %s: check that the folder exists and is writable",
            s->lock_path, strerror(errno));
    return 0;
}

static void write_holder(struct store *s)
{
    char host[64] = "", text[160];
    gethostname(host, sizeof host - 1);
    /* The time tells one turn of a process from its next. */
    int n = snprintf(text, sizeof text, "pid %ld on %s\n%.9f\n", (long)getpid(), host, clock_now());
    /* As long whoever writes it: a file whose size changes is work for the disk at each commit. */
    memset(text + n, '\n', sizeof text - (size_t)n);
    /* Only for the message below: a full disk here is no reason to fail. */
    if (pwrite(s->lock_fd, text, sizeof text, 0) < 0)
        return;
}

struct holder {
    char text[161];
    double since; /* when it was first seen */
};

/* Seconds since the lock went to whoever has it now, as far as this process has seen. */
static double look_at_holder(struct store *s, struct holder *h)
{
    char text[sizeof h->text] = "";
    if (pread(s->lock_fd, text, sizeof text - 1, 0) < 0)
        text[0] = 0;
    if (h->since == 0 || strcmp(text, h->text) != 0) {
        memcpy(h->text, text, sizeof text);
        h->since = clock_now();
    }
    return clock_now() - h->since;
}

static int timed_out(const struct store *s, struct holder *h, struct error *err)
{
    h->text[strcspn(h->text, "\n")] = 0;
    return error_env(err, "%s: %s has been writing for over a minute: end it, then run again",
                     s->path, h->text[0] ? h->text : "another program");
}

static void do_nothing(int signal)
{
    (void)signal;
}

/* SIGURG to this thread once a second, so that a call that waits returns with EINTR. Elsewhere that
 * signal does nothing, so one that comes late does no harm. */
struct alarm {
    timer_t timer;
    struct sigaction before;
    sigset_t mask;
};

static int alarm_start(struct alarm *a)
{
    sigset_t urgent;
    struct sigaction how = {.sa_handler = do_nothing};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};
    const struct itimerspec each = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
    event.sigev_notify_thread_id = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &a->timer))
        return -1;
    sigaction(SIGURG, &how, &a->before);
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &urgent, &a->mask);
    timer_settime(a->timer, 0, &each, NULL);
    return 0;
}

static void alarm_stop(struct alarm *a)
{
    timer_delete(a->timer);
    pthread_sigmask(SIG_SETMASK, &a->mask, NULL);
    sigaction(SIGURG, &a->before, NULL);
}

/* Waits in the kernel's queue, where everybody has a turn: of many that look again and again, some
 * never meet it free. Gives up where nobody has had a turn for a minute. Returns 0, or errno's
 * value. */
static int wait_turn(struct store *s, struct holder *h)
{
    struct alarm a;
    int rc = 0;
    if (alarm_start(&a))
        return errno;
    while (flock(s->lock_fd, LOCK_EX) != 0) {
        rc = errno;
        if (rc != EINTR || look_at_holder(s, h) > WAIT_S)
            break;
        rc = 0;
    }
    alarm_stop(&a);
    return rc;
}

int lock_take(struct store *s, struct error *err)
{
    struct holder holder = {.since = 0};
    int rc = flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (rc == EWOULDBLOCK || rc == EINTR)
        rc = wait_turn(s, &holder);
    if (rc == EOPNOTSUPP || rc == ENOLCK || rc == EINVAL) {
        s->local = 0; /* SQLite's own locks alone, and no WAL */
        return 0;
    }
    if (rc == EINTR)
        return timed_out(s, &holder, err);
    if (rc)
        return error_env(err, "%s: cannot lock: %s", s->lock_path, strerror(rc));
    write_holder(s);
    return 0;
}

void lock_drop(struct store *s)
{
    if (s->lock_fd >= 0)
        flock(s->lock_fd, LOCK_UN);
}
