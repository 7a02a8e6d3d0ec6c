/* Products of operands in bf16, on tensor cores. */
#include "backend/cuda/kernels/gemm_mma.h"

extern "C" int vt_gemm_bf16(const struct vt_gemm *g, cudaStream_t stream)
{
    return gemm_on_tensor_cores<vt_bf16>(*g, stream);
}
