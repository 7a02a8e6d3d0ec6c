#include "runner/tensorboard.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "runner/folder.h"
#include "runner/tfevents.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How far a metric has come. */
struct reached {
    char *metric;
    long long step;
};

struct tensorboard {
    char *folder, *path;
    int fd;
    off_t at; /* in events.jsonl */
    struct reached *reached;
    size_t n, cap;
    struct strbuf records; /* not written yet */
};

/* 1 if this point is new. */
static int goes_on(struct tensorboard *t, const char *metric, long long step)
{
    for (size_t i = 0; i < t->n; i++)
        if (!strcmp(t->reached[i].metric, metric)) {
            int new = step > t->reached[i].step;
            t->reached[i].step = new ? step : t->reached[i].step;
            return new;
        }
    t->reached = mem_grow(t->reached, t->n, &t->cap, sizeof *t->reached);
    t->reached[t->n++] = (struct reached){mem_strdup(metric), step};
    return 1;
}

static int add_point(void *context, const struct folder_metric *m)
{
    struct tensorboard *t = context;
    if (goes_on(t, m->name, m->step))
        tfevents_scalar(&t->records, isfinite(m->time) ? m->time : clock_unix(), m->step, m->name,
                        (float)m->value);
    return 0;
}

int tensorboard_follow(struct tensorboard *t, struct error *err)
{
    int rc = folder_events(t->folder, &t->at, add_point, t, NULL, err);
    if (!rc && t->records.len)
        rc = file_write_fd(t->fd, t->records.text, t->records.len, t->path, err);
    strbuf_clear(&t->records);
    return rc ? -1 : 0;
}

static void add_name(struct strbuf *path, const char *text, size_t most)
{
    for (size_t i = 0; i < most && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        strbuf_addc(path, isalnum(c) || (i && strchr("._+-=", c)) ? (char)c : '_');
    }
}

static char *make_path(const char *dir, const char *label, const char *run, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s/", dir);
    add_name(&path, label, 100);
    strbuf_addc(&path, '-');
    add_name(&path, run, 8);
    int rc = file_make_folder(path.text, err);
    strbuf_adds(&path, "/events.out.tfevents.vittm");
    if (!rc)
        return strbuf_detach(&path);
    strbuf_release(&path);
    return NULL;
}

/* The whole file beside its place, then there: a reader never sees half of it. */
static int begin(struct tensorboard *t, struct error *err)
{
    struct strbuf temporary = STRBUF_INIT;
    strbuf_addf(&temporary, "%s.tmp.%ld", t->path, (long)getpid());
    tfevents_header(&t->records, clock_unix());
    t->fd = open(temporary.text, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    int rc = t->fd < 0 ? error_env(err, "%s: cannot open: %s", temporary.text, strerror(errno))
                       : tensorboard_follow(t, err);
    if (!rc && rename(temporary.text, t->path))
        rc = error_env(err, "%s: cannot move: %s", temporary.text, strerror(errno));
    if (rc && t->fd >= 0)
        unlink(temporary.text);
    strbuf_release(&temporary);
    return rc;
}

int tensorboard_open(struct tensorboard **out, const char *dir, const char *label, const char *run,
                     const char *folder, struct error *err)
{
    struct tensorboard *t = mem_zalloc(1, sizeof *t);
    *out = NULL;
    *t = (struct tensorboard){.fd = -1,
                              .records = STRBUF_INIT,
                              .folder = mem_strdup(folder),
                              .path = make_path(dir, label, run, err)};
    if (!t->path || begin(t, err)) {
        tensorboard_close(t);
        return -1;
    }
    *out = t;
    return 0;
}

void tensorboard_close(struct tensorboard *t)
{
    if (!t)
        return;
    if (t->fd >= 0)
        close(t->fd);
    for (size_t i = 0; i < t->n; i++)
        free(t->reached[i].metric);
    free(t->reached);
    free(t->folder);
    free(t->path);
    strbuf_release(&t->records);
    free(t);
}

int tensorboard_write(const char *dir, const char *label, const char *run, const char *folder,
                      struct error *err)
{
    struct tensorboard *t;
    if (tensorboard_open(&t, dir, label, run, folder, err))
        return -1;
    tensorboard_close(t);
    return 0;
}
