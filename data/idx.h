/* IDX files (MNIST): two zero bytes, a type byte, the number of dimensions, a big-endian 32-bit
 * size for each, then the data; plain or gzip-compressed. */
#ifndef DATA_IDX_H
#define DATA_IDX_H

#include <stddef.h>
#include <stdint.h>

struct error;

/* Unsigned bytes with 1 to 3 dimensions. Zero-initialise, read, release. */
struct idx {
    int rank;
    uint32_t shape[3];
    unsigned char *data;
    size_t size;
};

/* Reads a file of exactly `rank` dimensions of unsigned bytes. Nothing is allocated that the file
 * cannot fill; data that are missing or left over are errors. path may lead to a .gz file, which is
 * known by its content. */
int idx_read(struct idx *x, const char *path, int rank, struct error *err);
/* The same of either rank that MNIST has: 3 (images) or 1 (labels), by the header. */
int idx_read_any(struct idx *x, const char *path, struct error *err);
void idx_release(struct idx *x);

#endif
