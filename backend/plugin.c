/* Loading a backend from a shared library, with one line for everything that can go wrong. */
#include "backend/plugin.h"

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Appends the folder of the program's own file, or nothing where the system does not tell. */
static void add_program_folder(struct strbuf *path)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program);
    while (n > 0 && program[n - 1] != '/')
        n--;
    if (n > 0)
        strbuf_add(path, program, (size_t)n);
}

/* The folder that is looked at in turn i, with its slash; 0 past the last. */
static int folder_at(int i, struct strbuf *path)
{
    const char *set = getenv("VITTM_BACKEND_DIR");
    strbuf_clear(path);
    if (i == 0 && set && *set)
        strbuf_addf(path, "%s/", set);
    else if (i == 1)
        add_program_folder(path);
    else if (i == 2) {
        add_program_folder(path);
        if (path->len)
            strbuf_adds(path, "../lib/vittm/");
    }
    return i < 3;
}

static int find(const struct plugin *p, struct strbuf *path)
{
    for (int i = 0; folder_at(i, path); i++) {
        if (!path->len)
            continue;
        strbuf_adds(path, p->file);
        if (file_exists(path->text))
            return 1;
    }
    strbuf_clear(path);
    strbuf_adds(path, p->file);
    return 0;
}

/* dlerror() begins with the name of the library where that is what was not found. */
static const char *loader_says(const char *path)
{
    const char *text = dlerror();
    size_t n = strlen(path);
    if (!text)
        return "the loader does not say why";
    return !strncmp(text, path, n) && !strncmp(text + n, ": ", 2) ? text + n + 2 : text;
}

static void *open_library(const struct plugin *p, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    int here = find(p, &path);
    void *library = dlopen(path.text, RTLD_NOW | RTLD_LOCAL);
    const char *why = library ? "" : loader_says(path.text);
    if (!library && (here || strncmp(why, "cannot open shared object", 25)))
        error_env(err, "%s cannot be loaded: %s", path.text, why);
    else if (!library)
        error_env(err, "there is no %s beside the program: %s (or set VITTM_BACKEND_DIR)", p->file,
                  p->remedy);
    strbuf_release(&path);
    return library;
}

static const struct backend *check_export(const struct plugin *p, const struct plugin_export *e,
                                          struct error *err)
{
    if (!e || memcmp(e->magic, PLUGIN_MAGIC, sizeof PLUGIN_MAGIC))
        error_env(err, "%s is no backend of vittm", p->file);
    else if (strncmp(e->abi, PLUGIN_ABI, sizeof e->abi))
        error_env(err, "%s is of another build (ABI %.16s, this program has %s): %s", p->file,
                  e->abi, PLUGIN_ABI, p->remedy);
    else
        return e->backend;
    return NULL;
}

static int driver_present(const struct plugin *p, struct error *err)
{
    if (!p->driver || dlopen(p->driver, RTLD_LAZY | RTLD_LOCAL))
        return 1;
    error_env(err, "no %s: its driver is not installed (%s: %s)", p->device, p->driver,
              loader_says(p->driver));
    return 0;
}

const struct backend *plugin_load(const struct plugin *p, struct error *err)
{
    /* The driver first: without one, half a gigabyte of libraries need not be read. */
    if (!driver_present(p, err))
        return NULL;
    void *library = open_library(p, err);
    if (!library)
        return NULL;
    const struct plugin_export *(*entry)(void);
    void *symbol = dlsym(library, PLUGIN_ENTRY);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function */
    return check_export(p, symbol ? entry() : NULL, err);
}

/* ---- the plugins of this program ------------------------------------------------------------- */

static const struct plugin cuda_plugin = {
    .file = "backend-cuda.so",
    .driver = "libcuda.so.1",
    .device = "CUDA device",
    .remedy = "build it with `make` where nvcc is installed",
};

static const struct plugin sim_plugin = {
    .file = "backend-sim.so",
    .device = "emulated CUDA device",
    .remedy = "build it with `make backend-sim`",
};

/* What is known without loading anything. */
const struct backend backend_cuda = {
    .choice = {.name = "cuda", .doc = "an NVIDIA GPU (cuda:1 is the second)"},
    .value_size = sizeof(float),
    .plugin = &cuda_plugin,
};

const struct backend backend_sim = {
    .choice = {.name = "sim", .doc = "the CUDA kernels on the processor, for tests: slow"},
    .value_size = sizeof(float),
    .plugin = &sim_plugin,
};
