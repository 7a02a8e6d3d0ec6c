#include "cli/published.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "cli/models.h"

/* "vittm-table8.csv" goes by "vittm-table8" and by "table8". */
static int goes_by(const char *file, const char *typed)
{
    size_t n = strlen(typed), length = strlen(file);
    if (length < n + 4 || strcmp(file + length - 4, ".csv") != 0)
        return 0;
    const char *tail = file + length - 4 - n;
    return memcmp(tail, typed, n) == 0 && (tail == file || tail[-1] == '-' || tail[-1] == '_');
}

static int is_csv(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".csv") == 0;
}

/* Adds the folder's names to known; returns the first file that goes by what was typed, or NULL. */
static const char *search(struct arena *a, const char *folder, const char *typed,
                          struct strbuf *known)
{
    struct dirent **entries = NULL;
    const char *found = NULL;
    int n = scandir(folder, &entries, is_csv, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (found == NULL && goes_by(name, typed))
            found = arena_printf(a, "%s/%s", folder, name);
        strbuf_addf(known, "%s%.*s", known->len > 0 ? ", " : "", (int)strlen(name) - 4, name);
        free(entries[i]);
    }
    free(entries);
    return found;
}

int cli_published_find(struct arena *a, const char *typed, const char **path, struct error *err)
{
    if (file_exists(typed) && !file_is_folder(typed)) {
        *path = typed;
        return 0;
    }
    struct strbuf known = STRBUF_INIT;
    *path = NULL;
    const char *const *roots = models_roots(a);
    for (int i = 0; roots[i] != NULL && known.len == 0; i++)
        *path = search(a, arena_printf(a, "%s/results/published", roots[i]), typed, &known);
    int rc = *path != NULL ? 0 : -1;
    if (rc != 0)
        error_set(err, "%s is neither a file nor among the published numbers (%s)", typed,
                  known.len > 0 ? known.text : "there are none in results/published");
    strbuf_release(&known);
    return rc;
}
