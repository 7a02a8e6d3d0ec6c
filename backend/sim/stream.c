/* Streams and events, and how a grid gets into one. */
#include "backend/sim/runtime.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct CUstream_st legacy; /* the default stream: in order with all others */

struct CUstream_st *sim_stream(cudaStream_t s)
{
    return s ? s : &legacy;
}

struct CUstream_st *sim_streams(void)
{
    return &legacy;
}

/* ---- doing work ------------------------------------------------------------------------------ */

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void push(struct CUstream_st *s, struct task task)
{
    struct task *t = mem_alloc(sizeof *t);
    *t = task;
    t->next = NULL;
    if (s->last)
        s->last->next = t;
    else
        s->first = t;
    s->last = t;
}

static void do_next(struct CUstream_st *s);

/* Works on the stream of e until its record of that number is done. */
static void reach(const struct CUevent_st *e, uint64_t number)
{
    while (e->done < number) {
        if (!e->stream->first)
            sim_die("a stream waits for an event whose record has vanished");
        do_next(e->stream);
    }
}

static void do_task(const struct task *t)
{
    if (t->call.work) {
        sim_unprotect();
        t->call.work(t->call.arguments);
        sim_protect();
        free(t->call.arguments);
    } else if (t->records) {
        t->event->done = t->number > t->event->done ? t->number : t->event->done;
        t->event->seconds = seconds_now();
    } else {
        reach(t->event, t->number);
    }
}

static void do_next(struct CUstream_st *s)
{
    struct task *t = s->first;
    s->first = t->next;
    if (!s->first)
        s->last = NULL;
    do_task(t);
    free(t);
}

/* Any stream that has work. */
static struct CUstream_st *any_busy(void)
{
    static struct rng rng;
    static int seeded;
    int n = 0;
    struct CUstream_st *found = NULL;
    if (!seeded++)
        rng_init(&rng, sim_options()->seed, "sim/streams", 0, 0);
    for (struct CUstream_st *s = &legacy; s; s = s->next)
        if (s->first && rng_below(&rng, ++n) == 0)
            found = s;
    return found;
}

void sim_drain(struct CUstream_st *s)
{
    while (s->first)
        do_next(sim_options()->streams == SIM_SHUFFLED ? any_busy() : s);
}

void sim_drain_all(void)
{
    for (struct CUstream_st *s = &legacy; s; s = s->next)
        sim_drain(s);
}

static void *copied(const void *arguments, size_t bytes)
{
    void *copy = mem_alloc(bytes ? bytes : 1);
    if (bytes)
        memcpy(copy, arguments, bytes);
    return copy;
}

/* Grids that have run, up to the one that fails. */
static int grids;

/* What a failed device answers to everything. */
static cudaError_t failure(void)
{
    return grids > sim_options()->grids ? sim_error(cudaErrorIllegalAddress) : cudaSuccess;
}

cudaError_t sim_enqueue(cudaStream_t stream, void (*work)(const void *arguments),
                        const void *arguments, size_t bytes)
{
    struct CUstream_st *s = sim_stream(stream);
    if (s == &legacy && sim_capture_forbids() != cudaSuccess)
        return sim_error(cudaErrorStreamCaptureImplicit);
    if (failure())
        return failure();
    struct sim_call call = {work, copied(arguments, bytes)};
    if (s->capture) {
        sim_capture_call(s, call);
        return cudaSuccess;
    }
    if (s == &legacy)
        sim_drain_all();
    push(s, (struct task){.call = call});
    if (s == &legacy || sim_options()->streams == SIM_EAGER)
        sim_drain(s);
    return failure();
}

/* ---- launches -------------------------------------------------------------------------------- */

enum { GRID_YZ_MAX = 65535, BLOCK_MAX = 1024, BLOCK_Z_MAX = 64, SHARED_MAX = 99 << 10 };

/* Limits of the smallest device that is supported. */
static int launch_fits(const struct sim_grid *g)
{
    const struct sim_dim *grid = &g->grid, *block = &g->block;
    uint64_t threads = (uint64_t)block->x * block->y * block->z;
    return grid->x && grid->y && grid->z && grid->x <= 0x7fffffffu && grid->y <= GRID_YZ_MAX &&
           grid->z <= GRID_YZ_MAX && threads > 0 && threads <= BLOCK_MAX &&
           block->z <= BLOCK_Z_MAX && g->shared <= SHARED_MAX;
}

static void check_pointers(const struct sim_launch *l)
{
    for (int i = 0; i < l->n_pointers && sim_options()->strict; i++)
        if (l->pointers[i] && !sim_is_device(l->pointers[i], 0))
            sim_die("%s gets a pointer to something else than device memory", l->grid.name);
}

/* A grid and the copy of its arguments. */
struct launched {
    struct sim_grid grid;
    _Alignas(16) char arguments[];
};

static void run_launch(const void *arguments)
{
    grids += grids <= sim_options()->grids;
    if (failure())
        return;
    const struct launched *l = arguments;
    struct sim_grid g = l->grid;
    g.arguments = l->arguments;
    sim_grid_run(&g);
}

cudaError_t sim_launch_grid(const struct sim_launch *l, cudaStream_t stream)
{
    if (!launch_fits(&l->grid))
        return sim_error(cudaErrorInvalidConfiguration);
    if (!sim_options()->grids)
        return sim_error(cudaErrorNoKernelImageForDevice);
    check_pointers(l);
    struct launched *copy = mem_alloc(sizeof *copy + l->bytes);
    copy->grid = l->grid;
    memcpy(copy->arguments, l->grid.arguments, l->bytes);
    cudaError_t e = sim_enqueue(stream, run_launch, copy, sizeof *copy + l->bytes);
    free(copy);
    return e;
}

struct host_call {
    cudaHostFn_t fn;
    void *data;
};

static void run_host_call(const void *arguments)
{
    const struct host_call *h = arguments;
    sim_protect();
    h->fn(h->data);
    sim_unprotect();
}

cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t fn, void *data)
{
    struct host_call h = {fn, data};
    return sim_enqueue(s, run_host_call, &h, sizeof h);
}

/* ---- streams --------------------------------------------------------------------------------- */

cudaError_t cudaStreamCreate(cudaStream_t *s)
{
    return cudaStreamCreateWithFlags(s, cudaStreamDefault);
}

/* All are non-blocking: nothing in this project uses the default stream beside others. */
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags)
{
    (void)flags;
    *s = mem_zalloc(1, sizeof **s);
    (*s)->next = legacy.next;
    legacy.next = *s;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    if (!s)
        return sim_error(cudaErrorInvalidResourceHandle);
    sim_drain(s);
    for (struct CUstream_st *before = &legacy; before->next; before = before->next)
        if (before->next == s) {
            before->next = s->next;
            break;
        }
    sim_frontier_release(&s->frontier);
    free(s);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    struct CUstream_st *s = sim_stream(stream);
    cudaError_t e = sim_stream_forbids(s);
    if (e != cudaSuccess)
        return e;
    sim_drain(s);
    return failure();
}

/* Polling must come to an end: each look does a little. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    struct CUstream_st *s = sim_stream(stream);
    cudaError_t e = sim_stream_forbids(s);
    if (e != cudaSuccess || !s->first)
        return e;
    do_next(s);
    return cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize(void)
{
    cudaError_t e = sim_capture_forbids();
    if (e != cudaSuccess)
        return e;
    sim_drain_all();
    return failure();
}

/* ---- events ---------------------------------------------------------------------------------- */

cudaError_t cudaEventCreate(cudaEvent_t *e)
{
    return cudaEventCreateWithFlags(e, cudaEventDefault);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
    *e = mem_zalloc(1, sizeof **e);
    (*e)->no_timing = (flags & cudaEventDisableTiming) != 0;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    if (!e)
        return sim_error(cudaErrorInvalidResourceHandle);
    sim_drain_all(); /* a task may still name it */
    sim_frontier_release(&e->frontier);
    free(e);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream)
{
    struct CUstream_st *s = sim_stream(stream);
    e->capture = s->capture;
    if (s->capture) {
        sim_frontier_copy(&e->frontier, &s->frontier);
        return cudaSuccess;
    }
    e->stream = s;
    push(s, (struct task){.event = e, .number = ++e->recorded, .records = 1});
    if (sim_options()->streams == SIM_EAGER)
        sim_drain(s);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t e, unsigned flags)
{
    struct CUstream_st *s = sim_stream(stream);
    (void)flags;
    if (sim_is_captured(e)) { /* the stream joins the capture */
        if (s->capture && s->capture != e->capture)
            return sim_error(cudaErrorStreamCaptureUnmatched);
        s->capture = e->capture;
        sim_frontier_add(&s->frontier, &e->frontier);
        return cudaSuccess;
    }
    if (s->capture)
        return sim_error(cudaErrorStreamCaptureUnsupported);
    if (e->recorded)
        push(s, (struct task){.event = e, .number = e->recorded});
    if (sim_options()->streams == SIM_EAGER)
        sim_drain(s);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    if (sim_is_captured(e))
        return sim_error(cudaErrorStreamCaptureUnsupported);
    reach(e, e->recorded);
    return failure();
}

cudaError_t cudaEventQuery(cudaEvent_t e)
{
    if (sim_is_captured(e))
        return sim_error(cudaErrorStreamCaptureUnsupported);
    if (e->done >= e->recorded)
        return cudaSuccess;
    do_next(e->stream);
    return cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    if (from->no_timing || to->no_timing || !from->recorded || !to->recorded)
        return sim_error(cudaErrorInvalidResourceHandle);
    if (from->done < from->recorded || to->done < to->recorded)
        return cudaErrorNotReady;
    *ms = (float)(1e3 * (to->seconds - from->seconds));
    return cudaSuccess;
}
