/* Devices, their memory, errors. */
#include "backend/sim/runtime.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

/* ---- errors ---------------------------------------------------------------------------------- */

static __thread cudaError_t last_error;

cudaError_t sim_error(cudaError_t e)
{
    if (e != cudaSuccess)
        last_error = e;
    return e;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t e = last_error;
    last_error = cudaSuccess;
    return e;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

static const struct {
    cudaError_t number;
    const char *name, *text;
} errors[] = {
#define CUDA_ERROR(name, number, text) {cuda##name, "cuda" #name, text},
    CUDA_ERRORS(CUDA_ERROR)
#undef CUDA_ERROR
};

enum { N_ERRORS = sizeof errors / sizeof *errors };

const char *cudaGetErrorName(cudaError_t e)
{
    for (int i = 0; i < N_ERRORS; i++)
        if (errors[i].number == e)
            return errors[i].name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t e)
{
    for (int i = 0; i < N_ERRORS; i++)
        if (errors[i].number == e)
            return errors[i].text;
    return "unrecognized error code";
}

/* ---- devices --------------------------------------------------------------------------------- */

static int device_now;

/* What every architecture that is supported offers: 99 KB of shared memory on sm_86 and sm_89. */
enum { CAPABILITY_MAJOR = 8, CAPABILITY_MINOR = 0, PROCESSORS = 8, SHARED_OPTIN = 99 << 10 };

cudaError_t cudaGetDeviceCount(int *count)
{
    if (!sim_options()->devices)
        return sim_error(cudaErrorNoDevice);
    *count = sim_options()->devices;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    if (device < 0 || device >= sim_options()->devices)
        return sim_error(cudaErrorInvalidDevice);
    device_now = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = device_now;
    return cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned flags)
{
    (void)flags;
    return cudaSuccess;
}

static size_t host_memory(void)
{
    return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    if (device < 0 || device >= sim_options()->devices)
        return sim_error(cudaErrorInvalidDevice);
    *p = (struct cudaDeviceProp){
        .name = "emulated on the processor",
        .totalGlobalMem = host_memory(),
        .sharedMemPerBlock = 48 << 10,
        .sharedMemPerBlockOptin = SHARED_OPTIN,
        .warpSize = SIM_WARP,
        .maxThreadsPerBlock = 1024,
        .major = CAPABILITY_MAJOR,
        .minor = CAPABILITY_MINOR,
        .multiProcessorCount = PROCESSORS,
        .l2CacheSize = 1 << 20,
    };
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    struct cudaDeviceProp p;
    cudaError_t e = cudaGetDeviceProperties(&p, device);
    if (e != cudaSuccess)
        return e;
    switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (int)p.sharedMemPerBlockOptin;
        return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
        *value = p.multiProcessorCount;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *value = p.major;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = p.minor;
        return cudaSuccess;
    }
    return sim_error(cudaErrorInvalidValue);
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

/* ---- memory ---------------------------------------------------------------------------------- */

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
    if (bytes > host_memory() || posix_memalign(p, ALIGN, bytes ? bytes : 1))
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
    *total = host_memory();
    *left = used < *total ? *total - used : 0;
    return cudaSuccess;
}

/* ---- copies ---------------------------------------------------------------------------------- */

struct copy {
    char *to;
    const char *from;
    size_t to_pitch, from_pitch, width, height;
};

static void copy_rows(const void *arguments)
{
    const struct copy *c = arguments;
    for (size_t i = 0; i < c->height; i++)
        memcpy(c->to + i * c->to_pitch, c->from + i * c->from_pitch, c->width);
}

static size_t extent(size_t pitch, size_t width, size_t height)
{
    return height ? (height - 1) * pitch + width : 0;
}

/* What the direction says must be so. */
static int directions_right(const struct copy *c, enum cudaMemcpyKind kind)
{
    int to = sim_is_device(c->to, extent(c->to_pitch, c->width, c->height));
    int from = sim_is_device(c->from, extent(c->from_pitch, c->width, c->height));
    if (kind == cudaMemcpyDefault)
        return 1;
    return to == (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) &&
           from == (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice);
}

static int is_pageable(const void *p)
{
    return !allocation_of(p, 0);
}

/* The source stands behind the description. */
static void copy_staged(const void *arguments)
{
    struct copy c = *(const struct copy *)arguments;
    c.from = (const char *)arguments + sizeof c;
    c.from_pitch = c.width;
    copy_rows(&c);
}

static cudaError_t enqueue_staged(const struct copy *c, cudaStream_t stream)
{
    size_t bytes = sizeof *c + c->width * c->height;
    char *both = mem_alloc(bytes);
    struct copy stage = {both + sizeof *c, c->from, c->width, c->from_pitch, c->width, c->height};
    memcpy(both, c, sizeof *c);
    copy_rows(&stage);
    cudaError_t e = sim_enqueue(stream, copy_staged, both, bytes);
    free(both);
    return e;
}

/* A pageable source is read at the call, as the driver stages it; one that is page-locked when the
 * copy is done. A copy to pageable memory waits until it is done. */
static cudaError_t copy_async(struct copy c, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    if (!c.width || !c.height)
        return cudaSuccess;
    if (!directions_right(&c, kind)) {
        fprintf(stderr,
                "sim: a copy of %zu bytes has the wrong direction, or goes past the end of "
                "its memory\n",
                c.width * c.height);
        return sim_error(cudaErrorInvalidValue);
    }
    int capturing = sim_stream(stream)->capture != NULL;
    if (is_pageable(c.from) && !capturing)
        return enqueue_staged(&c, stream);
    cudaError_t e = sim_enqueue(stream, copy_rows, &c, sizeof c);
    if (is_pageable(c.to) && !capturing)
        sim_drain(sim_stream(stream));
    return e;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    return copy_async((struct copy){to, from, bytes, bytes, bytes, 1}, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t height, enum cudaMemcpyKind kind,
                              cudaStream_t stream)
{
    if (to_pitch < width || from_pitch < width)
        return sim_error(cudaErrorInvalidValue);
    return copy_async((struct copy){to, from, to_pitch, from_pitch, width, height}, kind, stream);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    cudaError_t e = sim_capture_forbids();
    if (e != cudaSuccess)
        return e;
    sim_drain_all();
    e = cudaMemcpyAsync(to, from, bytes, kind, NULL);
    sim_drain_all();
    return e;
}

struct fill {
    void *p;
    int value;
    size_t bytes;
};

static void fill_bytes(const void *arguments)
{
    const struct fill *f = arguments;
    memset(f->p, f->value, f->bytes);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
    struct fill f = {p, value, bytes};
    if (!bytes)
        return cudaSuccess;
    if (!sim_is_device(p, bytes))
        return sim_error(cudaErrorInvalidValue);
    return sim_enqueue(stream, fill_bytes, &f, sizeof f);
}

cudaError_t cudaMemset(void *p, int value, size_t bytes)
{
    cudaError_t e = sim_capture_forbids();
    return e != cudaSuccess ? e : cudaMemsetAsync(p, value, bytes, NULL);
}
