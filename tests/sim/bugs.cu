/* Planted bugs, each of which the emulator must find, and right programs that look like them, of
 * which it must not complain. tests/sim/test_bugs.sh runs them:
 *   bugs list     NAME|BUILD|ENVIRONMENT|WHAT IS SAID, a line each; BUILD asan, tsan or both;
 *                 nothing said: a right program
 *   bugs NAME     runs one; exit code 7: the program saw a wrong value or an error code itself */
#include "backend/cuda/kernels/vt_dev.h"

#include <stdio.h>
#include <string.h>

enum { FINE = 0, NOTICED = 7, THREADS = 128 };

/* ---- what the programs share ----------------------------------------------------------------- */

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

static float *device_floats(int n)
{
    void *p = NULL;
    if (cudaMalloc(&p, sizeof(float) * (size_t)n) != cudaSuccess)
        return NULL;
    return static_cast<float *>(p);
}

static cudaStream_t stream_new()
{
    cudaStream_t s;
    cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    return s;
}

/* The first value of device memory, once everything is done. */
static float first_of(const float *d)
{
    float x = 0;
    cudaDeviceSynchronize();
    cudaMemcpy(&x, d, sizeof x, cudaMemcpyDeviceToHost);
    return x;
}

/* Runs a kernel on n floats; 7 where a value it leaves is no number. */
template <class... A> static int run(void (*kernel)(float *, A...), int blocks, int threads, A... a)
{
    float *d = device_floats(THREADS), host[THREADS];
    cudaStream_t s = stream_new();
    cudaMemsetAsync(d, 0, sizeof host, s);
    cudaError_t e = sim_launch_kernel("a planted bug", kernel, dim3((unsigned)blocks),
                                      dim3((unsigned)threads), 128, s, d, a...);
    cudaStreamSynchronize(s);
    cudaMemcpy(host, d, sizeof host, cudaMemcpyDeviceToHost);
    cudaFree(d);
    cudaStreamDestroy(s);
    for (int i = 0; i < THREADS; i++)
        if (host[i] != host[i])
            e = cudaErrorUnknown;
    return e == cudaSuccess ? FINE : NOTICED;
}

/* ---- kernels: races -------------------------------------------------------------------------- */

__global__ void missing_barrier(float *o)
{
    VT_SHARED(float, s, [THREADS]);
    s[threadIdx.x] = (float)threadIdx.x;
    o[threadIdx.x] = s[THREADS - 1 - threadIdx.x];
}

__global__ void with_barrier(float *o)
{
    VT_SHARED(float, s, [THREADS]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncthreads();
        o[threadIdx.x] = s[THREADS - 1 - threadIdx.x];
        __syncthreads();
    }
}

/* The second write comes before everybody has read the first. */
__global__ void barrier_too_few(float *o)
{
    VT_SHARED(float, s, [THREADS]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncthreads();
        o[threadIdx.x] = s[THREADS - 1 - threadIdx.x];
    }
}

__global__ void missing_syncwarp(float *o)
{
    VT_SHARED(float, s, [32]);
    s[threadIdx.x] = (float)threadIdx.x;
    float one = __shfl_sync(VT_FULL, 1.0f, 0); /* a shuffle orders nothing */
    o[threadIdx.x] = one + s[31 - threadIdx.x];
}

__global__ void with_syncwarp(float *o)
{
    VT_SHARED(float, s, [32]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncwarp();
        o[threadIdx.x] = s[31 - threadIdx.x];
        __syncwarp();
    }
}

__global__ void syncwarp_too_few(float *o)
{
    VT_SHARED(float, s, [32]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncwarp();
        o[threadIdx.x] = s[31 - threadIdx.x];
    }
}

__global__ void all_write_one(float *o)
{
    VT_SHARED(float, s, [1]);
    s[0] = (float)threadIdx.x;
    __syncthreads();
    o[0] = s[0];
}

__global__ void blocks_share(float *o)
{
    if (threadIdx.x == 0)
        o[0] = o[0] + 1;
}

__global__ void blocks_apart(float *o)
{
    if (threadIdx.x == 0)
        o[blockIdx.x] = o[blockIdx.x] + 1;
}

__global__ void blocks_count(float *o)
{
    atomicAdd(reinterpret_cast<int *>(o), 1);
}

/* ---- kernels: memory ------------------------------------------------------------------------- */

__global__ void global_overrun(float *o, int n)
{
    int i = (int)threadIdx.x;
    if (i <= n)
        o[i] = 1;
}

__global__ void static_overrun(float *o)
{
    VT_SHARED(float, s, [32]);
    s[threadIdx.x + 1] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x];
}

__global__ void dynamic_overrun(float *o)
{
    VT_SHARED_DYN(float, s); /* 32 floats */
    s[threadIdx.x + 1] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x];
}

__global__ void misaligned(float *o)
{
    float4 v = *reinterpret_cast<float4 *>(o + 1);
    o[0] = v.x;
}

__global__ void overflow(float *o, int most)
{
    o[threadIdx.x] = (float)(most + (int)threadIdx.x);
}

__global__ void unset_shared(float *o)
{
    VT_SHARED(float, s, [64]);
    s[threadIdx.x] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x + 32];
}

__global__ void deep_stack(float *o)
{
    volatile char big[512 << 10];
    for (int i = (int)sizeof big - 1; i >= 0; i -= 512)
        big[i] = 1;
    o[0] = big[5];
}

/* ---- kernels: divergence --------------------------------------------------------------------- */

__global__ void divergent_barrier(float *o)
{
    if (threadIdx.x < 16) {
        __syncthreads();
        o[0] = 1;
    } else {
        __syncthreads();
        o[1] = 1;
    }
}

__global__ void divergent_shuffle(float *o)
{
    float v = (float)threadIdx.x;
    if (threadIdx.x < 16)
        v += __shfl_xor_sync(VT_FULL, v, 1);
    else
        v += __shfl_down_sync(VT_FULL, v, 1);
    o[threadIdx.x] = v;
}

__global__ void overlapping_masks(float *o)
{
    float v = (float)threadIdx.x;
    v += threadIdx.x < 16 ? __shfl_sync(0x0001ffffu, v, 0) : __shfl_sync(0xffff0000u, v, 16);
    o[threadIdx.x] = v;
}

__global__ void halves(float *o)
{
    float v = (float)threadIdx.x;
    v += threadIdx.x < 16 ? __shfl_sync(0x0000ffffu, v, 0) : __shfl_sync(0xffff0000u, v, 16);
    o[threadIdx.x] = v;
}

__global__ void stuck(float *o)
{
    float v = (float)threadIdx.x;
    if (threadIdx.x < 16)
        v += __shfl_xor_sync(VT_FULL, v, 1);
    else
        __syncthreads();
    o[threadIdx.x] = v;
}

__global__ void not_in_mask(float *o)
{
    o[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 0);
}

__global__ void from_nobody(float *o)
{
    if (threadIdx.x >= 16)
        return;
    o[threadIdx.x] = __shfl_xor_sync(0xffffu, (float)threadIdx.x, 16);
}

/* ---- programs: kernels ----------------------------------------------------------------------- */

#define KERNEL_BUG(name, blocks, threads)                                                          \
    static int run_##name()                                                                        \
    {                                                                                              \
        return run(name, blocks, threads);                                                         \
    }
KERNEL_BUG(missing_barrier, 1, THREADS)
KERNEL_BUG(with_barrier, 1, THREADS)
KERNEL_BUG(barrier_too_few, 1, THREADS)
KERNEL_BUG(missing_syncwarp, 1, 32)
KERNEL_BUG(with_syncwarp, 1, 32)
KERNEL_BUG(syncwarp_too_few, 1, 32)
KERNEL_BUG(all_write_one, 1, 64)
KERNEL_BUG(blocks_share, 64, 32)
KERNEL_BUG(blocks_apart, 64, 32)
KERNEL_BUG(blocks_count, 64, 32)
KERNEL_BUG(static_overrun, 1, 32)
KERNEL_BUG(dynamic_overrun, 1, 32)
KERNEL_BUG(misaligned, 1, 1)
KERNEL_BUG(unset_shared, 1, 32)
KERNEL_BUG(deep_stack, 1, 1)
KERNEL_BUG(divergent_barrier, 1, 32)
KERNEL_BUG(divergent_shuffle, 1, 32)
KERNEL_BUG(overlapping_masks, 1, 32)
KERNEL_BUG(halves, 1, 32)
KERNEL_BUG(stuck, 1, 32)
KERNEL_BUG(not_in_mask, 1, 32)
KERNEL_BUG(from_nobody, 1, 32)

static int run_global_overrun()
{
    return run(global_overrun, 1, 256, (int)THREADS);
}

static int run_overflow()
{
    return run(overflow, 1, 32, 2147483647);
}

template <int a, int b> __global__ void product(float *o)
{
    o[0] = a * b;
}

static int run_comma()
{
    float *d = device_floats(1);
    int e = VT_LAUNCH((product<3, 4>), dim3(1), dim3(1), 0, NULL, d);
    float x = first_of(d);
    cudaFree(d);
    return e == cudaSuccess && x == 12 ? FINE : NOTICED;
}

/* ---- programs: the host ---------------------------------------------------------------------- */

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

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *name, *build, *environment, *says;
    int (*run)();
} programs[] = {
    {"missing_barrier", "tsan", "", "data race", run_missing_barrier},
    {"barrier_too_few", "tsan", "", "data race", run_barrier_too_few},
    {"missing_syncwarp", "tsan", "", "data race", run_missing_syncwarp},
    {"syncwarp_too_few", "tsan", "", "data race", run_syncwarp_too_few},
    {"all_write_one", "tsan", "", "data race", run_all_write_one},
    {"blocks_share", "tsan", "VT_SIM_WORKERS=2", "data race", run_blocks_share},
    {"global_overrun", "asan", "", "heap-buffer-overflow", run_global_overrun},
    {"static_overrun", "asan", "", "out of bounds", run_static_overrun},
    {"dynamic_overrun", "asan", "", "heap-buffer-overflow", run_dynamic_overrun},
    {"misaligned", "asan", "", "misaligned address", run_misaligned},
    {"overflow", "asan", "", "signed integer overflow", run_overflow},
    {"deep_stack", "asan", "", "stack-overflow", run_deep_stack},
    {"unset_shared", "both", "", "wrong value", run_unset_shared},
    {"unset_device", "both", "", "wrong value", run_unset_device},
    {"divergent_barrier", "both", "", "divergent __syncthreads", run_divergent_barrier},
    {"divergent_shuffle", "both", "", "different collective operations", run_divergent_shuffle},
    {"overlapping_masks", "both", "", "different masks that overlap", run_overlapping_masks},
    {"stuck", "both", "", "deadlock", run_stuck},
    {"not_in_mask", "both", "", "is not in the mask", run_not_in_mask},
    {"from_nobody", "both", "", "wrong value", run_from_nobody},
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
    {"with_barrier", "both", "VT_SIM_ORDER=random", "", run_with_barrier},
    {"with_syncwarp", "both", "VT_SIM_ORDER=random", "", run_with_syncwarp},
    {"blocks_apart", "both", "VT_SIM_WORKERS=2", "", run_blocks_apart},
    {"blocks_count", "both", "VT_SIM_WORKERS=2", "", run_blocks_count},
    {"halves", "both", "VT_SIM_ORDER=reverse", "", run_halves},
    {"comma", "both", "", "", run_comma},
    {"awaited", "both", "VT_SIM_STREAMS=lazy VT_SIM_STRICT=1", "", run_awaited},
    {"with_event", "both", "VT_SIM_STREAMS=lazy VT_SIM_STRICT=1", "", run_with_event},
    {"graph", "both", "VT_SIM_STREAMS=random VT_SIM_STRICT=1", "", run_graph},
};

int main(int argc, char **argv)
{
    for (const auto &p : programs) {
        if (argc == 2 && !strcmp(argv[1], "list"))
            printf("%s|%s|%s|%s\n", p.name, p.build, p.environment, p.says);
        if (argc == 2 && !strcmp(argv[1], p.name)) {
            int code = p.run();
            if (code == NOTICED)
                fputs("wrong value or error code seen\n", stderr);
            return code;
        }
    }
    return argc == 2 && !strcmp(argv[1], "list") ? 0 : 2;
}
