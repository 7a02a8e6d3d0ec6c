/* Files. The order of system calls in file_writer is the durability argument: write, fsync, rename,
 * fsync of the folder. */
#include "base/file.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *path, size_t max, char **data, size_t *size, struct error *err)
{
    int rc = -1;
    char *buffer = NULL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_env(err, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) || S_ISDIR(st.st_mode)) {
        error_env(err, "%s: %s", path, S_ISDIR(st.st_mode) ? "is a folder" : strerror(errno));
        goto done;
    }
    size_t n = 0, cap = (size_t)st.st_size + 1;
    if (cap > max + 1)
        cap = max + 1;
    buffer = mem_alloc(cap + 1);
    for (;;) {
        if (n > max) {
            error_env(err, "%s: larger than %zu bytes", path, max);
            goto done;
        }
        if (n == cap) {
            cap = 2 * cap < max + 1 ? 2 * cap : max + 1;
            buffer = mem_realloc(buffer, cap + 1, 1);
        }
        ssize_t got = read(fd, buffer + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_env(err, "%s: %s", path, strerror(errno));
            goto done;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    buffer[n] = 0;
    *data = buffer;
    *size = n;
    buffer = NULL;
    rc = 0;
done:
    free(buffer);
    close(fd);
    return rc;
}

int file_map(struct file_map *m, const char *path, struct error *err)
{
    *m = (struct file_map){0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        error_env(err, "%s: %s", path,
                  fd >= 0 && !S_ISREG(st.st_mode) ? "not a regular file" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            error_env(err, "%s: cannot map: %s", path, strerror(errno));
            close(fd);
            return -1;
        }
        m->data = p;
        m->size = (size_t)st.st_size;
    }
    close(fd);
    return 0;
}

void file_unmap(struct file_map *m)
{
    if (m->data)
        munmap((void *)m->data, m->size);
    *m = (struct file_map){0};
}

int file_write_fd(int fd, const void *data, size_t size, const char *name, struct error *err)
{
    const char *p = data;
    while (size) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_env(err, "%s: cannot write %zu bytes: %s", name, size, strerror(errno));
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int file_writer_open(struct file_writer *w, const char *path, struct error *err)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s.tmp.%ld", path, (long)getpid());
    *w = (struct file_writer){.path = mem_strdup(path), .temporary = strbuf_detach(&s)};
    unlink(w->temporary); /* left by a killed process that had our number */
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (w->fd < 0) {
        error_env(err, "%s: cannot create: %s", path, strerror(errno));
        file_writer_abandon(w);
        return -1;
    }
    return 0;
}

int file_writer_write(struct file_writer *w, const void *data, size_t size, struct error *err)
{
    if (file_write_fd(w->fd, data, size, w->path, err))
        return -1;
    w->bytes += size;
    return 0;
}

static int sync_folder(const char *path)
{
    char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    close(fd);
    return rc;
}

int file_writer_commit(struct file_writer *w, struct error *err)
{
    int rc = fsync(w->fd);
    int saved = errno;
    if (close(w->fd) && !rc) {
        rc = -1;
        saved = errno;
    }
    w->fd = -1;
    if (!rc && rename(w->temporary, w->path)) {
        rc = -1;
        saved = errno;
    }
    if (rc) {
        error_env(err, "%s: cannot write: %s", w->path, strerror(saved));
        file_writer_abandon(w);
        return -1;
    }
    if (sync_folder(w->path))
        warn("%s: cannot sync its folder: %s", w->path, strerror(errno));
    free(w->path);
    free(w->temporary);
    return 0;
}

void file_writer_abandon(struct file_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary)
        unlink(w->temporary);
    free(w->path);
    free(w->temporary);
    *w = (struct file_writer){.fd = -1};
}

int file_write(const char *path, const void *data, size_t size, struct error *err)
{
    struct file_writer w;
    if (file_writer_open(&w, path, err))
        return -1;
    if (file_writer_write(&w, data, size, err)) {
        file_writer_abandon(&w);
        return -1;
    }
    return file_writer_commit(&w, err);
}

int file_make_folder(const char *path, struct error *err)
{
    char *copy = mem_strdup(path);
    int rc = 0;
    for (char *p = copy + 1; rc == 0; p++) {
        if (*p != '/' && *p != 0)
            continue;
        char c = *p;
        *p = 0;
        if (mkdir(copy, 0777) && errno != EEXIST)
            rc = error_env(err, "%s: cannot make the folder: %s", copy, strerror(errno));
        else if (!file_is_folder(copy))
            rc = error_env(err, "%s: is not a folder", copy);
        *p = c;
        if (!c)
            break;
    }
    free(copy);
    return rc;
}

int file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int file_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *file_cache_folder(char *text, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache)
        snprintf(text, size, "%s/vittm", cache);
    else if (home && *home)
        snprintf(text, size, "%s/.cache/vittm", home);
    else
        return NULL;
    return text;
}

void file_sha256_bytes(const void *data, size_t size, char hex[65])
{
    unsigned char digest[32];
    if (!EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL))
        BUG("SHA-256 is not available in libcrypto");
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[64] = 0;
}

int file_sha256(const char *path, char hex[65], struct error *err)
{
    struct file_map m;
    if (file_map(&m, path, err))
        return -1;
    file_sha256_bytes(m.data, m.size, hex);
    file_unmap(&m);
    return 0;
}
