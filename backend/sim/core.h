/* The emulated multiprocessor: runs the threads of a grid on the CPU.
 *
 * A block is the unit of work of an operating-system thread (a worker); a CUDA thread is a fiber
 * inside it. Fibers switch where a CUDA thread has to wait: at a barrier of the block and at a
 * collective operation of the warp. The order in which ready threads go on is forward, reverse or
 * random (options.h), and what a kernel computes must not depend on it.
 *
 * Always checked: a barrier that not all threads reach or that they reach in different lines; lanes
 * of one mask in different operations, overlapping masks, a lane outside its own mask; deadlock.
 * Shared memory starts as NaN and has red zones under AddressSanitizer. Under ThreadSanitizer two
 * CUDA threads are ordered only by what orders them on a GPU: barriers, __syncwarp, the start and
 * the end of the grid. */
#ifndef BACKEND_SIM_CORE_H
#define BACKEND_SIM_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIM_WARP 32

struct sim_copies; /* copies.h */

struct sim_dim {
    unsigned x, y, z;
};

/* What a kernel sees of its block. */
struct sim_block {
    struct sim_dim index, size, grid;
    void *dynamic; /* its dynamic shared memory */
};

/* What a kernel sees of its thread. */
struct sim_thread {
    struct sim_dim index;
    const struct sim_block *block;
};

/* The thread that runs; NULL on the host. A fiber never changes its worker while it lives. In the
 * part of thread-local storage that exists before a thread starts: the rest is allocated by
 * whichever fiber comes first, which would look like a race. */
extern __thread struct sim_thread *sim_now __attribute__((tls_model("initial-exec")));

/* One grid: call(arguments) is one thread's whole life. */
struct sim_grid {
    const char *name; /* of the kernel, for messages */
    struct sim_dim grid, block;
    size_t shared; /* dynamic, bytes */
    void (*call)(const void *arguments);
    const void *arguments;
};

/* Runs all blocks to their end. */
void sim_grid_run(const struct sim_grid *g);

/* __syncthreads. file and line: of the call. */
void sim_barrier(const char *file, int line);

/* Executed once, by the last lane of a mask to arrive: operands[i] is what lane i brought, for the
 * lanes in arrived. */
typedef void sim_combine(void *const operands[SIM_WARP], uint32_t arrived);

/* A collective operation of the lanes in mask. The operand lies on the lane's own stack and is
 * where combine leaves the lane's result. orders: memory too (__syncwarp), as shuffles do not. */
void sim_collective(uint32_t mask, sim_combine *combine, void *operand, int orders,
                    const char *file, int line);

/* The block's copy of a static shared array; key: the declaration. */
void *sim_shared(const void *key, size_t bytes);

/* What the thread that runs has ordered and not waited for. */
struct sim_copies *sim_copies_now(void);

/* 1 if [p, p + bytes) lies in one shared array of the block that runs. */
int sim_is_shared(const void *p, size_t bytes);

/* A number below n, by VT_SIM_SEED; for schedules that are random. */
int sim_draw(int n);

/* Ends the process with the message, the kernel, the block and the thread. */
void sim_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#ifdef __cplusplus
}
#endif
#endif
