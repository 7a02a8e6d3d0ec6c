/* Shared memory. Not compiled with sanitizers, as core.c is not. */
#include "backend/sim/shared.h"

#include "backend/sim/core.h"
#include "backend/sim/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SHARED_ALIGN = 128 };

static void *aligned_room(size_t bytes)
{
    void *p = NULL;
    if (posix_memalign(&p, SHARED_ALIGN, bytes))
        sim_die("no memory for %zu bytes of shared memory", bytes);
    return p;
}

static void unset(void *p, size_t bytes)
{
    if (bytes)
        memset(p, 0xff, bytes);
}

void *shared_begin(struct shared_memory *m, size_t dynamic_bytes)
{
    m->dynamic = dynamic_bytes ? aligned_room(dynamic_bytes) : NULL;
    m->dynamic_bytes = dynamic_bytes;
    return m->dynamic;
}

/* Memory of a launch is freed at its end: exact sizes give red zones, and to ThreadSanitizer the
 * next launch's memory is new. */
void shared_end(struct shared_memory *m)
{
    for (int i = 0; i < m->n; i++)
        free(m->arrays[i].data);
    free(m->dynamic);
    m->dynamic = NULL;
    m->n = 0;
}

void shared_unset(struct shared_memory *m)
{
    for (int i = 0; i < m->n; i++)
        unset(m->arrays[i].data, m->arrays[i].bytes);
    unset(m->dynamic, m->dynamic_bytes);
}

void *shared_array(struct shared_memory *m, const void *key, size_t bytes)
{
    for (int i = 0; i < m->n; i++)
        if (m->arrays[i].key == key) {
            order_acquire(&m->arrays[i].made);
            return m->arrays[i].data;
        }
    if (m->n == SHARED_ARRAYS_MAX)
        sim_die("more than %d shared arrays", SHARED_ARRAYS_MAX);
    struct shared_array *a = &m->arrays[m->n++];
    *a = (struct shared_array){key, aligned_room(bytes), bytes, 0};
    unset(a->data, bytes);
    order_release(&a->made);
    return a->data;
}

static int lies_in(const void *data, size_t size, const void *p, size_t bytes)
{
    uintptr_t first = (uintptr_t)data, at = (uintptr_t)p;
    return at >= first && at - first <= size && bytes <= size - (at - first);
}

int shared_holds(const struct shared_memory *m, const void *p, size_t bytes)
{
    for (int i = 0; i < m->n; i++)
        if (lies_in(m->arrays[i].data, m->arrays[i].bytes, p, bytes))
            return 1;
    return lies_in(m->dynamic, m->dynamic_bytes, p, bytes);
}
