/* Hashes for tables in memory, eight bytes at a time. They may change with any version: nothing
 * that is stored or drawn depends on them (that is base/rng.h and SHA-256). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>
#include <string.h>

/* h and one part more. */
static inline uint64_t hash_next(uint64_t h, uint64_t part)
{
    h = (h ^ part) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

/* Of n bytes. */
static inline uint64_t hash_bytes(const char *text, size_t n)
{
    uint64_t h = n, part;
    for (; n >= sizeof part; n -= sizeof part, text += sizeof part) {
        memcpy(&part, text, sizeof part);
        h = hash_next(h, part);
    }
    part = 0;
    memcpy(&part, text, n);
    return hash_next(h, part);
}

static inline uint64_t hash_text(const char *text)
{
    return hash_bytes(text, strlen(text));
}

#endif
