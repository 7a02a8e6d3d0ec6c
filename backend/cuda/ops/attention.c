/* Multi-head attention: operands in three tensors, or packed in one. */
#include "backend/cuda/cuda.h"

static struct vt_attention_size size_of(const struct node *n)
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

/* Addresses of q, k, v, or of their gradients. */
static void split(float *qkv[3], void *const *from, const struct node *n)
{
    const struct attention_attr *a = n->attr;
    int64_t width = a->packed ? shape_last(n->in[0]->shape) / 3 : 0;
    for (int i = 0; i < 3; i++)
        qkv[i] = a->packed ? (float *)from[0] + i * width : from[i];
}

static const float *bias_of(const struct cuda_call *c)
{
    const struct attention_attr *a = c->node->attr;
    return a->has_bias ? c->in[a->packed ? 1 : 3] : NULL;
}

int cuda_attention_setup(struct cuda_setup *s, struct error *err)
{
    struct vt_attention_size a = size_of(s->node);
    if (a.dim <= VT_ATTENTION_WIDEST && a.value_dim <= VT_ATTENTION_WIDEST)
        return 0;
    return error_set(err,
                     "heads of %lld and %lld channels are wider than the %d that attention on "
                     "this device takes: use more heads",
                     (long long)a.dim, (long long)a.value_dim, VT_ATTENTION_WIDEST);
}

int cuda_attention(const struct cuda_call *c)
{
    float *qkv[3];
    split(qkv, c->in, c->node);
    return vt_attention(c->out[0], c->out[1], qkv[0], qkv[1], qkv[2], bias_of(c), size_of(c->node),
                        c->stream);
}

size_t cuda_attention_grad_scratch(const struct node *n)
{
    struct attention_size s = op_attention_size(n);
    return sizeof(float) * (size_t)(s.batch * s.heads * s.queries);
}

int cuda_attention_grad(const struct cuda_call *c)
{
    int n = c->node->n_in;
    float *qkv[3], *dqkv[3];
    split(qkv, c->in, c->node);
    split(dqkv, c->out, c->node);
    return vt_attention_grad(dqkv[0], dqkv[1], dqkv[2], qkv[0], qkv[1], qkv[2], bias_of(c),
                             c->in[n - 3], c->in[n - 2], c->in[n - 1], c->scratch, size_of(c->node),
                             c->stream);
}
