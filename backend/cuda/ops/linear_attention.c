/* Linear attention. */
#include "backend/cuda/cuda.h"

static struct vt_attention_size size_of(const struct node *n)
{
    struct attention_size s = op_linear_attention_size(n);
    return (struct vt_attention_size){
        .batch = s.batch,
        .queries = s.queries,
        .keys = s.keys,
        .heads = s.heads,
        .dim = s.dim,
        .value_dim = s.value_dim,
        .ldq = s.heads * s.dim,
        .ldk = s.heads * s.dim,
        .ldv = s.heads * s.value_dim,
        .ldo = s.heads * s.value_dim,
    };
}

static float eps_of(const struct node *n)
{
    return (float)((const struct linear_attention_attr *)n->attr)->eps;
}

/* Heads that are too wide for tensor cores' tiles are computed in single precision. */
static enum precision multiplied_in(const struct cuda_call *c)
{
    struct vt_attention_size a = size_of(c->node);
    return vt_linear_fits(a.dim, a.value_dim) ? c->precision : PRECISION_FP32;
}

/* A sum over the keys, or NULL where nobody reads it. */
static float *sums(const struct cuda_call *c, int i)
{
    return plan_bit(c->unread, i) ? NULL : c->out[i];
}

static int forward_fp32(const struct cuda_call *c)
{
    return vt_linear_attention(c->out[0], c->out[1], c->out[2], c->in[0], c->in[1], c->in[2],
                               size_of(c->node), eps_of(c->node),
                               (c->half_out & 1) | (c->half_in & 7) << 1, c->stream);
}

static int forward_tf32(const struct cuda_call *c)
{
    return vt_linear_attention_tf32(c->out[0], sums(c, 1), sums(c, 2), c->in[0], c->in[1], c->in[2],
                                    size_of(c->node), eps_of(c->node), c->stream);
}

static int forward_bf16(const struct cuda_call *c)
{
    return vt_linear_attention_bf16(c->out[0], sums(c, 1), sums(c, 2), c->in[0], c->in[1], c->in[2],
                                    size_of(c->node), eps_of(c->node), c->half_out & 1, c->stream);
}

int cuda_linear_attention(const struct cuda_call *c)
{
    static int (*const by[])(const struct cuda_call *) = {forward_fp32, forward_tf32, forward_bf16};
    return by[multiplied_in(c)](c);
}

size_t cuda_linear_attention_grad_scratch(const struct node *n)
{
    return sizeof(float) * (size_t)vt_linear_attention_parts(size_of(n));
}

static int gradient_fp32(const struct cuda_call *c)
{
    return vt_linear_attention_grad(
        c->out[0], c->out[1], c->out[2], c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], c->in[5],
        c->in[6], c->scratch, size_of(c->node), eps_of(c->node), cuda_types(c, 3, 7), c->stream);
}

static int gradient_tf32(const struct cuda_call *c)
{
    return vt_linear_attention_grad_tf32(c->out[0], c->out[1], c->out[2], c->in[0], c->in[1],
                                         c->in[2], c->in[3], c->in[4], c->in[6], size_of(c->node),
                                         eps_of(c->node), c->stream);
}

static int gradient_bf16(const struct cuda_call *c)
{
    return vt_linear_attention_grad_bf16(c->out[0], c->out[1], c->out[2], c->in[0], c->in[1],
                                         c->in[2], c->in[3], c->in[4], c->in[6], size_of(c->node),
                                         eps_of(c->node), c->half_out & 7, c->stream);
}

int cuda_linear_attention_grad(const struct cuda_call *c)
{
    static int (*const by[])(const struct cuda_call *) = {gradient_fp32, gradient_tf32,
                                                          gradient_bf16};
    return by[multiplied_in(c)](c);
}
