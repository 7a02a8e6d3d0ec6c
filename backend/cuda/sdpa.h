/* Attention by cuDNN: the only door to it. Operands and results are bf16, sums and lse in single
 * precision, layouts those of struct vt_attention_size; no key bias. Sums are made in a fixed
 * order, also backward.
 *
 * Like products (lt.h), a shape is prepared while a program is loaded, which may compile for a
 * second, and then executed in a stream without allocating. cudnn_sdpa.c is the body; the emulated
 * build has another one with the same promises. */
#ifndef BACKEND_CUDA_SDPA_H
#define BACKEND_CUDA_SDPA_H

#include "backend/cuda/kernels/launch.h"
#include "base/error.h"

struct vt_sdpa;

enum vt_sdpa_pass { VT_SDPA_FORWARD, VT_SDPA_BACKWARD };

/* Room for shapes; NULL where the program was built without cuDNN. */
struct vt_sdpa *vt_sdpa_new(void);
void vt_sdpa_free(struct vt_sdpa *s);

/* 0 and the bytes of workspace that executing it needs; -1 and one line why if cuDNN does not
 * compute this shape on this device, or is not here. Asked for again, it costs nothing. */
int vt_sdpa_prepare(struct vt_sdpa *s, const struct vt_attention_size *a, enum vt_sdpa_pass pass,
                    size_t *workspace_bytes, struct error *err);

/* 0, or an error code of the CUDA runtime. Addresses are multiples of 16 bytes. */
int vt_sdpa_forward(struct vt_sdpa *s, const struct vt_attention_size *a, void *out, float *lse,
                    const void *q, const void *k, const void *v, void *workspace,
                    cudaStream_t stream);
int vt_sdpa_backward(struct vt_sdpa *s, const struct vt_attention_size *a, void *dq, void *dk,
                     void *dv, const void *q, const void *k, const void *v, const void *out,
                     const float *lse, const void *dout, void *workspace, cudaStream_t stream);

#endif
