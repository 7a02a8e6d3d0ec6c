/* Inside backend/cuda/program*.c only: a loaded program, which program.c makes, program_values.c
 * fills and reads, program_run.c runs. */
#ifndef BACKEND_CUDA_PROGRAM_INTERNAL_H
#define BACKEND_CUDA_PROGRAM_INTERNAL_H

#include "backend/cuda/cuda.h"
#include "backend/cuda/program.h"
#include "backend/cuda/upload.h"
#include "base/arena.h"

struct cuda_step {
    const struct cuda_kernel *kernel;
    struct cuda_call call;
    unsigned rounds; /* bit i: call.in[i] is made from full[i] before the call */
    void **full;     /* where the inputs' values in full are */
    void *table;     /* device memory of call.table, or NULL */
    void *state;     /* call.state */
    double seconds;
};

struct program {
    const struct plan *plan;
    enum precision precision;
    char *static_block, *arena_block;
    void *work;
    struct vt_scalars *scalars;
    struct arena arena; /* steps and their address lists */
    struct cuda_step *steps;
    struct upload upload;
    struct vt_products *products;
    struct vt_sdpa *sdpa;
    cudaStream_t stream;
    cudaGraphExec_t graph; /* NULL until captured */
    int runs, may_capture, profiling;
    int stale;          /* the copy of the parameters in bf16 is older than they are */
    cudaEvent_t *marks; /* [n_steps + 1], while profiling */
};

/* Ends the process where code is a failure of the CUDA runtime; what says of what. */
void cuda_check(int code, const char *what);

/* Where the device's values of t are, or NULL where the plan has no place for it. */
void *cuda_address(const void *program, const struct tensor *t);

/* The events of a profiled run, if there are any. */
void cuda_free_marks(struct program *p);

#endif
