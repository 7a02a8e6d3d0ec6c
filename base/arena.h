/* Arena: many small allocations, freed at once. Graphs, names, plans and parsed files live in one.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

/* Zero-initialise, use, release. Pointers stay valid until arena_release. */
struct arena {
    struct arena_block *head;
};

/* Zeroed memory, aligned to 16 bytes. Never NULL. */
void *arena_alloc(struct arena *a, size_t bytes);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* x, y and z one after the other: names are made by the thousand, and printf is slow. */
char *arena_join(struct arena *a, const char *x, const char *y, const char *z);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_release(struct arena *a);

#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (size_t)(count)))

#endif
