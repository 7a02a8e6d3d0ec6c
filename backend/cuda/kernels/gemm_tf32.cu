/* Products of operands in float, rounded to tf32, on tensor cores. */
#include "backend/cuda/kernels/gemm_mma.h"

extern "C" int vt_gemm_tf32(const struct vt_gemm *g, cudaStream_t stream)
{
    return gemm_on_tensor_cores<float>(*g, stream);
}
