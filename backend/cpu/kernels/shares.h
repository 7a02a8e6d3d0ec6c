/* A loop's blocks, shared out among threads. Each thread has a part of its own, neighbouring
 * blocks, the same part in every loop over as many blocks, so that it finds in its cache what it
 * wrote. A thread that is done takes what is left of another's part, from its end: one that the
 * system keeps from working holds up nobody. Which thread computes a block changes no result. */
#ifndef BACKEND_CPU_KERNELS_SHARES_H
#define BACKEND_CPU_KERNELS_SHARES_H

#include <omp.h>
#include <stdatomic.h>
#include <stdint.h>

enum { SHARES_MOST = 64 /* parts; further threads work on those of others */ };

/* Blocks first .. end-1 are left of a part: end in the upper half. A line of the cache each. */
struct share {
    _Alignas(64) _Atomic uint64_t left;
};

struct shares {
    int n;
    struct share of[SHARES_MOST];
};

/* Returns s. blocks < 2^32. */
static inline struct shares *shares_begin(struct shares *s, int64_t blocks, int threads)
{
    s->n = threads < SHARES_MOST ? threads : SHARES_MOST;
    for (int i = 0; i < s->n; i++) {
        uint64_t first = (uint64_t)(blocks * i / s->n), end = (uint64_t)(blocks * (i + 1) / s->n);
        atomic_init(&s->of[i].left, end << 32 | first);
    }
    return s;
}

/* A block of a part, the first or, for another thread's, the last; -1 where none is left. */
static inline int64_t share_take(struct share *s, int last)
{
    uint64_t left = atomic_load_explicit(&s->left, memory_order_relaxed), after, end, first;
    do {
        end = left >> 32;
        first = left & UINT32_MAX;
        if (first >= end)
            return -1;
        after = last ? (end - 1) << 32 | first : end << 32 | (first + 1);
    } while (!atomic_compare_exchange_weak_explicit(&s->left, &left, after, memory_order_relaxed,
                                                    memory_order_relaxed));
    return (int64_t)(last ? end - 1 : first);
}

/* The calling thread's next block; -1 where all are done or being worked on. */
static inline int64_t shares_next(struct shares *s)
{
    int own = omp_get_thread_num() % s->n;
    int64_t block = share_take(&s->of[own], 0);
    for (int i = 1; block < 0 && i < s->n; i++)
        block = share_take(&s->of[(own + i) % s->n], 1);
    return block;
}

#endif
