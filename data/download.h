/* Fetching one file of known size and checksum with curl or wget. */
#ifndef DATA_DOWNLOAD_H
#define DATA_DOWNLOAD_H

struct error;
struct import_file;

/* Whether path already holds the whole file, by its size. */
int download_is_whole(const struct import_file *f, const char *path);

/* Brings the file to path, going on where an earlier attempt stopped, and checks it; a file with
 * the wrong checksum is removed. A whole file is only checked. */
int download_file(const struct import_file *f, const char *path, struct error *err);

#endif
