/* The only door to cuBLASLt: a product is described to the library, which proposes algorithms for
 * it, and executed by one of them. products.h says what a plan is; its epilogue must be plain. */
#ifndef BACKEND_CUDA_CUBLASLT_H
#define BACKEND_CUDA_CUBLASLT_H

#include "backend/cuda/products.h"

#include <stddef.h>

/* The library, opened, and its workspace. One stream at a time may use it. */
struct lt_library;

/* A product as it was described. */
struct lt_product;

struct lt_algorithm {
    uint64_t data[8];
};

enum { LT_CANDIDATES = 8, LT_TEXT = 160 };

/* -1 and a message without the library or the memory for it. */
int lt_open(struct lt_library **library, struct error *err);
void lt_close(struct lt_library *library);
size_t lt_version(void);

/* NULL where the library knows no such product. */
struct lt_product *lt_product_new(const struct vt_product *p);
void lt_product_free(struct lt_product *x);

/* The library's proposals that can be used, best first by its own reckoning; how many. */
int lt_candidates(const struct lt_library *library, const struct lt_product *x,
                  struct lt_algorithm found[LT_CANDIDATES]);

/* 0 or a code of the library. */
int lt_execute(const struct lt_library *library, const struct lt_product *x,
               const struct lt_algorithm *algorithm, const struct vt_operands *o,
               cudaStream_t stream);

/* An algorithm as one line of text and back; -1 where it is none. */
void lt_print(char text[LT_TEXT], const struct lt_algorithm *algorithm);
int lt_parse(const char *text, struct lt_algorithm *algorithm);

#endif
