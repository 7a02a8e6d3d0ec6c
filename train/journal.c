#include "train/journal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JSON_FLAGS = JSON_COMPACT | JSON_REAL_PRECISION(17) };

static int end_torn_line(int fd, const char *path, struct error *err)
{
    char last;
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n')
        return 0;
    return file_write_fd(fd, "\n", 1, path, err);
}

int journal_open(struct journal *j, const char *folder, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    *j = (struct journal){.folder = folder, .events = -1};
    strbuf_addf(&path, "%s/events.jsonl", folder);
    j->events = open(path.text, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int rc = j->events < 0 ? error_env(err, "%s: cannot open: %s", path.text, strerror(errno))
                           : end_torn_line(j->events, path.text, err);
    if (rc)
        journal_close(j);
    strbuf_release(&path);
    return rc;
}

void journal_close(struct journal *j)
{
    if (j->events >= 0)
        close(j->events);
    j->events = -1;
}

int journal_step(struct journal *j, int64_t epoch, int64_t step, const struct metrics *m,
                 struct error *err)
{
    struct strbuf line = STRBUF_INIT;
    json_t *event =
        json_pack("{s:I, s:I, s:f, s:o}", "epoch", (json_int_t)epoch, "step", (json_int_t)step,
                  "time", floor(1e3 * clock_unix()) / 1e3, "metrics", metrics_json(m));
    char *text = json_dumps(event, JSON_FLAGS);
    json_decref(event);
    strbuf_addf(&line, "%s\n", text);
    free(text);
    int rc = file_write_fd(j->events, line.text, line.len, "events.jsonl", err);
    strbuf_release(&line);
    return rc;
}

int journal_event(struct journal *j, int64_t epoch, int64_t step, const struct metrics *m,
                  struct error *err)
{
    if (journal_step(j, epoch, step, m, err))
        return -1;
    if (fsync(j->events) && errno != EINVAL)
        return error_env(err, "%s/events.jsonl: cannot sync: %s", j->folder, strerror(errno));
    return 0;
}

static void set_finite(json_t *object, const char *key, double value)
{
    if (isfinite(value))
        json_object_set_new(object, key, json_real(value));
}

/* Not synced: it says how things are now, and is worthless after a power cut. */
static void replace(const char *folder, const char *text)
{
    struct strbuf path = STRBUF_INIT, temporary = STRBUF_INIT;
    strbuf_addf(&path, "%s/progress.json", folder);
    strbuf_addf(&temporary, "%s.tmp.%ld", path.text, (long)getpid());
    FILE *f = fopen(temporary.text, "we");
    if (f) {
        int bad = fputs(text, f) < 0;
        bad |= fclose(f) != 0;
        if (bad || rename(temporary.text, path.text))
            unlink(temporary.text);
    }
    strbuf_release(&temporary);
    strbuf_release(&path);
}

void journal_progress(struct journal *j, const struct progress_note *p, int now)
{
    double at = clock_now();
    if (!now && at - j->progress_at < 1)
        return;
    j->progress_at = at;
    json_t *object = json_pack("{s:i, s:I, s:I, s:I, s:I}", "pid", (int)getpid(), "epoch",
                               (json_int_t)p->epoch, "epochs", (json_int_t)p->epochs, "step",
                               (json_int_t)p->step, "steps", (json_int_t)p->steps);
    set_finite(object, "img_s", p->img_s);
    set_finite(object, "eta_s", p->eta_s);
    set_finite(object, "loss", p->loss);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    replace(j->folder, text);
    free(text);
    json_decref(object);
}

int journal_result(struct journal *j, json_t *metrics, json_t *facts, json_t *rows,
                   struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    json_t *result = json_pack("{s:o, s:o, s:o}", "metrics", metrics, "facts", facts, "rows", rows);
    char *text = json_dumps(result, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    strbuf_addf(&path, "%s/result.json", j->folder);
    int rc = file_write(path.text, text, strlen(text), err);
    strbuf_release(&path);
    free(text);
    json_decref(result);
    return rc;
}
