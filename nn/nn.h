/* The builder and the layers that all models share.
 *
 * A layer takes tensors and returns tensors; sizes come from the tensors handed in. name is the
 * layer's path below the current scope, and parameters are named as timm and the authors name them:
 * nn_linear(b, "qkv", …) inside the scope "blocks.0.attn" owns blocks.0.attn.qkv.weight and .bias.
 */
#ifndef NN_NN_H
#define NN_NN_H

#include "base/config.h"
#include "tensor/ops/ops.h"

/* Everything a layer may ask for. Lives on the stack of model_build. */
struct builder {
    struct graph *g;
    const struct config *c;
    int64_t batch;
    int training;      /* stochastic depth draws */
    int token_outputs; /* name the final tokens as results */
    const char *pass;  /* "" or NULL, or which further pass through shared weights this is: its
                        * random draws are its own */
    int dense;  /* features are for dense prediction (model/segment.c): fvcore sees attention's
                 * products, as in the code of segmentation models */
    int xavier; /* nn_linear's weights start uniform in +-sqrt(6 / (in + out)) */
};

/* LayerNorm's epsilon: 1e-6 in blocks, stream and final norms (timm), 1e-5 inside read-write heads
 * and memory blocks (torch's default in the authors' code). */
#define NN_EPS_TIMM  1e-6
#define NN_EPS_TORCH 1e-5

/* Weights of linear layers: normal with deviation 0.02, bias 0 (timm's trunc_normal_, which in
 * effect does not truncate). */
extern const struct init nn_normal_002, nn_zero, nn_one;

/* Layer paths: nn_enter(b, "attn") or nn_push(b, "blocks.%d", i) … nn_pop(b, old). */
const char *nn_enter(struct builder *b, const char *name);
const char *nn_push(struct builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nn_pop(struct builder *b, const char *old);
/* "blocks.3" of ("blocks", 3); lives as long as the graph. */
const char *nn_numbered(struct builder *b, const char *stem, int64_t i);

struct tensor *nn_param(struct builder *b, const char *name, struct shape shape, struct init init);
/* A parameter that the authors' code registers and never reads: counted, saved, never trained. */
struct tensor *nn_unused_param(struct builder *b, const char *name, struct shape shape,
                               struct init init);
/* weight (out, in) and bias (out) that nothing reads. */
void nn_unused_linear(struct builder *b, const char *name, int64_t in, int64_t out);

/* x (…, in) -> (…, out), with bias. */
struct tensor *nn_linear(struct builder *b, const char *name, struct tensor *x, int64_t out);
struct tensor *nn_linear_init(struct builder *b, const char *name, struct tensor *x, int64_t out,
                              struct init weight);

/* Without bias. */
struct tensor *nn_linear_plain(struct builder *b, const char *name, struct tensor *x, int64_t out);

/* The same as nn_linear with torch's default: weight and bias uniform in +-1 / sqrt(in). */
struct tensor *nn_linear_torch(struct builder *b, const char *name, struct tensor *x, int64_t out);

struct tensor *nn_layer_norm(struct builder *b, const char *name, struct tensor *x, double eps);

/* fc1 -> GELU -> fc2: x (…, C) -> (…, out). */
struct tensor *nn_mlp(struct builder *b, const char *name, struct tensor *x, int64_t hidden,
                      int64_t out);
/* The authors' hidden width: int(dim * ratio). */
int64_t nn_hidden(int64_t dim, double ratio);

/* Pre-norm encoder block (Dosovitskiy et al. 2021): x + LS1(attn(LN1 x)), then + LS2(mlp(LN2 x)).
 * Stochastic depth with the given rate on both branches. layer_scale > 0: learned gains of that
 * initial value (Touvron et al. 2021). */
struct block_options {
    int heads;
    double mlp_ratio, drop_path, layer_scale;
    double eps;            /* of the norms; 0: NN_EPS_TIMM */
    int explicit_products; /* fvcore sees the attention products (op_attention) */
    int no_qkv_bias;       /* LV-ViT, T2T-ViT */
    double qk_scale;       /* of the scores; 0: 1 / sqrt(C / heads) */
    double branch_divisor; /* of both branches (LV-ViT's skip_lam); 0: 1 */
};
struct tensor *nn_block(struct builder *b, const char *name, struct tensor *x,
                        const struct block_options *o);

/* The packed projection "qkv" (…, C) -> (…, 3C), and the scale of scores of width C. */
struct tensor *nn_qkv(struct builder *b, struct tensor *x, const struct block_options *o);
double nn_qk_scale(int64_t dim, const struct block_options *o);

/* x + drop_path(gain * branch / divisor), with o's rates; the gain is the parameter
 * scale_name.gamma. */
struct tensor *nn_residual(struct builder *b, const char *scale_name, const char *drop_name,
                           struct tensor *x, struct tensor *branch, const struct block_options *o);

/* Multi-head self attention with one qkv projection and an output projection: x (B,N,C) -> (B,N,C).
 * Of o what concerns the MLP, norms and residuals is not read. */
struct tensor *nn_self_attention(struct builder *b, const char *name, struct tensor *x,
                                 const struct block_options *o);

/* Block i of depth with the family's rates: drop path rises linearly from 0 to rate. */
double nn_drop_rate(double rate, int64_t i, int64_t depth);

/* Patch embedding: image (B,c,S,S) -> (B, (S/p)^2, dim); a convolution with kernel and stride p
 * (name.proj). */
enum patch_init {
    PATCH_TORCH, /* weight and bias uniform in +-1 / sqrt(c p^2) */
    PATCH_XAVIER /* weight uniform in +-sqrt(6 / ((c + dim) p^2)), bias 0: the process embedder */
};
struct tensor *nn_patch_embed(struct builder *b, const char *name, struct tensor *image,
                              int64_t patch, int64_t dim, enum patch_init init);
void nn_unused_patch_embed(struct builder *b, const char *name, int64_t channels, int64_t patch,
                           int64_t dim);

/* x (B,N,C) plus a learned table [1,N,C]. */
struct tensor *nn_pos_embed(struct builder *b, const char *name, struct tensor *x);

/* The same where the table was made for another image size: x holds prefix tokens and then a grid,
 * the table [1, prefix + stored.rows * stored.cols, C] is resampled to it, prefix entries as they
 * are (timm's resample_abs_pos_embed, antialiased bicubic; Segmenter's resize_pos_embed, bilinear).
 * stored {0} or the same grid: no resampling. */
struct grid {
    int64_t rows, cols;
};
struct pos_grid {
    int64_t prefix;
    struct grid now, stored;
    enum mixing_kind kind;
};
struct tensor *nn_pos_embed_grid(struct builder *b, const char *name, struct tensor *x,
                                 struct pos_grid grid);

/* Records a refusal that starts at the place where key was written: "file:12:3: model.dim 100: …
 * (read_head.0)". */
void nn_refuse(struct builder *b, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Splits a width over heads, or refuses with the nearest widths that would do. Returns 1 if it
 * fits. */
int nn_check_heads(struct builder *b, const char *key, int64_t width, int heads);
/* image (B,c,H,W) with zeros at its bottom and right, up to multiples of patch. */
struct tensor *nn_pad_image(struct builder *b, struct tensor *image, int64_t patch);

/* Cuts an image side into patches, or refuses with the nearest patches that would do. Returns 1 if
 * it fits. */
int nn_check_patch(struct builder *b, const char *key, int64_t patch, int64_t side);
/* Both sides of an image (B,c,H,W): its grid of patches, or refuses. Returns 1 if it fits. */
int nn_patch_grid(struct builder *b, const char *key, int64_t patch, const struct tensor *image,
                  struct grid *grid);

#endif
