/* Memory of the device, and page-locked memory of the host. */
#include "backend/sim/runtime.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

struct allocation {
    uintptr_t hidden; /* the address, inverted: LeakSanitizer shall see what the program has lost */
    size_t bytes;
    int pinned; /* the host's, page-locked; else the device's */
};

static struct {
    struct allocation *of;
    int n;
    size_t room;
} memory;

enum { ALIGN = 256 };

static char *data_of(const struct allocation *a)
{
    return (char *)~a->hidden;
}

static const struct allocation *allocation_of(const void *p, size_t bytes)
{
    const char *at = p;
    for (int i = 0; i < memory.n; i++) {
        const struct allocation *a = &memory.of[i];
        if (at >= data_of(a) && at < data_of(a) + (a->bytes ? a->bytes : 1))
            return bytes <= (size_t)(data_of(a) + a->bytes - at) ? a : NULL;
    }
    return NULL;
}

int sim_is_device(const void *p, size_t bytes)
{
    const struct allocation *a = allocation_of(p, bytes);
    return a && !a->pinned;
}

int sim_is_pageable(const void *p)
{
    return !allocation_of(p, 0);
}

/* Only AddressSanitizer can keep the host out. */
static void set_protection(int closed)
{
#ifdef __SANITIZE_ADDRESS__
    for (int i = 0; i < memory.n && sim_options()->strict; i++) {
        const struct allocation *a = &memory.of[i];
        if (a->pinned)
            continue;
        if (closed)
            ASAN_POISON_MEMORY_REGION(data_of(a), a->bytes);
        else
            ASAN_UNPOISON_MEMORY_REGION(data_of(a), a->bytes);
    }
#endif
    (void)closed;
}

void sim_unprotect(void)
{
    set_protection(0);
}

void sim_protect(void)
{
    set_protection(1);
}

static cudaError_t allocate(void **p, size_t bytes, int pinned)
{
    *p = NULL;
    if (bytes > sim_host_memory() || posix_memalign(p, ALIGN, bytes ? bytes : 1))
        return sim_error(cudaErrorMemoryAllocation);
    memset(*p, 0xff, bytes); /* NaN: what was never written shows */
    memory.of = mem_grow(memory.of, (size_t)memory.n, &memory.room, sizeof *memory.of);
    memory.of[memory.n++] = (struct allocation){~(uintptr_t)*p, bytes, pinned};
    sim_protect();
    return cudaSuccess;
}

static cudaError_t deallocate(void *p, int pinned)
{
    if (!p)
        return cudaSuccess;
    for (int i = 0; i < memory.n; i++) {
        if (data_of(&memory.of[i]) != (char *)p || memory.of[i].pinned != pinned)
            continue;
        sim_unprotect();
        memory.of[i] = memory.of[--memory.n];
        free(p);
        sim_protect();
        return cudaSuccess;
    }
    return sim_error(cudaErrorInvalidValue);
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    cudaError_t e = sim_capture_forbids();
    return e != cudaSuccess ? e : allocate(p, bytes, 0);
}

cudaError_t cudaFree(void *p)
{
    cudaError_t e = sim_capture_forbids();
    if (e != cudaSuccess)
        return e;
    sim_drain_all();
    return deallocate(p, 0);
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    return cudaHostAlloc(p, bytes, cudaHostAllocDefault);
}

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned flags)
{
    cudaError_t e = sim_capture_forbids();
    (void)flags;
    return e != cudaSuccess ? e : allocate(p, bytes, 1);
}

cudaError_t cudaFreeHost(void *p)
{
    cudaError_t e = sim_capture_forbids();
    if (e != cudaSuccess)
        return e;
    sim_drain_all();
    return deallocate(p, 1);
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    size_t used = 0;
    for (int i = 0; i < memory.n; i++)
        used += memory.of[i].pinned ? 0 : memory.of[i].bytes;
    *total = sim_host_memory();
    *left = used < *total ? *total - used : 0;
    return cudaSuccess;
}
