/* A file of choices: appended to in one write a line, read as a whole. */
#include "backend/cuda/choices.h"

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"

#include <cuda_runtime_api.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGEST = 16 << 20 };

static const char separator[] = " = ";

char *choices_path(const char *name)
{
    struct strbuf path = STRBUF_INIT;
    struct cudaDeviceProp prop;
    struct error ignored;
    char cache[4096];
    int device = 0;
    if (cudaGetDevice(&device) || cudaGetDeviceProperties(&prop, device) ||
        !file_cache_folder(cache, sizeof cache) || file_make_folder(cache, &ignored))
        return NULL;
    for (char *c = prop.name; *c; c++)
        if (*c == ' ' || *c == '/')
            *c = '-';
    strbuf_addf(&path, "%s/%s-%s.txt", cache, name, prop.name);
    return strbuf_detach(&path);
}

/* 0 where the line, without its end, is of that key. */
static int take(const char *line, const char *key, char *value, size_t size)
{
    size_t n = strlen(key);
    if (strncmp(line, key, n) || strncmp(line + n, separator, sizeof separator - 1))
        return -1;
    const char *found = line + n + sizeof separator - 1;
    if (strlen(found) >= size)
        return -1;
    memcpy(value, found, strlen(found) + 1);
    return 0;
}

int choices_find(const char *path, const char *key, char *value, size_t size)
{
    struct error ignored;
    char *data = NULL, *end;
    size_t bytes;
    int rc = -1;
    if (!path || !file_exists(path) || file_read(path, LARGEST, &data, &bytes, &ignored))
        return -1;
    for (char *line = data; rc && (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        rc = take(line, key, value, size);
    }
    free(data);
    return rc;
}

int choices_keep(const char *path, const char *key, char *value, size_t size)
{
    struct strbuf line = STRBUF_INIT;
    struct error ignored;
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (fd < 0)
        return -1;
    strbuf_addf(&line, "%s%s%s\n", key, separator, value);
    int rc = file_write_fd(fd, line.text, line.len, path, &ignored);
    strbuf_release(&line);
    return close(fd) || rc ? -1 : choices_find(path, key, value, size);
}
