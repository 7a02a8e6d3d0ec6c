/* The launchers of the kernels: what C calls and .cu files define. Each enqueues its kernels in the
 * stream, allocates nothing, and returns 0 or an error code of the CUDA runtime; sizes that its
 * kernels cannot take give cudaErrorInvalidValue. Pointers are device addresses of float; where
 * they are void, bit i of `half` says that the i-th of them is bf16. They are at least 16-byte
 * aligned at the start of a tensor. Sizes may be anything from 1, counts from 0. */
#ifndef BACKEND_CUDA_KERNELS_LAUNCH_H
#define BACKEND_CUDA_KERNELS_LAUNCH_H

#ifdef __cplusplus
#include "backend/cuda/kernels/vt_dev.h"
extern "C" {
#else
#include <cuda_runtime_api.h>
#include <stdint.h>
#endif

/* ---- the run --------------------------------------------------------------------------------- */

/* What changes from run to run and no input carries. */
struct vt_scalars {
    uint64_t seed, step;
};
int vt_set_scalars(struct vt_scalars *to, uint64_t seed, uint64_t step, cudaStream_t stream);

/* ---- structure ------------------------------------------------------------------------------- */

/* rows rows of width values, ldx and ldy apart; x NULL: zeros. */
int vt_copy_rows(void *y, int64_t ldy, const void *x, int64_t ldx, int64_t rows, int64_t width,
                 unsigned half, cudaStream_t stream);
/* x (outer, n, m, inner) -> y (outer, m, n, inner) */
int vt_swap(void *y, const void *x, int64_t outer, int64_t n, int64_t m, int64_t inner,
            unsigned half, cudaStream_t stream);
/* image (batch, channels, height, width) <-> tokens, with half in bf16; see op_patchify */
struct vt_patches {
    int64_t batch, channels, height, width, patch;
};
int vt_patchify(void *tokens, int half, const float *image, struct vt_patches p,
                cudaStream_t stream);
int vt_unpatchify(float *image, const float *tokens, struct vt_patches p, cudaStream_t stream);
/* the same of bytes, whose values are in table (channels, 256): as tokens, with half in bf16, or
 * where they are */
int vt_patch_levels(void *tokens, int half, const uint8_t *image, const float *table,
                    struct vt_patches p, cudaStream_t stream);
int vt_levels(float *values, const uint8_t *image, const float *table, struct vt_patches p,
              cudaStream_t stream);
/* a batch mixed by plan (batch, 12), see op_mix; as tokens, with half in bf16, of float or, where
 * there is a table of their values, of bytes. Samples of 2^31 values and more are refused */
int vt_mix(float *values, const float *image, const float *plan, struct vt_patches p,
           cudaStream_t stream);
int vt_patch_mix(void *tokens, int half, const void *image, const float *table, const float *plan,
                 struct vt_patches p, cudaStream_t stream);
/* windows of a grid <-> rows, see op_unfold */
struct vt_windows {
    int64_t batch, channels, height, width, out_height, out_width, kernel, stride, pad;
    int64_t channel_stride, pixel_stride; /* in the grid */
};
int vt_unfold(float *rows, const float *grid, struct vt_windows w, cudaStream_t stream);
int vt_fold(float *grid, const float *rows, struct vt_windows w, cudaStream_t stream);
/* x (outer, n_in, inner) -> y (outer, n_out, inner) by a sparse matrix in rows: table holds start
 * (n_out + 1), then index (n), then weight (n, as float) */
int vt_resample(float *y, const float *x, const void *table, int64_t outer, int64_t n_in,
                int64_t n_out, int64_t n, int64_t inner, cudaStream_t stream);

/* ---- element-wise ---------------------------------------------------------------------------- */

/* A result seen as rank dimensions; operands step by stride elements a dimension, 0 where they
 * repeat. */
enum { VT_RANK_MAX = 6 };
struct vt_broadcast {
    int rank;
    uint32_t dim[VT_RANK_MAX], stride[2][VT_RANK_MAX];
    uint32_t count;
};
int vt_add(float *y, const void *a, const void *b, const struct vt_broadcast *l, unsigned half,
           cudaStream_t stream);
int vt_sub(float *y, const void *a, const void *b, const struct vt_broadcast *l, unsigned half,
           cudaStream_t stream);
int vt_mul(float *y, const void *a, const void *b, const struct vt_broadcast *l, unsigned half,
           cudaStream_t stream);
int vt_div(float *y, const void *a, const void *b, const struct vt_broadcast *l, unsigned half,
           cudaStream_t stream);
/* y = scale * a, a repeated */
int vt_spread(float *y, const float *a, float scale, const struct vt_broadcast *l,
              cudaStream_t stream);

int vt_affine(void *y, const void *x, int64_t n, float scale, float shift, unsigned half,
              cudaStream_t stream);
int vt_above(float *y, const float *x, int64_t n, float threshold, cudaStream_t stream);
int vt_exp(float *y, const float *x, int64_t n, cudaStream_t stream);
int vt_log(float *y, const float *x, int64_t n, cudaStream_t stream);
int vt_sqrt(float *y, const float *x, int64_t n, cudaStream_t stream);
int vt_erf(float *y, const float *x, int64_t n, cudaStream_t stream);
int vt_sigmoid(float *y, const float *x, int64_t n, cudaStream_t stream);
int vt_phi(float *y, const float *x, int64_t n, cudaStream_t stream);
int vt_relu(float *y, const float *x, int64_t n, cudaStream_t stream);
int vt_gelu(void *y, const void *x, int64_t n, unsigned half, cudaStream_t stream);
int vt_phi_grad(float *dx, const float *x, const float *dy, int64_t n, cudaStream_t stream);
int vt_relu_grad(float *dx, const float *x, const float *dy, int64_t n, cudaStream_t stream);
int vt_gelu_grad(void *dx, const void *x, const void *dy, int64_t n, unsigned half,
                 cudaStream_t stream);
/* y (rows, width) = x * gain + offset */
int vt_scale_shift(float *y, const float *x, const float *gain, const float *offset, int64_t rows,
                   int64_t width, cudaStream_t stream);
/* to: n values in bf16, as operands of products */
int vt_to_bf16(void *to, const float *from, int64_t n, cudaStream_t stream);
int vt_from_bf16(float *to, const void *from, int64_t n, cudaStream_t stream);

/* ---- reductions ------------------------------------------------------------------------------ */

/* x (outer, size, inner) -> y (outer, inner) = scale * sum; parts holds vt_sum_parts values */
int64_t vt_sum_parts(int64_t outer, int64_t size, int64_t inner);
int vt_sum(float *y, const void *x, float *parts, int64_t outer, int64_t size, int64_t inner,
           float scale, unsigned half, cudaStream_t stream);
int vt_max(float *y, const float *x, int64_t outer, int64_t size, int64_t inner,
           cudaStream_t stream);
/* softmax along size of (outer, size, inner), and its gradient */
int vt_softmax(float *y, const float *x, int64_t outer, int64_t size, int64_t inner,
               cudaStream_t stream);
int vt_softmax_grad(float *dx, const float *y, const float *dy, int64_t outer, int64_t size,
                    int64_t inner, cudaStream_t stream);

/* ---- products -------------------------------------------------------------------------------- */

/* What becomes of v = scale * op(a) op(b) + residual + bias. GELU is the exact one, by erf; v is
 * rounded to what it would be stored as before GELU is taken, whether it is stored or not: training
 * and inference compute the same. */
enum vt_epilogue {
    VT_PLAIN,      /* c = v */
    VT_GELU,       /* c = gelu(v) */
    VT_GELU_KEEP,  /* pre = v, c = gelu(v) */
    VT_GELU_SLOPE, /* c = v gelu'(pre) */
};

/* c[i] (m,n) = epilogue(scale * op(a[i]) (m,k) op(b[i]) (k,n) + residual[i] + bias) for i < batch,
 * all by rows; op(x) is x or, with trans, the transpose of x as it lies in memory. ld*: elements
 * from one row in memory to the next; stride_*: from one matrix to the next, 0 repeats it (a and b
 * only). Residual, which may be c, and pre have the layout of c; bias: n values. Any of the four is
 * NULL where there is none. half_v: of the residual, the bias and what v is rounded to before GELU;
 * pre has it too where it is kept. Addresses may be anything, multiples of 16 bytes are fast. A sum
 * is made in the order of k, whatever the sizes. Operands are float or, for vt_gemm_bf16, bf16. */
struct vt_gemm {
    const void *a, *b, *bias, *residual;
    void *c, *pre;
    float *sums; /* or NULL: m values, op(a[0]) added up along k */
    int64_t m, n, k, lda, ldb, ldc, batch, stride_a, stride_b, stride_c;
    int trans_a, trans_b, half_c, half_v, half_pre;
    int tile; /* rows and columns: 64, 128 (not in fp32); 0: by the sizes; the same bits */
    float scale;
    enum vt_epilogue epilogue;
};
enum { VT_GEMM_MOST = 1 << 30 }; /* of m, n and k, and of tiles */
int vt_gemm_fp32(const struct vt_gemm *g, cudaStream_t stream);
int vt_gemm_tf32(const struct vt_gemm *g, cudaStream_t stream);
int vt_gemm_bf16(const struct vt_gemm *g, cudaStream_t stream);

/* ---- layers ---------------------------------------------------------------------------------- */

/* copy: y, or dx, in bf16 beside single precision, or NULL; half: of y and x, of y and more, of dy
 * and x */
int vt_layer_norm(void *y, void *copy, float *mean, float *rstd, const void *x, const float *gamma,
                  const float *beta, int64_t rows, int64_t width, float eps, unsigned half,
                  cudaStream_t stream);
/* y the norm of sum = x + more; sum may lie on x or more */
int vt_add_layer_norm(float *sum, void *y, void *copy, float *mean, float *rstd, const float *x,
                      const void *more, const float *gamma, const float *beta, int64_t rows,
                      int64_t width, float eps, unsigned half, cudaStream_t stream);
/* parts holds vt_layer_norm_parts values; more, added to dx, may be NULL */
int64_t vt_layer_norm_parts(int64_t rows, int64_t width);
int vt_layer_norm_grad(float *dx, void *copy, float *dgamma, float *dbeta, const void *dy,
                       const void *x, const float *gamma, const float *mean, const float *rstd,
                       const float *more, float *parts, int64_t rows, int64_t width, unsigned half,
                       cudaStream_t stream);

/* x (batch, tokens, channels), w (channels, taps), bias (channels) */
struct vt_depthwise_size {
    int64_t batch, tokens, channels, taps;
};
int vt_depthwise(float *y, const float *x, const float *w, const float *bias,
                 struct vt_depthwise_size s, cudaStream_t stream);
/* parts holds batch * (taps + 1) * channels values */
int vt_depthwise_grad(float *dx, float *dw, float *dbias, const float *x, const float *w,
                      const float *dy, float *parts, struct vt_depthwise_size s,
                      cudaStream_t stream);

/* ---- attention ------------------------------------------------------------------------------- */

/* Token-major operands: head h owns columns h * dim (or h * value_dim) on; ld* from one token to
 * the next. */
struct vt_attention_size {
    int64_t batch, queries, keys, heads, dim, value_dim;
    int64_t ldq, ldk, ldv, ldo;
    float scale;
};
/* dim and value_dim at most; in tf32 */
enum { VT_ATTENTION_WIDEST = 256, VT_ATTENTION_TF32_WIDEST = 128 };
/* bias (batch, keys) or NULL; lse (batch, heads, queries) */
int vt_attention(float *out, float *lse, const float *q, const float *k, const float *v,
                 const float *bias, struct vt_attention_size a, cudaStream_t stream);
/* delta: room for (batch, heads, queries) values */
int vt_attention_grad(float *dq, float *dk, float *dv, const float *q, const float *k,
                      const float *v, const float *bias, const float *out, const float *lse,
                      const float *dout, float *delta, struct vt_attention_size a,
                      cudaStream_t stream);
/* The same with operands rounded to tf32, on tensor cores. */
int vt_attention_tf32(float *out, float *lse, const float *q, const float *k, const float *v,
                      const float *bias, struct vt_attention_size a, cudaStream_t stream);
int vt_attention_grad_tf32(float *dq, float *dk, float *dv, const float *q, const float *k,
                           const float *v, const float *bias, const float *out, const float *lse,
                           const float *dout, float *delta, struct vt_attention_size a,
                           cudaStream_t stream);
/* The same with operands in bf16, on tensor cores; half: of out, and of dq, dk, dv. */
int vt_attention_bf16(void *out, float *lse, const void *q, const void *k, const void *v,
                      const float *bias, struct vt_attention_size a, unsigned half,
                      cudaStream_t stream);
int vt_attention_grad_bf16(void *dq, void *dk, void *dv, const void *q, const void *k,
                           const void *v, const float *bias, const void *out, const float *lse,
                           const void *dout, float *delta, struct vt_attention_size a,
                           unsigned half, cudaStream_t stream);
/* kv (batch, heads, dim, value_dim), ksum (batch, heads, dim); scale is not used. In single
 * precision; half: of all six tensors */
int vt_linear_attention(void *out, float *kv, float *ksum, const void *q, const void *k,
                        const void *v, struct vt_attention_size a, float eps, unsigned half,
                        cudaStream_t stream);
/* scratch holds vt_linear_attention_parts values; half: of all ten tensors */
int64_t vt_linear_attention_parts(struct vt_attention_size a);
int vt_linear_attention_grad(void *dq, void *dk, void *dv, const void *q, const void *k,
                             const void *v, const float *kv, const float *ksum, const void *out,
                             const void *dout, float *scratch, struct vt_attention_size a,
                             float eps, unsigned half, cudaStream_t stream);

/* The same with operands rounded to tf32, or in bf16, on tensor cores, for heads that fit their
 * tiles. kv and ksum may be NULL; half: of out */
static inline int vt_linear_fits(int64_t dim, int64_t value_dim)
{
    return value_dim <= 64 ? dim <= 64 : value_dim <= 128 && dim <= 32;
}
int vt_linear_attention_tf32(float *out, float *kv, float *ksum, const float *q, const float *k,
                             const float *v, struct vt_attention_size a, float eps,
                             cudaStream_t stream);
int vt_linear_attention_bf16(void *out, float *kv, float *ksum, const void *q, const void *k,
                             const void *v, struct vt_attention_size a, float eps, unsigned half,
                             cudaStream_t stream);
/* out is computed anew; half: of dq, dk, dv */
int vt_linear_attention_grad_tf32(float *dq, float *dk, float *dv, const float *q, const float *k,
                                  const float *v, const float *kv, const float *ksum,
                                  const float *dout, struct vt_attention_size a, float eps,
                                  cudaStream_t stream);
int vt_linear_attention_grad_bf16(void *dq, void *dk, void *dv, const void *q, const void *k,
                                  const void *v, const float *kv, const float *ksum,
                                  const void *dout, struct vt_attention_size a, float eps,
                                  unsigned half, cudaStream_t stream);

/* ---- losses ---------------------------------------------------------------------------------- */

/* labels (batch) or soft (batch, classes), the other NULL. A label out of range gives a loss and
 * gradients that are not numbers. parts: batch doubles. */
struct vt_loss {
    int64_t batch, classes;
    const int32_t *labels;
    const float *soft;
    double smoothing, scale;
};
int vt_cross_entropy(float *loss, double *parts, const float *logits, struct vt_loss l,
                     cudaStream_t stream);
int vt_cross_entropy_grad(float *dlogits, const float *logits, const float *dloss, struct vt_loss l,
                          cudaStream_t stream);
int vt_bce(float *loss, double *parts, const float *logits, struct vt_loss l, cudaStream_t stream);
int vt_bce_grad(float *dlogits, const float *logits, const float *dloss, struct vt_loss l,
                cudaStream_t stream);

/* Many labels, some ignored: see op_label_cross_entropy. parts: vt_label_parts doubles. */
struct vt_labels {
    int64_t rows, classes;
    const int32_t *labels;
    double smoothing;
    int32_t ignore;
    int over_all;
};
int64_t vt_label_parts(void);
int vt_label_cross_entropy(float *loss, double *parts, const float *logits, struct vt_labels l,
                           cudaStream_t stream);
int vt_label_cross_entropy_grad(float *dlogits, double *parts, const float *logits,
                                const float *dloss, struct vt_labels l, cudaStream_t stream);

/* ---- token reduction ------------------------------------------------------------------------- */

/* x (outer, size, inner), y (outer, out_size, inner); group outer rows share a row of assign, which
 * is length long */
struct vt_moves {
    int64_t outer, size, inner, out_size, group, length;
};
int vt_scatter_rows(float *y, const float *x, const int32_t *assign, struct vt_moves m,
                    cudaStream_t stream);
int vt_scatter_max(float *y, const float *x, const int32_t *assign, struct vt_moves m,
                   cudaStream_t stream);
int vt_gather_rows(void *y, const void *x, const int32_t *assign, struct vt_moves m, unsigned half,
                   cudaStream_t stream);

/* x (batch, tokens, channels); scratch holds vt_match_scratch bytes. See op_tome_match and
 * op_mctf_match. */
struct vt_match {
    int64_t batch, tokens, channels;
    int64_t merged; /* tokens that go */
    int protect, distill, bidirectional;
    double tau_sim, tau_info, tau_size;
};
int64_t vt_match_scratch(int64_t batch, int64_t tokens);
int vt_tome_match(int32_t *assign, float *scores, const float *x, void *scratch, struct vt_match m,
                  cudaStream_t stream);
/* received, sizes (batch, tokens); sizes may be NULL */
int vt_mctf_match(int32_t *assign, float *scores, const float *x, const float *received,
                  const float *sizes, void *scratch, struct vt_match m, cudaStream_t stream);

/* ---- training -------------------------------------------------------------------------------- */

/* y (batch, n) = x times 0 or 1 / (1 - rate), as op_drop_path draws it */
int vt_drop_path(void *y, const void *x, int64_t batch, int64_t n, double rate, uint64_t stream_id,
                 const struct vt_scalars *scalars, unsigned half, cudaStream_t stream);
/* parts holds vt_norm_parts doubles */
int64_t vt_norm_parts(int64_t n);
int vt_norm_square(float *y, const float *x, double *parts, int64_t n, cudaStream_t stream);
/* Updates of flat blocks of n values: see op_apply_update. Weight decay is that of the first
 * `decayed` values. copy: the parameters in bf16, written with them; or NULL. Coefficients of a
 * step are computed on the device, from the hyper-parameters there, into scratch. */
enum { /* indices into hyper: those of enum step_hyper */
       VT_HYPER_LR,
       VT_HYPER_DECAY,
       VT_HYPER_NEW1,
       VT_HYPER_NEW2,
       VT_HYPER_EPS,
       VT_HYPER_CLIP,
       VT_HYPER_T,
       VT_HYPER_ADD,
       VT_HYPER_SHARE,
       VT_HYPER_MOMENTUM,
       VT_HYPER_NESTEROV
};
struct vt_adamw_step {
    float decay, clip, beta1, beta2, new1, new2, rate, root, eps;
    int update; /* 0: this run changes nothing */
};
int vt_adamw(float *p, void *copy, float *m, float *v, const float *g, const float *norm_square,
             const float *hyper, struct vt_adamw_step *scratch, int64_t n, int64_t decayed,
             cudaStream_t stream);
int vt_sgd(float *p, void *copy, float *m, const float *g, const float *norm_square,
           const float *hyper, int64_t n, int64_t decayed, cudaStream_t stream);
int vt_accumulate(float *sum, const float *g, const float *hyper, int64_t n, cudaStream_t stream);
int vt_running_mean(float *mean, const float *p, const float *hyper, int64_t n,
                    cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
