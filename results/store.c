/* Opening, closing and transactions. Every writing transaction is: flock, BEGIN IMMEDIATE, a token,
 * statements, COMMIT, unlock. The token tells after a COMMIT that reported an error whether it
 * happened. */
#include "results/store.h"
#include "results/store_internal.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- paths ----------------------------------------------------------------------------------- */

/* The real path, so that all names of a file lead to one lock; the file itself may not be there
 * yet. */
static char *resolve(const char *path, enum store_mode mode, struct error *err)
{
    char *real = realpath(path, NULL);
    if (real || mode == STORE_READ || errno != ENOENT) {
        struct stat st;
        if (!real && errno == ENOENT)
            error_env(err, "%s: no such database: `vittm run FILE.yaml` makes one", path);
        else if (!real)
            error_env(err, "%s: %s", path, strerror(errno));
        else if (stat(real, &st) == 0 && !S_ISREG(st.st_mode)) {
            error_env(err, "%s: is not a regular file: choose another path with --db", path);
            free(real);
            real = NULL;
        }
        return real;
    }
    char *a = mem_strdup(path), *b = mem_strdup(path);
    char *folder = realpath(dirname(a), NULL);
    struct strbuf s = STRBUF_INIT;
    if (folder) {
        strbuf_addf(&s, "%s/%s", strcmp(folder, "/") ? folder : "", basename(b));
        real = strbuf_detach(&s);
    } else {
        error_env(err, "%s: its folder does not exist: make it first", path);
    }
    free(folder);
    free(a);
    free(b);
    return real;
}

/* WAL needs shared memory between the processes, which network file systems do not have. */
static int on_local_disk(const char *path)
{
    static const unsigned long remote[] = {
        0x6969,     0x517B,     0xFF534D42,
        0xFE534D42, 0x65735546, /* NFS, SMB, CIFS, SMB2, FUSE */
        0x0BD00BD0, 0x47504653, 0x5346414F,
        0x00C36400, 0x01021997, /* Lustre, GPFS, AFS, Ceph, 9P */
        0x19830326,             /* BeeGFS */
    };
    struct statfs fs;
    char *copy = mem_strdup(path);
    int known = statfs(dirname(copy), &fs) == 0;
    free(copy);
    if (!known)
        return 0;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if ((unsigned long)fs.f_type == remote[i])
            return 0;
    return 1;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int authorize(void *context, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    const struct store *s = context;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    if (!s->guarded)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

/* file:PATH?immutable=1 with everything but plain characters escaped. */
static void immutable_uri(struct strbuf *uri, const char *path)
{
    strbuf_adds(uri, "file:");
    for (; *path; path++) {
        if (strchr("?#% ", *path) || (unsigned char)*path < 32)
            strbuf_addf(uri, "%%%02X", (unsigned char)*path);
        else
            strbuf_addc(uri, *path);
    }
    strbuf_adds(uri, "?immutable=1");
}

static void close_file(struct store *s)
{
    for (int i = 0; i < STORE_STATEMENTS; i++) {
        sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

static int open_file(struct store *s, const char *name, int flags, struct error *err)
{
    close_file(s);
    int rc =
        sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return sql_error(s, rc, err);
    sqlite3_busy_timeout(s->db, 60000);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* A mistyped "column" is an error, not a text. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_set_authorizer(s->db, authorize, s);
    /* json_each declares its columns on first use, which the guard would take for CREATE TABLE. */
    return sql_script(
        s,
        "PRAGMA cell_size_check=ON; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;"
        "SELECT 1 FROM json_each('[]')",
        err);
}

/* Ours, or empty where we may make it ours. */
static int check_owner(struct store *s, struct error *err)
{
    int64_t id = 0, objects = 0;
    if (sql_integer(s, err, &id, "PRAGMA application_id", "") < 0 ||
        sql_integer(s, err, &objects, "SELECT count(*) FROM sqlite_schema", "") < 0)
        return -1;
    if (id == STORE_APPLICATION_ID)
        return 0;
    if (s->mode == STORE_READ && id == 0 && objects == 0)
        return error_env(err, "%s: is empty: `vittm run FILE.yaml` fills it", s->path);
    if (id != 0 || objects != 0)
        return error_env(err, "%s: is a database of another program: choose another path with --db",
                         s->path);
    return 0;
}

static int check_version(struct store *s, struct error *err)
{
    int64_t version = 0;
    if (sql_integer(s, err, &version, "PRAGMA user_version", "") < 0)
        return -1;
    if (version > STORE_VERSION)
        return error_env(
            err, "%s: was written by a newer vittm (format %d, this one knows %d): use that one",
            s->path, (int)version, STORE_VERSION);
    if (version < STORE_VERSION)
        return error_env(
            err,
            "%s: is of an older format (%d): `vittm run` or `vittm gc` brings it up to date (a "
            "copy of the old file is kept)",
            s->path, (int)version);
    return 0;
}

/* In a folder where we may write nothing SQLite cannot make the shared memory of WAL; as long as
 * there is no log to read, the file can be read as it lies. */
static int open_reader(struct store *s, struct error *err)
{
    int rc = open_file(s, s->path, SQLITE_OPEN_READONLY, err);
    if (!rc)
        rc = check_owner(s, err);
    int code = sqlite3_errcode(s->db) & 0xff;
    if (rc && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)) {
        struct strbuf name = STRBUF_INIT;
        struct stat st;
        strbuf_addf(&name, "%s-wal", s->path);
        if (stat(name.text, &st) || st.st_size == 0) {
            strbuf_clear(&name);
            immutable_uri(&name, s->path);
            rc = open_file(s, name.text, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
            if (!rc)
                rc = check_owner(s, err);
        }
        strbuf_release(&name);
    }
    return rc ? rc : check_version(s, err);
}

static int refresh_views(struct store *s, struct error *err)
{
    if (sql_script(s, "BEGIN IMMEDIATE", err))
        return -1;
    int rc = views_create(s, err);
    if (!rc)
        rc = sql_script(s, "COMMIT", err);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int set_up(struct store *s, struct error *err)
{
    if (check_owner(s, err))
        return -1;
    if (sqlite3_db_readonly(s->db, "main"))
        return error_env(err, "%s: cannot be written: check the permissions of the file", s->path);
    if (schema_migrate(s, schema_migrations(), STORE_VERSION, err))
        return -1;
    if (!views_current(s) && refresh_views(s, err))
        return -1;
    if (sql_script(s, s->local ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE", err))
        return -1;
    return sql_script(s, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864", err);
}

static int open_writer(struct store *s, struct error *err)
{
    struct strbuf name = STRBUF_INIT;
    strbuf_addf(&name, "%s.lock", s->path);
    s->lock_path = strbuf_detach(&name);
    s->local = on_local_disk(s->path);
    /* The folder first: SQLite's own message for it says less. */
    if (lock_open(s, err) || lock_take(s, err))
        return -1;
    int rc = open_file(s, s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (!rc)
        rc = set_up(s, err);
    lock_drop(s);
    return rc;
}

struct store *store_open(const char *path, enum store_mode mode, struct error *err)
{
    struct store *s = mem_zalloc(1, sizeof *s);
    s->mode = mode;
    s->lock_fd = -1;
    s->names_version = -1;
    s->path = resolve(path, mode, err);
    if (!s->path || (mode == STORE_READ ? open_reader(s, err) : open_writer(s, err))) {
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->in_transaction)
        store_rollback(s);
    /* The last connection to close moves the log into the file: that is writing. */
    int locked = s->lock_fd >= 0 && lock_take(s, NULL) == 0;
    close_file(s);
    if (locked)
        lock_drop(s);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    names_clear(s);
    free(s->names);
    free(s->lock_path);
    free(s->path);
    free(s);
}

const char *store_path(const struct store *s)
{
    return s->path;
}

/* ---- transactions ---------------------------------------------------------------------------- */

static void make_token(char token[40])
{
    unsigned char bytes[16];
    if (getentropy(bytes, sizeof bytes))
        BUG("getentropy failed");
    for (int i = 0; i < 16; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
}

int store_begin(struct store *s, struct error *err)
{
    ASSERT(!s->in_transaction);
    if (s->mode != STORE_WRITE)
        BUG("the store was opened for reading");
    if (lock_take(s, err))
        return -1;
    if (sql_run(s, err, "BEGIN IMMEDIATE", "")) {
        lock_drop(s);
        return -1;
    }
    s->in_transaction = 1;
    s->broken = 0;
    make_token(s->token);
    if (names_load(s, err) ||
        sql_run(s, err, "UPDATE meta SET value=? WHERE key='last_commit'", "s", s->token)) {
        store_rollback(s);
        return -1;
    }
    return 0;
}

void store_rollback(struct store *s)
{
    if (!s->in_transaction)
        return;
    if (!sqlite3_get_autocommit(s->db)) /* some errors roll back by themselves */
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    names_clear(s);
    s->in_transaction = 0;
    s->views_dirty = 0;
    lock_drop(s);
}

/* Nobody else can have committed meanwhile: we still hold the lock. */
static int happened(struct store *s)
{
    int64_t same = 0;
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return sql_integer(s, NULL, &same, "SELECT value=? FROM meta WHERE key='last_commit'", "s",
                       s->token) == 1 &&
           same;
}

int store_commit(struct store *s, struct error *err)
{
    ASSERT(s->in_transaction);
    if (s->broken) {
        store_rollback(s);
        return error_env(err, "%s: a part of the transaction failed: nothing was written", s->path);
    }
    if (s->views_dirty && views_create(s, err)) {
        store_rollback(s);
        return -1;
    }
    if (sql_run(s, err, "COMMIT", "") && !happened(s)) {
        store_rollback(s);
        return -1;
    }
    s->in_transaction = 0;
    lock_drop(s);
    return 0;
}

int tx_enter(struct store *s, struct tx *tx, struct error *err)
{
    tx->owner = !s->in_transaction;
    return tx->owner ? store_begin(s, err) : 0;
}

int tx_leave(struct store *s, struct tx *tx, int rc, struct error *err)
{
    if (!tx->owner) {
        s->broken |= rc < 0;
        return rc;
    }
    if (rc < 0) {
        store_rollback(s);
        return rc;
    }
    return store_commit(s, err) ? -1 : rc;
}
