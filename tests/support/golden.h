/* Reference tensors for tests: safetensors files with the case's parameters as JSON text in
 * __metadata__.case. A small reader with jansson, apart from the product's own, which it helps to
 * test. */
#ifndef TESTS_SUPPORT_GOLDEN_H
#define TESTS_SUPPORT_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/file.h"

struct golden {
    struct file_map file;
    json_t *header;
    json_t *parameters; /* __metadata__.case, or NULL */
    size_t data;        /* offset of the tensors in the file */
    char path[4096];
};

/* A tensor; data is NULL where the file has none of that name. */
struct golden_tensor {
    const char *dtype; /* "F32" */
    int rank;
    int64_t shape[8];
    int64_t count; /* elements */
    size_t bytes;
    const void *data;
};

/* Where the reference material is: $VITTM_SHARED, or ../shared where that exists, followed by part;
 * else part below tests (tests/golden/data). NULL where nothing is there. Returns text. */
char *golden_path(const char *part, char *text, size_t size);

/* Fails the test with the reason where the file is malformed. */
void golden_open(struct golden *g, const char *path);
void golden_close(struct golden *g);

struct golden_tensor golden_find(const struct golden *g, const char *name);
/* The same; the test fails where it is absent, of another type, or misaligned. */
struct golden_tensor golden_get(const struct golden *g, const char *name, const char *dtype);

/* "kind" of the case, or "". */
const char *golden_kind(const struct golden *g);

/* Calls run for every *.safetensors file in folder whose name begins with prefix, in order of name.
 * Returns how many there were. */
int golden_each(const char *folder, const char *prefix, void (*run)(const struct golden *g));

#endif
