/* Planted bugs, each of which the emulator must find, and right programs that look like them, of
 * which it must not complain. tests/sim/test_bugs.sh runs them:
 *   bugs list     NAME|BUILD|ENVIRONMENT|WHAT IS SAID, a line each; BUILD asan, tsan or both;
 *                 nothing said: a right program
 *   bugs NAME     runs one; exit code 7: the program saw a wrong value or an error code itself */
#include "backend/cuda/kernels/attention.h"
#include "backend/cuda/kernels/copy.h"
#include "backend/cuda/kernels/mma_tile.h"

#include <math.h>
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

#include "tests/sim/copies.inc"

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

/* ---- tensor cores ---------------------------------------------------------------------------- */

/* One case of attention that fills no tile: two heads, 37 queries and 23 keys, heads 24 and 16 wide.
 * Values are multiples of 1/8, exact in every type. */
enum {
    QUERIES = 37,
    KEYS = 23,
    HEADS = 2,
    DIM = 24,
    WIDE = 16,
    OPERAND = QUERIES * HEADS * DIM,
    OUT = 0, /* where results begin */
    LSE = OUT + QUERIES * HEADS * WIDE,
    DQ = LSE + HEADS * QUERIES,
    DK = DQ + QUERIES * HEADS * DIM,
    DV = DK + KEYS * HEADS * DIM,
    RESULTS = DV + KEYS * HEADS * WIDE
};
static const float SCALE = 0.25f;

struct attention_case {
    float operands[4][OPERAND]; /* q, k, v, dout */
    int counts[4];
    double delta[HEADS * QUERIES];
};

static double rounded(double x, bool rounds)
{
    return rounds ? (double)__bfloat162float(__float2bfloat16((float)x)) : x;
}

/* rounds: what enters a product is bf16. */
static void attention_loops(const attention_case &c, bool rounds, double *to)
{
    memset(to, 0, sizeof *to * RESULTS);
    for (int h = 0; h < HEADS; h++)
        for (int m = 0; m < QUERIES; m++) {
            double p[KEYS], top = -INFINITY, sum = 0;
            for (int n = 0; n < KEYS; n++) {
                p[n] = 0;
                for (int d = 0; d < DIM; d++)
                    p[n] += (double)SCALE * (double)c.operands[0][(m * HEADS + h) * DIM + d] *
                            (double)c.operands[1][(n * HEADS + h) * DIM + d];
                top = p[n] > top ? p[n] : top;
            }
            for (int n = 0; n < KEYS; n++)
                sum += p[n] = exp(p[n] - top);
            to[LSE + h * QUERIES + m] = top + log(sum);
            for (int n = 0; n < KEYS; n++) {
                double dp = -c.delta[h * QUERIES + m], q = rounded(p[n] / sum, rounds);
                for (int e = 0; e < WIDE; e++) {
                    double dout = (double)c.operands[3][(m * HEADS + h) * WIDE + e];
                    double v = (double)c.operands[2][(n * HEADS + h) * WIDE + e];
                    to[OUT + (m * HEADS + h) * WIDE + e] += q * v;
                    to[DV + (n * HEADS + h) * WIDE + e] += q * dout;
                    dp += dout * v;
                }
                double ds = rounded((double)SCALE * p[n] / sum * dp, rounds);
                for (int d = 0; d < DIM; d++) {
                    to[DQ + (m * HEADS + h) * DIM + d] +=
                        ds * (double)c.operands[1][(n * HEADS + h) * DIM + d];
                    to[DK + (n * HEADS + h) * DIM + d] +=
                        ds * (double)c.operands[0][(m * HEADS + h) * DIM + d];
                }
            }
        }
}

static const attention_case &the_case()
{
    static attention_case c;
    const int counts[4] = {QUERIES * HEADS * DIM, KEYS * HEADS * DIM, KEYS * HEADS * WIDE,
                           QUERIES * HEADS * WIDE};
    double truth[RESULTS];
    if (c.counts[0])
        return c;
    for (int i = 0; i < 4; i++) {
        c.counts[i] = counts[i];
        for (int k = 0; k < counts[i]; k++)
            c.operands[i][k] = (float)((k * 37 + i * 11 + k / 7 * 5) % 17 - 8) / 8;
    }
    attention_loops(c, false, truth);
    for (int h = 0; h < HEADS; h++)
        for (int m = 0; m < QUERIES; m++)
            for (int e = 0; e < WIDE; e++)
                c.delta[h * QUERIES + m] += truth[OUT + (m * HEADS + h) * WIDE + e] *
                                            (double)c.operands[3][(m * HEADS + h) * WIDE + e];
    return c;
}

/* Each result by its own largest value. */
static bool close_enough(const float *got, const double *truth, double tolerance)
{
    static const int begins[] = {OUT, LSE, DQ, DK, DV, RESULTS};
    for (int r = 0; r < 5; r++) {
        double top = 0, error = 0;
        for (int i = begins[r]; i < begins[r + 1]; i++) {
            double e = fabs((double)got[i] - truth[i]);
            top = fabs(truth[i]) > top ? fabs(truth[i]) : top;
            error = e <= error ? error : e == e ? e : INFINITY;
        }
        if (error > tolerance * top)
            return false;
    }
    return true;
}

/* Operands whose way into registers is planted to be wrong: attention_mma.h takes any type that has
 * a vt_mma and an operand. */
enum fault { SWAPPED_QUARTERS, NOT_TURNED, SWAPPED_SUMS, NEXT_ROW, NARROW_PITCH, COLUMNS_IN_ORDER };

template <class B, fault F> struct faulty : B {
    faulty() = default;
    faulty(float x) : B(x)
    {
    }
};
struct plain_float { /* a class, to inherit from */
    float value;
    plain_float() = default;
    plain_float(float x) : value(x)
    {
    }
};
template <class B> struct base_of {
    typedef B type;
};
template <> struct base_of<plain_float> {
    typedef float type;
};

template <class B, fault F> struct vt_mma<faulty<B, F>> {
    typedef typename base_of<B>::type T;
    typedef vt_mma<T> right;
    enum {
        DEPTH = right::DEPTH,
        PAD = F == NARROW_PITCH ? right::PAD / 2 : (int)right::PAD,
        LOADED = right::LOADED
    };
    static const T *plain(const faulty<B, F> *x)
    {
        return reinterpret_cast<const T *>(x);
    }
    static void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
    {
        right::multiply(d, a, b);
    }
    static void rows_of(uint32_t (&a)[4], const faulty<B, F> *x, int pitch)
    {
        right::rows_of(a, plain(x), pitch);
        if (F == SWAPPED_QUARTERS) {
            uint32_t swapped = a[1];
            a[1] = a[2];
            a[2] = swapped;
        }
    }
    static void turned_rows(uint32_t (&b)[2][2], const faulty<B, F> *x, int pitch)
    {
        right::turned_rows(b, plain(x) + (F == NEXT_ROW ? pitch : 0), pitch);
    }
    static void columns_of(uint32_t (&b)[2][2], const faulty<B, F> *x, int pitch)
    {
        if (F == NOT_TURNED) {
            right::turned_rows(b, plain(x), pitch);
        } else if (F == COLUMNS_IN_ORDER) { /* tf32: depth is not in the order of from_sums */
            int pair = (int)threadIdx.x & 3, group = (int)threadIdx.x >> 2 & 7;
            for (int j = 0; j < 2; j++)
                for (int half = 0; half < 2; half++)
                    memcpy(&b[j][half], plain(x) + (pair + 4 * half) * pitch + 8 * j + group,
                           sizeof b[j][half]);
        } else {
            right::columns_of(b, plain(x), pitch);
        }
    }
    static void from_sums(uint32_t (&a)[4], const float (*sums)[4])
    {
        right::from_sums(a, sums);
        if (F == SWAPPED_SUMS) {
            uint32_t swapped = a[0];
            a[0] = a[1];
            a[1] = swapped;
        }
    }
};

template <class B, fault F> struct operand<faulty<B, F>> {
    static faulty<B, F> of(faulty<B, F> x)
    {
        return x; /* the values of the case are exact */
    }
    static void move(faulty<B, F> *to, const faulty<B, F> *from)
    {
        memcpy(static_cast<void *>(to), from, 16);
    }
};

namespace whole
{
#include "tests/sim/attention_trial.inc"
} // namespace whole

/* The header without its barriers, and with tiles that are always taken for full ones. */
namespace no_barriers
{
#define __syncthreads() ((void)0)
#include "tests/sim/attention_trial.inc"
#undef __syncthreads
} // namespace no_barriers

namespace no_masks
{
static __device__ __forceinline__ int whole_tile(int64_t, int64_t, int tile_rows)
{
    return tile_rows;
}
#define rows_left whole_tile
#include "tests/sim/attention_trial.inc"
#undef rows_left
} // namespace no_masks

static const double ROUNDED = 2e-2, NEARLY = 2e-3; /* errors of bf16 and of tf32 */

static int run_attention_bf16()
{
    return whole::trial<vt_bf16, true>(ROUNDED);
}
static int run_attention_tf32()
{
    return whole::trial<float, false>(NEARLY);
}
static int run_attention_no_barriers()
{
    return no_barriers::trial<vt_bf16, true>(ROUNDED);
}
static int run_attention_no_masks()
{
    return no_masks::trial<vt_bf16, true>(ROUNDED);
}
#define FAULT(name, B, fault, tolerance)                                                           \
    static int run_attention_##name()                                                              \
    {                                                                                              \
        return whole::trial<faulty<B, fault>, true>(tolerance);                                    \
    }
FAULT(swapped_quarters, vt_bf16, SWAPPED_QUARTERS, ROUNDED)
FAULT(not_turned, vt_bf16, NOT_TURNED, ROUNDED)
FAULT(swapped_sums, vt_bf16, SWAPPED_SUMS, ROUNDED)
FAULT(next_row, vt_bf16, NEXT_ROW, ROUNDED)
FAULT(narrow_pitch, vt_bf16, NARROW_PITCH, ROUNDED)
FAULT(swapped_quarters_tf32, plain_float, SWAPPED_QUARTERS, ROUNDED)
FAULT(columns_in_order, plain_float, COLUMNS_IN_ORDER, ROUNDED)

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
    {"attention_no_barriers", "tsan", "", "data race", run_attention_no_barriers},
    {"attention_no_masks", "asan", "", "heap-buffer-overflow", run_attention_no_masks},
    {"attention_swapped_quarters", "both", "", "wrong value", run_attention_swapped_quarters},
    {"attention_not_turned", "both", "", "wrong value", run_attention_not_turned},
    {"attention_swapped_sums", "both", "", "wrong value", run_attention_swapped_sums},
    {"attention_next_row", "asan", "", "heap-buffer-overflow", run_attention_next_row},
    {"attention_narrow_pitch", "asan", "", "misaligned address", run_attention_narrow_pitch},
    {"attention_narrow_pitch", "tsan", "", "not at a multiple of 16 bytes",
     run_attention_narrow_pitch},
    {"attention_swapped_quarters_tf32", "both", "", "wrong value",
     run_attention_swapped_quarters_tf32},
    {"attention_columns_in_order", "both", "", "wrong value", run_attention_columns_in_order},
    {"copies_no_wait", "both", "VT_SIM_STREAMS=lazy", "wrong value", run_copies_no_wait},
    {"copies_no_wait", "both", "VT_SIM_STREAMS=random", "wrong value", run_copies_no_wait},
    {"copies_one_fewer", "both", "VT_SIM_STREAMS=lazy", "wrong value", run_copies_one_fewer},
    {"copies_one_fewer", "both", "VT_SIM_STREAMS=random", "wrong value", run_copies_one_fewer},
    {"copies_no_barrier", "tsan", "", "data race", run_copies_no_barrier},
    {"copies_no_barrier", "tsan", "VT_SIM_STREAMS=lazy", "data race", run_copies_no_barrier},
    {"copies_too_early", "tsan", "", "data race", run_copies_too_early},
    {"copies_too_early", "tsan", "VT_SIM_STREAMS=lazy", "data race", run_copies_too_early},
    {"copies_misaligned", "both", "", "not at a multiple of 16 bytes", run_copies_misaligned},
    {"copies_to_nowhere", "both", "", "does not go to shared memory", run_copies_to_nowhere},
    {"copies_never_awaited", "both", "VT_SIM_STREAMS=lazy", "before 2 of its copies",
     run_copies_never_awaited},
    /* right */
    {"copies_right", "both", "VT_SIM_ORDER=reverse", "", run_copies_right},
    {"copies_right", "both", "VT_SIM_STREAMS=lazy VT_SIM_STRICT=1", "", run_copies_right},
    {"copies_right", "both", "VT_SIM_STREAMS=random VT_SIM_ORDER=random", "", run_copies_right},
    {"with_barrier", "both", "VT_SIM_ORDER=random", "", run_with_barrier},
    {"with_syncwarp", "both", "VT_SIM_ORDER=random", "", run_with_syncwarp},
    {"blocks_apart", "both", "VT_SIM_WORKERS=2", "", run_blocks_apart},
    {"blocks_count", "both", "VT_SIM_WORKERS=2", "", run_blocks_count},
    {"halves", "both", "VT_SIM_ORDER=reverse", "", run_halves},
    {"comma", "both", "", "", run_comma},
    {"attention_bf16", "both", "VT_SIM_ORDER=random", "", run_attention_bf16},
    {"attention_tf32", "both", "VT_SIM_ORDER=reverse", "", run_attention_tf32},
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
