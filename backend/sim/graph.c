/* Capturing streams into graphs. A node is a call and the nodes that it must follow; a replay does
 * them in the order of capture, or, with VT_SIM_STREAMS=random, in any order that this allows: a
 * missing join of two streams shows. */
#include "backend/sim/runtime.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct node {
    struct sim_call call;
    struct sim_frontier after;
};

struct CUgraph_st {
    struct node *nodes;
    int n, users; /* a graph and its executables share it */
    size_t room;
    struct CUstream_st *origin; /* while it is captured */
    enum cudaStreamCaptureMode mode;
    int invalid;
};

struct CUgraphExec_st {
    struct CUgraph_st *graph;
    uint64_t launches;
};

/* ---- frontiers ------------------------------------------------------------------------------- */

static void frontier_push(struct sim_frontier *f, int node)
{
    for (int i = 0; i < f->n; i++)
        if (f->nodes[i] == node)
            return;
    f->nodes = mem_grow(f->nodes, (size_t)f->n, &f->room, sizeof *f->nodes);
    f->nodes[f->n++] = node;
}

void sim_frontier_add(struct sim_frontier *to, const struct sim_frontier *from)
{
    for (int i = 0; i < from->n; i++)
        frontier_push(to, from->nodes[i]);
}

void sim_frontier_copy(struct sim_frontier *to, const struct sim_frontier *from)
{
    to->n = 0;
    sim_frontier_add(to, from);
}

void sim_frontier_release(struct sim_frontier *f)
{
    free(f->nodes);
    *f = (struct sim_frontier){0};
}

/* ---- capture --------------------------------------------------------------------------------- */

void sim_capture_call(struct CUstream_st *s, struct sim_call call)
{
    struct CUgraph_st *g = s->capture;
    g->nodes = mem_grow(g->nodes, (size_t)g->n, &g->room, sizeof *g->nodes);
    g->nodes[g->n] = (struct node){.call = call};
    sim_frontier_copy(&g->nodes[g->n].after, &s->frontier);
    s->frontier.n = 0;
    frontier_push(&s->frontier, g->n++);
}

int sim_is_captured(struct CUevent_st *e)
{
    for (const struct CUstream_st *s = sim_streams(); s && e->capture; s = s->next)
        if (s->capture == e->capture)
            return 1;
    e->capture = NULL; /* it has ended */
    return 0;
}

cudaError_t sim_stream_forbids(struct CUstream_st *s)
{
    if (!s->capture)
        return cudaSuccess;
    s->capture->invalid = 1;
    return sim_error(cudaErrorStreamCaptureUnsupported);
}

cudaError_t sim_capture_forbids(void)
{
    for (struct CUstream_st *s = sim_streams(); s; s = s->next)
        if (s->capture && s->capture->mode != cudaStreamCaptureModeRelaxed)
            return sim_stream_forbids(s);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode)
{
    if (!s || s->capture)
        return sim_error(cudaErrorStreamCaptureUnsupported);
    s->capture = mem_zalloc(1, sizeof *s->capture);
    s->capture->origin = s;
    s->capture->mode = mode;
    s->capture->users = 1;
    s->frontier.n = 0;
    return cudaSuccess;
}

static void graph_release(struct CUgraph_st *g)
{
    if (--g->users)
        return;
    for (int i = 0; i < g->n; i++) {
        free(g->nodes[i].call.arguments);
        sim_frontier_release(&g->nodes[i].after);
    }
    free(g->nodes);
    free(g);
}

static void mark(const struct CUgraph_st *g, const struct sim_frontier *f, char *reached)
{
    for (int i = 0; i < f->n; i++)
        reached[f->nodes[i]] = 1;
    for (int i = g->n - 1; i >= 0; i--) /* whatever a node follows came before it */
        for (int k = 0; reached[i] && k < g->nodes[i].after.n; k++)
            reached[g->nodes[i].after.nodes[k]] = 1;
}

/* Whether the origin stream has waited for the last work of all streams that joined. */
static int all_joined(const struct CUgraph_st *g)
{
    char *reached = mem_zalloc((size_t)g->n + 1, 1);
    int joined = 1;
    mark(g, &g->origin->frontier, reached);
    for (const struct CUstream_st *s = sim_streams(); s; s = s->next)
        for (int i = 0; s->capture == g && i < s->frontier.n; i++)
            joined &= reached[s->frontier.nodes[i]];
    free(reached);
    return joined;
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph)
{
    struct CUgraph_st *g = s ? s->capture : NULL;
    *graph = NULL;
    if (!g || g->origin != s)
        return sim_error(cudaErrorStreamCaptureUnmatched);
    cudaError_t e = g->invalid      ? cudaErrorStreamCaptureInvalidated
                    : all_joined(g) ? cudaSuccess
                                    : cudaErrorStreamCaptureUnjoined;
    for (struct CUstream_st *other = sim_streams(); other; other = other->next)
        if (other->capture == g) {
            other->capture = NULL;
            other->frontier.n = 0;
        }
    g->origin = NULL;
    if (e == cudaSuccess)
        *graph = g;
    else
        graph_release(g);
    return sim_error(e);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
    const struct CUgraph_st *g = sim_stream(stream)->capture;
    *status = !g           ? cudaStreamCaptureStatusNone
              : g->invalid ? cudaStreamCaptureStatusInvalidated
                           : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

/* ---- replay ---------------------------------------------------------------------------------- */

cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes, size_t *count)
{
    if (nodes)
        return sim_error(cudaErrorNotSupported);
    *count = (size_t)g->n;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long flags)
{
    (void)flags;
    *x = mem_zalloc(1, sizeof **x);
    (*x)->graph = g;
    g->users++;
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t x, cudaStream_t s)
{
    (void)x;
    return sim_stream_forbids(sim_stream(s));
}

static void do_node(const struct node *n)
{
    n->call.work(n->call.arguments);
}

static int may_run(const struct CUgraph_st *g, int node, const char *done)
{
    const struct sim_frontier *after = &g->nodes[node].after;
    for (int i = 0; i < after->n; i++)
        if (!done[after->nodes[i]])
            return 0;
    return !done[node];
}

static void replay_shuffled(const struct CUgraph_st *g, uint64_t launch)
{
    char *done = mem_zalloc((size_t)g->n + 1, 1);
    struct rng rng;
    rng_init(&rng, sim_options()->seed, "sim/graph", launch, 0);
    for (int left = g->n; left > 0; left--) {
        int ready = 0, chosen = -1;
        for (int i = 0; i < g->n; i++)
            if (may_run(g, i, done) && rng_below(&rng, ++ready) == 0)
                chosen = i;
        do_node(&g->nodes[chosen]);
        done[chosen] = 1;
    }
    free(done);
}

static void replay(const void *arguments)
{
    struct CUgraphExec_st *x = *(struct CUgraphExec_st *const *)arguments;
    const struct CUgraph_st *g = x->graph;
    x->launches++;
    if (sim_options()->streams == SIM_SHUFFLED) {
        replay_shuffled(g, x->launches);
        return;
    }
    for (int i = 0; i < g->n; i++)
        do_node(&g->nodes[i]);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s)
{
    if (sim_stream(s)->capture)
        return sim_stream_forbids(sim_stream(s));
    return sim_enqueue(s, replay, &x, sizeof x);
}

cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
    if (!g)
        return sim_error(cudaErrorInvalidValue);
    graph_release(g);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x)
{
    if (!x)
        return sim_error(cudaErrorInvalidValue);
    sim_drain_all(); /* a launch may wait in a stream */
    graph_release(x->graph);
    free(x);
    return cudaSuccess;
}
