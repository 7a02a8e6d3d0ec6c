/* Safetensors files: named tensors behind a JSON header. The one format for weights and
 * checkpoints, because reading it runs nothing.
 *
 * A file is an 8-byte little-endian header length, a JSON object (name -> dtype, shape,
 * data_offsets; and __metadata__, text pairs), and the data. The reader takes no file on trust: the
 * header has at most 16 MiB and 100,000 tensors, no duplicate keys, sizes by checked arithmetic,
 * and the tensors must cover the data without holes or overlaps, empty ones included. A refusal is
 * one line that names the file and the tensor and is EXIT_ENVIRONMENT. */
#ifndef TRAIN_SAFETENSORS_H
#define TRAIN_SAFETENSORS_H

#include "base/arena.h"
#include "base/file.h"

#include <stddef.h>
#include <stdint.h>

struct error;

#define SAFETENSORS_RANK_MAX    8
#define SAFETENSORS_HEADER_MAX  (16 << 20)
#define SAFETENSORS_TENSORS_MAX 100000

enum safetensors_type {
    SAFETENSORS_F64,
    SAFETENSORS_F32,
    SAFETENSORS_F16,
    SAFETENSORS_BF16,
    SAFETENSORS_I64,
    SAFETENSORS_I32,
    SAFETENSORS_U8,
    SAFETENSORS_TYPES
};

const char *safetensors_type_name(enum safetensors_type type); /* "F32" */
size_t safetensors_type_size(enum safetensors_type type);      /* bytes a value */

struct safetensors_tensor {
    const char *name;
    enum safetensors_type type;
    int rank;
    int64_t dim[SAFETENSORS_RANK_MAX];
    int64_t count;             /* values */
    const unsigned char *data; /* into the file; of any alignment */
    size_t bytes;
};

struct safetensors_pair {
    const char *key, *value;
};

/* An open file. Tensors are sorted by name; everything lives until safetensors_close. */
struct safetensors {
    const char *path; /* for messages */
    struct arena arena;
    struct file_map map;
    const unsigned char *bytes; /* the whole file */
    size_t size, header_size;
    struct safetensors_tensor *tensors;
    size_t n_tensors;
    struct safetensors_pair *metadata;
    size_t n_metadata;
};

int safetensors_open(struct safetensors *s, const char *path, struct error *err);
/* The same from memory, which must outlive s; name is for messages. */
int safetensors_parse(struct safetensors *s, const char *name, const void *bytes, size_t size,
                      struct error *err);
void safetensors_close(struct safetensors *s);

/* NULL if there is none. */
const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name);
const char *safetensors_metadata(const struct safetensors *s, const char *key);

/* All values, converted; out has room for t->count. Large integers round to the nearest. */
void safetensors_read_double(const struct safetensors_tensor *t, double *out);
void safetensors_read_float(const struct safetensors_tensor *t, float *out);
/* Integer types only; -1 where a value does not fit or the type is a float. */
int safetensors_read_int32(const struct safetensors_tensor *t, int32_t *out, struct error *err);

/* Whether the file is what its writer wrote: recomputes the digest that safetensors_write leaves in
 * the metadata. Fails where it differs; a file without one (from elsewhere) passes. */
int safetensors_verify(const struct safetensors *s, struct error *err);

/* One tensor to write. data holds the values in the file's type, contiguous. */
struct safetensors_entry {
    const char *name;
    enum safetensors_type type;
    int rank;
    int64_t dim[SAFETENSORS_RANK_MAX];
    const void *data;
};

/* Writes path whole or not at all (base/file.h). The bytes are a function of the arguments alone:
 * tensors are ordered by falling value size, then name, so that each is aligned; the data begins at
 * a multiple of
 * 64. Adds the metadata key "sha256": SHA-256 of the file with that value as 64 zeros. digest, if
 * not NULL, receives it. */
int safetensors_write(const char *path, const struct safetensors_entry *entries, size_t n,
                      const struct safetensors_pair *metadata, size_t n_metadata, char digest[65],
                      struct error *err);

#endif
