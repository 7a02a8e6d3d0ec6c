/* The reader. jansson parses the header; everything it says is checked before anything is used. */
#include "train/safetensors.h"

#include "base/error.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Names come from strangers and end up in one-line messages: at most 80 printable bytes. */
static const char *printable(const char *name, char text[84])
{
    size_t n = 0;
    for (; name[n] && n < 80; n++)
        text[n] = isprint((unsigned char)name[n]) ? name[n] : '?';
    snprintf(text + n, 84 - n, "%s", name[n] ? "..." : "");
    return text;
}

static int refuse(const struct safetensors *s, const char *tensor, struct error *err,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int refuse(const struct safetensors *s, const char *tensor, struct error *err,
                  const char *fmt, ...)
{
    char why[400], name[84];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (tensor)
        return error_env(err, "%s: tensor %s: %s", s->path, printable(tensor, name), why);
    return error_env(err, "%s: %s", s->path, why);
}

static int read_type(const struct safetensors *s, struct safetensors_tensor *t, const json_t *entry,
                     struct error *err)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    char text[84];
    if (!name)
        return refuse(s, t->name, err, "has no dtype");
    for (int i = 0; i < SAFETENSORS_TYPES; i++) {
        if (!strcmp(name, safetensors_type_name((enum safetensors_type)i))) {
            t->type = (enum safetensors_type)i;
            return 0;
        }
    }
    return refuse(s, t->name, err,
                  "unknown dtype %s (F64, F32, F16, BF16, I64, I32 and U8 are read)",
                  printable(name, text));
}

static int read_shape(const struct safetensors *s, struct safetensors_tensor *t,
                      const json_t *entry, struct error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return refuse(s, t->name, err, "has no shape");
    if (json_array_size(shape) > SAFETENSORS_RANK_MAX)
        return refuse(s, t->name, err, "has %zu dimensions, more than %d", json_array_size(shape),
                      SAFETENSORS_RANK_MAX);
    t->rank = (int)json_array_size(shape);
    uint64_t bytes = safetensors_type_size(t->type), count = 1;
    for (int i = 0; i < t->rank; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        if (!json_is_integer(dim))
            return refuse(s, t->name, err, "dimension %d is not an integer", i);
        t->dim[i] = json_integer_value(dim);
        if (t->dim[i] < 0)
            return refuse(s, t->name, err, "negative dimension %lld", (long long)t->dim[i]);
        if (__builtin_mul_overflow(bytes, (uint64_t)t->dim[i], &bytes) || bytes > INT64_MAX)
            return refuse(s, t->name, err, "its shape overflows 64 bits");
        count *= (uint64_t)t->dim[i];
    }
    t->count = (int64_t)count;
    t->bytes = (size_t)bytes;
    return 0;
}

static int read_span(const struct safetensors *s, struct safetensors_tensor *t, const json_t *entry,
                     struct error *err)
{
    const json_t *span = json_object_get(entry, "data_offsets");
    const json_t *from = json_array_get(span, 0), *to = json_array_get(span, 1);
    if (json_array_size(span) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return refuse(s, t->name, err, "data_offsets is not a pair of integers");
    int64_t begin = json_integer_value(from), end = json_integer_value(to);
    size_t available = s->size - 8 - s->header_size;
    if (begin < 0 || end < begin || (uint64_t)end > available)
        return refuse(s, t->name, err,
                      "data_offsets [%lld, %lld] are not within the %zu bytes of data",
                      (long long)begin, (long long)end, available);
    if ((uint64_t)(end - begin) != t->bytes)
        return refuse(s, t->name, err, "its shape needs %zu bytes, data_offsets span %lld",
                      t->bytes, (long long)(end - begin));
    t->data = s->bytes + 8 + s->header_size + begin;
    return 0;
}

static int read_metadata(struct safetensors *s, json_t *pairs, struct error *err)
{
    const char *key;
    json_t *text;
    if (!json_is_object(pairs))
        return refuse(s, NULL, err, "__metadata__ is not an object");
    s->metadata = ARENA_ARRAY(&s->arena, struct safetensors_pair, json_object_size(pairs) + 1);
    json_object_foreach(pairs, key, text)
    {
        char name[84];
        if (!json_is_string(text))
            return refuse(s, NULL, err, "__metadata__ %s is not text", printable(key, name));
        s->metadata[s->n_metadata++] = (struct safetensors_pair){
            arena_strdup(&s->arena, key), arena_strdup(&s->arena, json_string_value(text))};
    }
    return 0;
}

static int read_entry(struct safetensors *s, const char *name, const json_t *entry,
                      struct error *err)
{
    struct safetensors_tensor *t = &s->tensors[s->n_tensors];
    t->name = arena_strdup(&s->arena, name);
    if (!json_is_object(entry))
        return refuse(s, name, err, "is not an object");
    if (json_object_size(entry) != 3)
        return refuse(s, name, err, "needs dtype, shape and data_offsets and nothing else");
    if (read_type(s, t, entry, err) || read_shape(s, t, entry, err) || read_span(s, t, entry, err))
        return -1;
    s->n_tensors++;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int by_name(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* In the order of the data each tensor begins where the one before ended, and the last ends the
 * file. */
static int check_cover(struct safetensors *s, struct error *err)
{
    const unsigned char *at = s->bytes + 8 + s->header_size;
    qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_place);
    for (size_t i = 0; i < s->n_tensors; i++) {
        const struct safetensors_tensor *t = &s->tensors[i];
        char name[84];
        if (t->data < at)
            return refuse(s, t->name, err, "overlaps tensor %s", printable(t[-1].name, name));
        if (t->data > at)
            return refuse(s, t->name, err, "%zu bytes before it belong to no tensor",
                          (size_t)(t->data - at));
        at += t->bytes;
    }
    if (at != s->bytes + s->size)
        return refuse(s, NULL, err, "%zu bytes at the end belong to no tensor",
                      (size_t)(s->bytes + s->size - at));
    return 0;
}

static int read_header(struct safetensors *s, json_t *header, struct error *err)
{
    const char *name;
    json_t *entry;
    size_t n = json_object_size(header) - (json_object_get(header, "__metadata__") != NULL);
    if (n > SAFETENSORS_TENSORS_MAX)
        return refuse(s, NULL, err, "%zu tensors, more than %d", n, SAFETENSORS_TENSORS_MAX);
    s->tensors = ARENA_ARRAY(&s->arena, struct safetensors_tensor, n + 1);
    json_object_foreach(header, name, entry)
    {
        if (!strcmp(name, "__metadata__") ? read_metadata(s, entry, err)
                                          : read_entry(s, name, entry, err))
            return -1;
    }
    if (check_cover(s, err))
        return -1;
    if (s->n_tensors)
        qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_name);
    return 0;
}

/* Neither first bytes are those of a header length that we would take. */
static int is_archive(const unsigned char *bytes, uint64_t length)
{
    return length > SAFETENSORS_HEADER_MAX &&
           ((bytes[0] == 0x80 && bytes[1] <= 5) || !memcmp(bytes, "PK\3\4", 4));
}

static int parse(struct safetensors *s, struct error *err)
{
    uint64_t length = 0;
    if (s->size < 8)
        return refuse(s, NULL, err,
                      "not a safetensors file: %zu bytes, less than its 8-byte header length",
                      s->size);
    memcpy(&length, s->bytes, sizeof length);
    if (is_archive(s->bytes, length))
        return refuse(s, NULL, err,
                      "a pickle or zip archive (.pt, .pth), which can run code and is not "
                      "read; convert it to safetensors");
    if (length > s->size - 8)
        return refuse(s, NULL, err,
                      "cut short, or not a safetensors file: header length %llu exceeds the file's "
                      "%zu bytes",
                      (unsigned long long)length, s->size);
    if (length > SAFETENSORS_HEADER_MAX)
        return refuse(s, NULL, err, "header length %llu exceeds 16 MiB",
                      (unsigned long long)length);
    s->header_size = (size_t)length;
    const char *text = (const char *)s->bytes + 8;
    if (length == 0 || *text != '{')
        return refuse(s, NULL, err, "not a safetensors file: its header does not begin with {");
    json_error_t where;
    json_t *header = json_loadb(text, s->header_size, JSON_REJECT_DUPLICATES, &where);
    if (!header) {
        char why[84];
        return refuse(s, NULL, err, "header is not valid JSON at byte %d: %s", where.position + 8,
                      printable(where.text, why));
    }
    int rc = read_header(s, header, err);
    json_decref(header);
    return rc;
}

int safetensors_parse(struct safetensors *s, const char *name, const void *bytes, size_t size,
                      struct error *err)
{
    *s = (struct safetensors){.bytes = bytes, .size = size};
    s->path = arena_strdup(&s->arena, name);
    if (parse(s, err)) {
        safetensors_close(s);
        return -1;
    }
    return 0;
}

int safetensors_open(struct safetensors *s, const char *path, struct error *err)
{
    struct file_map map;
    *s = (struct safetensors){0};
    if (file_map(&map, path, err))
        return -1;
    if (safetensors_parse(s, path, map.data, map.size, err)) {
        file_unmap(&map);
        return -1;
    }
    s->map = map;
    return 0;
}

void safetensors_close(struct safetensors *s)
{
    arena_release(&s->arena);
    file_unmap(&s->map);
    *s = (struct safetensors){0};
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct safetensors_tensor key = {.name = name};
    if (!s->n_tensors)
        return NULL;
    return bsearch(&key, s->tensors, s->n_tensors, sizeof *s->tensors, by_name);
}

const char *safetensors_metadata(const struct safetensors *s, const char *key)
{
    for (size_t i = 0; i < s->n_metadata; i++)
        if (!strcmp(s->metadata[i].key, key))
            return s->metadata[i].value;
    return NULL;
}
