/* Reads a run's folder: the files that a worker writes (DESIGN.md, "A run's folder"). A worker may
 * be killed at any byte, so every reader takes a missing or torn file for what it is and never
 * fails a run over it; only result.json, which is written whole by rename, is refused where it is
 * not as agreed. */
#ifndef RUNNER_FOLDER_H
#define RUNNER_FOLDER_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

struct error;
struct strbuf;

/* FOLDER/name; the caller frees. */
char *folder_path(const char *folder, const char *name);

/* progress.json. Numbers that it lacks are NaN, counts 0. */
struct folder_progress {
    long pid;
    int epoch, epochs;
    long long step, steps;
    double img_s, eta_s, loss;
    long long version; /* changes whenever the file was replaced: the heartbeat */
};
/* 1 if it could be read, 0 if there is none. */
int folder_progress(const char *folder, struct folder_progress *p);

/* One metric of a line of events.jsonl. */
struct folder_metric {
    int epoch;
    long long step;
    const char *name;
    double value;
    double time; /* unix; NAN where the event does not say */
};
/* Hands every metric of the complete lines from byte *offset on to each(), whose non-zero return
 * ends the reading and is returned, and moves *offset behind them. A torn last line is left for
 * later; a line that is no event (torn by a kill, then continued by the resumed worker) is skipped
 * and counted in *skipped unless that is NULL. -1 if the file is there but cannot be read. */
int folder_events(const char *folder, off_t *offset,
                  int (*each)(void *context, const struct folder_metric *m), void *context,
                  int *skipped, struct error *err);

/* result.json, a new reference: an object with "metrics" (numbers), and "facts" and "rows" if
 * present. Returns NULL with *err untouched if there is no such file, and with *err set if it is
 * not as agreed. */
json_t *folder_result(const char *folder, struct error *err);
int folder_has_result(const char *folder);

/* The last max bytes of a log, from the start of a line where one starts there; made valid UTF-8.
 */
void folder_log_tail(const char *folder, size_t max, struct strbuf *out);
/* Its last line that is not blank, without "vittm worker: " or the like in front; "" if there is
 * none. Only bytes from `from` on count: the size of the log before this attempt began. */
void folder_last_line(const char *folder, off_t from, struct strbuf *out);
off_t folder_log_size(const char *folder);

#endif
