/* A thread that has slept takes 29 us to wake up, one that still spins 1.2 us, and a model is some
 * hundred parallel loops: threads that sleep at once took 5 to 8 % longer for ViTTM-S. But beside
 * other work a spinning thread holds the core that the awaited one needs. Two processes of two
 * threads each on two cores took 3 % longer with 1000 turns than with none, 12 % with 2000, twice
 * as long with 20000, and a training step with OpenMP's own choice six times as long. */
#include "backend/cpu/wait.h"

#include <stdlib.h>
#include <unistd.h>

#define TURNS "1000"

/* 1 where the variable was not set. */
static int set(const char *name, const char *value)
{
    return !getenv(name) && !setenv(name, value, 1);
}

void cpu_wait_briefly(char **argv, int no_blas_threads)
{
    int changed = set("OMP_WAIT_POLICY", "passive");
    if (changed)
        setenv("GOMP_SPINCOUNT", TURNS, 0);
    if (no_blas_threads)
        changed |= set("OPENBLAS_NUM_THREADS", "1");
    if (changed)
        execv("/proc/self/exe", argv);
}
