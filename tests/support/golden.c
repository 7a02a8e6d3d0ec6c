#include "tests/support/golden.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

char *golden_path(const char *part, char *text, size_t size)
{
    const char *shared = getenv("VITTM_SHARED");
    snprintf(text, size, "%s/%s", shared && *shared ? shared : "../shared", part);
    if (file_exists(text))
        return text;
    snprintf(text, size, "tests/%s", part);
    return file_exists(text) ? text : NULL;
}

void golden_open(struct golden *g, const char *path)
{
    struct error err = {0};
    json_error_t problem;
    uint64_t length = 0;
    *g = (struct golden){0};
    snprintf(g->path, sizeof g->path, "%s", path);
    if (file_map(&g->file, path, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < 8 && i < g->file.size; i++)
        length |= (uint64_t)g->file.data[i] << 8 * i;
    if (g->file.size < 8 || length > g->file.size - 8)
        fail_msg("%s: header longer than the file", path);
    g->header = json_loadb((const char *)g->file.data + 8, (size_t)length, 0, &problem);
    if (!g->header)
        fail_msg("%s: %s", path, problem.text);
    g->data = 8 + (size_t)length;
    const char *text =
        json_string_value(json_object_get(json_object_get(g->header, "__metadata__"), "case"));
    g->parameters = text ? json_loads(text, 0, &problem) : NULL;
}

void golden_close(struct golden *g)
{
    json_decref(g->header);
    json_decref(g->parameters);
    file_unmap(&g->file);
}

struct golden_tensor golden_find(const struct golden *g, const char *name)
{
    struct golden_tensor t = {.count = 1};
    json_t *entry = json_object_get(g->header, name), *shape = json_object_get(entry, "shape");
    json_t *span = json_object_get(entry, "data_offsets");
    if (!entry)
        return t;
    size_t from = (size_t)json_integer_value(json_array_get(span, 0));
    size_t to = (size_t)json_integer_value(json_array_get(span, 1));
    if (json_array_size(shape) > 8 || to < from || to > g->file.size - g->data)
        fail_msg("%s: tensor %s is malformed", g->path, name);
    t.dtype = json_string_value(json_object_get(entry, "dtype"));
    t.rank = (int)json_array_size(shape);
    for (int i = 0; i < t.rank; i++)
        t.count *= t.shape[i] = json_integer_value(json_array_get(shape, (size_t)i));
    t.bytes = to - from;
    t.data = g->file.data + g->data + from;
    return t;
}

struct golden_tensor golden_get(const struct golden *g, const char *name, const char *dtype)
{
    struct golden_tensor t = golden_find(g, name);
    size_t item = strtoul(dtype + 1, NULL, 10) / 8; /* "F32" */
    if (!t.data)
        fail_msg("%s: no tensor %s", g->path, name);
    if (strcmp(t.dtype, dtype) || t.bytes != (size_t)t.count * item || (uintptr_t)t.data % item)
        fail_msg("%s: tensor %s is %s of %zu bytes, expected %s", g->path, name, t.dtype, t.bytes,
                 dtype);
    return t;
}

const char *golden_kind(const struct golden *g)
{
    const char *kind = json_string_value(json_object_get(g->parameters, "kind"));
    return kind ? kind : "";
}

int golden_each(const char *folder, const char *prefix, void (*run)(const struct golden *g))
{
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort), ran = 0;
    for (int i = 0; i < n; i++) {
        char path[8192];
        struct golden g;
        const char *end = strstr(names[i]->d_name, ".safetensors");
        if (end && !end[12] && !strncmp(names[i]->d_name, prefix, strlen(prefix))) {
            snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
            golden_open(&g, path);
            run(&g);
            golden_close(&g);
            ran++;
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return ran;
}
