/* Switching stacks. This file and core.c are never compiled with -fsanitize=thread: instrumented,
 * the scheduler's own memory would look shared. Nor, by make sim, with -fsanitize=address, which
 * costs a third. -DSIM_TSAN and -DSIM_ASAN tell the sanitizer about fibers all the same. */
#include "backend/sim/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef SIM_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *tag);
void __tsan_release(void *tag);
enum { TSAN_NO_ORDER = 1 };
#endif

/* ---- stacks ---------------------------------------------------------------------------------- */

char *fiber_stacks_new(int n, size_t bytes, size_t *stride)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *stride = (bytes + page - 1) / page * page + page;
    char *stacks = mmap(NULL, *stride * (size_t)n, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stacks == MAP_FAILED)
        return NULL;
    for (int i = 0; i < n; i++)
        if (mprotect(stacks + *stride * (size_t)i, page, PROT_NONE)) {
            munmap(stacks, *stride * (size_t)n);
            return NULL;
        }
    return stacks;
}

void fiber_stacks_free(char *stacks, int n, size_t stride)
{
    if (stacks)
        munmap(stacks, stride * (size_t)n);
}

/* ---- the switch ------------------------------------------------------------------------------ */

#ifdef SIM_UCONTEXT

static void prepare_machine(struct fiber *f, char *stack, size_t bytes, void (*entry)(void))
{
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack;
    f->context.uc_stack.ss_size = bytes;
    f->context.uc_link = NULL;
    makecontext(&f->context, entry, 0);
}

static void switch_machine(struct fiber *from, struct fiber *to)
{
    swapcontext(&from->context, &to->context);
}

#else

/* Saves what a function must keep on the stack it leaves, its address in *save; goes on at `to`. */
void sim_switch_stack(void **save, void *to);

#if defined(__x86_64__)

enum { SAVED = 7, ENTRY = 6 }; /* words: six registers, then the address to return to */

__asm__(".text\n"
        ".hidden sim_switch_stack\n"
        ".globl sim_switch_stack\n"
        ".type sim_switch_stack,@function\n"
        "sim_switch_stack:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size sim_switch_stack, . - sim_switch_stack\n");

#else /* aarch64 */

enum { SAVED = 20, ENTRY = 11 }; /* x19 to x30, then d8 to d15; x30 holds the address */

__asm__(".text\n"
        ".hidden sim_switch_stack\n"
        ".globl sim_switch_stack\n"
        ".type sim_switch_stack,%function\n"
        "sim_switch_stack:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size sim_switch_stack, . - sim_switch_stack\n");

#endif

/* A stack as if entry had been called from nowhere: one word less than aligned, as after a call. */
static void prepare_machine(struct fiber *f, char *stack, size_t bytes, void (*entry)(void))
{
    uintptr_t top = ((uintptr_t)stack + bytes) & ~(uintptr_t)15;
    void **sp = (void **)top - (SAVED % 2 ? SAVED + 1 : SAVED);
    for (int i = 0; i < SAVED; i++)
        sp[i] = NULL;
    sp[ENTRY] = (void *)(uintptr_t)entry;
    f->sp = sp;
}

static void switch_machine(struct fiber *from, struct fiber *to)
{
    sim_switch_stack(&from->sp, to->sp);
}

#endif

/* ---- what sanitizers have to know ------------------------------------------------------------ */

static void before_switch(struct fiber *from, struct fiber *to, int for_good)
{
#ifdef SIM_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->asan, to->stack, to->stack_bytes);
#endif
#ifdef SIM_TSAN
    __tsan_switch_to_fiber(to->tsan, TSAN_NO_ORDER);
#endif
    (void)from;
    (void)to;
    (void)for_good;
}

static void after_switch(struct fiber *f)
{
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(f->asan, NULL, NULL);
#endif
    (void)f;
}

void fiber_prepare(struct fiber *f, char *stack, size_t bytes, void (*entry)(void))
{
    f->stack = stack;
    f->stack_bytes = bytes;
#ifdef SIM_ASAN
    /* Frames of the last fiber here that never returned. */
    enum { TOP = 4096 };
    __asan_unpoison_memory_region(stack + bytes - TOP, TOP);
#endif
#ifdef SIM_TSAN
    if (!f->tsan)
        f->tsan = __tsan_create_fiber(0);
#endif
    prepare_machine(f, stack, bytes, entry);
}

void fiber_adopt(struct fiber *first)
{
    first->stack = NULL;
#ifdef SIM_TSAN
    first->tsan = __tsan_get_current_fiber();
#endif
}

void fiber_begin(struct fiber *first)
{
#ifdef SIM_ASAN
    const void *stack;
    size_t bytes;
    __sanitizer_finish_switch_fiber(NULL, &stack, &bytes);
    if (!first->stack) {
        first->stack = stack;
        first->stack_bytes = bytes;
    }
#endif
    (void)first;
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
    before_switch(from, to, 0);
    switch_machine(from, to);
    after_switch(from);
}

void fiber_leave(struct fiber *from, struct fiber *to)
{
    before_switch(from, to, 1);
    switch_machine(from, to);
    abort(); /* nobody may come back */
}

void order_release(void *tag)
{
#ifdef SIM_TSAN
    __tsan_release(tag);
#endif
    (void)tag;
}

void order_acquire(void *tag)
{
#ifdef SIM_TSAN
    __tsan_acquire(tag);
#endif
    (void)tag;
}
