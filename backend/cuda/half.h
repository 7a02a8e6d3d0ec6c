/* Which tensors of a program are stored in bf16: in that precision, results that only products
 * read, which would round them anyway. Their values are the same bits as if they were rounded
 * later; their memory traffic is a third. They keep their place, of which half is used. */
#ifndef BACKEND_CUDA_HALF_H
#define BACKEND_CUDA_HALF_H

#include "tensor/compile/plan.h"

/* A flag for each tensor of the plan's graph, in the arena. */
const unsigned char *half_tensors(const struct plan *p, struct arena *a);

#endif
