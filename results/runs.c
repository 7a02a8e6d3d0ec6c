/* Writing and reading the state of runs. */
#include "results/ingest.h"
#include "results/store_internal.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const states[STORE_STATES] = {"planned", "queued",  "running",     "done",
                                                 "failed",  "timeout", "interrupted", "stale"};

const char *store_state_name(enum store_state state)
{
    ASSERT(state >= 0 && state < STORE_STATES);
    return states[state];
}

int store_state_find(const char *name)
{
    for (int i = 0; i < STORE_STATES; i++)
        if (strcmp(states[i], name) == 0)
            return i;
    return -1;
}

char *store_run_id(char id[STORE_RUN_ID], const char *cell, int64_t seed, const char *device)
{
    snprintf(id, STORE_RUN_ID, "%.16s-s%lld-%.32s", cell, (long long)seed, device);
    return id;
}

int find_run(struct store *s, const char *key, int64_t *id, struct error *err)
{
    int rc = sql_integer(s, err, id, "SELECT id FROM run WHERE key=?", "s", key);
    if (rc == 0)
        return error_set(err, "%s: has no run %s", s->path, key);
    return rc < 0 ? -1 : 0;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static int check_device(const struct store *s, const char *device, struct error *err)
{
    size_t n = strspn(device, "0123456789abcdefghijklmnopqrstuvwxyz_.");
    if (n < 1 || n > 32 || device[n])
        return error_set(err, "%s: '%.80s' cannot be a device class: take 1 to 32 of a-z 0-9 _ .",
                         s->path, device);
    return 0;
}

static int put_run(struct store *s, const char *experiment, const char *cell, int64_t seed,
                   const char *device, const char *folder, struct error *err)
{
    char key[STORE_RUN_ID];
    int64_t c, r, e = -1;
    if (check_device(s, device, err) || find_cell(s, cell, &c, err) ||
        (experiment && find_experiment(s, experiment, &e, err)))
        return -1;
    store_run_id(key, cell, seed, device);
    if (sql_run(s, err,
                "INSERT INTO run(key, cell, seed, device, created, origin, folder) "
                "VALUES(?,?,?,?,?,?,?)"
                " ON CONFLICT(cell, seed, device) DO UPDATE SET folder=coalesce(excluded.folder, "
                "folder),"
                " origin=coalesce(origin, excluded.origin)"
                " WHERE folder IS NOT coalesce(excluded.folder, folder) OR origin IS NULL",
                "siisdns", key, c, seed, device, clock_unix(), e, folder) ||
        find_run(s, key, &r, err))
        return -1;
    return experiment ? sql_run(s, err, "INSERT OR IGNORE INTO member_run VALUES(?, ?)", "ii", r, e)
                      : 0;
}

int store_put_run(struct store *s, const char *experiment, const char *cell, int64_t seed,
                  const char *device, const char *folder, struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, put_run(s, experiment, cell, seed, device, folder, err), err);
}

/* ---- reading --------------------------------------------------------------------------------- */

#define RUN_COLUMNS                                                                                \
    "r.key, c.hash, r.device, r.folder, r.host, r.boot, r.message, r.seed, r.state, r.attempts,"   \
    " r.pid, r.pid_start, r.started, r.finished, r.wall_s"

static struct store_run read_run(sqlite3_stmt *st, struct arena *arena)
{
    return (struct store_run){.id = arena_strdup(arena, sql_text(st, 0)),
                              .cell = arena_strdup(arena, sql_text(st, 1)),
                              .device = arena_strdup(arena, sql_text(st, 2)),
                              .folder = arena_strdup(arena, sql_text(st, 3)),
                              .host = arena_strdup(arena, sql_text(st, 4)),
                              .boot = arena_strdup(arena, sql_text(st, 5)),
                              .message = arena_strdup(arena, sql_text(st, 6)),
                              .seed = sqlite3_column_int64(st, 7),
                              .state = (enum store_state)store_state_find(sql_text(st, 8)),
                              .attempts = sqlite3_column_int(st, 9),
                              .pid = sqlite3_column_int64(st, 10),
                              .pid_start = sqlite3_column_int64(st, 11),
                              .started = sqlite3_column_double(st, 12),
                              .finished = sqlite3_column_double(st, 13),
                              .wall_s = sqlite3_column_double(st, 14),
                              .position = sqlite3_column_int(st, 15)};
}

int store_runs(struct store *s, const char *experiment, struct arena *arena,
               struct store_run **runs, size_t *count, struct error *err)
{
    static const char of_one[] =
        "SELECT " RUN_COLUMNS ", mc.position FROM experiment e"
        " JOIN member_run mr ON mr.experiment = e.id JOIN run r ON r.id = mr.run"
        " JOIN cell c ON c.id = r.cell"
        " LEFT JOIN member_cell mc ON mc.experiment = e.id AND mc.cell = r.cell"
        " WHERE e.name = ? ORDER BY mc.position, r.cell, r.seed, r.device";
    static const char of_all[] = "SELECT " RUN_COLUMNS ", 0 FROM run r JOIN cell c ON c.id = r.cell"
                                 " ORDER BY r.cell, r.seed, r.device";
    int64_t id;
    if (experiment && find_experiment(s, experiment, &id, err))
        return -1;
    sqlite3_stmt *st =
        experiment ? sql_open(s, err, of_one, "s", experiment) : sql_open(s, err, of_all, "");
    if (!st)
        return -1;
    struct store_run *list = NULL;
    size_t n = 0, cap = 0;
    int more;
    while ((more = sql_step(s, st, err)) > 0) {
        list = mem_grow(list, n, &cap, sizeof *list);
        list[n++] = read_run(st, arena);
    }
    sql_close(s, st);
    if (!more) {
        *runs = ARENA_ARRAY(arena, struct store_run, n);
        if (n)
            memcpy(*runs, list, n * sizeof *list);
        *count = n;
    }
    free(list);
    return more;
}

int store_run(struct store *s, const char *id, struct arena *arena, struct store_run *run,
              struct error *err)
{
    sqlite3_stmt *st = sql_open(
        s, err, "SELECT " RUN_COLUMNS ", 0 FROM run r JOIN cell c ON c.id = r.cell WHERE r.key = ?",
        "s", id);
    if (!st)
        return -1;
    int rc = sql_step(s, st, err);
    if (rc > 0)
        *run = read_run(st, arena);
    sql_close(s, st);
    return rc;
}

/* ---- state ----------------------------------------------------------------------------------- */

/* The attempt's row: opened by a claim, closed by whoever ends it. */
int attempt_close(struct store *s, int64_t run, const char *state, double finished, double wall_s,
                  double cpu_s, int64_t exit_code, const char *message, struct error *err)
{
    return sql_run(
        s, err,
        "UPDATE attempt SET state=?2, finished=?3, wall_s=coalesce(?4, ?3 - started, wall_s),"
        " cpu_s=coalesce(?5, cpu_s), exit_code=?6, message=?7"
        " WHERE run=?1 AND attempt=(SELECT attempts FROM run WHERE id=?1)",
        "isdffns", run, state, finished, wall_s, cpu_s, exit_code, message);
}

static int claim(struct store *s, const char *key, const struct store_claim *c, struct error *err)
{
    double now = clock_unix();
    int64_t id;
    int rc = sql_integer(
        s, err, &id,
        "UPDATE run SET state='running', attempts=attempts+1, started=?2, finished=NULL,"
        " wall_s=NULL, cpu_s=NULL, exit_code=NULL, message=NULL, pid=?3, pid_start=?4,"
        " host=?5, boot=?6, folder=coalesce(?7, folder)"
        " WHERE key=?1 AND state NOT IN ('done', 'running') RETURNING id",
        "sdnnsss", key, now, c->pid, c->pid_start, c->host, c->boot, c->folder);
    if (rc == 0)
        return find_run(s, key, &id,
                        err); /* somebody else has it; or there is no such run: an error */
    if (rc < 0 || sql_run(s, err,
                          "INSERT OR REPLACE INTO attempt(run, attempt, state, started, host)"
                          " SELECT id, attempts, state, started, host FROM run WHERE id=?",
                          "i", id))
        return -1;
    return 1;
}

int store_claim(struct store *s, const char *id, const struct store_claim *c, struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, claim(s, id, c, err), err);
}

int store_set_pid(struct store *s, const char *id, int64_t pid, int64_t pid_start,
                  struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    int rc = sql_run(s, err, "UPDATE run SET pid=?2, pid_start=?3 WHERE key=?1 AND state='running'",
                     "snn", id, pid, pid_start);
    return tx_leave(s, &tx, rc, err);
}

static int set_state(struct store *s, const char *key, enum store_state state, const char *message,
                     struct error *err)
{
    int64_t id, running = 0;
    double now = clock_unix();
    if (find_run(s, key, &id, err) ||
        sql_integer(s, err, &running, "SELECT state='running' FROM run WHERE id=?", "i", id) < 0)
        return -1;
    if (running && state != STORE_RUNNING &&
        attempt_close(s, id, states[state], now, NAN, NAN, -1, message, err))
        return -1;
    return sql_run(s, err,
                   "UPDATE run SET state=?2, message=?3, finished=iif(?4, ?5, finished),"
                   " wall_s=iif(?4, ?5 - started, wall_s)"
                   " WHERE id=?1 AND state<>'done'",
                   "issid", id, states[state], message,
                   (int64_t)(running && state != STORE_RUNNING), now);
}

int store_set_state(struct store *s, const char *id, enum store_state state, const char *message,
                    struct error *err)
{
    struct tx tx;
    if (state == STORE_DONE)
        BUG("a run becomes done by store_ingest");
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, set_state(s, id, state, message, err), err);
}

/* ---- tags ------------------------------------------------------------------------------------ */

static int tag(struct store *s, const char *key, const char *text, struct error *err)
{
    int64_t id;
    size_t n = strlen(text);
    if (n < 1 || n > 200 || strpbrk(text, "\n\r\t"))
        return error_set(err, "a tag has 1 to 200 characters and no line breaks");
    if (find_run(s, key, &id, err))
        return -1;
    return sql_run(s, err, "INSERT OR IGNORE INTO tag VALUES(?, ?)", "is", id, text);
}

int store_tag(struct store *s, const char *id, const char *text, struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, tag(s, id, text, err), err);
}
