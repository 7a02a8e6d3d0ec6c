/* Shapes. */
#include "tensor/graph/graph.h"

#include <stdio.h>

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
