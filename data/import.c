/* `vittm data list` and `get`. A set is made in a work folder beside its place and moved there by
 * one rename. The work folder keeps what was downloaded, so that a second attempt goes on. */
#include "data/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/dataset.h"
#include "data/download.h"
#include "data/find.h"
#include "data/program.h"
#include "data/tree.h"
#include "data/work_place.h"

const char *import_state_name(enum import_state s)
{
    static const char *const names[] = {[IMPORT_BUILT_IN] = "built in",
                                        [IMPORT_FOUND] = "found",
                                        [IMPORT_MISSING] = "missing",
                                        [IMPORT_USER] = "yours"};
    return names[s];
}

int import_list(int i, struct import_entry *e)
{
    char root[4096];
    const struct dataset_kind *k = dataset_kind_at(i);
    if (!k)
        return 0;
    *e = (struct import_entry){.kind = k};
    e->state = k->probe ? IMPORT_MISSING : k->train_images ? IMPORT_BUILT_IN : IMPORT_USER;
    for (int r = 0; e->state == IMPORT_MISSING && dataset_root(r, root, sizeof root); r++) {
        char *path = find_below_new(root, k->folder, k->probe);
        if (path) {
            e->state = IMPORT_FOUND;
            snprintf(e->path, sizeof e->path, "%s", path);
        }
        free(path);
    }
    return 1;
}

/* ---- get ---- */

struct job {
    const struct import_request *q;
    const struct dataset_kind *kind;
    char *root, *target, *work, *made; /* ROOT, ROOT/folder, ROOT/.name.import and made in it */
    struct work_lock lock;
};

__attribute__((format(printf, 2, 3))) static void say(const struct job *j, const char *fmt, ...)
{
    struct strbuf s = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(&s, fmt, ap);
    va_end(ap);
    if (j->q->say)
        j->q->say(j->q->ctx, s.text);
    strbuf_release(&s);
}

__attribute__((format(printf, 1, 2))) static char *text_new(const char *fmt, ...)
{
    struct strbuf s = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(&s, fmt, ap);
    va_end(ap);
    return strbuf_detach(&s);
}

static int choose_root(struct job *j, struct error *err)
{
    char root[4096];
    if (j->q->folder) {
        j->root = mem_strdup(j->q->folder);
        return file_make_folder(j->root, err);
    }
    for (int i = 0; dataset_root(i, root, sizeof root); i++)
        if (file_make_folder(root, err) == 0) {
            if (access(root, W_OK) == 0) {
                j->root = mem_strdup(root);
                return 0;
            }
            error_env(err, "%s: cannot be written: %s", root, strerror(errno));
        }
    if (!dataset_root(0, root, sizeof root))
        return error_env(err, "no folder for data: set VITTM_DATA");
    return -1;
}

static int is_archive(const char *name)
{
    const char *tar = strstr(name, ".tar");
    return tar && (tar[4] == 0 || tar[4] == '.');
}

static int unpack(struct job *j, const char *archive, char **folder, struct error *err)
{
    char *to = text_new("%s/unpacked", j->work);
    if (tree_remove(to, err) || file_make_folder(to, err)) {
        free(to);
        return -1;
    }
    say(j, "unpacking %s", archive);
    const char *const argv[] = {"tar", "--no-same-owner", "-x", "-f", archive, "-C", to, NULL};
    int rc = program_run(argv, err);
    if (rc > 0)
        rc = error_env(err, "%s: tar cannot unpack it (exit code %d)", archive, rc);
    *folder = to;
    return rc;
}

static int fetch_file(struct job *j, const struct import_file *f, const char *path,
                      struct error *err)
{
    if (!download_is_whole(f, path))
        say(j, "downloading %s (%.1f MB)", f->url, (double)f->bytes / 1e6);
    return download_file(f, path, err);
}

/* Everything the set's home has, in *folder. */
static int download(struct job *j, char **folder, struct error *err)
{
    const struct import_file *f = j->kind->import->files;
    char *to = text_new("%s/download", j->work);
    int rc = f ? file_make_folder(to, err)
               : error_env(err, "%s cannot be downloaded: %s; then vittm data get %s --from PATH",
                           j->kind->choice.name, j->kind->import->terms, j->kind->choice.name);
    for (; rc == 0 && f->name; f++) {
        char *path = text_new("%s/%s", to, f->name);
        rc = fetch_file(j, f, path, err);
        if (rc == 0 && is_archive(f->name))
            rc = unpack(j, path, folder, err);
        free(path);
    }
    if (rc == 0 && !*folder)
        *folder = mem_strdup(to);
    free(to);
    return rc;
}

/* The local archive or folder, in *from; left empty where the set must be downloaded. */
static int local(const struct job *j, struct strbuf *from, struct error *err)
{
    char root[4096];
    if (j->q->from)
        strbuf_adds(from, j->q->from);
    for (int i = 0; !from->len && dataset_root(i, root, sizeof root); i++)
        find_packed(j->kind, root, from);
    return !from->len || file_exists(from->text)
               ? 0
               : error_env(err, "%s: %s", from->text, strerror(errno));
}

static int convert_folder(struct job *j, const char *folder, struct error *err)
{
    say(j, "converting %s", folder);
    return j->kind->import->convert(j->kind, folder, j->made, err);
}

static int convert_archive(struct job *j, const char *archive, struct error *err)
{
    const struct import_recipe *recipe = j->kind->import;
    char *folder = NULL;
    int rc = 1;
    if (recipe->convert_archive) {
        say(j, "reading %s", archive);
        rc = recipe->convert_archive(j->kind, archive, j->made, err);
    }
    if (rc > 0)
        rc = unpack(j, archive, &folder, err) || convert_folder(j, folder, err) ? -1 : 0;
    free(folder);
    return rc;
}

static int make(struct job *j, struct error *err)
{
    struct strbuf from = STRBUF_INIT;
    char *folder = NULL;
    int rc = local(j, &from, err);
    if (rc == 0 && from.len)
        rc = file_is_folder(from.text) ? convert_folder(j, from.text, err)
                                       : convert_archive(j, from.text, err);
    else if (rc == 0)
        rc = download(j, &folder, err) || convert_folder(j, folder, err) ? -1 : 0;
    strbuf_release(&from);
    free(folder);
    return rc;
}

/* Nothing is lost whatever happens in between: the old set is moved aside first. */
static int put_in_place(struct job *j, struct error *err)
{
    char *old = text_new("%s/replaced", j->work);
    int rc = tree_remove(old, err);
    if (rc == 0 && file_exists(j->target) && rename(j->target, old))
        rc = error_env(err, "%s: cannot be replaced: %s", j->target, strerror(errno));
    if (rc == 0 && rename(j->made, j->target)) {
        rc = error_env(err, "%s: cannot be made: %s", j->target, strerror(errno));
        rename(old, j->target);
    }
    free(old);
    return rc;
}

static int get(struct job *j, struct error *err)
{
    const struct import_recipe *recipe = j->kind->import;
    struct error whole = {0};
    if (file_exists(j->target) && recipe->verify(j->kind, j->target, &whole) == 0) {
        say(j, "%s is there and whole", j->target);
        return 0;
    }
    return tree_remove(j->made, err) || file_make_folder(j->made, err) || make(j, err) ||
                   recipe->verify(j->kind, j->made, err) || put_in_place(j, err) ||
                   tree_remove(j->work, err)
               ? -1
               : 0;
}

static void job_release(struct job *j)
{
    work_lock_release(&j->lock);
    free(j->root);
    free(j->target);
    free(j->work);
    free(j->made);
}

static const char *kind_name(const void *ctx, int i)
{
    const struct dataset_kind *k = dataset_kind_at(i);
    (void)ctx;
    return k ? k->choice.name : NULL;
}

static int find_kind(const char *name, const struct dataset_kind **k, struct error *err)
{
    const char *near = config_nearest(name, kind_name, NULL);
    *k = dataset_kind_named(name);
    if (!*k && near)
        return error_set(err, "unknown data set %s (did you mean %s?)", name, near);
    return *k ? 0 : error_set(err, "unknown data set %s (vittm data list names them)", name);
}

int import_get(const struct import_request *q, char *where, int size, struct error *err)
{
    struct job j = {.q = q, .lock.fd = -1};
    if (where && size > 0)
        *where = 0;
    if (find_kind(q->name, &j.kind, err))
        return -1;
    if (!j.kind->import && !j.kind->probe && j.kind->train_images) {
        say(&j, "%s is built in: there is nothing to get", q->name);
        return 0;
    }
    if (!j.kind->import)
        return error_set(
            err, "%s cannot be fetched: bring it yourself, data.root=FOLDER says where it is (%s)",
            q->name, j.kind->choice.doc);
    int rc = choose_root(&j, err);
    if (rc == 0) {
        j.target = text_new("%s/%s", j.root, j.kind->folder);
        j.work = work_place_new(j.kind, j.root);
        j.made = text_new("%s/made", j.work);
        rc = work_lock_take(&j.lock, j.kind, j.root, err) || get(&j, err) ? -1 : 0;
    }
    if (rc == 0 && where)
        snprintf(where, (size_t)size, "%s", j.target);
    job_release(&j);
    return rc;
}
