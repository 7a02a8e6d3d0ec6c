/* What a person sees on stderr while runs go on. On a terminal: permanent lines above, and below
 * them one live line per running run and one for the whole, redrawn in place. Elsewhere (a file, a
 * pipe, TERM=dumb): permanent lines only, one per change of state and at most one per epoch. */
#ifndef RUNNER_PROGRESS_H
#define RUNNER_PROGRESS_H

#include <stddef.h>

struct strbuf;

/* The evaluation metric of a run that is told on its line: "top-1 41.2 %". word NULL: not known
 * yet. */
struct progress_score {
    const char *word;
    double percent;
};
/* Takes the value of val/top1 or val/miou; of any other metric nothing. */
void progress_score_note(struct progress_score *s, const char *metric, double value);
/* "  top-1 41.2 %", or nothing. */
void progress_score_text(struct strbuf *out, const struct progress_score *s);

/* One running run. Numbers that are not known yet are NaN, counts 0. */
struct progress_run {
    const char *label;
    int epoch, epochs;
    double loss, images_per_s;
    struct progress_score score;
    double left_s; /* expected, NaN where there is nothing to expect it from */
};

/* The whole. Runs that are not counted in any of the others wait for their turn. */
struct progress_total {
    int runs, done, running, failed;
    int elsewhere;        /* run by another runner on the same database */
    double left_s;        /* NaN: not known yet */
    const char *stopping; /* what is being waited for after Ctrl-C, or NULL */
};

struct progress;

/* fd is 2 but for tests. */
struct progress *progress_new(int fd);
void progress_free(struct progress *p); /* takes the live lines off the screen */
int progress_is_live(const struct progress *p);

/* A permanent line. level colours it where colours are wanted. On a terminal it goes on below where
 * it is longer than the screen is wide. */
enum progress_level { PROGRESS_PLAIN, PROGRESS_GOOD, PROGRESS_BAD };
void progress_say(struct progress *p, enum progress_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Redraws the live lines; nothing where it is not live. */
void progress_draw(struct progress *p, const struct progress_run *runs, int n,
                   const struct progress_total *total);

/* text in lines of at most so many columns, broken at blanks, each but the first indented to where
 * labels stand; without a newline at its end. */
void progress_folded_text(struct strbuf *out, const char *text, int columns);

/* The texts of one line each, at most columns wide, without a newline. */
void progress_run_text(struct strbuf *out, const struct progress_run *run, int columns);
void progress_total_text(struct strbuf *out, const struct progress_total *total, int columns);

#endif
