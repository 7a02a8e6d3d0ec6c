/* jansson for the JSON; offsets, torn lines and stray bytes are ours. */
#include "runner/folder.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_JSON = 64 << 20, MAX_PROGRESS = 64 << 10, CHUNK = 1 << 20 };

char *folder_path(const char *folder, const char *name)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/%s", folder, name);
    return strbuf_detach(&s);
}

static double number(const json_t *object, const char *key, double otherwise)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static long long whole(const json_t *object, const char *key)
{
    double v = number(object, key, 0);
    return v > -9e15 && v < 9e15 ? (long long)v : 0;
}

int folder_progress(const char *folder, struct folder_progress *p)
{
    struct stat st;
    char *path = folder_path(folder, "progress.json"), *text = NULL;
    size_t size;
    json_t *object = NULL;
    if (!stat(path, &st) && !file_read(path, MAX_PROGRESS, &text, &size, NULL))
        object = json_loadb(text, size, 0, NULL);
    free(text);
    free(path);
    if (!json_is_object(object)) {
        json_decref(object);
        return 0;
    }
    *p = (struct folder_progress){
        .pid = (long)whole(object, "pid"),
        .epoch = (int)whole(object, "epoch"),
        .epochs = (int)whole(object, "epochs"),
        .step = whole(object, "step"),
        .steps = whole(object, "steps"),
        .img_s = number(object, "img_s", NAN),
        .eta_s = number(object, "eta_s", NAN),
        .loss = number(object, "loss", NAN),
        /* A new file has a new number or a new time, whatever the clock does. */
        .version = (long long)st.st_ino * 31 + (long long)st.st_mtim.tv_sec * 1000000000LL +
                   (long long)st.st_mtim.tv_nsec,
    };
    json_decref(object);
    return 1;
}

static int read_event(const char *line, size_t size,
                      int (*each)(void *context, const struct folder_metric *m), void *context,
                      int *skipped)
{
    int rc = 0;
    const char *name;
    json_t *value, *event = json_loadb(line, size, 0, NULL);
    json_t *metrics = json_object_get(event, "metrics");
    if (!json_is_object(metrics) || !json_is_integer(json_object_get(event, "epoch"))) {
        if (skipped)
            ++*skipped;
        json_decref(event);
        return 0;
    }
    struct folder_metric m = {.epoch = (int)whole(event, "epoch"),
                              .step = whole(event, "step"),
                              .time = number(event, "time", NAN)};
    json_object_foreach(metrics, name, value)
    {
        if (!json_is_number(value)) /* null: not finite */
            continue;
        m.name = name;
        m.value = json_number_value(value);
        if ((rc = each(context, &m)))
            break;
    }
    json_decref(event);
    return rc;
}

/* Takes the complete lines off the front of text; returns how many bytes they had. */
static size_t read_lines(const char *text, size_t size,
                         int (*each)(void *context, const struct folder_metric *m), void *context,
                         int *skipped, int *rc)
{
    size_t at = 0;
    const char *end;
    while (!*rc && (end = memchr(text + at, '\n', size - at))) {
        size_t n = (size_t)(end - (text + at));
        if (n)
            *rc = read_event(text + at, n, each, context, skipped);
        at += n + 1;
    }
    return at;
}

int folder_events(const char *folder, off_t *offset,
                  int (*each)(void *context, const struct folder_metric *m), void *context,
                  int *skipped, struct error *err)
{
    int rc = 0;
    size_t have = 0, cap = CHUNK;
    char *path = folder_path(folder, "events.jsonl"), *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        rc = errno == ENOENT ? 0 : error_env(err, "%s: %s", path, strerror(errno));
        goto done;
    }
    text = mem_alloc(cap);
    while (!rc) {
        ssize_t n = pread(fd, text + have, cap - have, *offset + (off_t)have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = error_env(err, "%s: %s", path, strerror(errno));
        if (n <= 0)
            break;
        have += (size_t)n;
        size_t taken = read_lines(text, have, each, context, skipped, &rc);
        memmove(text, text + taken, have - taken);
        have -= taken;
        *offset += (off_t)taken;
        if (have == cap) { /* no line of ours is that long */
            *offset += (off_t)have;
            have = 0;
            if (skipped)
                ++*skipped;
        }
    }
done:
    if (fd >= 0)
        close(fd);
    free(text);
    free(path);
    return rc;
}

int folder_has_result(const char *folder)
{
    char *path = folder_path(folder, "result.json");
    int there = file_exists(path);
    free(path);
    return there;
}

static int check_result(const json_t *result, const char *path, struct error *err)
{
    const char *name;
    json_t *value, *metrics = json_object_get(result, "metrics");
    if (!json_is_object(metrics))
        return error_code(err, EXIT_FAILED, "%s: has no object \"metrics\"", path);
    json_object_foreach(metrics, name, value)
    {
        if (!json_is_number(value))
            return error_code(err, EXIT_FAILED, "%s: metric %s is not a number", path, name);
    }
    value = json_object_get(result, "facts");
    if (value && !json_is_object(value))
        return error_code(err, EXIT_FAILED, "%s: \"facts\" is not an object", path);
    value = json_object_get(result, "rows");
    if (value && !json_is_object(value))
        return error_code(err, EXIT_FAILED, "%s: \"rows\" is not an object", path);
    return 0;
}

json_t *folder_result(const char *folder, struct error *err)
{
    json_error_t where;
    json_t *result = NULL;
    size_t size;
    char *path = folder_path(folder, "result.json"), *text = NULL;
    if (!file_exists(path) || file_read(path, MAX_JSON, &text, &size, err))
        goto done;
    result = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (!result) {
        error_code(err, EXIT_FAILED, "%s:%d:%d: %s", path, where.line, where.column, where.text);
    } else if (check_result(result, path, err)) {
        json_decref(result);
        result = NULL;
    }
done:
    free(text);
    free(path);
    return result;
}

/* Appends text, which a zero byte ends, with '?' for stray bytes and a blank for control characters
 * other than newlines. */
static void add_clean(struct strbuf *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        const unsigned char *p = (const unsigned char *)text + i;
        size_t len = utf8_character(text + i, NULL);
        if (len > 1)
            strbuf_add(out, text + i, len);
        else
            strbuf_addc(out, !len ? '?' : *p == '\n' || (*p >= 32 && *p != 127) ? (char)*p : ' ');
        i += len ? len : 1;
    }
}

/* Bytes [from, end) of the log, at most the last max; the caller frees. NULL if there are none. */
static char *read_tail(const char *folder, off_t from, size_t max, size_t *size, int *whole_lines)
{
    struct stat st;
    char *text = NULL, *path = folder_path(folder, "log.txt");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return NULL;
    if (!fstat(fd, &st) && st.st_size > from) {
        size_t want = (size_t)(st.st_size - from) < max ? (size_t)(st.st_size - from) : max;
        *whole_lines = want == (size_t)(st.st_size - from);
        text = mem_alloc(want + 1);
        ssize_t n = pread(fd, text, want, st.st_size - (off_t)want);
        *size = n > 0 ? (size_t)n : 0;
        text[*size] = 0;
    }
    close(fd);
    return text;
}

void folder_log_tail(const char *folder, size_t max, struct strbuf *out)
{
    size_t size = 0, skip = 0;
    int whole_lines = 1;
    char *text = read_tail(folder, 0, max, &size, &whole_lines);
    if (text && !whole_lines) {
        const char *end = memchr(text, '\n', size);
        skip = end ? (size_t)(end + 1 - text) : 0;
    }
    if (text)
        add_clean(out, text + skip, size - skip);
    free(text);
}

void folder_last_line(const char *folder, off_t from, struct strbuf *out)
{
    size_t size = 0;
    int whole_lines;
    char *text = read_tail(folder, from, 4096, &size, &whole_lines);
    if (!text)
        return;
    while (size && isspace((unsigned char)text[size - 1]))
        size--;
    size_t start = size;
    while (start && text[start - 1] != '\n')
        start--;
    text[size] = 0;
    const char *line = text + start;
    static const char *const prefixes[] = {"vittm: ", "vittm worker: ", "error: "};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(line, prefixes[i], strlen(prefixes[i])))
            line += strlen(prefixes[i]);
    add_clean(out, line, strlen(line));
    free(text);
}

off_t folder_log_size(const char *folder)
{
    struct stat st;
    char *path = folder_path(folder, "log.txt");
    off_t size = stat(path, &st) ? 0 : st.st_size;
    free(path);
    return size;
}
