/* resample: the sparse matrix goes to the device once. */
#include "backend/cuda/cuda.h"

#include "base/memory.h"

#include <string.h>

static const struct mixing *mixing_of(const struct node *n)
{
    return ((const struct resample_attr *)n->attr)->forward;
}

/* start, index, weight, as vt_resample reads them. */
int cuda_resample_setup(struct cuda_setup *s, struct error *err)
{
    (void)err;
    const struct mixing *m = mixing_of(s->node);
    size_t starts = (size_t)m->n_out + 1, n = (size_t)m->start[m->n_out];
    s->table_bytes = 4 * (starts + 2 * n);
    s->table = mem_alloc(s->table_bytes);
    int32_t *start = s->table, *index = start + starts;
    float *weight = (float *)(void *)(index + n);
    memcpy(start, m->start, 4 * starts);
    memcpy(index, m->index, 4 * n);
    for (size_t i = 0; i < n; i++)
        weight[i] = (float)m->weight[i];
    return 0;
}

int cuda_resample(const struct cuda_call *c)
{
    const struct resample_attr *a = c->node->attr;
    const struct mixing *m = mixing_of(c->node);
    struct axis_view v = axis_view(c->node->in[0]->shape, a->axis, 1);
    return vt_resample(c->out[0], c->in[0], c->table, v.outer, v.size, m->n_out, m->start[m->n_out],
                       v.inner, c->stream);
}
