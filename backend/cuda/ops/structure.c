/* slice, pad, concat, repeat, swap. */
#include "backend/cuda/cuda.h"

int cuda_slice(const struct cuda_call *c)
{
    const struct range_attr *r = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, r->axis, 1);
    const void *x = cuda_element(c->in[0], c->half_in & 1, r->a * v.inner);
    return vt_copy_rows(c->out[0], r->b * v.inner, x, v.size * v.inner, v.outer, r->b * v.inner,
                        cuda_types(c, 1, 1), c->stream);
}

int cuda_pad(const struct cuda_call *c)
{
    const struct range_attr *r = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, r->axis, 1);
    int64_t width = v.size * v.inner, before = r->a * v.inner, after = r->b * v.inner;
    int64_t ldy = before + width + after;
    unsigned types = cuda_types(c, 1, 1), half = c->half_out & 1;
    void *middle = cuda_element(c->out[0], half, before);
    void *end = cuda_element(c->out[0], half, before + width);
    int code = vt_copy_rows(c->out[0], ldy, NULL, 0, v.outer, before, half, c->stream);
    if (!code)
        code = vt_copy_rows(middle, ldy, c->in[0], width, v.outer, width, types, c->stream);
    return code ? code : vt_copy_rows(end, ldy, NULL, 0, v.outer, after, half, c->stream);
}

int cuda_concat(const struct cuda_call *c)
{
    const struct axis_attr *a = c->node->attr;
    struct axis_view whole = axis_view(c->node->out[0]->shape, a->axis, 1);
    unsigned half = c->half_out & 1;
    void *y = c->out[0];
    for (int i = 0; i < c->node->n_in; i++) {
        struct axis_view v = axis_view(c->node->in[i]->shape, a->axis, 1);
        int64_t width = v.size * v.inner;
        unsigned types = half | (i < 32 ? c->half_in >> i & 1 : 0) << 1;
        int code = vt_copy_rows(y, whole.size * whole.inner, c->in[i], width, v.outer, width, types,
                                c->stream);
        if (code)
            return code;
        y = cuda_element(y, (int)half, width);
    }
    return 0;
}

int cuda_repeat(const struct cuda_call *c)
{
    const struct count_attr *a = c->node->attr;
    int64_t width = shape_count(c->node->in[0]->shape);
    return vt_copy_rows(c->out[0], width, c->in[0], 0, a->count, width, cuda_types(c, 1, 1),
                        c->stream);
}

int cuda_swap(const struct cuda_call *c)
{
    const struct axis_attr *a = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, a->axis, 1);
    int64_t m = c->node->in[0]->shape.dim[a->axis + 1];
    return vt_swap(c->out[0], c->in[0], v.outer, v.size, m, v.inner / m, cuda_types(c, 1, 1),
                   c->stream);
}
