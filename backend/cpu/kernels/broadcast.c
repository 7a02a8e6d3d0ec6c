/* Shapes to loops: merges dimensions that broadcast alike. */
#include "backend/cpu/kernels/broadcast.h"

static int64_t from_right(struct shape s, int i)
{
    return i < s.rank ? s.dim[s.rank - 1 - i] : 1;
}

/* One dimension of the result and, for each operand, whether it has it (1) or repeats (0). */
struct axis {
    int64_t size;
    int has[2];
};

/* The result's dimensions from the right, merged; returns how many (at least 1). */
static int merge(struct shape out, struct shape a, struct shape b, struct axis *axes)
{
    int n = 0;
    for (int i = 0; i < out.rank; i++) {
        struct axis x = {from_right(out, i), {from_right(a, i) != 1, from_right(b, i) != 1}};
        if (x.size == 1)
            continue;
        struct axis *last = n ? &axes[n - 1] : NULL;
        if (last && last->has[0] == x.has[0] && last->has[1] == x.has[1])
            last->size *= x.size;
        else
            axes[n++] = x;
    }
    if (n == 0)
        axes[n++] = (struct axis){1, {1, 1}};
    return n;
}

struct broadcast KERNEL(broadcast)(struct shape out, struct shape a, struct shape b)
{
    struct axis axes[GRAPH_RANK_MAX];
    int n = merge(out, a, b, axes);
    struct broadcast l = {.rank = n - 1, .rows = 1, .width = axes[0].size};
    for (int i = 0; i < 2; i++) {
        l.step[i] = axes[0].has[i];
        int64_t stride = axes[0].has[i] ? axes[0].size : 1;
        for (int d = 1; d < n; d++) {
            l.stride[i][n - 1 - d] = axes[d].has[i] ? stride : 0;
            stride *= axes[d].has[i] ? axes[d].size : 1;
        }
    }
    for (int d = 1; d < n; d++) {
        l.dim[n - 1 - d] = axes[d].size;
        l.rows *= axes[d].size;
    }
    return l;
}
