/* Attention by cuDNN: operands are rounded to bf16 in work memory, results widened from it. */
#include "backend/cuda/ops/attention.h"

enum { ALIGN = 256 };

static size_t rounded_bytes(const struct tensor *t)
{
    return (2 * (size_t)shape_count(t->shape) + ALIGN - 1) / ALIGN * ALIGN;
}

static int n_values(const struct node *n)
{
    return ((const struct attention_attr *)n->attr)->packed ? 1 : 3;
}

/* The copies of count tensors, one after the other; returns what lies behind. */
static char *place(void *at[], char *from, struct tensor *const *tensors, int count)
{
    for (int i = 0; i < count; i++) {
        at[i] = from;
        from += rounded_bytes(tensors[i]);
    }
    return from;
}

/* Where a call's copies are. */
struct copies {
    void *values[3], *out, *dout, *dvalues[3];
};

static struct copies copies_of(const struct node *n, enum vt_sdpa_pass pass, char *work)
{
    struct copies c = {0};
    char *next = place(c.values, work, n->in, n_values(n));
    if (pass == VT_SDPA_FORWARD) {
        place(&c.out, next, n->out, 1);
        return c;
    }
    next = place(&c.out, next, n->in + n->n_in - 3, 1);
    next = place(&c.dout, next, n->in + n->n_in - 1, 1);
    place(c.dvalues, next, n->out, n_values(n));
    return c;
}

static size_t copies_bytes(const struct node *n, enum vt_sdpa_pass pass)
{
    size_t values = 0;
    for (int i = 0; i < n_values(n); i++)
        values += rounded_bytes(n->in[i]);
    if (pass == VT_SDPA_FORWARD)
        return values + rounded_bytes(n->out[0]);
    return 2 * values + rounded_bytes(n->in[n->n_in - 3]) + rounded_bytes(n->in[n->n_in - 1]);
}

int attention_cudnn_setup(struct cuda_setup *s, enum vt_sdpa_pass pass, struct attention_way *way,
                          struct error *why)
{
    struct vt_attention_size a = attention_size(s->node);
    size_t workspace;
    if (((const struct attention_attr *)s->node->attr)->has_bias)
        return error_set(why, "attention with a key bias is none of cuDNN's");
    if (!s->sdpa)
        return error_env(why, "cuDNN cannot be used here");
    if (vt_sdpa_prepare(s->sdpa, &a, pass, &workspace, why))
        return -1;
    way->workspace = copies_bytes(s->node, pass);
    s->work_bytes = way->workspace + workspace;
    return 0;
}

static int round_all(const struct cuda_call *c, void *const *to, void *const *from,
                     struct tensor *const *tensors, int count)
{
    int code = 0;
    for (int i = 0; i < count && !code; i++)
        code = vt_to_bf16(to[i], from[i], shape_count(tensors[i]->shape), c->stream);
    return code;
}

static int widen_all(const struct cuda_call *c, void *const *to, void *const *from,
                     struct tensor *const *tensors, int count)
{
    int code = 0;
    for (int i = 0; i < count && !code; i++)
        code = vt_from_bf16(to[i], from[i], shape_count(tensors[i]->shape), c->stream);
    return code;
}

static char *workspace_of(const struct cuda_call *c)
{
    return (char *)c->work + ((const struct attention_way *)c->state)->workspace;
}

int attention_by_cudnn(const struct cuda_call *c)
{
    const struct node *n = c->node;
    struct vt_attention_size a = attention_size(n);
    struct copies k = copies_of(n, VT_SDPA_FORWARD, c->work);
    struct attention_operands x = attention_split(k.values, n, 2);
    int code = round_all(c, k.values, c->in, n->in, n_values(n));
    if (c->half_out & 1)
        k.out = c->out[0];
    if (!code)
        code = vt_sdpa_forward(c->sdpa, &a, k.out, c->out[1], x.q, x.k, x.v, workspace_of(c),
                               c->stream);
    return code || c->half_out & 1 ? code : widen_all(c, c->out, &k.out, n->out, 1);
}

int attention_grad_by_cudnn(const struct cuda_call *c)
{
    const struct node *n = c->node;
    struct vt_attention_size a = attention_size(n);
    struct copies k = copies_of(n, VT_SDPA_BACKWARD, c->work);
    struct attention_operands x = attention_split(k.values, n, 2);
    struct attention_operands d = attention_split(k.dvalues, n, 2);
    int last = n->n_in - 1, code = round_all(c, k.values, c->in, n->in, n_values(n));
    if (c->half_in >> (last - 2) & 1)
        k.out = c->in[last - 2];
    else if (!code)
        code = round_all(c, &k.out, c->in + last - 2, n->in + last - 2, 1);
    if (!code)
        code = round_all(c, &k.dout, c->in + last, n->in + last, 1);
    if (!code)
        code = vt_sdpa_backward(c->sdpa, &a, d.q, d.k, d.v, x.q, x.k, x.v, k.out, c->in[last - 1],
                                k.dout, workspace_of(c), c->stream);
    return code ? code : widen_all(c, c->out, k.dvalues, n->out, n_values(n));
}
