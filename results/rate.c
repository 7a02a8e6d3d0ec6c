/* How fast devices compute, measured once each. They stand in meta: a note of this machine's, which
 * a merge leaves where it is. */
#include "results/store_internal.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/number.h"

static const char *rate_key(struct arena *a, const char *device)
{
    return arena_printf(a, "rate/%s", device);
}

int store_rate(struct store *s, const char *device, double *rate, struct error *err)
{
    struct arena arena = {0};
    int found = -1;
    sqlite3_stmt *st =
        sql_open(s, err, "SELECT value FROM meta WHERE key=?", "s", rate_key(&arena, device));
    if (st) {
        found = sql_step(s, st, err);
        if (found > 0)
            found = number_float(sql_text(st, 0), rate) == 0 && *rate > 0;
        sql_close(s, st);
    }
    arena_release(&arena);
    return found;
}

int store_put_rate(struct store *s, const char *device, double rate, struct error *err)
{
    char text[32];
    struct tx tx;
    struct arena arena = {0};
    int rc = tx_enter(s, &tx, err);
    if (!rc)
        rc = tx_leave(s, &tx,
                      sql_run(s, err, "INSERT OR REPLACE INTO meta VALUES(?, ?)", "ss",
                              rate_key(&arena, device), number_format(rate, text)),
                      err);
    arena_release(&arena);
    return rc;
}
