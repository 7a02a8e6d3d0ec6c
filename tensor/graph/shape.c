/* Shapes. */
#include "tensor/graph/graph.h"

#include <stdio.h>

int64_t shape_count(struct shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= s.dim[i];
    return n;
}

int shape_equal(struct shape a, struct shape b)
{
    if (a.rank != b.rank)
        return 0;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return 0;
    return 1;
}

int64_t shape_last(struct shape s)
{
    return s.rank ? s.dim[s.rank - 1] : 1;
}

int64_t shape_rows(struct shape s)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < s.rank; i++)
        n *= s.dim[i];
    return n;
}

char *shape_text(struct shape s, char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < s.rank && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? ", " : "(", (long long)s.dim[i]);
    if (n < size)
        snprintf(text + n, size - n, s.rank ? ")" : "()");
    return text;
}
