/* Ways to compute attention on a device. The own kernels take everything: fp32 in single precision,
 * tf32 and bf16 on tensor cores. cuDNN takes bf16 without a key bias. Which one computes a shape is
 * chosen while a program is loaded: with VITTM_CUDA_ATTENTION=auto, the default, both are timed
 * where the device has compute capability 9.0 or more, the faster one is printed and kept in a file
 * of choices, and elsewhere the own kernel is taken; =own and =cudnn decide it. */
#ifndef BACKEND_CUDA_OPS_ATTENTION_H
#define BACKEND_CUDA_OPS_ATTENTION_H

#include "backend/cuda/cuda.h"

/* Addresses of q, k and v, or of their gradients, in single precision or bf16. */
struct attention_operands {
    void *q, *k, *v;
};

struct vt_attention_size attention_size(const struct node *n);
/* In three tensors, or packed in the first one, of bf16 or float. */
struct attention_operands attention_split(void *const *tensors, const struct node *n, int half);

typedef int attention_run(const struct cuda_call *c);

/* Of both ops: the state of their calls is an attention_way. */
struct attention_way {
    attention_run *run;
    size_t workspace; /* cuDNN: where its workspace begins in the call's work memory */
};

attention_run attention_by_cudnn, attention_grad_by_cudnn;
/* Prepares cuDNN for a node, sets s->work_bytes and way; -1 and one line why where it cannot. */
int attention_cudnn_setup(struct cuda_setup *s, enum vt_sdpa_pass pass, struct attention_way *way,
                          struct error *why);

/* Fills s->state with the way to compute a node. own and cudnn are both ways. */
int attention_choose(struct cuda_setup *s, enum vt_sdpa_pass pass, attention_run *own,
                     attention_run *cudnn, struct error *err);

#endif
