/* What `vittm data get` has of its own in a data root while it brings a set: .NAME.lock, held by
 * one process at a time, and the folder .NAME.import, from which an attempt that was interrupted
 * goes on. Neither is left behind by an attempt that ends well. */
#ifndef DATA_WORK_PLACE_H
#define DATA_WORK_PLACE_H

struct dataset_kind;
struct error;

struct work_lock {
    int fd; /* -1: not held */
    char *path;
};

/* ROOT/.NAME.import. The caller frees it. */
char *work_place_new(const struct dataset_kind *k, const char *root);

/* Takes the lock or says who has it. work_lock_release removes its file; of a lock that was never
 * taken it does nothing. */
int work_lock_take(struct work_lock *l, const struct dataset_kind *k, const char *root,
                   struct error *err);
void work_lock_release(struct work_lock *l);

/* Whether a file below a folder is a lock or lies in a folder of this kind; below is its path from
 * there. */
int work_place_has(const char *below);

#endif
