/* Copies between host and device, and fills, in streams. */
#include "backend/sim/runtime.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (sim_is_pageable(c.from) && !capturing)
        return enqueue_staged(&c, stream);
    cudaError_t e = sim_enqueue(stream, copy_rows, &c, sizeof c);
    if (sim_is_pageable(c.to) && !capturing)
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
