/* Multi-head attention by the own kernels: operands in three tensors, or packed in one. */
#include "backend/cuda/ops/attention.h"

struct vt_attention_size attention_size(const struct node *n)
{
    const struct attention_attr *a = n->attr;
    struct attention_size s = op_attention_size(n);
    int64_t ldq = shape_last(n->in[0]->shape);
    return (struct vt_attention_size){
        .batch = s.batch,
        .queries = s.queries,
        .keys = s.keys,
        .heads = s.heads,
        .dim = s.dim,
        .value_dim = s.value_dim,
        .ldq = ldq,
        .ldk = a->packed ? ldq : shape_last(n->in[1]->shape),
        .ldv = a->packed ? ldq : shape_last(n->in[2]->shape),
        .ldo = s.heads * s.value_dim,
        .scale = (float)a->scale,
    };
}

struct attention_operands attention_split(void *const *tensors, const struct node *n, int half)
{
    const struct attention_attr *a = n->attr;
    int64_t width = shape_last(n->in[0]->shape) / 3;
    if (a->packed)
        return (struct attention_operands){tensors[0], cuda_element(tensors[0], half, width),
                                           cuda_element(tensors[0], half, 2 * width)};
    return (struct attention_operands){tensors[0], tensors[1], tensors[2]};
}

static const float *bias_of(const struct cuda_call *c)
{
    const struct attention_attr *a = c->node->attr;
    return a->has_bias ? c->in[a->packed ? 1 : 3] : NULL;
}

/* ---- own kernels by precision ---------------------------------------------------------------- */

static int own_fp32(const struct cuda_call *c)
{
    struct attention_operands x = attention_split(c->in, c->node, 0);
    return vt_attention(c->out[0], c->out[1], x.q, x.k, x.v, bias_of(c), attention_size(c->node),
                        c->stream);
}

static int own_tf32(const struct cuda_call *c)
{
    struct attention_operands x = attention_split(c->in, c->node, 0);
    return vt_attention_tf32(c->out[0], c->out[1], x.q, x.k, x.v, bias_of(c),
                             attention_size(c->node), c->stream);
}

static int own_bf16(const struct cuda_call *c)
{
    struct attention_operands x = attention_split(c->in, c->node, 1);
    return vt_attention_bf16(c->out[0], c->out[1], x.q, x.k, x.v, bias_of(c),
                             attention_size(c->node), c->half_out & 1, c->stream);
}

static int own_grad_fp32(const struct cuda_call *c)
{
    int n = c->node->n_in;
    struct attention_operands x = attention_split(c->in, c->node, 0);
    struct attention_operands d = attention_split(c->out, c->node, 0);
    return vt_attention_grad(d.q, d.k, d.v, x.q, x.k, x.v, bias_of(c), c->in[n - 3], c->in[n - 2],
                             c->in[n - 1], c->scratch, attention_size(c->node), c->stream);
}

static int own_grad_tf32(const struct cuda_call *c)
{
    int n = c->node->n_in;
    struct attention_operands x = attention_split(c->in, c->node, 0);
    struct attention_operands d = attention_split(c->out, c->node, 0);
    return vt_attention_grad_tf32(d.q, d.k, d.v, x.q, x.k, x.v, bias_of(c), c->in[n - 3],
                                  c->in[n - 2], c->in[n - 1], c->scratch, attention_size(c->node),
                                  c->stream);
}

/* Which of q, k and v, or of their gradients, are bf16, by the bits of a call. */
static unsigned half_values(const struct node *n, unsigned half)
{
    return ((const struct attention_attr *)n->attr)->packed ? (half & 1 ? 7 : 0) : half & 7;
}

static int own_grad_bf16(const struct cuda_call *c)
{
    int n = c->node->n_in;
    struct attention_operands x = attention_split(c->in, c->node, 1);
    struct attention_operands d = attention_split(c->out, c->node, c->half_out & 1);
    return vt_attention_grad_bf16(d.q, d.k, d.v, x.q, x.k, x.v, bias_of(c), c->in[n - 3],
                                  c->in[n - 2], c->in[n - 1], c->scratch, attention_size(c->node),
                                  half_values(c->node, c->half_out), c->stream);
}

/* In tf32, heads that are too wide for tensor cores' tiles are multiplied in single precision. */
static enum precision own_precision(const struct cuda_setup *s)
{
    struct vt_attention_size a = attention_size(s->node);
    int wide = a.dim > VT_ATTENTION_TF32_WIDEST || a.value_dim > VT_ATTENTION_TF32_WIDEST;
    return s->precision == PRECISION_TF32 && wide ? PRECISION_FP32 : s->precision;
}

static int narrow_enough(const struct node *n, struct error *err)
{
    struct vt_attention_size a = attention_size(n);
    if (a.dim <= VT_ATTENTION_WIDEST && a.value_dim <= VT_ATTENTION_WIDEST)
        return 0;
    return error_set(err,
                     "heads of %lld and %lld channels are wider than the %d that attention on this "
                     "device takes: use more heads",
                     (long long)a.dim, (long long)a.value_dim, VT_ATTENTION_WIDEST);
}

int cuda_attention_setup(struct cuda_setup *s, struct error *err)
{
    static attention_run *const own[] = {own_fp32, own_tf32, own_bf16};
    if (narrow_enough(s->node, err))
        return -1;
    return attention_choose(s, VT_SDPA_FORWARD, own[own_precision(s)], attention_by_cudnn, err);
}

int cuda_attention_grad_setup(struct cuda_setup *s, struct error *err)
{
    static attention_run *const own[] = {own_grad_fp32, own_grad_tf32, own_grad_bf16};
    if (narrow_enough(s->node, err))
        return -1;
    return attention_choose(s, VT_SDPA_BACKWARD, own[own_precision(s)], attention_grad_by_cudnn,
                            err);
}

size_t cuda_attention_grad_scratch(const struct node *n)
{
    struct attention_size s = op_attention_size(n);
    return sizeof(float) * (size_t)(s.batch * s.heads * s.queries);
}

int cuda_attention(const struct cuda_call *c)
{
    return ((const struct attention_way *)c->state)->run(c);
}

int cuda_attention_grad(const struct cuda_call *c)
{
    return ((const struct attention_way *)c->state)->run(c);
}
