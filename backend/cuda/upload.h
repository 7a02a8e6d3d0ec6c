/* Inputs on their way to the device. The host copies a batch into pinned memory and goes on; a
 * second stream brings it to the device while the step before is still running; the step's own
 * stream then moves it into place. Two batches are under way at most: writing a third one waits for
 * the first to be in place. */
#ifndef BACKEND_CUDA_UPLOAD_H
#define BACKEND_CUDA_UPLOAD_H

#include "tensor/compile/plan.h"

#include <cuda_runtime_api.h>

enum { UPLOAD_SLOTS = 2 };

struct upload_slot {
    char *pinned, *device;    /* every input of the plan, at its offset */
    cudaEvent_t sent, placed; /* recorded in the copy stream, in the program's stream */
    unsigned char *filled;    /* [n_inputs] written since the last upload_place */
    int pending;              /* some input is */
};

struct upload {
    const struct tensor **inputs; /* of the plan, those that have a place, in full */
    size_t *offsets;
    int n_inputs;
    struct upload_slot slots[UPLOAD_SLOTS];
    int current;
    cudaStream_t stream; /* copies from pinned to device memory */
};

/* The functions return 0 or an error code of the CUDA runtime. */
int upload_open(struct upload *u, const struct plan *p);
void upload_close(struct upload *u);
/* The index of an input, or -1 for a tensor that is none. */
int upload_find(const struct upload *u, const struct tensor *t);
/* Takes a copy of the host's values of input i. */
int upload_write(struct upload *u, int i, const void *host);
/* Makes the stream move what was written since the last call to its place; address_of(ctx, t) says
 * where that is. */
int upload_place(struct upload *u, cudaStream_t stream,
                 void *(*address_of)(const void *ctx, const struct tensor *t), const void *ctx);

#endif
