/* vittm status: what is done, running and left, and when it will be finished. */
#include "cli/command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cli/store.h"
#include "results/listing.h"
#include "results/query.h"
#include "runner/estimate.h"
#include "runner/folder.h"
#include "runner/progress.h"
#include "runner/schedule.h"

static const struct option_spec options[] = {OPTION_FORMAT, OPTION_DB, {0}};

enum { MAX_LINES = 32 };

/* One experiment's runs, added up. */
struct outlook {
    struct estimate estimate;
    double waiting_work, running_s, longest_s;
    int running, stale;  /* stale: said to run, but the process is gone */
    struct strbuf lines; /* one a running run */
};

enum column { RUN, LABEL, SEED, STATE, WALL, ELAPSED, FOLDER, WORK };

/* Work is the MACs of a forward pass: within an experiment training is mostly the same. */
static const char runs_sql[] =
    "SELECT r.run, r.label, r.seed, r.state, r.wall_s,"
    " (julianday('now') - julianday(r.started)) * 86400, r.folder, coalesce(c.macs, 1)"
    " FROM v_runs r LEFT JOIN (SELECT cell, max(mean) AS macs FROM v_cells"
    " WHERE experiment = ?1 AND metric = 'cost/macs' GROUP BY cell) c ON c.cell = r.cell"
    " WHERE r.experiment = ?1 ORDER BY r.position, r.seed";

static const char score_sql[] = "SELECT metric, value FROM v_curves WHERE run = ?1"
                                " AND metric IN ('val/top1', 'val/miou')"
                                " ORDER BY epoch DESC LIMIT 1";

static const char *text_at(const struct rows *r, size_t row, enum column column)
{
    return rows_text(rows_cell(r, row, column));
}

static double number_at(const struct rows *r, size_t row, enum column column)
{
    return rows_number(rows_cell(r, row, column));
}

static void add_line(struct outlook *o, const struct rows *r, size_t row,
                     const struct folder_progress *p, const struct progress_score *score)
{
    if (o->running > MAX_LINES)
        return;
    struct strbuf label = STRBUF_INIT;
    strbuf_addf(&label, "%s seed %.0f", text_at(r, row, LABEL), number_at(r, row, SEED));
    struct progress_run shown = {.label = label.text,
                                 .epoch = p->epoch,
                                 .epochs = p->epochs,
                                 .loss = p->loss,
                                 .score = *score,
                                 .images_per_s = p->img_s,
                                 .left_s = p->eta_s};
    progress_run_text(&o->lines, &shown, 79);
    strbuf_addc(&o->lines, '\n');
    strbuf_release(&label);
}

/* Of its last complete epoch. */
static void last_score(struct store *s, const char *run, struct progress_score *score)
{
    struct error ignored; /* the line is then without it */
    struct rows *r = store_query(s, &ignored, score_sql, "s", run);
    if (r != NULL && r->count > 0)
        progress_score_note(score, text_at(r, 0, 0), number_at(r, 0, 1));
    rows_free(r);
}

/* A runner that was killed cannot say so. */
static int is_alive(struct store *s, const char *run)
{
    struct arena arena = {0};
    struct store_run row;
    struct error ignored = {0};
    int alive = store_run(s, run, &arena, &row, &ignored) == 1 && schedule_held(&row);
    arena_release(&arena);
    return alive;
}

static void add_running(struct outlook *o, struct store *s, const struct rows *r, size_t row)
{
    struct folder_progress p = {.loss = NAN, .eta_s = NAN, .img_s = NAN};
    char *folder = cli_run_folder(s, text_at(r, row, FOLDER));
    folder_progress(folder, &p);
    free(folder);
    o->running++;
    struct progress_score score = {0};
    last_score(s, text_at(r, row, RUN), &score);
    add_line(o, r, row, &p, &score);
    double work = number_at(r, row, WORK);
    double left = p.eta_s;
    if (isfinite(left))
        estimate_guess(&o->estimate, work, number_at(r, row, ELAPSED), left);
    else
        left = estimate_run(&o->estimate, work);
    o->running_s += left;
    o->longest_s = fmax(o->longest_s, left);
}

static void add_run(struct outlook *o, struct store *s, const struct rows *r, size_t row)
{
    const char *state = text_at(r, row, STATE);
    if (strcmp(state, "done") == 0)
        estimate_add(&o->estimate, number_at(r, row, WORK), number_at(r, row, WALL));
    else if (strcmp(state, "running") == 0 && is_alive(s, text_at(r, row, RUN)))
        add_running(o, s, r, row);
    else if (strcmp(state, "running") == 0)
        o->stale++;
    else if (strcmp(state, "failed") != 0 && strcmp(state, "timeout") != 0)
        o->waiting_work += number_at(r, row, WORK);
}

/* Seconds until everything of the experiment is done; 0 where nothing is left, NAN where it cannot
 * be told. */
static int look_out(struct store *s, const char *experiment, struct outlook *o, double *left,
                    struct error *err)
{
    struct rows *r = store_query(s, err, runs_sql, "s", experiment);
    if (r == NULL)
        return -1;
    for (size_t i = 0; i < r->count; i++)
        add_run(o, s, r, i);
    rows_free(r);
    double waiting = o->waiting_work > 0 ? estimate_run(&o->estimate, o->waiting_work) : 0;
    if (o->stale > 0 && o->running == 0) /* nobody is at it */
        *left = NAN;
    else
        *left =
            estimate_total(waiting, o->running_s, o->longest_s, o->running > 0 ? o->running : 1);
    return 0;
}

/* The listing with one more column. */
static struct rows *with_left(struct store *s, const struct rows *listing, struct strbuf *lines,
                              struct error *err)
{
    const char *names[32];
    size_t columns = listing->columns;
    ASSERT(columns + 1 <= sizeof names / sizeof names[0]);
    for (size_t i = 0; i < columns; i++)
        names[i] = listing->names[i];
    names[columns] = "left_s";
    struct rows *r = rows_new(columns + 1, names);
    for (size_t row = 0; row < listing->count; row++) {
        struct outlook o = {.lines = STRBUF_INIT};
        double left = NAN;
        int rc = look_out(s, rows_cell(listing, row, 0)->text, &o, &left, err);
        strbuf_adds(lines, o.lines.text);
        strbuf_release(&o.lines);
        if (rc != 0) {
            rows_free(r);
            return NULL;
        }
        struct rows_cell *to = rows_append(r);
        const struct rows_cell *from = rows_cell(listing, row, 0);
        for (size_t i = 0; i < columns; i++) {
            to[i] = from[i];
            if (from[i].type == ROWS_TEXT)
                rows_set_text(r, &to[i], from[i].text);
        }
        rows_set_integer(&to[rows_column(r, "running")], o.running);
        to[rows_column(r, "stale")].integer += o.stale;
        if (isfinite(left))
            rows_set_real(&to[columns], round(left));
    }
    return r;
}

/* What a person reads: states that hold nothing are left out. */
static void print_human(const struct rows *r, const struct strbuf *lines)
{
    for (size_t row = 0; row < r->count; row++) {
        const struct rows_cell *cell = rows_cell(r, row, 0);
        printf("%s: %.0f of %.0f runs done", cell[0].text, rows_number(&cell[2]),
               rows_number(&cell[1]));
        for (size_t i = 3; i < r->columns && strcmp(r->names[i], "wall_h") != 0; i++)
            if (rows_number(&cell[i]) > 0)
                printf(", %.0f %s", rows_number(&cell[i]), r->names[i]);
        double left = rows_number(&cell[r->columns - 1]);
        char text[32];
        if (left > 0)
            printf("; about %s left", clock_format(left, text, sizeof text));
        if (rows_number(&cell[rows_column(r, "stale")]) > 0)
            printf("; stale: their runner was killed, run it again to go on");
        putchar('\n');
    }
    fputs(lines->text, stdout);
}

static int print(const struct args *a, struct rows *r, const struct strbuf *lines,
                 struct error *err)
{
    if (r == NULL || strcmp(args_text(a, "format"), "table") != 0)
        return cli_print(a, r, NULL, err);
    if (r->count == 0)
        fprintf(stderr, "no experiments yet (`vittm run FILE.yaml` starts one)\n");
    print_human(r, lines);
    rows_free(r);
    return EXIT_FINE;
}

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    struct strbuf lines = STRBUF_INIT;
    struct rows *listing = listing_status(s, a->n_operands > 0 ? a->operands[0] : NULL, err);
    struct rows *r = listing != NULL ? with_left(s, listing, &lines, err) : NULL;
    if (listing != NULL)
        rows_free(listing);
    int rc = print(a, r, &lines, err);
    strbuf_release(&lines);
    store_close(s);
    return rc;
}

const struct command command_status = {
    .name = "status",
    .group = "Experiments",
    .summary = "what is done, running and left, and when it will be finished",
    .operands = "[EXPERIMENT]",
    .max_operands = 1,
    .options = options,
    .run = run,
};
