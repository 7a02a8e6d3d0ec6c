/* Copies from device memory to shared memory that go on while the thread computes: no register
 * holds what is under way. With mma.h the one place with PTX; backend/sim/copy.h has the same
 * functions for the emulated device.
 *
 *   vt_copy_async(to, from, bytes)   sixteen bytes, both addresses multiples of 16: `bytes` of them
 *                                    are read, the others become 0; with 0 nothing is read, but
 *                                    from is a multiple of 16 all the same
 *   vt_copies_close()                what this thread has ordered since the last call, maybe
 *                                    nothing, is a group
 *   vt_copies_wait<N>()              until at most the N last groups of this thread are under way
 *
 * A wait is for the thread's own copies: other threads see them behind the barrier that comes after
 * it. Nobody reads or writes the place in between, and a thread waits for all before it ends. */
#ifndef BACKEND_CUDA_KERNELS_COPY_H
#define BACKEND_CUDA_KERNELS_COPY_H

#include "backend/cuda/kernels/vt_dev.h"

#ifdef VT_SIM
#include "backend/sim/copy.h"
#else

static __device__ __forceinline__ void vt_copy_async(void *to, const void *from, int bytes = 16)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(at), "l"(from), "r"(bytes)
                 : "memory");
}

static __device__ __forceinline__ void vt_copies_close()
{
    asm volatile("cp.async.commit_group;" : : : "memory");
}

template <int N> static __device__ __forceinline__ void vt_copies_wait()
{
    asm volatile("cp.async.wait_group %0;" : : "n"(N) : "memory");
}
#endif

#endif
