/* The emulated runtime: what its files share. Work lies in streams as tasks and is done by whoever
 * waits for it, on the calling thread: calls come from one thread at a time. */
#ifndef BACKEND_SIM_RUNTIME_H
#define BACKEND_SIM_RUNTIME_H

#include "backend/sim/launch.h"
#include "backend/sim/options.h"
#include "base/rng.h"

#include <stddef.h>
#include <stdint.h>

/* ---- errors ---- */

/* Keeps e for cudaGetLastError and returns it. */
cudaError_t sim_error(cudaError_t e);

/* ---- device.c ---- */

size_t sim_host_memory(void); /* bytes of the machine: the device has as many */

/* ---- memory.c ---- */

/* Whether p is the host's own: neither the device's nor page-locked. */
int sim_is_pageable(const void *p);

/* The host may touch device memory between these two, or nobody else may: AddressSanitizer's
 * poison, where VT_SIM_STRICT asks for it. */
void sim_unprotect(void);
void sim_protect(void);

/* ---- graph.c: capture ---- */

struct sim_call {
    void (*work)(const void *arguments);
    void *arguments; /* a copy */
};

/* The nodes that what comes next in a stream must follow. */
struct sim_frontier {
    int *nodes, n;
    size_t room;
};

/* A call into the graph that s is captured into; takes its arguments over. */
void sim_capture_call(struct CUstream_st *s, struct sim_call call);
void sim_frontier_copy(struct sim_frontier *to, const struct sim_frontier *from);
void sim_frontier_add(struct sim_frontier *to, const struct sim_frontier *from);
void sim_frontier_release(struct sim_frontier *f);

/* What must not be called while a stream is being captured: cudaErrorStreamCaptureUnsupported, and
 * the capture is void. */
cudaError_t sim_capture_forbids(void);
/* The same for one stream. */
cudaError_t sim_stream_forbids(struct CUstream_st *s);

/* Whether the event's record belongs to a capture that goes on. */
int sim_is_captured(struct CUevent_st *e);

/* ---- stream.c ---- */

struct task {
    struct task *next;
    struct sim_call call;     /* work NULL: the event */
    struct CUevent_st *event; /* recorded, or waited for */
    uint64_t number;          /* of its record */
    int records;
};

struct CUstream_st {
    struct CUstream_st *next; /* all streams */
    struct task *first, *last;
    struct CUgraph_st *capture; /* into which its work goes; or NULL */
    struct sim_frontier frontier;
};

struct CUevent_st {
    struct CUstream_st *stream; /* of its last record */
    uint64_t recorded, done;
    double seconds; /* when it was done */
    int no_timing;
    struct CUgraph_st *capture; /* recorded during this capture; or NULL */
    struct sim_frontier frontier;
};

/* The stream behind a handle; the legacy default stream for NULL. */
struct CUstream_st *sim_stream(cudaStream_t s);
/* All streams in a list. */
struct CUstream_st *sim_streams(void);
void sim_drain(struct CUstream_st *s);
void sim_drain_all(void);

#endif
