/* Build facts, /proc, uname, the list of loaded libraries. */
#include "runner/provenance.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/version.h"
#include "results/store.h"
#include "runner/folder.h"
#include "runner/machine.h"

#include <gnu/libc-version.h>
#include <jansson.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MAX_FILE = 16 << 20 };

/* The only environment variables that are ever stored. */
static const char *const environment[] = {
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS",    "OMP_PROC_BIND",
    "OMP_PLACES",           "OPENBLAS_NUM_THREADS",   "OPENBLAS_CORETYPE",  "VITTM_DATA",
    "SLURM_JOB_ID",         "SLURM_JOB_NAME",         "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
    "SLURM_CLUSTER_NAME",   "SLURM_JOB_PARTITION",    "SLURM_JOB_ACCOUNT",  "SLURM_JOB_QOS",
    "SLURM_JOB_NODELIST",   "SLURM_NODEID",           "SLURM_PROCID",       "SLURM_LOCALID",
    "SLURM_NTASKS",         "SLURM_CPUS_PER_TASK",    "SLURM_CPUS_ON_NODE", "SLURM_JOB_GPUS",
    "SLURM_RESTART_COUNT",
};

void provenance_add(struct provenance *p, struct arena *arena, const char *key, const char *text)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!strcmp(p->facts[i].key, key)) {
            p->facts[i].text = arena_strdup(arena, text);
            return;
        }
    }
    if (p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 64;
        struct store_fact *facts = ARENA_ARRAY(arena, struct store_fact, cap);
        if (p->count)
            memcpy(facts, p->facts, p->count * sizeof *facts);
        p->facts = facts;
        p->cap = cap;
    }
    p->facts[p->count++] =
        (struct store_fact){.key = arena_strdup(arena, key), .text = arena_strdup(arena, text)};
}

/* The value of a fact or NULL. */
static const char *provenance_get(const struct provenance *p, const char *key)
{
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->facts[i].key, key))
            return p->facts[i].text;
    return NULL;
}

static void add_known(struct provenance *p, struct arena *arena, const char *key, const char *text)
{
    if (text && *text)
        provenance_add(p, arena, key, text);
}

static void add_number(struct provenance *p, struct arena *arena, const char *key, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    provenance_add(p, arena, key, text);
}

static void add_source(struct provenance *p, struct arena *arena)
{
    provenance_add(p, arena, "version", version_number());
    provenance_add(p, arena, "commit", version_commit());
    provenance_add(p, arena, "dirty", version_dirty() ? "true" : "false");
    add_known(p, arena, "diff", version_diff());
    provenance_add(p, arena, "compiler", version_compiler());
    provenance_add(p, arena, "flags", version_flags());
    provenance_add(p, arena, "kernel_flags", version_kernel_flags());
}

struct name_list {
    char *names[128];
    int n;
};

/* The full file name of each loaded library: its version is in there (libopenblasp-r0.3.21.so). */
static int note_library(struct dl_phdr_info *info, size_t size, void *context)
{
    struct name_list *list = context;
    char path[PATH_MAX];
    (void)size;
    if (!info->dlpi_name || info->dlpi_name[0] != '/' || list->n == 128)
        return 0;
    if (!realpath(info->dlpi_name, path))
        return 0;
    const char *slash = strrchr(path, '/');
    list->names[list->n++] = mem_strdup(slash + 1);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_libraries(struct provenance *p, struct arena *arena)
{
    struct name_list list = {.n = 0};
    struct strbuf text = STRBUF_INIT;
    dl_iterate_phdr(note_library, &list);
    qsort(list.names, (size_t)list.n, sizeof *list.names, by_name);
    for (int i = 0; i < list.n; i++) {
        strbuf_addf(&text, "%s%s", i ? " " : "", list.names[i]);
        free(list.names[i]);
    }
    add_known(p, arena, "libraries", text.text);
    provenance_add(p, arena, "libc", gnu_get_libc_version());
    strbuf_release(&text);
}

/* Value of the first line "name : value" of a file of /proc. */
static void add_field(struct provenance *p, struct arena *arena, const char *key, const char *path,
                      const char *name)
{
    char line[1024];
    FILE *f = fopen(path, "re");
    size_t n = strlen(name);
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, name, n) || !strchr(" \t:", line[n]))
            continue;
        const char *value = strchr(line, ':');
        if (!value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        line[strcspn(line, "\n")] = 0;
        add_known(p, arena, key, value);
        break;
    }
    if (f)
        fclose(f);
}

static void add_machine(struct provenance *p, int threads, struct arena *arena)
{
    struct utsname u;
    int cores[1024];
    if (!uname(&u)) {
        provenance_add(p, arena, "host", u.nodename);
        provenance_add(
            p, arena, "os",
            arena_printf(arena, "%s %s %s %s", u.sysname, u.release, u.version, u.machine));
    }
    add_field(p, arena, "cpu", "/proc/cpuinfo", "model name");
    if (!provenance_get(p, "cpu")) /* not x86 */
        add_field(p, arena, "cpu", "/proc/cpuinfo", "CPU part");
    add_field(p, arena, "microcode", "/proc/cpuinfo", "microcode");
    add_number(p, arena, "cores", sysconf(_SC_NPROCESSORS_ONLN));
    add_number(p, arena, "cores_allowed", machine_cores(cores, 1024));
    add_number(p, arena, "threads", threads);
    add_number(p, arena, "memory_bytes",
               (long long)sysconf(_SC_PHYS_PAGES) * (long long)sysconf(_SC_PAGESIZE));
}

static void add_command(struct provenance *p, const struct provenance_command *command,
                        struct arena *arena)
{
    struct strbuf line = STRBUF_INIT;
    char folder[PATH_MAX];
    for (int i = 0; i < command->argc; i++) {
        const char *arg = command->argv[i];
        int plain = *arg && !strpbrk(arg, " \t\n'\"\\$`|&;<>()*?[]{}~#!");
        strbuf_adds(&line, i ? " " : "");
        strbuf_adds(&line, plain ? "" : "'");
        for (; *arg; arg++) {
            if (*arg == '\'')
                strbuf_adds(&line, "'\\''");
            else
                strbuf_addc(&line, *arg);
        }
        strbuf_adds(&line, plain ? "" : "'");
    }
    add_known(p, arena, "command_line", line.text);
    if (getcwd(folder, sizeof folder))
        provenance_add(p, arena, "working_folder", folder);
    strbuf_release(&line);
}

static void add_environment(struct provenance *p, struct arena *arena)
{
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
        const char *value = getenv(environment[i]);
        if (value)
            provenance_add(p, arena, arena_printf(arena, "env.%s", environment[i]), value);
    }
}

int provenance_collect(struct provenance *p, const struct provenance_command *command, int threads,
                       struct arena *arena, struct error *err)
{
    char sha[65];
    *p = (struct provenance){0};
    if (file_sha256(command->program, sha, err))
        return -1;
    provenance_add(p, arena, "binary_sha256", sha);
    add_source(p, arena);
    add_libraries(p, arena);
    add_machine(p, threads, arena);
    add_command(p, command, arena);
    add_environment(p, arena);
    return 0;
}

int provenance_write(const struct provenance *p, const char *folder, struct error *err)
{
    json_t *object = json_object();
    for (size_t i = 0; i < p->count; i++) {
        json_t *text = json_string(p->facts[i].text);
        /* Bytes that are no UTF-8 (a path, a diff of a binary) cannot be in JSON. */
        json_object_set_new(object, p->facts[i].key, text ? text : json_string("(not UTF-8)"));
    }
    char *text = json_dumps(object, JSON_INDENT(1) | JSON_SORT_KEYS);
    char *path = folder_path(folder, "provenance.json");
    int rc = text ? file_write(path, text, strlen(text), err)
                  : error_env(err, "%s: cannot be made", path);
    free(path);
    free(text);
    json_decref(object);
    return rc;
}

void provenance_read(struct provenance *p, const char *folder, struct arena *arena)
{
    const char *key;
    char *path = folder_path(folder, "provenance.json"), *text = NULL;
    size_t size;
    json_t *value, *object = NULL;
    *p = (struct provenance){0};
    if (file_exists(path) && !file_read(path, MAX_FILE, &text, &size, NULL))
        object = json_loadb(text, size, 0, NULL);
    json_object_foreach(object, key, value)
    {
        if (json_is_string(value))
            provenance_add(p, arena, key, json_string_value(value));
    }
    json_decref(object);
    free(text);
    free(path);
}
