/* The queue of writers: an exclusive flock on PATH.lock around every write transaction. The file
 * holds the pid and host of whoever has it, for the message; it is never removed (removing it would
 * let two writers lock two different files of the same name). */
#include "results/store_internal.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

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
    char host[64] = "", text[128];
    gethostname(host, sizeof host - 1);
    int n = snprintf(text, sizeof text, "pid %ld on %s\n", (long)getpid(), host);
    /* Only for the message below: a full disk here is no reason to fail. */
    if (ftruncate(s->lock_fd, 0) == 0 && pwrite(s->lock_fd, text, (size_t)n, 0) < 0)
        return;
}

static int timed_out(struct store *s, struct error *err)
{
    char holder[128] = "";
    ssize_t n = pread(s->lock_fd, holder, sizeof holder - 1, 0);
    if (n > 0)
        holder[strcspn(holder, "\n")] = 0;
    return error_env(err, "%s: %s has been writing for over a minute: end it, then run again",
                     s->path, *holder ? holder : "another program");
}

int lock_take(struct store *s, struct error *err)
{
    double end = clock_now() + WAIT_S;
    for (int tries = 0;; tries++) {
        if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
            break;
        if (errno == EINTR)
            continue;
        if (errno == EOPNOTSUPP || errno == ENOLCK || errno == EINVAL) {
            s->local = 0; /* SQLite's own locks alone, and no WAL */
            return 0;
        }
        if (errno != EWOULDBLOCK)
            return error_env(err, "%s: cannot lock: %s", s->lock_path, strerror(errno));
        if (clock_now() > end)
            return timed_out(s, err);
        /* A blocking flock would be fairer, but could not end with a message. */
        struct timespec pause = {0, tries < 20 ? 200000 : 2000000};
        nanosleep(&pause, NULL);
    }
    write_holder(s);
    return 0;
}

void lock_drop(struct store *s)
{
    if (s->lock_fd >= 0)
        flock(s->lock_fd, LOCK_UN);
}
