/* Updates of flat blocks. */
#include "backend/cuda/cuda.h"

#define SAME(name)                                                                                 \
    _Static_assert((int)VT_HYPER_##name == (int)HYPER_##name, "one order of hyper-parameters")
SAME(LR);
SAME(DECAY);
SAME(NEW1);
SAME(NEW2);
SAME(EPS);
SAME(CLIP);
SAME(T);
SAME(ADD);
SAME(SHARE);
SAME(MOMENTUM);
SAME(NESTEROV);

static int64_t count_of(const struct cuda_call *c)
{
    return shape_count(c->node->in[0]->shape);
}

static int64_t decayed_of(const struct cuda_call *c)
{
    return ((const struct update_attr *)c->node->attr)->decayed;
}

size_t cuda_adamw_scratch(const struct node *n)
{
    (void)n;
    return sizeof(struct vt_adamw_step);
}

int cuda_adamw(const struct cuda_call *c)
{
    return vt_adamw(c->in[0], c->copy, c->in[1], c->in[2], c->in[3], c->in[4], c->in[5], c->scratch,
                    count_of(c), decayed_of(c), c->stream);
}

int cuda_sgd(const struct cuda_call *c)
{
    return vt_sgd(c->in[0], c->copy, c->in[1], c->in[2], c->in[3], c->in[4], count_of(c),
                  decayed_of(c), c->stream);
}

int cuda_accumulate(const struct cuda_call *c)
{
    return vt_accumulate(c->in[0], c->in[1], c->in[2], count_of(c), c->stream);
}

int cuda_running_mean(const struct cuda_call *c)
{
    return vt_running_mean(c->in[0], c->in[1], c->in[2], count_of(c), c->stream);
}
