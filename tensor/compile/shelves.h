/* What of the arena is taken, and in which steps: answers where something fits. Included by
 * tensor/compile/ only.
 *
 * Knows neither tensors nor plans: bytes and steps alone. Who asks rounds sizes to what offsets
 * must be multiples of, and asks for the largest first, which leaves the fewest holes. */
#ifndef TENSOR_COMPILE_SHELVES_H
#define TENSOR_COMPILE_SHELVES_H

#include <stddef.h>

/* From the first step to the last, both included. first may be -1: before all steps. */
struct lifetime {
    int first, last;
};

struct shelves;

/* Room for taking `most` times. middle: the step in which most of what will be taken lives; any
 * gives the same answers, that one the soonest. Freed by shelves_free. */
struct shelves *shelves_new(int most, int middle);
void shelves_free(struct shelves *sh);

/* The bytes from offset on are taken in these steps. Nothing is checked: they are free where
 * shelves_gap said so. */
void shelves_take(struct shelves *sh, struct lifetime life, size_t offset, size_t size);

/* An offset where size bytes are free all that time: the highest that ends within the first
 * `gradients` bytes of the arena, if there is one, else the lowest of all. */
size_t shelves_gap(const struct shelves *sh, struct lifetime life, size_t size, size_t gradients);

#endif
