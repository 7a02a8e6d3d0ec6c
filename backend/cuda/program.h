/* A plan loaded on a CUDA device: see struct backend for each function's contract.
 *
 * All work of a program is in one stream. The first run is eager, the second one is captured as a
 * CUDA graph, and from then on a run is one graph launch; the environment variable
 * VITTM_CUDA_GRAPH=0 keeps every run eager, with the same bits. What changes from run to run lies
 * in device memory: seed, step, inputs and hyper-parameters. A failure of the device ends the
 * process with one line: a cell is a process, and nothing on a failed device can be trusted. */
#ifndef BACKEND_CUDA_PROGRAM_H
#define BACKEND_CUDA_PROGRAM_H

#include "backend/backend.h"

struct program *cuda_load(const struct plan *plan, const struct backend_options *o,
                          struct error *err);
void cuda_unload(struct program *p);
void cuda_write(struct program *p, const struct tensor *t, const void *host);
void cuda_read(struct program *p, const struct tensor *t, void *host);
void cuda_read_double(struct program *p, const struct tensor *t, double *host);
void cuda_write_double(struct program *p, const struct tensor *t, const double *host);
void cuda_run(struct program *p, uint64_t seed, uint64_t step);
void cuda_wait(struct program *p);
void cuda_profile(struct program *p, int on);
double cuda_profile_step(const struct program *p, int step);

#endif
