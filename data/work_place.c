#include "data/work_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "data/dataset.h"

static const char lock_end[] = ".lock", folder_end[] = ".import";

static char *path_new(const struct dataset_kind *k, const char *root, const char *end)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/.%s%s", root, k->choice.name, end);
    return strbuf_detach(&s);
}

char *work_place_new(const struct dataset_kind *k, const char *root)
{
    return path_new(k, root, folder_end);
}

/* Whether the file that was locked is still the one of that name: whoever had it before removed it
 * while this process waited to open it, and a third one may have made it anew. */
static int is_current(const struct work_lock *l)
{
    struct stat held, named;
    return fstat(l->fd, &held) == 0 && stat(l->path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

static void drop(struct work_lock *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->path);
    *l = (struct work_lock){.fd = -1};
}

int work_lock_take(struct work_lock *l, const struct dataset_kind *k, const char *root,
                   struct error *err)
{
    int rc = 0, held = 0;
    *l = (struct work_lock){-1, path_new(k, root, lock_end)};
    while (rc == 0 && !held) {
        if (l->fd >= 0)
            close(l->fd);
        l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (l->fd < 0)
            rc = error_env(err, "%s: cannot create: %s", l->path, strerror(errno));
        else if (flock(l->fd, LOCK_EX | LOCK_NB))
            rc = error_env(err, "%s: another vittm is getting this data set", l->path);
        else
            held = is_current(l);
    }
    if (rc)
        drop(l);
    return rc;
}

void work_lock_release(struct work_lock *l)
{
    if (l->fd >= 0)
        unlink(l->path); /* while it is held: nobody else can hold a file of this name */
    drop(l);
}

/* Whether name (n characters of it) is .NAME and end, for a data set NAME. */
static int is_own(const char *name, size_t n, const char *end)
{
    size_t tail = strlen(end);
    for (int i = 0; dataset_kind_at(i); i++) {
        const char *kind = dataset_kind_at(i)->choice.name;
        size_t length = strlen(kind);
        if (n == 1 + length + tail && name[0] == '.' && !memcmp(name + 1, kind, length) &&
            !memcmp(name + 1 + length, end, tail))
            return 1;
    }
    return 0;
}

int work_place_has(const char *below)
{
    for (const char *slash; (slash = strchr(below, '/')); below = slash + 1)
        if (is_own(below, (size_t)(slash - below), folder_end))
            return 1;
    return is_own(below, strlen(below), lock_end);
}
