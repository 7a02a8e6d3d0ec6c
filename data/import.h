/* Bringing data sets in, finding them, and checking files: what `vittm data list|get|check` stands
 * on. Programs (curl or wget, tar) are started with argument vectors, never through a shell. */
#ifndef DATA_IMPORT_H
#define DATA_IMPORT_H

#include <stdint.h>

struct error;
struct dataset_kind;

/* How `get` brings a kind. It is a member of struct dataset_kind. */
struct import_recipe {
    const char *url;     /* the data set's home; NULL: registration needed, see how */
    const char *archive; /* file name of the download */
    uint64_t archive_bytes, disk_bytes; /* 0: unknown */
    const char *how;                    /* one line for people: where it is and under which terms */
    /* Reads an archive or folder and writes the set into folder, which exists. */
    int (*from)(const struct dataset_kind *k, const char *path, const char *folder,
                struct error *err);
};

/* Where a kind was found. */
enum import_state {
    IMPORT_BUILT_IN,
    IMPORT_FOUND,
    IMPORT_MISSING,
    IMPORT_USER /* data.root names it */
};

struct import_entry {
    const struct dataset_kind *kind;
    enum import_state state;
    char path[4096]; /* IMPORT_FOUND: the folder */
};

/* Row i of `vittm data list`. Returns 0 past the last. */
int import_list(int i, struct import_entry *e);

/* Brings the named set into FOLDER/<its folder> and verifies it. from: a local archive or folder,
 * or NULL to download from the set's home (continued where an earlier attempt stopped). folder:
 * NULL means $VITTM_DATA or ~/.cache/vittm. A set that is already there and whole is left alone.
 * Returns 0, or -1 with what to do; an existing set is only replaced by a complete new one.
 * Progress goes to stderr, one line a stage. where (size bytes, may be NULL) receives the set's
 * folder. */
int import_get(const char *name, const char *from, const char *folder, char *where, int size,
               struct error *err);

/* A kind of file that the layers above know (safetensors), recognised by its name's end. */
struct import_checker {
    const char *suffix; /* ".safetensors"; NULL ends a table */
    int (*check)(const char *path, struct error *err);
};

struct import_counts {
    int64_t files, good, bad, other; /* other: not a kind of file that is known here */
    int64_t images, records;         /* decoded images, records of binary files */
};

/* Reads every file under path (a file or a folder, links to folders not followed) to its end:
 * images by decoding, CIFAR and IDX files by parsing, YAML files by loading, others through extra
 * (may be NULL). bad is called for each bad file with one line that says why. Fails only where path
 * itself cannot be read. */
int import_check(const char *path, const struct import_checker *extra,
                 void (*bad)(void *ctx, const char *file, const char *reason), void *ctx,
                 struct import_counts *counts, struct error *err);

#endif
