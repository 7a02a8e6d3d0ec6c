#include "data/tree.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static FTS *open_tree(const char *path, int sorted)
{
    char *copy = mem_strdup(path);
    char *roots[] = {copy, NULL};
    FTS *t = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, sorted ? by_name : NULL);
    free(copy);
    if (!t)
        BUG("fts_open: %s", strerror(errno));
    return t;
}

int tree_remove(const char *path, struct error *err)
{
    int rc = 0;
    if (!file_exists(path))
        return 0;
    FTS *t = open_tree(path, 0);
    for (FTSENT *e; rc == 0 && (e = fts_read(t));) {
        if (e->fts_info == FTS_D)
            continue;
        if (e->fts_info == FTS_DP ? rmdir(e->fts_accpath) : unlink(e->fts_accpath))
            rc = error_env(err, "%s: cannot remove: %s", e->fts_path, strerror(errno));
    }
    fts_close(t);
    return rc;
}

static int holds(const char *folder, const char *const *names)
{
    struct strbuf s = STRBUF_INIT;
    int all = 1;
    for (; *names && all; names++) {
        strbuf_clear(&s);
        strbuf_addf(&s, "%s/%s", folder, *names);
        all = file_exists(s.text);
    }
    strbuf_release(&s);
    return all;
}

char *tree_find_new(const char *path, const char *const *names, int depth)
{
    char *found = NULL;
    FTS *t = open_tree(path, 1);
    for (FTSENT *e; !found && (e = fts_read(t));) {
        if (e->fts_info != FTS_D)
            continue;
        if (holds(e->fts_path, names))
            found = mem_strdup(e->fts_path);
        if (e->fts_level >= depth)
            fts_set(t, e, FTS_SKIP);
    }
    fts_close(t);
    return found;
}

int tree_walk(const char *path, int (*visit)(void *ctx, const char *file), void *ctx,
              struct error *err)
{
    int rc = 0;
    FTS *t = open_tree(path, 1);
    for (FTSENT *e; rc == 0 && (e = fts_read(t));) {
        if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
            rc = error_env(err, "%s: %s", e->fts_path, strerror(e->fts_errno));
        else if (e->fts_info == FTS_F)
            rc = visit(ctx, e->fts_path);
    }
    fts_close(t);
    return rc;
}

int tree_copy(const char *from, const char *to, struct error *err)
{
    struct file_map m;
    if (file_map(&m, from, err))
        return -1;
    int rc = file_write(to, m.data, m.size, err);
    file_unmap(&m);
    return rc;
}
