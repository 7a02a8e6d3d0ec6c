/* What the backends cpu and judge share: see struct backend for each function's contract. */
#ifndef BACKEND_CPU_PROGRAM_H
#define BACKEND_CPU_PROGRAM_H

#include "backend/backend.h"
#include "backend/cpu/cpu.h"

/* threads >= 1. The plan must outlive the program. */
struct program *cpu_load_table(const struct plan *plan, const struct kernel_table *table,
                               int threads, struct error *err);
void cpu_unload(struct program *p);
void cpu_write(struct program *p, const struct tensor *t, const void *host);
void cpu_read(struct program *p, const struct tensor *t, void *host);
void cpu_read_double(struct program *p, const struct tensor *t, double *host);
void cpu_write_double(struct program *p, const struct tensor *t, const double *host);
void cpu_run(struct program *p, uint64_t seed, uint64_t step);
void cpu_profile(struct program *p, int on);
double cpu_profile_step(const struct program *p, int step);

#endif
