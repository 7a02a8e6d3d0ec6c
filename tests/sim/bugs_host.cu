/* Planted bugs of the host: memory, streams, events, graphs, launches. */
#include "tests/sim/bugs.h"

__global__ void set(float *o, float value, int n)
{
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x)
        o[i] = value;
}

__global__ void add(float *o, const float *x, int n)
{
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x)
        o[i] += x[i];
}

static int run_unset_device()
{
    float *d = device_floats(1), x = first_of(d);
    cudaFree(d);
    return x != x ? NOTICED : FINE;
}

static int run_host_pointer()
{
    float host[THREADS];
    return VT_LAUNCH(set, dim3(1), dim3(32), 0, NULL, host, 1.0f, (int)THREADS);
}

static int run_host_reads()
{
    volatile float *d = device_floats(THREADS);
    cudaMemset(const_cast<float *>(d), 0, THREADS);
    return d[3] != 0;
}

static int run_leak()
{
    volatile int n = THREADS;
    return device_floats(n) ? FINE : NOTICED;
}

static int run_past_the_end()
{
    float *d = device_floats(THREADS), host[THREADS + 1] = {0};
    int e = cudaMemcpy(d, host, sizeof host, cudaMemcpyHostToDevice);
    cudaFree(d);
    return e == cudaErrorInvalidValue ? NOTICED : FINE;
}

static int run_wrong_direction()
{
    float *d = device_floats(THREADS), host[THREADS] = {0};
    int e = cudaMemcpy(d, host, sizeof host, cudaMemcpyDeviceToHost);
    cudaFree(d);
    return e == cudaErrorInvalidValue ? NOTICED : FINE;
}

/* Page-locked memory, read before or after the copy to it is done. */
static int read_back(int wait)
{
    float *d = device_floats(1);
    void *host;
    cudaStream_t s = stream_new();
    cudaMallocHost(&host, sizeof(float));
    VT_LAUNCH(set, dim3(1), dim3(32), 0, s, d, 1.0f, 1);
    cudaMemcpyAsync(host, d, sizeof(float), cudaMemcpyDeviceToHost, s);
    if (wait)
        cudaStreamSynchronize(s);
    int right = *static_cast<float *>(host) == 1;
    cudaStreamSynchronize(s);
    cudaFreeHost(host);
    cudaFree(d);
    cudaStreamDestroy(s);
    return right ? FINE : NOTICED;
}

static int run_unawaited()
{
    return read_back(0);
}

static int run_awaited()
{
    return read_back(1);
}

/* One stream makes what another uses. */
static int two_streams(int event)
{
    float *a = device_floats(1), *b = device_floats(1);
    cudaStream_t s = stream_new(), t = stream_new();
    cudaEvent_t e;
    cudaEventCreateWithFlags(&e, cudaEventDisableTiming);
    cudaMemsetAsync(b, 0, sizeof *b, t);
    VT_LAUNCH(set, dim3(1), dim3(32), 0, s, a, 1.0f, 1);
    if (event) {
        cudaEventRecord(e, s);
        cudaStreamWaitEvent(t, e, 0);
    }
    VT_LAUNCH(add, dim3(1), dim3(32), 0, t, b, a, 1);
    cudaStreamSynchronize(t);
    int right = first_of(b) == 1;
    cudaFree(a);
    cudaFree(b);
    cudaEventDestroy(e);
    cudaStreamDestroy(s);
    cudaStreamDestroy(t);
    return right ? FINE : NOTICED;
}

static int run_missing_event()
{
    return two_streams(0);
}

static int run_with_event()
{
    return two_streams(1);
}

/* Two streams captured into one graph that is replayed; fork: the second waits for the first. */
struct captured {
    float *a, *b;
    cudaStream_t s, t;
    cudaEvent_t begin, made, used;
    cudaGraph_t graph;
};

static int capture(struct captured *c, int fork, int join)
{
    c->a = device_floats(1);
    c->b = device_floats(1);
    c->s = stream_new();
    c->t = stream_new();
    cudaEventCreate(&c->begin);
    cudaEventCreate(&c->made);
    cudaEventCreate(&c->used);
    cudaMemset(c->b, 0, sizeof *c->b);
    cudaStreamBeginCapture(c->s, cudaStreamCaptureModeThreadLocal);
    cudaEventRecord(c->begin, c->s);
    cudaStreamWaitEvent(c->t, c->begin, 0);
    VT_LAUNCH(set, dim3(1), dim3(32), 0, c->s, c->a, 2.0f, 1);
    cudaEventRecord(c->made, c->s);
    if (fork)
        cudaStreamWaitEvent(c->t, c->made, 0);
    VT_LAUNCH(add, dim3(1), dim3(32), 0, c->t, c->b, c->a, 1);
    cudaEventRecord(c->used, c->t);
    if (join)
        cudaStreamWaitEvent(c->s, c->used, 0);
    return cudaStreamEndCapture(c->s, &c->graph);
}

static void capture_free(struct captured *c)
{
    if (c->graph)
        cudaGraphDestroy(c->graph);
    cudaEventDestroy(c->begin);
    cudaEventDestroy(c->made);
    cudaEventDestroy(c->used);
    cudaStreamDestroy(c->s);
    cudaStreamDestroy(c->t);
    cudaFree(c->a);
    cudaFree(c->b);
}

static int replay(int fork)
{
    struct captured c;
    cudaGraphExec_t x;
    enum { TIMES = 8 };
    if (capture(&c, fork, 1) != cudaSuccess || cudaGraphInstantiate(&x, c.graph, 0) != cudaSuccess)
        return NOTICED;
    for (int i = 0; i < TIMES; i++) {
        cudaMemsetAsync(c.a, 0xff, sizeof *c.a, c.s);
        cudaGraphLaunch(x, c.s);
    }
    cudaStreamSynchronize(c.s);
    int right = first_of(c.b) == 2 * TIMES;
    cudaGraphExecDestroy(x);
    capture_free(&c);
    return right ? FINE : NOTICED;
}

static int run_missing_fork()
{
    return replay(0);
}

static int run_graph()
{
    return replay(1);
}

static int run_missing_join()
{
    struct captured c;
    int e = capture(&c, 1, 0);
    capture_free(&c);
    return e == cudaErrorStreamCaptureUnjoined ? NOTICED : FINE;
}

/* Calls that a capture does not survive. */
static int in_capture(cudaError_t (*call)(cudaStream_t))
{
    cudaStream_t s = stream_new();
    cudaGraph_t g;
    cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal);
    cudaError_t e = call(s), end = cudaStreamEndCapture(s, &g);
    cudaStreamDestroy(s);
    return e == cudaErrorStreamCaptureUnsupported && end == cudaErrorStreamCaptureInvalidated
               ? NOTICED
               : FINE;
}

static cudaError_t allocate(cudaStream_t)
{
    void *p;
    return cudaMalloc(&p, 16);
}

static int run_malloc_in_capture()
{
    return in_capture(allocate);
}

static int run_sync_in_capture()
{
    return in_capture(cudaStreamSynchronize);
}

/* A launch that a device refuses. */
static int refused(unsigned blocks_y, unsigned threads, size_t shared)
{
    float *d = device_floats(1);
    int e = VT_LAUNCH(set, dim3(1, blocks_y), dim3(threads), shared, NULL, d, 1.0f, 1);
    cudaFree(d);
    return e == cudaErrorInvalidConfiguration && cudaGetLastError() == e ? NOTICED : FINE;
}

static int run_large_block()
{
    return refused(1, 2048, 0);
}

static int run_tall_grid()
{
    return refused(65536, 32, 0);
}

static int run_large_shared()
{
    return refused(1, 32, 100 << 10);
}

const planted host_bugs[] = {
    {"unset_device", "both", "", "wrong value", run_unset_device},
    {"host_pointer", "both", "VT_SIM_STRICT=1", "something else than device memory",
     run_host_pointer},
    {"host_reads", "asan", "VT_SIM_STRICT=1", "use-after-poison", run_host_reads},
    {"leak", "asan", "", "detected memory leaks", run_leak},
    {"past_the_end", "both", "", "past the end", run_past_the_end},
    {"wrong_direction", "both", "", "wrong direction", run_wrong_direction},
    {"unawaited", "both", "VT_SIM_STREAMS=lazy", "wrong value", run_unawaited},
    {"missing_event", "both", "VT_SIM_STREAMS=lazy", "wrong value", run_missing_event},
    {"missing_fork", "both", "VT_SIM_STREAMS=random", "wrong value", run_missing_fork},
    {"missing_join", "both", "", "wrong value", run_missing_join},
    {"malloc_in_capture", "both", "", "wrong value", run_malloc_in_capture},
    {"sync_in_capture", "both", "", "wrong value", run_sync_in_capture},
    {"large_block", "both", "", "wrong value", run_large_block},
    {"tall_grid", "both", "", "wrong value", run_tall_grid},
    {"large_shared", "both", "", "wrong value", run_large_shared},
    /* right */
    {"awaited", "both", "VT_SIM_STREAMS=lazy VT_SIM_STRICT=1", "", run_awaited},
    {"with_event", "both", "VT_SIM_STREAMS=lazy VT_SIM_STRICT=1", "", run_with_event},
    {"graph", "both", "VT_SIM_STREAMS=random VT_SIM_STRICT=1", "", run_graph},
    {},
};
