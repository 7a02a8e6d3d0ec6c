/* The backend cuda, and the table of its kernels. Compiled with VT_SIM the same code runs on the
 * emulated device and is the backend sim. */
#include "backend/cuda/cuda.h"

#include "backend/cuda/program.h"

#include <stdio.h>
#include <string.h>

#ifdef VT_SIM
#define BACKEND_NAME "sim"
#define BACKEND_DOC  "the CUDA kernels, run on the processor: tests"
#else
#define BACKEND_NAME "cuda"
#define BACKEND_DOC  "an NVIDIA GPU, of compute capability 8.0 or more"
#endif

enum { OLDEST = 8 /* compute capability: bf16 products */ };

size_t cuda_no_scratch(const struct node *n)
{
    (void)n;
    return 0;
}

int cuda_no_setup(struct cuda_setup *s, struct error *err)
{
    (void)s;
    (void)err;
    return 0;
}

static const struct cuda_kernel kernels[] = {
#define KERNEL_ROW(name, scratch, setup, halves)                                                   \
    {#name, cuda_##name, cuda_##scratch##_scratch, cuda_##setup##_setup, cuda_##halves##_halves},
#include "backend/cuda/kernels.def"
#undef KERNEL_ROW
};

const struct cuda_kernel *cuda_kernel_find(const struct op *op)
{
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (!strcmp(kernels[i].name, op->name))
            return &kernels[i];
    return NULL;
}

/* Runs the smallest kernel there is: a build for other architectures, a device that somebody has
 * for himself and one that has failed show here, in one line, and not in the middle of a run. */
static int try_kernel(void)
{
    void *at = NULL;
    cudaStream_t stream = NULL;
    int code = (int)cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    code = code ? code : (int)cudaMalloc(&at, sizeof(struct vt_scalars));
    code = code ? code : vt_set_scalars(at, 0, 0, stream);
    code = code ? code : (int)cudaStreamSynchronize(stream);
    if (at)
        cudaFree(at);
    if (stream)
        cudaStreamDestroy(stream);
    return code;
}

/* The runtime answers without a driver too, with one of several codes: all mean no device. */
static int cuda_probe(const struct backend_options *o, char *device, size_t size, struct error *err)
{
    int count = 0, which = o ? o->device : 0;
    struct cudaDeviceProp prop;
    cudaError_t code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess || count < 1) {
        cudaGetLastError();
        return error_env(err, "no CUDA device: %s",
                         code ? cudaGetErrorString(code) : "the driver lists none");
    }
    if (which >= count)
        return error_env(err, "there is no device %d: this machine has %d", which, count);
    if ((code = cudaSetDevice(which)) || (code = cudaGetDeviceProperties(&prop, which))) {
        cudaGetLastError();
        return error_env(err, "CUDA device %d: %s", which, cudaGetErrorString(code));
    }
    if (prop.major < OLDEST)
        return error_env(err, "%s has compute capability %d.%d, older than %d.0", prop.name,
                         prop.major, prop.minor, OLDEST);
    if ((code = (cudaError_t)try_kernel())) {
        cudaGetLastError();
        if (code != cudaErrorNoKernelImageForDevice)
            return error_env(err, "%s runs no kernel: %s", prop.name, cudaGetErrorString(code));
        return error_env(err,
                         "%s does not run the kernels of this build: %s (make CUDA_ARCHS=%d%d)",
                         prop.name, cudaGetErrorString(code), prop.major, prop.minor);
    }
    snprintf(device, size, "%s, sm_%d%d", prop.name, prop.major, prop.minor);
    return 0;
}

static int cuda_has(const void *ctx, const struct op *op)
{
    (void)ctx;
    return (op->flags & OP_ALIAS) || cuda_kernel_find(op);
}

static size_t cuda_scratch(const void *ctx, const struct node *n)
{
    (void)ctx;
    const struct cuda_kernel *k = cuda_kernel_find(n->op);
    return k ? k->scratch(n) : 0;
}

static void cuda_halves(const struct node *n, struct half_rule *r)
{
    const struct cuda_kernel *k = cuda_kernel_find(n->op);
    if (k)
        k->halves(n, r);
}

extern const struct backend backend_cuda_device;
const struct backend backend_cuda_device = {
    .choice = {.name = BACKEND_NAME, .doc = BACKEND_DOC},
    .value_size = sizeof(float),
    .probe = cuda_probe,
    .has = cuda_has,
    .scratch = cuda_scratch,
    .halves = cuda_halves,
    .load = cuda_load,
    .unload = cuda_unload,
    .write = cuda_write,
    .read = cuda_read,
    .read_double = cuda_read_double,
    .write_double = cuda_write_double,
    .run = cuda_run,
    .wait = cuda_wait,
    .profile = cuda_profile,
    .profile_step = cuda_profile_step,
};
