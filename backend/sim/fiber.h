/* Fibers: stacks of their own that are switched to by hand, with what AddressSanitizer and
 * ThreadSanitizer have to be told. x86-64 and aarch64 switch in a dozen instructions; elsewhere, or
 * with -DSIM_UCONTEXT, swapcontext(3) does, ten times slower. */
#ifndef BACKEND_SIM_FIBER_H
#define BACKEND_SIM_FIBER_H

#include <stddef.h>

/* What the kernels are compiled for, as the scheduler itself is not. */
#if defined(__SANITIZE_ADDRESS__) && !defined(SIM_ASAN)
#define SIM_ASAN 1
#endif

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(SIM_UCONTEXT)
#define SIM_UCONTEXT
#endif

#ifdef SIM_UCONTEXT
#include <ucontext.h>
#endif

/* Zero-initialise. The fiber that an operating-system thread begins with needs no more. */
struct fiber {
    void *sp;
    const void *stack; /* lowest address */
    size_t stack_bytes;
    void *asan; /* its fake stack while it waits */
    void *tsan;
#ifdef SIM_UCONTEXT
    ucontext_t context;
#endif
};

/* Stacks for n fibers, each above a page that must not be touched. NULL where there is no memory;
 * *stride: from one to the next. */
char *fiber_stacks_new(int n, size_t bytes, size_t *stride);
void fiber_stacks_free(char *stacks, int n, size_t stride);

/* The first switch to f will call entry, which must call fiber_begin first and never return. */
void fiber_prepare(struct fiber *f, char *stack, size_t bytes, void (*entry)(void));

/* The fiber that this operating-system thread runs on now. */
void fiber_adopt(struct fiber *main);

/* from waits until somebody switches back to it. */
void fiber_switch(struct fiber *from, struct fiber *to);

/* First thing in entry: first is the fiber that this thread began with. */
void fiber_begin(struct fiber *first);

/* from is done for good; does not return. */
void fiber_leave(struct fiber *from, struct fiber *to) __attribute__((noreturn));

/* What one fiber did before order_release(tag) happens before what another does after
 * order_acquire(tag). Only ThreadSanitizer wants to know. */
void order_release(void *tag);
void order_acquire(void *tag);

#endif
