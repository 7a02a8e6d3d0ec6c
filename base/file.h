/* Files: whole reads, atomic writes, folders. Every failure names the path and the reason and is
 * EXIT_ENVIRONMENT. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct error;

/* Reads all of path (at most max bytes; more is an error) into *data, which the caller frees. A
 * zero byte follows the data. */
int file_read(const char *path, size_t max, char **data, size_t *size, struct error *err);

/* Read-only mapping of a file; an empty file maps to size 0. */
struct file_map {
    const unsigned char *data;
    size_t size;
};
int file_map(struct file_map *m, const char *path, struct error *err);
void file_unmap(struct file_map *m);

/* Writes path so that after a crash either the old or the new content is there, whole: temporary in
 * the same folder, fsync, rename, fsync of the folder. On an error the old content stays. */
int file_write(const char *path, const void *data, size_t size, struct error *err);

/* The same in pieces: open, write any number of times, then commit or abandon. */
struct file_writer {
    int fd;
    char *path, *temporary;
    uint64_t bytes;
};
int file_writer_open(struct file_writer *w, const char *path, struct error *err);
int file_writer_write(struct file_writer *w, const void *data, size_t size, struct error *err);
int file_writer_commit(struct file_writer *w, struct error *err);
void file_writer_abandon(struct file_writer *w);

/* Writes all of data to fd (short writes repeated); name is for the message. */
int file_write_fd(int fd, const void *data, size_t size, const char *name, struct error *err);

/* mkdir -p. */
int file_make_folder(const char *path, struct error *err);
int file_exists(const char *path);
int file_is_folder(const char *path);

/* The folder for what can be fetched or made again: $XDG_CACHE_HOME/vittm, else ~/.cache/vittm; it
 * need not be there. Returns text, or NULL where neither variable is set. */
char *file_cache_folder(char *text, size_t size);

/* SHA-256 through libcrypto, as 64 hex digits and a zero byte. */
void file_sha256_bytes(const void *data, size_t size, char hex[65]);
int file_sha256(const char *path, char hex[65], struct error *err);

#endif
