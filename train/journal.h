/* What a run writes for others to read while it goes on and when it is done (DESIGN.md, "A run's
 * folder"): events.jsonl, progress.json, result.json. */
#ifndef TRAIN_JOURNAL_H
#define TRAIN_JOURNAL_H

#include <jansson.h>
#include <stdint.h>

struct error;
struct metrics;

struct journal {
    const char *folder;
    int events;         /* descriptor of events.jsonl */
    double progress_at; /* when progress.json was replaced last */
};

/* Opens events.jsonl for appending; a torn last line of a killed predecessor is ended first. */
int journal_open(struct journal *j, const char *folder, struct error *err);
void journal_close(struct journal *j);

/* One line, whole and on disk when this returns. epoch counts complete epochs, from 1. */
int journal_event(struct journal *j, int64_t epoch, int64_t step, const struct metrics *m,
                  struct error *err);

/* The same for a step inside an epoch, the one under way from 1; not synced: the next event of an
 * epoch brings it to the disk. */
int journal_step(struct journal *j, int64_t epoch, int64_t step, const struct metrics *m,
                 struct error *err);

struct progress_note {
    int64_t epoch, epochs; /* the one under way, from 1 */
    int64_t step, steps;
    double img_s, eta_s, loss; /* NAN where unknown */
};
/* Replaces progress.json, at most once a second unless now is set. A failure (full disk) is no
 * reason to stop: it is ignored, and the next one may work. */
void journal_progress(struct journal *j, const struct progress_note *p, int now);

/* result.json, whole or not at all; takes the three references. */
int journal_result(struct journal *j, json_t *metrics, json_t *facts, json_t *rows,
                   struct error *err);

#endif
