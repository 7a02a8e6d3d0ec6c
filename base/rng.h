/* Counter-based random numbers: Philox-4x32-10 (Salmon et al., SC 2011). Every stream is a pure
 * function of what it is for, so order of execution, thread count and resumption change no bit:
 *
 *   a parameter's initial value   rng_init(&r, seed, "init/blocks.0.attn.qkv.weight", 0, 0)
 *   an augmentation               rng_init(&r, seed, "data.augment", epoch, sample)
 *   stochastic depth              rng_init(&r, seed, "blocks.3.drop_path1", step, sample) */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int used;      /* words of block already handed out */
    int has_spare; /* Box-Muller's second normal */
    double spare;
};

/* 64-bit FNV-1a of a string: the name part of a stream's key. */
uint64_t rng_hash(const char *purpose);

void rng_init(struct rng *r, uint64_t seed, const char *purpose, uint64_t a, uint64_t b);
/* The same with the hash computed before (per sample and step: no string in the hot path). */
void rng_init_hashed(struct rng *r, uint64_t seed, uint64_t purpose, uint64_t a, uint64_t b);

uint32_t rng_u32(struct rng *r);
double rng_uniform(struct rng *r);                     /* [0, 1), 32 bits of randomness */
double rng_range(struct rng *r, double lo, double hi); /* [lo, hi) */
int64_t rng_below(struct rng *r, int64_t n);           /* 0 .. n-1, unbiased; n >= 1 */
double rng_normal(struct rng *r);                      /* mean 0, variance 1 */

/* A permutation of 0..n-1 (Fisher-Yates). */
void rng_permutation(struct rng *r, int32_t *out, int64_t n);

/* The raw function, for tests against the published vectors: out = philox(counter, key). */
void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

#endif
