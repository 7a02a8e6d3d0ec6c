/* The result store: one SQLite file that holds every experiment, cell, run and number.
 *
 * Only the runner (and merge, import, tag) writes; everybody may read. What others rely on are the
 * views (results/views.h), not the tables. Every function that can fail returns -1 (or NULL), fills
 * err with one complete line and leaves the file as it was.
 *
 * Writing. Each write takes an exclusive flock on a side file (PATH.lock, which names the holder),
 * then BEGIN IMMEDIATE, so writers queue fairly and a checkpoint never meets a foreign commit. A
 * writer function is a transaction of its own unless it stands between store_begin and
 * store_commit; group many small ones (planning a grid) that way. Everything is keyed and
 * idempotent: writing the same thing twice is writing it once. A commit that reports an error may
 * nevertheless have happened; the functions here look their key up before they report it.
 *
 * A store belongs to one thread, and must be opened after fork(), never carried over it.
 *
 * Words. A cell is a configuration; its id is a hash of what determines its numbers. A run is a
 * cell, a seed and a device class; store_run_id makes its id. An experiment is a named list of
 * cells and runs: several experiments share the runs of the cells that they have in common. */
#ifndef RESULTS_STORE_H
#define RESULTS_STORE_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;
struct store;

enum store_mode {
    STORE_READ, /* never changes the file; works in a read-only folder */
    STORE_WRITE /* creates the file and migrates an older one (a copy PATH.backup-vN is kept) */
};

/* Opens path. Refused with EXIT_ENVIRONMENT and the fix: a file of another program, a newer version
 * of ours, a damaged file, a folder that cannot be written (STORE_WRITE), a missing file
 * (STORE_READ). */
struct store *store_open(const char *path, enum store_mode mode, struct error *err);
void store_close(struct store *s);
/* The resolved path that was opened. */
const char *store_path(const struct store *s);

/* ---- transactions ---------------------------------------------------------------------------- */

int store_begin(struct store *s, struct error *err);
int store_commit(struct store *s, struct error *err); /* on failure everything is rolled back */
void store_rollback(struct store *s);                 /* no open transaction: does nothing */

/* ---- experiments and cells ------------------------------------------------------------------- */

enum store_type { STORE_INTEGER, STORE_REAL, STORE_TEXT };

/* A configuration key and its canonical text. Booleans are the texts true and false, lists "[3,
 * 3]". */
struct store_value {
    const char *key;
    enum store_type type; /* how SQL compares it; a number that does not parse is kept as text */
    const char *text;
};

/* A metric, "split/name". A value that is not finite reads back as NULL (nan) or as it is (inf). */
struct store_metric {
    const char *name;
    double value;
};

/* A fact about a run: provenance, environment. */
struct store_fact {
    const char *key, *text;
};

struct store_objective {
    const char *metric;
    int maximize;
};

struct store_experiment {
    const char *name;                   /* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
    const char *title;                  /* or NULL */
    const char *file;                   /* path of the YAML as given, or NULL */
    const char *text;                   /* its content, or NULL */
    const char *published;              /* CSV of published numbers to compare with, or NULL */
    const struct store_value *baseline; /* keys that a cell must have to be the baseline */
    size_t baseline_count;
    const struct store_objective *objectives;
    size_t objective_count;
    const char *const *axes; /* keys that vary, in the order of the file */
    size_t axis_count;
};

/* Inserts or replaces the experiment's description. Its cells and runs stay members. */
int store_put_experiment(struct store *s, const struct store_experiment *e, struct error *err);

/* What something costs; unknown figures are -1. by is "op", "layer" or "total". */
struct store_cost {
    const char *by, *name;
    int64_t calls, params, macs, macs_fvcore, flops, bytes_read, bytes_written;
};

struct store_cell {
    const char *id;       /* [0-9a-z]{1,64}: the hash of identity */
    const char *identity; /* canonical text that was hashed; "" where unknown (an import) */
    const char *config;   /* complete resolved configuration (YAML) */
    const struct store_value *values; /* the same, key by key: columns of v_runs and v_cells */
    size_t value_count;
    /* known before anything runs: cost/params, memory/peak_bytes */
    const struct store_metric *costs;
    size_t cost_count;
    const struct store_cost *cost_rows; /* by op and by layer, or NULL */
    size_t cost_row_count;
};

/* Inserts the cell. If it is there already its identity must be the same (else the error says so);
 * config, values and costs are brought up to date. */
int store_put_cell(struct store *s, const struct store_cell *c, struct error *err);

/* Makes cell the position-th of the experiment, shown as label (NULL: its axes' values). */
int store_put_member(struct store *s, const char *experiment, const char *cell, int position,
                     const char *label, struct error *err);

/* Takes all cells and runs out of the experiment (they stay in the store): before its list is put
 * again from an edited file, in the same transaction. */
int store_clear_members(struct store *s, const char *experiment, struct error *err);

/* ---- runs ------------------------------------------------------------------------------------ */

enum store_state {
    STORE_PLANNED, /* known, not asked for yet */
    STORE_QUEUED,  /* to be run by a runner that is alive, or handed to a cluster */
    STORE_RUNNING,
    STORE_DONE,
    STORE_FAILED,
    STORE_TIMEOUT,
    STORE_INTERRUPTED, /* stopped in an orderly way; a checkpoint may be there */
    STORE_STALE,       /* its process is gone without a word */
    STORE_STATES
};

const char *store_state_name(enum store_state state); /* "planned", … */
/* The state of that name, or -1. */
int store_state_find(const char *name);

enum { STORE_RUN_ID = 96 }; /* size of a run id with its zero */

/* A run's id: the first 16 digits of the cell's id, the seed, the device class:
 * "3fa2c1d09be41f77-s2-cpu". device is [a-z0-9_.]{1,32}. Returns id. */
char *store_run_id(char id[STORE_RUN_ID], const char *cell, int64_t seed, const char *device);

/* Adds the run (planned) if it is new, and makes it a member of the experiment (NULL: of none).
 * folder is where its files are, relative to the database's folder or absolute; NULL leaves what is
 * stored. */
int store_put_run(struct store *s, const char *experiment, const char *cell, int64_t seed,
                  const char *device, const char *folder, struct error *err);

/* A run as the runner sees it. Strings live in the arena and are "" where unknown. */
struct store_run {
    const char *id, *cell, *device, *folder, *host, *boot, *message;
    int64_t seed;
    enum store_state state;
    int attempts, position; /* position of its cell in the experiment */
    int64_t pid, pid_start;
    double started, finished; /* unix time, 0 where unknown */
    double wall_s;            /* of the last attempt */
};

/* The runs of an experiment (NULL: all runs), by position, seed and device. */
int store_runs(struct store *s, const char *experiment, struct arena *arena,
               struct store_run **runs, size_t *count, struct error *err);
/* 0 where there is an experiment of this name; else -1, and the error has the nearest one. */
int store_check_experiment(struct store *s, const char *name, struct error *err);

/* One run by its full id. Returns 1 if it is there, 0 if not, -1 on an error. */
int store_run(struct store *s, const char *id, struct arena *arena, struct store_run *run,
              struct error *err);

/* Who runs it: enough to tell whether the process still lives, on the same boot of the same
 * machine. */
struct store_claim {
    int64_t pid, pid_start;  /* pid_start: field 22 of /proc/PID/stat, tells a reused pid */
    const char *host, *boot; /* boot: /proc/sys/kernel/random/boot_id */
    const char *folder;      /* NULL leaves what is stored */
};

/* Takes a run for this process: running, one attempt more, started now. Returns 1 if it is ours
 * now, 0 if it is done or running (somebody else took it), -1 on an error. A run whose process is
 * gone is set to STORE_STALE first. */
int store_claim(struct store *s, const char *id, const struct store_claim *claim,
                struct error *err);

/* The pid of a claimed run once its process is started. */
int store_set_pid(struct store *s, const char *id, int64_t pid, int64_t pid_start,
                  struct error *err);

/* Changes the state without results (queued, interrupted, stale, planned again for a retry).
 * message may be NULL. Leaving STORE_RUNNING closes the attempt in the compute ledger (v_compute).
 * A run that is done stays done: returns 0 and changes nothing. */
int store_set_state(struct store *s, const char *id, enum store_state state, const char *message,
                    struct error *err);

/* ---- results --------------------------------------------------------------------------------- */

/* A point of a curve; the key is (run, metric, epoch, step): the last one written stays. */
struct store_point {
    const char *metric;
    int64_t epoch, step; /* -1 where it has none */
    double value;
};

/* A latency measurement; unknown figures are NAN or -1, unknown texts NULL. */
struct store_latency {
    const char *model, *precision, *device, *protocol;
    int64_t batch, threads, blocks, peak_bytes;
    double p50_ms, p90_ms, p99_ms, iqr_ms, mean_ms, min_ms, images_per_s;
};

struct store_result {
    enum store_state state; /* STORE_DONE, STORE_FAILED, STORE_TIMEOUT or STORE_INTERRUPTED */
    int exit_code;
    double started, finished;           /* unix time; 0: as claimed, now */
    double wall_s, cpu_s;               /* of this attempt; 0: finished - started */
    const char *message;                /* one line: why it failed; or NULL */
    const char *log;                    /* the last lines of its log; or NULL */
    const struct store_metric *metrics; /* final ones, columns of v_runs */
    size_t metric_count;
    const struct store_point *points;
    size_t point_count;
    const struct store_cost *cost_rows; /* replace those of the run's cell */
    size_t cost_row_count;
    const struct store_latency *latency;
    size_t latency_count;
    const struct store_fact *facts; /* columns key, text of v_env */
    size_t fact_count;
    const unsigned char *correct; /* a bit an evaluation image, least significant first; or NULL */
    size_t correct_images;
};

/* Writes a finished attempt in one transaction: everything or nothing. What an earlier ingest of
 * the same run stored is replaced, so the same result twice is the result once; the ledger counts
 * an attempt once. A failure that comes after a run is done changes nothing, the ledger neither
 * (returns 0): an attempt is in it from its claim on, was closed there before the next one could
 * claim the run, and a run that is done is claimed no more. */
int store_ingest(struct store *s, const char *id, const struct store_result *result,
                 struct error *err);

/* Points of a run that is still going on, for curves while it runs. */
int store_put_points(struct store *s, const char *id, const struct store_point *points,
                     size_t count, struct error *err);

/* Adds a tag to a run (twice is once). */
int store_tag(struct store *s, const char *id, const char *text, struct error *err);

/* Multiply-adds of training that a device does a second, as measured on this machine; device says
 * whose, in words of the caller's. Returns 1, 0 where none is kept, -1. */
int store_rate(struct store *s, const char *device, double *rate, struct error *err);
int store_put_rate(struct store *s, const char *device, double rate, struct error *err);

/* Loads a CSV of published numbers (results/published/README.md) in place of what that file held
 * before. Column file of v_published is its name without folder and ".csv". A CSV with a column
 * cell is a map of cells to rows of other files, whose numbers are loaded under its name; column
 * line then counts them. */
int store_published(struct store *s, const char *path, struct error *err);

#endif
