/* Ops as functions: what each computes, with its attributes and gradient. A kernel implements
 * exactly this.
 *
 * Letters as in op.h. Where a tensor may have any rank, "rows" are all its dimensions but the last.
 */
#ifndef TENSOR_OPS_OPS_H
#define TENSOR_OPS_OPS_H

#include "tensor/ops/mixing.h"
#include "tensor/ops/op.h"

/* ---- structure ------------------------------------------------------------------------------- */

/* The same elements in the same order under another shape; shares memory. */
struct tensor *op_reshape(struct graph *g, struct tensor *x, struct shape shape);
struct reshape_attr {
    struct shape shape;
};

/* Elements start .. start+length-1 along axis. Gradient: pad with zeros. */
struct tensor *op_slice(struct graph *g, struct tensor *x, int axis, int64_t start, int64_t length);
/* Zeros before and after along axis. Gradient: slice. */
struct tensor *op_pad(struct graph *g, struct tensor *x, int axis, int64_t before, int64_t after);
struct range_attr { /* slice: start, length; pad: before, after */
    int axis;
    int64_t a, b;
};

/* Joins n tensors along axis. Gradient: slices. */
struct tensor *op_concat(struct graph *g, struct tensor *const *x, int n, int axis);
struct axis_attr {
    int axis;
};

/* x (1, …) -> (count, …): one copy a batch element. Gradient: sum over axis 0. */
struct tensor *op_repeat(struct graph *g, struct tensor *x, int64_t count);
struct count_attr {
    int64_t count;
};

/* Axes axis and axis + 1 change places. Its gradient is another swap. Only where a layout must
 * really change: heads are an attribute of matmul and attention. */
struct tensor *op_swap(struct graph *g, struct tensor *x, int axis);

/* image (B,c,H,W) -> (B, H/p * W/p, c*p*p): non-overlapping patches, tokens row-major over the
 * grid, the elements of a patch in the order (channel, row, column) of a convolution's weight. A
 * patch embedding is patchify and linear. p must divide H and W. unpatchify is its inverse and its
 * gradient. */
struct tensor *op_patchify(struct graph *g, struct tensor *image, int64_t patch);
struct patch_attr {
    int64_t patch, channels, height, width; /* of the image */
};

/* The value of each sample of images in bytes: image (B,c,H,W) of TENSOR_BYTE, table (c,256) ->
 * (B,c,H,W), table[channel][sample]. A normalisation is such a table. Autograd takes the result for
 * a constant. patch_levels: its patchify in one pass; pass_fuse makes it. */
struct tensor *op_levels(struct graph *g, struct tensor *image, struct tensor *table);

/* Images of a batch mixed with each other, each as its row of plan (B, MIXED_FIELDS) says: image
 * (B,c,H,W) -> (B,c,H,W). Of v, a value of the image or 0 in the box that is erased from it, and u,
 * the partner's at the same place in the same way:
 *   MIXED_SUM 1  own v + other u: each product and their sum rounded; own v alone where u is
 *                erased (mixup, Zhang et al., ICLR 2018)
 *   MIXED_SUM 0  u in the box, v elsewhere (cutmix, Yun et al., ICCV 2019); no box: v
 * A row holds whole numbers, exact as values, and the two weights; a box is top, left, height and
 * width. Autograd takes the result for a constant.
 * patch_mix (image, plan) or (image in bytes, plan, table): patchify of mix, or of mix of levels,
 * in one pass; pass_fuse makes it. */
struct tensor *op_mix(struct graph *g, struct tensor *image, struct tensor *plan);
enum mixed_field {
    MIXED_PARTNER, /* its number in the batch */
    MIXED_SUM,
    MIXED_OWN,
    MIXED_OTHER,
    MIXED_BOX,
    MIXED_ERASED = MIXED_BOX + 4, /* height 0: nothing */
    MIXED_FIELDS = MIXED_ERASED + 4
};

/* Windows of an image (B,C,H,W), or of a token grid (B, rows*cols, C), as rows: -> (B, oh*ow,
 * C*kernel*kernel), the values of a window in the order (channel, row, column) of a convolution's
 * weight; oh = (H + 2 pad - kernel) / stride
 * + 1. A convolution is unfold and linear. rows and cols are ignored for images. fold is its
 * adjoint. */
struct tensor *op_unfold(struct graph *g, struct tensor *x, int64_t rows, int64_t cols,
                         int64_t kernel, int64_t stride, int64_t pad);
struct unfold_attr {
    int64_t kernel, stride, pad, channels, height, width, out_height, out_width;
    int tokens; /* the grid is (B, H*W, C) */
};

/* A fixed sparse linear map along one axis (tensor/ops/mixing.h; m lives in the graph's arena): x
 * (…, m->n_in, …) -> (…, m->n_out, …). Gradient: the transposed map. macs_fvcore is what fvcore
 * counts for the torch function that it stands for, for an element of the first dimension. */
struct tensor *op_resample(struct graph *g, struct tensor *x, int axis, const struct mixing *m,
                           int64_t macs_fvcore);
struct resample_attr {
    int axis;
    const struct mixing *forward, *adjoint;
    int64_t macs_fvcore;
};
/* Adaptive average pooling of a token grid: x (B, rows*cols, C) -> (B, out_rows*out_cols, C). */
struct tensor *op_pool_grid(struct graph *g, struct tensor *x, int64_t rows, int64_t cols,
                            int64_t out_rows, int64_t out_cols);

/* ---- element-wise ---------------------------------------------------------------------------- */

/* Binary ops broadcast as numpy does: shapes are aligned at the right, and a dimension of 1 or a
 * missing one repeats. Gradients are summed back over what was repeated. */
struct tensor *op_add(struct graph *g, struct tensor *a, struct tensor *b);
struct tensor *op_sub(struct graph *g, struct tensor *a, struct tensor *b);
struct tensor *op_mul(struct graph *g, struct tensor *a, struct tensor *b);
struct tensor *op_div(struct graph *g, struct tensor *a, struct tensor *b);

/* scale * x + shift */
struct tensor *op_affine(struct graph *g, struct tensor *x, double scale, double shift);
struct affine_attr {
    double scale, shift;
};
struct tensor *op_exp(struct graph *g, struct tensor *x);
struct tensor *op_log(struct graph *g, struct tensor *x);
struct tensor *op_sqrt(struct graph *g, struct tensor *x);
struct tensor *op_erf(struct graph *g, struct tensor *x);
struct tensor *op_sigmoid(struct graph *g, struct tensor *x);
/* elu(x) + 1: x + 1 for x > 0, else exp(x), computed without the cancellation of exp(x) - 1 + 1.
 * phi_grad (x, dy): dy * (x > 0 ? 1 : exp(x)). */
struct tensor *op_phi(struct graph *g, struct tensor *x);
struct tensor *op_phi_grad(struct graph *g, struct tensor *x, struct tensor *dy);
/* max(x, 0). relu_grad (x, dy): dy where x > 0. */
struct tensor *op_relu(struct graph *g, struct tensor *x);
/* Exact GELU: x/2 (1 + erf(x / sqrt 2)) (Hendrycks and Gimpel 2016). gelu_grad (x, dy). */
struct tensor *op_gelu(struct graph *g, struct tensor *x);
struct tensor *op_gelu_grad(struct graph *g, struct tensor *x, struct tensor *dy);

/* ---- reductions ------------------------------------------------------------------------------ */

/* scale * sum over the axes first .. first+count-1. keep: they stay with size 1. */
struct tensor *op_sum(struct graph *g, struct tensor *x, int first, int count, int keep,
                      double scale);
/* Maximum over one axis, kept with size 1. A shift, so autograd takes it for a constant. */
struct tensor *op_max(struct graph *g, struct tensor *x, int axis);
struct reduce_attr {
    int first, count, keep;
    double scale;
};
/* x with dimensions of 1 repeated to shape (same rank), times scale: the adjoint of sum. */
struct tensor *op_spread(struct graph *g, struct tensor *x, struct shape shape, double scale);
struct spread_attr {
    struct shape shape;
    double scale;
};
/* Mean over the tokens of x (B,N,C) -> (B,C). */
struct tensor *op_mean_tokens(struct graph *g, struct tensor *x);

/* ---- products -------------------------------------------------------------------------------- */

/* y = x w^T + b: x (…, I), w (O, I) or a patch kernel (O, c, p, p) with c*p*p = I, b (O) or NULL ->
 * (…, O). Gradients: dx = dy w, dw = dy^T x, db = column sums of dy. */
struct tensor *op_linear(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b);

/* y = x + h w^T + b, x as large as the result: what pass_fuse makes of a residual and the product
 * that is added to it. Inputs x, h, w and, where there is one, b. */
struct tensor *op_linear_add(struct graph *g, struct tensor *x, struct tensor *h, struct tensor *w,
                             struct tensor *b);

/* What linear learns from dy (R,O) and x (R,I), both at once: dw (O,I) = dy^T x + more, db (O) =
 * the sum of the rows of dy. more: the sum so far of dw's gradient, a third input that autograd
 * adds. */
struct node *op_linear_weight_grad(struct graph *g, struct tensor *dy, struct tensor *x);

/* y = gelu(pre), pre = x w^T + b, what pass_fuse makes of a product and the GELU behind it: results
 * y and, where gradients read it, pre. */
struct node *op_linear_gelu(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b);
/* The gradient that a product of gelu(pre) sends through it: (dy w) * gelu'(pre), as pre is shaped,
 * of dy (R,O) and w (O,I). */
struct tensor *op_matmul_gelu_grad(struct graph *g, struct tensor *dy, struct tensor *w,
                                   struct tensor *pre);

/* Products of stacks of matrices, one for each batch element and head:
 *   c = scale * op(a) op(b),  op(x) = x or its transpose.
 * The layout of each operand follows from its rank:
 *   2: (rows, cols), one matrix;  all three operands are then of rank 2 and heads is 1
 *   3: token-major (B, rows, heads*cols);  4: head-major (B, heads, rows, cols).
 * Of rank 2 with scale 1, a third input with as many elements is added to c: gradients have it.
 * out_rank is 2, 3 or 4. Gradients are products of the same kind. */
struct matmul_attr {
    int heads, trans_a, trans_b, out_rank;
    double scale;
};
struct tensor *op_matmul(struct graph *g, struct tensor *a, struct tensor *b,
                         struct matmul_attr attr);
/* The sizes of one product, for kernels: c (m,n) = op(a) (m,k) op(b) (k,n), batch * heads times. */
struct matmul_size {
    int64_t batch, m, n, k;
};
struct matmul_size op_matmul_size(const struct node *n);

/* Depthwise convolution along the tokens with zero padding: x (B,N,C), w (C,1,K) with K odd, b (C)
 * -> (B,N,C). depthwise_grad (x, w, dy) -> dx, dw, db. */
struct tensor *op_depthwise(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b);

/* gain * x + offset along the last axis: x (…, C), gain (C), offset (C). Batch norm in inference,
 * its statistics folded in, which is what fvcore takes it for: 2 an element. */
struct tensor *op_scale_shift(struct graph *g, struct tensor *x, struct tensor *gain,
                              struct tensor *offset);

/* ---- fused ----------------------------------------------------------------------------------- */

/* Softmax over one axis (negative counts from the end). softmax_grad (y, dy): y * (dy - sum(dy *
 * y)). */
struct tensor *op_softmax(struct graph *g, struct tensor *x, int axis);

/* Layer normalisation over the last axis with biased variance (Ba et al. 2016): y = (x - mean) *
 * rstd * gamma + beta, rstd = 1 / sqrt(var + eps). Outputs y, mean (rows), rstd (rows).
 * layer_norm_grad (dy, x, gamma, mean, rstd) -> dx, dgamma, dbeta; a sixth input is added to dx,
 * as the gradient that came to x by another way. */
struct tensor *op_layer_norm(struct graph *g, struct tensor *x, struct tensor *gamma,
                             struct tensor *beta, double eps);
struct eps_attr {
    double eps;
};
/* y = a + b, both of one shape, and its norm: what pass_fuse makes of a residual and the norm that
 * follows. (a, b, gamma, beta) -> y, norm, mean, rstd. Its gradient is layer_norm_grad's with that
 * of y as the sixth input. */
struct node *op_add_layer_norm(struct graph *g, struct tensor *a, struct tensor *b,
                               struct tensor *gamma, struct tensor *beta, double eps);

/* Multi-head attention (Vaswani et al. 2017): softmax(scale * q k^T + key_bias) v per head, all
 * operands token-major. Either three tensors q (B,M,H*D), k (B,N,H*D), v (B,N,H*E), or one packed
 * qkv (B,N,3*H*D) with the column ranges q, k, v one after the other. key_bias (B,N) is added to
 * every score of its key (proportional attention's log sizes; no gradient). Outputs: out (B,M,H*E),
 * lse (B,H,M), the log of each row's sum of exponentials. explicit_products: fvcore sees the two
 * products (ToMe, LookupViT, CrossViT) instead of a fused call that it counts as 0. attention_grad:
 * inputs of attention, then out, lse, dout -> dq, dk, dv, or dqkv packed alike. */
struct attention_attr {
    int heads, packed, has_bias, explicit_products;
    double scale;
};
struct tensor *op_attention(struct graph *g, struct tensor *q, struct tensor *k, struct tensor *v,
                            struct tensor *key_bias, int heads, double scale);
struct tensor *op_attention_packed(struct graph *g, struct tensor *qkv, struct tensor *key_bias,
                                   int heads, double scale);
/* B, M, N, H, D, E of an attention node (also of attention_grad). */
struct attention_size {
    int64_t batch, queries, keys, heads, dim, value_dim;
};
struct attention_size op_attention_size(const struct node *n);

/* Linear attention (Katharopoulos et al. 2020; ViTTM eq. 8 and 9 with the authors' normaliser), per
 * head, phi(x) = elu(x) + 1:
 *   out_m = phi(q_m) (sum_n phi(k_n)^T v_n) / (phi(q_m) . sum_n phi(k_n) + eps)
 * q (B,M,H*F), k (B,N,H*F), v (B,N,H*E), all before phi -> out (B,M,H*E), kv (B,H,F,E),
 * ksum (B,H,F). linear_attention_grad (q, k, v, kv, ksum, out, dout) -> dq, dk, dv. */
struct linear_attention_attr {
    int heads;
    double eps;
};
struct tensor *op_linear_attention(struct graph *g, struct tensor *q, struct tensor *k,
                                   struct tensor *v, int heads, double eps);
struct attention_size op_linear_attention_size(const struct node *n); /* dim is F */

/* Mean cross entropy. target is int32 labels (B) or soft targets (B,K) that need not sum to 1. With
 * labels, smoothing s makes the target (1-s) onehot + s/K. -> loss (). No gradient to the targets.
 * cross_entropy_grad (logits, target, dloss) -> dlogits. */
struct tensor *op_cross_entropy(struct graph *g, struct tensor *logits, struct tensor *target,
                                double smoothing);
struct loss_attr {
    double smoothing;
    double scale; /* bce: of every class's term */
};

/* Binary cross entropy with logits, mean over the batch of scale times the sum over classes of
 *   max(x, 0) - x t + log(1 + exp(-|x|)).
 * scale 1 is the authors' sum over classes, 1/K the mean. Targets and smoothing as in
 * cross_entropy. bce_grad (logits, target, dloss) -> dlogits: scale (sigmoid(x) - t) / B. */
struct tensor *op_bce(struct graph *g, struct tensor *logits, struct tensor *target,
                      double smoothing, double scale);

/* Cross entropy of many labels, some of which count for nothing: logits (…, K), target int32 with
 * an entry a row of logits, 0 .. K-1 or ignore. The sum over the rows that count, divided by their
 * number (0 where there is none), or with over_all by the number of all rows. smoothing as in
 * cross_entropy. -> loss (). label_cross_entropy_grad (logits, target, dloss) -> dlogits, 0 in rows
 * that do not count. */
struct label_loss_attr {
    double smoothing;
    int32_t ignore;
    int over_all;
};
struct tensor *op_label_cross_entropy(struct graph *g, struct tensor *logits, struct tensor *target,
                                      struct label_loss_attr attr);

/* ---- token reduction ------------------------------------------------------------------------- */

/* All token reduction is an assignment (B,N) of int32: entry n is the place of token n in a shorter
 * sequence. Merging is scatter_rows (rows with one place are summed, in ascending n), undoing it is
 * gather_rows; each is the other's adjoint. Axis 0 of x is the batch, axis any later one.
 *   scatter_rows: x (B, …, N, …) -> (B, …, count, …), places nobody has are zero
 *   scatter_max:  the same with the largest of the rows, value by value; a constant to autograd
 *   gather_rows:  x (B, …, M, …), assign (B,N) with entries below M -> (B, …, N, …) */
struct tensor *op_scatter_rows(struct graph *g, struct tensor *x, struct tensor *assign, int axis,
                               int64_t count);
struct tensor *op_scatter_max(struct graph *g, struct tensor *x, struct tensor *assign, int axis,
                              int64_t count);
struct tensor *op_gather_rows(struct graph *g, struct tensor *x, struct tensor *assign, int axis);
struct assign_attr {
    int axis;
    int64_t count; /* scatter_rows */
};

/* What a matching op gives. A are the tokens at even positions, B those at odd ones. Equal scores:
 * the lower index wins. Scores that are not a number lose. */
struct match {
    struct tensor *assign; /* (B,N) int32 */
    struct tensor *scores; /* (B, ceil(N/2), floor(N/2)), before any row is protected */
};

/* Bipartite soft matching of ToMe (Bolya et al. 2023, section 3.2; the authors' code). metric
 * (B,N,C). Scores are cosines of the rows. Every a of A has a best b of B; the r tokens of A with
 * the highest best scores are merged into theirs. Then come first the tokens of A that are left, by
 * position if class_token, else by falling score; then all of B in place. class_token: token 0 is
 * never merged. distill: token 1 is never merged into, and stands second. r must be what
 * op_tome_amount gives. */
struct match op_tome_match(struct graph *g, struct tensor *metric, int64_t r, int class_token,
                           int distill);
struct tome_attr {
    int64_t r;
    int class_token, distill;
};
/* min(r, half of the unprotected tokens), at least 0: how many tokens a block merges. */
int64_t op_tome_amount(int64_t tokens, int64_t r, int class_token, int distill);

/* Multi-criteria matching of MCTF (Lee et al. 2024, section 3; the authors' code): x (B,N,C) the
 * tokens, received (B,N) the attention that each receives (mean over heads and queries), sizes
 * (B,N) or NULL. The score of a pair is
 *   ((cos + 1) / 2)^(1/tau_sim) * (f_a f_b)^(1/tau_info) * (g_a g_b)^(1/tau_size),
 *   f = (1/received) / max(1/received),  g = (1/size) / max(1/size);
 * a tau of 0 leaves its factor out, and so do absent sizes. n tokens go: with two directions n/2
 * of A into their best b, then n - n/2 of B into the best a that is left, by the same scores; else
 * n of A. Order: the a's that are left by position, then the b's that are left, by falling score
 * with two directions and in place with one. protect 1: token 0 is never merged. */
struct mctf_attr {
    int64_t n; /* what op_mctf_amount gives, at least 1 */
    int protect, bidirectional;
    double tau_sim, tau_info, tau_size;
};
struct match op_mctf_match(struct graph *g, struct tensor *x, struct tensor *received,
                           struct tensor *sizes, struct mctf_attr a);
/* How many tokens a block fuses: r, or the part r < 1 of the unprotected tokens; never so many that
 * fewer than min_tokens are left, nor more than half of the unprotected ones. */
int64_t op_mctf_amount(int64_t tokens, double r, int protect, int64_t min_tokens);

/* The same values, which autograd takes for constants; shares memory. */
struct tensor *op_stop_gradient(struct graph *g, struct tensor *x);
/* 1 where x > threshold, else 0; a constant for autograd. */
struct tensor *op_above(struct graph *g, struct tensor *x, double threshold);
struct above_attr {
    double threshold;
};

/* ---- training -------------------------------------------------------------------------------- */

/* Stochastic depth (Huang et al. 2016): x (B, …); sample b is kept with probability 1 - rate and
 * divided by it, else zeroed. The draw is a function of (run seed, stream, step, b):
 * rng_init_hashed(seed, stream, step, b), kept if rng_uniform >= rate. Its gradient is the same op
 * with the same stream. */
struct tensor *op_drop_path(struct graph *g, struct tensor *x, double rate, const char *name);
struct drop_attr {
    double rate;
    uint64_t stream;
};

/* Sum of squares of all elements -> (), accumulated in double in a fixed order. */
struct tensor *op_norm_square(struct graph *g, struct tensor *x);

/* The block of hyper-parameters that the host writes before each run of a training step. The first
 * group is every update's; HYPER_T is the number of the update, 1 for the first, or 0: this run
 * only adds to the gradient, and adamw, sgd and running_mean change nothing. */
enum step_hyper {
    HYPER_LR,
    HYPER_DECAY,
    HYPER_NEW1, /* adamw: 1 - beta1, the share of the new gradient */
    HYPER_NEW2, /* adamw: 1 - beta2 */
    HYPER_EPS,  /* adamw */
    HYPER_CLIP, /* largest norm; 0: none */
    HYPER_T,
    HYPER_ADD,      /* accumulate: 1 adds to the sum, 0 starts it anew */
    HYPER_SHARE,    /* running_mean: share of the new weights; 1 copies them */
    HYPER_MOMENTUM, /* sgd */
    HYPER_NESTEROV, /* sgd: 1 or 0 */
    HYPER_COUNT = 16
};

/* Effects over flat blocks of P values, one pass each. Inputs of an update: params, its states
 * (both changed), grads, norm_square, hyper (HYPER_COUNT); no outputs. The gradient is scaled by
 * min(1, clip / (sqrt(norm_square) + 1e-6)) where clip > 0. Weight decay wd is that of the first
 * `decayed` values, and 0 for the rest.
 *
 * adamw (Loshchilov and Hutter 2019), states m and v:
 *   p <- p (1 - lr wd);  m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g^2;
 *   p <- p - lr / (1-b1^t) * m / (sqrt(v) / sqrt(1-b2^t) + eps)
 * 1 - beta is handed over because beta in single precision is not precise enough: 1 - 0.999f is off
 * by 1.3e-5, and v with it.
 *
 * sgd (torch.optim.SGD without dampening), state m, which starts at 0; mu the momentum:
 *   d = g + wd p;  m <- mu m + d;  p <- p - lr m, or with Nesterov's look ahead p - lr (d + mu m)
 */
struct update_attr {
    int64_t decayed;
};
void op_apply_update(struct graph *g, const struct op *update, struct tensor *params,
                     struct tensor *const *states, struct tensor *grads, struct tensor *norm_square,
                     struct tensor *hyper, int64_t decayed);
int op_update_states(const struct op *update); /* how many states */
/* The same for adamw, all values decayed. */
void op_apply_adamw(struct graph *g, struct tensor *params, struct tensor *m, struct tensor *v,
                    struct tensor *grads, struct tensor *norm_square, struct tensor *hyper);

/* Effect: sum <- grads, or sum + grads (HYPER_ADD). */
void op_apply_accumulate(struct graph *g, struct tensor *sum, struct tensor *grads,
                         struct tensor *hyper);

/* Effect: mean <- mean + share (params - mean), HYPER_SHARE; an exact copy where the share is 1 and
 * the mean is 0, as before the first update. */
void op_apply_running_mean(struct graph *g, struct tensor *mean, struct tensor *params,
                           struct tensor *hyper);

#endif
