/* slice, pad, concat, repeat, swap. */
#include "backend/cuda/cuda.h"

int cuda_slice(const struct cuda_call *c)
{
    const struct range_attr *r = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, r->axis, 1);
    const float *x = c->in[0];
    return vt_copy_rows(c->out[0], r->b * v.inner, x + r->a * v.inner, v.size * v.inner, v.outer,
                        r->b * v.inner, c->stream);
}

int cuda_pad(const struct cuda_call *c)
{
    const struct range_attr *r = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, r->axis, 1);
    int64_t width = v.size * v.inner, before = r->a * v.inner, after = r->b * v.inner;
    int64_t ldy = before + width + after;
    float *y = c->out[0];
    int code = vt_copy_rows(y, ldy, NULL, 0, v.outer, before, c->stream);
    code = code ? code : vt_copy_rows(y + before, ldy, c->in[0], width, v.outer, width, c->stream);
    return code ? code : vt_copy_rows(y + before + width, ldy, NULL, 0, v.outer, after, c->stream);
}

int cuda_concat(const struct cuda_call *c)
{
    const struct axis_attr *a = c->node->attr;
    struct axis_view whole = axis_view(c->node->out[0]->shape, a->axis, 1);
    float *y = c->out[0];
    for (int i = 0; i < c->node->n_in; i++) {
        struct axis_view v = axis_view(c->node->in[i]->shape, a->axis, 1);
        int64_t width = v.size * v.inner;
        int code =
            vt_copy_rows(y, whole.size * whole.inner, c->in[i], width, v.outer, width, c->stream);
        if (code)
            return code;
        y += width;
    }
    return 0;
}

int cuda_repeat(const struct cuda_call *c)
{
    const struct count_attr *a = c->node->attr;
    int64_t width = shape_count(c->node->in[0]->shape);
    return vt_copy_rows(c->out[0], width, c->in[0], 0, a->count, width, c->stream);
}

int cuda_swap(const struct cuda_call *c)
{
    const struct axis_attr *a = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, a->axis, 1);
    int64_t m = c->node->in[0]->shape.dim[a->axis + 1];
    return vt_swap(c->out[0], c->in[0], v.outer, v.size, m, v.inner / m, c->stream);
}
