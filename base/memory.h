/* Heap allocation that never returns NULL: running out of memory ends the process with one line and
 * EXIT_ENVIRONMENT (a cell is a process, so only that cell is lost). Sizes are checked for
 * overflow. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

void *mem_alloc(size_t bytes);               /* uninitialised */
void *mem_zalloc(size_t count, size_t size); /* zeroed */
void *mem_realloc(void *p, size_t count, size_t size);
char *mem_strdup(const char *s);

/* Room for one more element of *array, which holds n of capacity *cap; grows by doubling. */
void *mem_grow(void *array, size_t n, size_t *cap, size_t size);

/* From now on freed memory stays with the process, up to so many bytes a thread: for what builds
 * and frees the like again and again, giving it back costs more than the work. */
void mem_keep_freed(size_t bytes);

#endif
