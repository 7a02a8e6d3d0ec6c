#include "data/find.h"

#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/dataset.h"
#include "data/import.h"

char *find_below_new(const char *root, const char *folder, const char *probe)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/%s", root, folder);
    size_t length = s.len;
    strbuf_addf(&s, "/%s", probe);
    int is_there = file_exists(s.text);
    strbuf_adds(&s, ".gz");
    is_there = is_there || file_exists(s.text);
    strbuf_truncate(&s, length);
    char *found = is_there ? mem_strdup(s.text) : NULL;
    strbuf_release(&s);
    return found;
}

int find_packed(const struct dataset_kind *k, const char *root, struct strbuf *path)
{
    static const char *const ends[] = {".tar.xz", ".tar.gz", ".tar"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        strbuf_clear(path);
        strbuf_addf(path, "%s/%s%s", root, k->choice.name, ends[i]);
        if (file_exists(path->text))
            return 1;
    }
    strbuf_clear(path);
    return 0;
}

static int not_found(const struct dataset_kind *k, const struct config *c, struct error *err)
{
    struct strbuf where = STRBUF_INIT, archive = STRBUF_INIT;
    char root[4096];
    const char *set = config_string(c, "data.root");
    int is_auto = !strcmp(set, "auto"), packed = 0;
    for (int i = 0; is_auto && dataset_root(i, root, sizeof root); i++) {
        strbuf_addf(&where, "%s%s", i ? " or " : "", root);
        packed = packed || find_packed(k, root, &archive);
    }
    if (!is_auto) {
        strbuf_adds(&where, set);
        packed = find_packed(k, set, &archive);
    }
    const char *nowhere = where.len ? where.text : "$VITTM_DATA, which is not set";
    if (!k->import)
        error_env(err, "data set %s is not in %s (data.root=FOLDER says where it is)",
                  k->choice.name, nowhere);
    else
        error_env(err, "data set %s is not in %s (get it with: vittm data get %s%s%s)",
                  k->choice.name, nowhere, k->choice.name, packed ? " --from " : "",
                  packed ? archive.text : "");
    strbuf_release(&where);
    strbuf_release(&archive);
    return -1;
}

int find_folder(const struct dataset_kind *k, const struct config *c, char **path,
                struct error *err)
{
    char root[4096];
    const char *set = config_string(c, "data.root");
    *path = NULL;
    for (int i = 0; !strcmp(set, "auto") && !*path && dataset_root(i, root, sizeof root); i++)
        *path = find_below_new(root, k->folder, k->probe);
    if (strcmp(set, "auto"))
        *path = find_below_new(set, k->folder, k->probe);
    if (strcmp(set, "auto") && !*path)
        *path = find_below_new(set, ".", k->probe);
    return *path ? 0 : not_found(k, c, err);
}

static int root_folder(const struct dataset_kind *k, const struct config *c, struct strbuf *path,
                       struct error *err)
{
    char *found;
    const char *root = config_string(c, "data.root");
    if (k->probe) {
        if (find_folder(k, c, &found, err))
            return -1;
        strbuf_adds(path, found);
        free(found);
        return 0;
    }
    strbuf_adds(path, root);
    return strcmp(root, "auto")
               ? 0
               : config_error(c, err, "data.root", "%s needs a folder of yours: %s", k->choice.name,
                              k->choice.doc);
}

int find_subfolder(const struct dataset_kind *k, const struct config *c, const char *key,
                   struct strbuf *path, struct error *err)
{
    const char *folder = config_string(c, key);
    if (root_folder(k, c, path, err))
        return -1;
    if (strcmp(folder, "."))
        strbuf_addf(path, "/%s", folder);
    return file_is_folder(path->text)
               ? 0
               : error_env(err, "%s: no such folder (%s=%s; a dot means the root itself)",
                           path->text, key, folder);
}
