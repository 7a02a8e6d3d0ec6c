/* Checked allocation. */
#include "base/memory.h"
#include "base/error.h"

#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p, size_t bytes)
{
    if (!p && bytes) {
        fprintf(stderr, "vittm: out of memory (%zu bytes)\n", bytes);
        exit(EXIT_ENVIRONMENT);
    }
    return p;
}

static size_t product(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX / 2; /* no allocator has that much: reported as out of memory */
    return bytes;
}

void *mem_alloc(size_t bytes)
{
    return checked(malloc(bytes ? bytes : 1), bytes);
}

void *mem_zalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1), product(count, size));
}

void *mem_realloc(void *p, size_t count, size_t size)
{
    size_t bytes = product(count, size);
    return checked(realloc(p, bytes ? bytes : 1), bytes);
}

char *mem_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

void *mem_grow(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    *cap = *cap ? 2 * *cap : 16;
    return mem_realloc(array, *cap, size);
}

void mem_keep_freed(size_t bytes)
{
    int limit = bytes < INT_MAX ? (int)bytes : INT_MAX;
    mallopt(M_TRIM_THRESHOLD, limit);
    mallopt(M_MMAP_THRESHOLD, limit < (32 << 20) ? limit : 32 << 20); /* glibc allows no more */
}
