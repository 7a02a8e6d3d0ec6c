/* tome_match and mctf_match. */
#include "backend/cuda/cuda.h"

static struct vt_match match_of(const struct node *n)
{
    const int64_t *x = n->in[0]->shape.dim;
    return (struct vt_match){.batch = x[0], .tokens = x[1], .channels = x[2]};
}

size_t cuda_match_scratch(const struct node *n)
{
    const int64_t *x = n->in[0]->shape.dim;
    return (size_t)vt_match_scratch(x[0], x[1]);
}

int cuda_tome_match(const struct cuda_call *c)
{
    const struct tome_attr *a = c->node->attr;
    struct vt_match m = match_of(c->node);
    m.merged = a->r;
    m.protect = a->class_token;
    m.distill = a->distill;
    return vt_tome_match(c->out[0], c->out[1], c->in[0], c->scratch, m, c->stream);
}

int cuda_mctf_match(const struct cuda_call *c)
{
    const struct mctf_attr *a = c->node->attr;
    struct vt_match m = match_of(c->node);
    m.merged = a->n;
    m.protect = a->protect;
    m.bidirectional = a->bidirectional;
    m.tau_sim = a->tau_sim;
    m.tau_info = a->tau_info;
    m.tau_size = a->tau_size;
    return vt_mctf_match(c->out[0], c->out[1], c->in[0], c->in[1],
                         c->node->n_in == 3 ? c->in[2] : NULL, c->scratch, m, c->stream);
}
