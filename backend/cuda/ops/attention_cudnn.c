/* Attention by cuDNN. Operands are bf16; results that are stored in full are made in bf16 in work
 * memory and widened from there. */
#include "backend/cuda/ops/attention.h"

enum { ALIGN = 256 };

static size_t rounded_bytes(const struct tensor *t)
{
    return (2 * (size_t)shape_count(t->shape) + ALIGN - 1) / ALIGN * ALIGN;
}

/* Results that cuDNN makes: out, or the gradients of q, k and v. */
static int n_results(const struct node *n, enum vt_sdpa_pass pass)
{
    int packed = ((const struct attention_attr *)n->attr)->packed;
    return pass == VT_SDPA_FORWARD || packed ? 1 : 3;
}

/* Where cuDNN writes the results; returns the bytes of work memory that they take. */
static size_t place_results(void *at[3], const struct node *n, enum vt_sdpa_pass pass,
                            unsigned half_out, void *const *out, void *work)
{
    size_t bytes = 0;
    for (int i = 0; i < n_results(n, pass); i++) {
        at[i] = half_out >> i & 1 ? (out ? out[i] : NULL) : (char *)work + bytes;
        bytes += half_out >> i & 1 ? 0 : rounded_bytes(n->out[i]);
    }
    return bytes;
}

int attention_cudnn_setup(struct cuda_setup *s, enum vt_sdpa_pass pass, struct attention_way *way,
                          struct error *why)
{
    struct vt_attention_size a = attention_size(s->node);
    size_t workspace;
    void *results[3];
    if (((const struct attention_attr *)s->node->attr)->has_bias)
        return error_set(why, "attention with a key bias is none of cuDNN's");
    if (!s->sdpa)
        return error_env(why, "this program was built without cuDNN");
    if (vt_sdpa_prepare(s->sdpa, &a, pass, &workspace, why))
        return -1;
    way->workspace = place_results(results, s->node, pass, s->half_out, NULL, NULL);
    s->work_bytes = way->workspace + workspace;
    return 0;
}

static int widen_results(const struct cuda_call *c, enum vt_sdpa_pass pass, void *const *results)
{
    int code = 0;
    for (int i = 0; i < n_results(c->node, pass) && !code; i++)
        if (!(c->half_out >> i & 1))
            code =
                vt_from_bf16(c->out[i], results[i], shape_count(c->node->out[i]->shape), c->stream);
    return code;
}

static char *workspace_of(const struct cuda_call *c)
{
    return (char *)c->work + ((const struct attention_way *)c->state)->workspace;
}

int attention_by_cudnn(const struct cuda_call *c)
{
    struct vt_attention_size a = attention_size(c->node);
    struct attention_operands x = attention_split(c->in, c->node, 1);
    void *results[3];
    place_results(results, c->node, VT_SDPA_FORWARD, c->half_out, c->out, c->work);
    int code = vt_sdpa_forward(c->sdpa, &a, results[0], c->out[1], x.q, x.k, x.v, workspace_of(c),
                               c->stream);
    return code ? code : widen_results(c, VT_SDPA_FORWARD, results);
}

int attention_grad_by_cudnn(const struct cuda_call *c)
{
    struct vt_attention_size a = attention_size(c->node);
    struct attention_operands x = attention_split(c->in, c->node, 1);
    void *results[3];
    int last = c->node->n_in - 1;
    place_results(results, c->node, VT_SDPA_BACKWARD, c->half_out, c->out, c->work);
    struct attention_operands d = attention_split(results, c->node, 1);
    int code = vt_sdpa_backward(c->sdpa, &a, d.q, d.k, d.v, x.q, x.k, x.v, c->in[last - 2],
                                c->in[last - 1], c->in[last], workspace_of(c), c->stream);
    return code ? code : widen_results(c, VT_SDPA_BACKWARD, results);
}
