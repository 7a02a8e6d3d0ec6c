#include "data/idx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#include "base/error.h"
#include "base/memory.h"

#define MAX_BYTES       ((uint64_t)4 << 30)
#define DEFLATE_AT_BEST 1032 /* bytes out of one byte in */

/* gzread gives plain files as they are. Returns the bytes read, or -1. */
static int64_t read_fully(gzFile f, unsigned char *to, uint64_t n, const char *path,
                          struct error *err)
{
    uint64_t got = 0;
    while (got < n) {
        unsigned chunk = n - got < 1u << 30 ? (unsigned)(n - got) : 1u << 30;
        int k = gzread(f, to + got, chunk);
        int code;
        if (k < 0)
            return error_env(err, "%s: %s", path, gzerror(f, &code));
        if (k == 0)
            break;
        got += (uint64_t)k;
    }
    return (int64_t)got;
}

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The product of the dimensions, or -1 where the file cannot hold that much. */
static int64_t data_size(const struct idx *x, const char *path, struct error *err)
{
    struct stat st;
    uint64_t bytes = 1;
    if (stat(path, &st))
        return error_env(err, "%s: %s", path, strerror(errno));
    uint64_t most = (uint64_t)st.st_size * DEFLATE_AT_BEST;
    for (int i = 0; i < x->rank; i++) {
        if (x->shape[i] == 0)
            return error_env(err, "%s: dimension %d is 0", path, i);
        bytes = bytes > MAX_BYTES
                    ? bytes
                    : bytes * x->shape[i]; /* 32 bits times at most 2^32: no overflow */
    }
    if (bytes > MAX_BYTES || bytes > most)
        return error_env(err, "%s: its header promises more than the file of %lld bytes can hold",
                         path, (long long)st.st_size);
    return (int64_t)bytes;
}

static int read_header(struct idx *x, gzFile f, const char *path, int rank, struct error *err)
{
    unsigned char magic[4], sizes[12];
    int64_t n = read_fully(f, magic, 4, path, err);
    if (n < 0)
        return -1;
    if (n < 4)
        return error_env(err, "%s: too short for an IDX file", path);
    uint32_t found = big_endian(magic);
    int want = rank ? rank : magic[3] == 1 ? 1 : 3;
    if (found != 0x800u + (unsigned)want)
        return error_env(err, "%s: magic 0x%08x, expected 0x%08x (unsigned bytes, %d dimension%s)",
                         path, found, 0x800u + (unsigned)want, want, want > 1 ? "s" : "");
    x->rank = want;
    n = read_fully(f, sizes, 4 * (uint64_t)want, path, err);
    if (n < 4 * want)
        return n < 0 ? -1 : error_env(err, "%s: ends in its header", path);
    for (int i = 0; i < want; i++)
        x->shape[i] = big_endian(sizes + 4 * i);
    return 0;
}

static int read_data(struct idx *x, gzFile f, const char *path, struct error *err)
{
    unsigned char more;
    int64_t want = data_size(x, path, err);
    if (want < 0)
        return -1;
    x->data = mem_alloc((size_t)want);
    x->size = (size_t)want;
    int64_t got = read_fully(f, x->data, (uint64_t)want, path, err);
    if (got < 0)
        return -1;
    if (got < want)
        return error_env(err, "%s: %lld bytes of data, its header promises %lld", path,
                         (long long)got, (long long)want);
    got = read_fully(f, &more, 1, path, err);
    return got < 0   ? -1
           : got > 0 ? error_env(err, "%s: more data than its header promises", path)
                     : 0;
}

int idx_read(struct idx *x, const char *path, int rank, struct error *err)
{
    *x = (struct idx){0};
    gzFile f = gzopen(path, "rbe");
    if (!f)
        return error_env(err, "%s: %s", path, strerror(errno ? errno : ENOMEM));
    int rc = read_header(x, f, path, rank, err) || read_data(x, f, path, err) ? -1 : 0;
    gzclose(f);
    if (rc)
        idx_release(x);
    return rc;
}

int idx_read_any(struct idx *x, const char *path, struct error *err)
{
    return idx_read(x, path, 0, err);
}

void idx_release(struct idx *x)
{
    free(x->data);
    *x = (struct idx){0};
}
