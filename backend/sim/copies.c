#include "backend/sim/copies.h"

#include "backend/sim/core.h"
#include "backend/sim/options.h"

#include <stdint.h>

static int at_once(void)
{
    enum sim_streams how = sim_options()->streams;
    return how == SIM_EAGER || (how == SIM_SHUFFLED && sim_draw(2));
}

int sim_copy_order(const struct sim_copy *c, const char *file, int line)
{
    struct sim_copies *all = sim_copies_now();
    if ((uintptr_t)c->to % SIM_COPY_BYTES || (uintptr_t)c->from % SIM_COPY_BYTES)
        sim_die("%s:%d: a copy to shared memory is not at a multiple of 16 bytes", file, line);
    if (c->bytes < 0 || c->bytes > SIM_COPY_BYTES || !sim_is_shared(c->to, SIM_COPY_BYTES))
        sim_die("%s:%d: a copy of %d bytes that does not go to shared memory", file, line,
                c->bytes);
    if (at_once())
        return 1;
    if (all->count == SIM_COPIES_MAX)
        sim_die("%s:%d: more than %d copies under way", file, line, SIM_COPIES_MAX);
    all->waiting[all->count] = *c;
    all->waiting[all->count++].group = all->group;
    return 0;
}

void sim_copies_close(void)
{
    sim_copies_now()->group++;
}

/* A group is covered where at most `left` closed ones came after it; what is not closed is in
 * none. */
int sim_copy_due(int left, struct sim_copy *c)
{
    struct sim_copies *all = sim_copies_now();
    int n = 0;
    while (n < all->count && all->waiting[n].group < all->group - left)
        n++;
    if (!n)
        return 0;
    int which = sim_options()->streams == SIM_SHUFFLED ? sim_draw(n) : 0;
    *c = all->waiting[which];
    all->count--;
    for (int i = which; i < all->count; i++)
        all->waiting[i] = all->waiting[i + 1];
    return 1;
}
