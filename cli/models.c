#include "cli/models.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/config_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

static const char suffix[] = ".yaml";

/* The folder that the program's file is in; NULL where that cannot be told. */
static const char *program_folder(struct arena *a)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return NULL;
    path[n] = 0;
    return arena_strdup(a, dirname(path));
}

const char *const *models_roots(struct arena *a)
{
    /* installed: bin/vittm beside share/; built: build/release/vittm in a checkout */
    static const char *const places[] = {"../share/vittm", "../.."};
    const char **roots = ARENA_ARRAY(a, const char *, 5);
    int n = 0;
    const char *home = getenv("VITTM_HOME");
    if (home != NULL && home[0] != 0)
        roots[n++] = home;
    roots[n++] = ".";
    const char *program = program_folder(a);
    for (size_t i = 0; program != NULL && i < sizeof places / sizeof places[0]; i++)
        roots[n++] = arena_printf(a, "%s/%s", program, places[i]);
    return roots;
}

static const char *models_folder(struct arena *a, struct error *err)
{
    const char *const *roots = models_roots(a);
    for (int i = 0; roots[i] != NULL; i++) {
        const char *folder = arena_printf(a, "%s/experiments/models", roots[i]);
        if (file_is_folder(folder))
            return folder;
    }
    error_env(err, "no folder experiments/models here or beside the program (set VITTM_HOME to a "
                   "checkout)");
    return NULL;
}

static int is_model(const char *file)
{
    size_t n = strlen(file), m = strlen(suffix);
    return n > m && file[0] != '.' && strcmp(file + n - m, suffix) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a folder, in any order. Returns how many. */
static size_t read_names(struct arena *a, DIR *dir, const char ***names)
{
    size_t n = 0, cap = 0;
    const struct dirent *e;
    while ((e = readdir(dir)) != NULL) {
        if (!is_model(e->d_name))
            continue;
        *names = mem_grow(*names, n, &cap, sizeof **names);
        (*names)[n++] = arena_strndup(a, e->d_name, strlen(e->d_name) - strlen(suffix));
    }
    return n;
}

const char *const *models_names(struct arena *a, struct error *err)
{
    const char *path = models_folder(a, err);
    if (path == NULL)
        return NULL;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        error_env(err, "%s: %s", path, strerror(errno));
        return NULL;
    }
    const char **names = NULL;
    size_t n = read_names(a, dir, &names);
    closedir(dir);
    if (n > 0)
        qsort(names, n, sizeof *names, by_name);
    const char **all = ARENA_ARRAY(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        all[i] = names[i];
    free(names);
    return all;
}

const char *models_find(struct arena *a, const char *typed, struct error *err)
{
    return config_model_path(a, typed, models_roots(a), err);
}
