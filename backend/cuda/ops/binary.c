/* add, sub, mul, div and spread: shapes to strides. */
#include "backend/cuda/cuda.h"

static int64_t from_right(struct shape s, int i)
{
    return i < s.rank ? s.dim[s.rank - 1 - i] : 1;
}

/* The result's dimensions without those of 1; neighbours that broadcast alike are one. From the
 * right while it is built, as strides grow, then turned round. */
static struct vt_broadcast broadcast_of(struct shape out, struct shape a, struct shape b)
{
    struct shape operands[2] = {a, b};
    uint32_t stride[2] = {1, 1};
    int had[2] = {-1, -1};
    struct vt_broadcast l = {.count = (uint32_t)shape_count(out)}, turned;
    for (int i = 0; i < out.rank; i++) {
        uint32_t size = (uint32_t)from_right(out, i);
        int has[2] = {from_right(a, i) != 1, from_right(b, i) != 1};
        if (size == 1)
            continue;
        if (l.rank && has[0] == had[0] && has[1] == had[1]) {
            l.dim[l.rank - 1] *= size;
        } else {
            for (int o = 0; o < 2; o++)
                l.stride[o][l.rank] = has[o] ? stride[o] : 0;
            l.dim[l.rank++] = size;
        }
        for (int o = 0; o < 2; o++) {
            stride[o] *= (uint32_t)from_right(operands[o], i);
            had[o] = has[o];
        }
    }
    if (l.rank == 0) {
        l.rank = 1;
        l.dim[0] = l.stride[0][0] = l.stride[1][0] = 1;
    }
    turned = l;
    for (int d = 0; d < l.rank; d++) {
        turned.dim[d] = l.dim[l.rank - 1 - d];
        turned.stride[0][d] = l.stride[0][l.rank - 1 - d];
        turned.stride[1][d] = l.stride[1][l.rank - 1 - d];
    }
    return turned;
}

typedef int launcher(float *y, const void *a, const void *b, const struct vt_broadcast *l,
                     unsigned half, cudaStream_t stream);

static int binary(const struct cuda_call *c, launcher *launch)
{
    const struct node *n = c->node;
    struct vt_broadcast l = broadcast_of(n->out[0]->shape, n->in[0]->shape, n->in[1]->shape);
    if (shape_count(n->out[0]->shape) > INT32_MAX)
        return cudaErrorInvalidValue;
    return launch(c->out[0], c->in[0], c->in[1], &l, c->half_in, c->stream);
}

#define BINARY(name)                                                                               \
    int cuda_##name(const struct cuda_call *c)                                                     \
    {                                                                                              \
        return binary(c, vt_##name);                                                               \
    }

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)

int cuda_spread(const struct cuda_call *c)
{
    const struct spread_attr *a = c->node->attr;
    struct vt_broadcast l = broadcast_of(a->shape, c->node->in[0]->shape, a->shape);
    if (shape_count(a->shape) > INT32_MAX)
        return cudaErrorInvalidValue;
    return vt_spread(c->out[0], c->in[0], (float)a->scale, &l, c->stream);
}
