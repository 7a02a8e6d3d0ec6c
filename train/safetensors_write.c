/* The writer, and the digest that lets a reader tell a whole file from a damaged one. */
#include "train/safetensors.h"

#include "base/error.h"
#include "base/memory.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_KEY   "sha256"
#define DIGEST_ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define DATA_ALIGN   64

static EVP_MD_CTX *digest_begin(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        BUG("libcrypto has no SHA-256");
    return ctx;
}

static void digest_end(EVP_MD_CTX *ctx, char hex[65])
{
    unsigned char raw[32];
    unsigned int n = 0;
    EVP_DigestFinal_ex(ctx, raw, &n);
    EVP_MD_CTX_free(ctx);
    for (unsigned int i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
}

/* ---- the digest of a file that was read ------------------------------------------------------ */

int safetensors_verify(const struct safetensors *s, struct error *err)
{
    const char *stored = safetensors_metadata(s, DIGEST_KEY);
    if (!stored || strlen(stored) != 64)
        return 0;
    const unsigned char *header = s->bytes, *data = s->bytes + 8 + s->header_size;
    const unsigned char *at = memmem(header, 8 + s->header_size, stored, 64);
    if (!at)
        return error_env(err, "%s: its digest is not written as plain text", s->path);
    char hex[65];
    EVP_MD_CTX *ctx = digest_begin();
    EVP_DigestUpdate(ctx, header, (size_t)(at - header));
    EVP_DigestUpdate(ctx, DIGEST_ZEROS, 64);
    EVP_DigestUpdate(ctx, at + 64, (size_t)(data - at - 64));
    EVP_DigestUpdate(ctx, data, s->size - 8 - s->header_size);
    digest_end(ctx, hex);
    if (strcmp(hex, stored))
        return error_env(err, "%s: damaged: its content does not match its SHA-256", s->path);
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static size_t entry_bytes(const struct safetensors_entry *e)
{
    size_t bytes = safetensors_type_size(e->type);
    for (int i = 0; i < e->rank; i++)
        bytes *= (size_t)e->dim[i];
    return bytes;
}

static int by_size_and_name(const void *a, const void *b)
{
    const struct safetensors_entry *x = *(const struct safetensors_entry *const *)a;
    const struct safetensors_entry *y = *(const struct safetensors_entry *const *)b;
    size_t sx = safetensors_type_size(x->type), sy = safetensors_type_size(y->type);
    return sx != sy ? (sx > sy ? -1 : 1) : strcmp(x->name, y->name);
}

static int pair_by_key(const void *a, const void *b)
{
    const struct safetensors_pair *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static json_t *metadata_json(const struct safetensors_pair *metadata, size_t n)
{
    json_t *object = json_object();
    struct safetensors_pair *sorted = mem_zalloc(n + 1, sizeof *sorted);
    if (n)
        memcpy(sorted, metadata, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, pair_by_key);
    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, sorted[i].key, json_string(sorted[i].value));
    json_object_set_new(object, DIGEST_KEY, json_string(DIGEST_ZEROS));
    free(sorted);
    return object;
}

static json_t *entry_json(const struct safetensors_entry *e, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < e->rank; i++)
        json_array_append_new(shape, json_integer(e->dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", safetensors_type_name(e->type), "shape",
                     shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + entry_bytes(e)));
}

/* The 8-byte length and the JSON, padded with spaces; the caller frees. */
static char *make_header(const struct safetensors_entry *const *order, size_t n,
                         const struct safetensors_pair *metadata, size_t n_metadata, size_t *size)
{
    json_t *root = json_object();
    size_t at = 0;
    json_object_set_new(root, "__metadata__", metadata_json(metadata, n_metadata));
    for (size_t i = 0; i < n; i++) {
        if (json_object_set_new(root, order[i]->name, entry_json(order[i], at)))
            BUG("safetensors: tensor name is not UTF-8: %s", order[i]->name);
        at += entry_bytes(order[i]);
    }
    if (json_object_size(root) != n + 1)
        BUG("safetensors: two tensors of one name");
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    size_t length = strlen(text), padded = (8 + length + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
    char *header = mem_alloc(padded + 1);
    uint64_t stored = padded - 8;
    memcpy(header, &stored, 8);
    memcpy(header + 8, text, length);
    memset(header + 8 + length, ' ', padded - 8 - length);
    header[padded] = 0;
    free(text);
    *size = padded;
    return header;
}

/* Puts the digest of the whole in place of its zeros. */
static void sign(char *header, size_t size, const struct safetensors_entry *const *order, size_t n,
                 char hex[65])
{
    char *at = memmem(header, size, DIGEST_ZEROS, 64);
    EVP_MD_CTX *ctx = digest_begin();
    EVP_DigestUpdate(ctx, header, size);
    for (size_t i = 0; i < n; i++)
        EVP_DigestUpdate(ctx, order[i]->data, entry_bytes(order[i]));
    digest_end(ctx, hex);
    memcpy(at, hex, 64);
}

int safetensors_write(const char *path, const struct safetensors_entry *entries, size_t n,
                      const struct safetensors_pair *metadata, size_t n_metadata, char digest[65],
                      struct error *err)
{
    const struct safetensors_entry **order = mem_zalloc(n + 1, sizeof(struct safetensors_entry *));
    for (size_t i = 0; i < n; i++)
        order[i] = &entries[i];
    qsort(order, n, sizeof *order, by_size_and_name);
    size_t size;
    char hex[65];
    char *header = make_header(order, n, metadata, n_metadata, &size);
    sign(header, size, order, n, hex);

    struct file_writer w;
    int rc = file_writer_open(&w, path, err);
    if (!rc) {
        rc = file_writer_write(&w, header, size, err);
        for (size_t i = 0; !rc && i < n; i++)
            rc = file_writer_write(&w, order[i]->data, entry_bytes(order[i]), err);
        if (rc)
            file_writer_abandon(&w);
        else
            rc = file_writer_commit(&w, err);
    }
    if (!rc && digest)
        memcpy(digest, hex, 65);
    free(header);
    free(order);
    return rc;
}
