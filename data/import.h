/* Bringing data sets in, finding them, and checking files: what `vittm data list|get|check` stands
 * on. Programs (curl or wget, tar) are started with argument vectors, never through a shell. */
#ifndef DATA_IMPORT_H
#define DATA_IMPORT_H

#include <stdint.h>

struct error;
struct dataset_kind;

/* A file at a data set's home. */
struct import_file {
    const char *url, *name; /* a NULL name ends a list */
    uint64_t bytes;
    const char *sha256;
};

/* How `get` brings a kind; struct dataset_kind has one. */
struct import_recipe {
    /* one archive (.tar.*), or the files themselves; NULL: only from a local copy */
    const struct import_file *files;
    const char *terms; /* one line for people: home page and what the data may be used for */
    /* Writes the set straight from an archive, where that saves making many small files. 1: this
     * archive is not of a kind that it knows, so unpack it. May be NULL. */
    int (*convert_archive)(const struct dataset_kind *k, const char *archive, const char *folder,
                           struct error *err);
    /* Reads the unpacked files, wherever below `from` they are, and writes the set into folder,
     * which exists and is empty. */
    int (*convert)(const struct dataset_kind *k, const char *from, const char *folder,
                   struct error *err);
    /* Whether folder holds the whole set: -1 and what is wrong, where not. */
    int (*verify)(const struct dataset_kind *k, const char *folder, struct error *err);
};

enum import_state {
    IMPORT_BUILT_IN,
    IMPORT_FOUND,
    IMPORT_MISSING,
    IMPORT_USER /* no place of its own: data.root names it */
};

struct import_entry {
    const struct dataset_kind *kind; /* name, doc, counts, import->files->bytes, import->terms */
    enum import_state state;
    char path[4096]; /* IMPORT_FOUND: its folder; else empty */
};

/* Row i of `vittm data list`. Returns 0 past the last. */
int import_list(int i, struct import_entry *e);

/* "built in", "found", "missing", "yours". */
const char *import_state_name(enum import_state s);

struct import_request {
    const char *name; /* of the data set */
    const char *from; /* a local archive or folder; NULL: an archive of it that lies in a data root,
                         else a download from its home, continued where an earlier one stopped */
    const char *folder; /* the data root to write to; NULL: the first of $VITTM_DATA and
                           ~/.cache/vittm that can be written */
    void (*say)(void *ctx, const char *line); /* progress, one line a stage; may be NULL */
    void *ctx;
};

/* Brings the set into ROOT/<its folder>. A set that is already there and whole is left alone;
 * another is only replaced by a complete new one. Of an earlier attempt only downloads are kept:
 * unpacking and converting (13 seconds for the 60,000 JPEGs of CIFAR-10, the most there is) start
 * over, for a file that a kill cut short looks like any other until the whole set is checked. where
 * (size bytes, may be NULL) receives the folder; it is empty for built-in sets. On failure: what to
 * do. */
int import_get(const struct import_request *q, char *where, int size, struct error *err);

/* A kind of file that the layers above know (safetensors), recognised by the end of its name; it
 * comes before the kinds known here. */
struct import_checker {
    const char *suffix; /* ".safetensors"; NULL ends a table */
    int (*check)(const char *path, struct error *err);
};

struct import_counts {
    int64_t files, good, bad, other; /* other: not a kind of file that is known */
};

/* Reads every file under path (a file, or a folder; links to folders are not followed) to its end:
 * images by decoding them, *.bin as CIFAR, *-ubyte and *-ubyte.gz as IDX, YAML by loading, others
 * through extra (may be NULL). PNG files with annotation, label or mask in their name or that of
 * their folder are ADE20K's labels, as large as the image of that name in `images` beside
 * `annotations`. What import_get keeps for itself (data/work_place.h) is passed over. bad is called
 * for each bad file, in order of name, with one line that says why. Fails only where path itself
 * cannot be read. */
int import_check(const char *path, const struct import_checker *extra,
                 void (*bad)(void *ctx, const char *file, const char *reason), void *ctx,
                 struct import_counts *counts, struct error *err);

#endif
