/* Trials: of two ways to compute a node the faster one on this device is taken ever after. */
#ifndef BACKEND_CUDA_TRIAL_H
#define BACKEND_CUDA_TRIAL_H

#include "backend/cuda/cuda.h"

/* run computes the node of a call whose state is `state`. */
struct cuda_way {
    const char *name;
    int (*run)(const struct cuda_call *c);
    const void *state;
};

/* Which of two ways is taken, 0 or 1, while a program is loaded: by the line `what` of the file of
 * choices called `file`, or by measurement, which is printed and kept there. The second where
 * nothing can be kept. s->work_bytes must be what both need. */
int cuda_trial(const struct cuda_setup *s, const char *file, const char *what,
               const struct cuda_way ways[2]);

#endif
