/* The shared memory of a worker's blocks: the static arrays of the kernel that runs, and the
 * dynamic one. It lasts for a launch. */
#ifndef BACKEND_SIM_SHARED_H
#define BACKEND_SIM_SHARED_H

#include <stddef.h>

enum { SHARED_ARRAYS_MAX = 64 };

struct shared_array {
    const void *key; /* the declaration */
    void *data;
    size_t bytes;
    char made; /* tag: before anybody uses it */
};

struct shared_memory {
    struct shared_array arrays[SHARED_ARRAYS_MAX];
    int n;
    void *dynamic; /* or NULL */
    size_t dynamic_bytes;
};

/* For a launch; returns its dynamic memory, NULL for no bytes. */
void *shared_begin(struct shared_memory *m, size_t dynamic_bytes);
void shared_end(struct shared_memory *m);

/* Before a block: NaN in every float, so that what was never written shows. */
void shared_unset(struct shared_memory *m);

/* The array of a declaration, for every thread that comes to it. */
void *shared_array(struct shared_memory *m, const void *key, size_t bytes);
/* 1 if [p, p + bytes) lies in one of them. */
int shared_holds(const struct shared_memory *m, const void *p, size_t bytes);

#endif
