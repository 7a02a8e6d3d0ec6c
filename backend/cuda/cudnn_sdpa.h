/* The graphs of attention, for those who execute them and for the test that asks cuDNN about them.
 */
#ifndef BACKEND_CUDA_CUDNN_SDPA_H
#define BACKEND_CUDA_CUDNN_SDPA_H

#include "backend/cuda/cudnn_graph.h"
#include "backend/cuda/kernels/launch.h"

/* uids of operands and results. */
struct sdpa_uids {
    int64_t q, k, v, out, lse, scale; /* both passes */
    int64_t one, dout, row_sums;      /* backward: the number 1; (B,H,M) of workspace */
    int64_t dq, dk, dv;               /* backward */
};

/* out = softmax(scale q k^T) v and lse, as ten operations that cuDNN knows as one. */
void sdpa_forward_graph(struct dnn_graph *g, struct sdpa_uids *u,
                        const struct vt_attention_size *a);
/* Its gradients, eighteen operations; dq is a plain product, so that no sum is made by chance. */
void sdpa_backward_graph(struct dnn_graph *g, struct sdpa_uids *u,
                         const struct vt_attention_size *a);

#endif
