/* Devices and errors. */
#include "backend/sim/runtime.h"

#include <unistd.h>

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

size_t sim_host_memory(void)
{
    return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    if (device < 0 || device >= sim_options()->devices)
        return sim_error(cudaErrorInvalidDevice);
    *p = (struct cudaDeviceProp){
        .name = "emulated on the processor",
        .totalGlobalMem = sim_host_memory(),
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
