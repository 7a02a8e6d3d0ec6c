#include "backend/sim/options.h"

#include "backend/sim/core.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The place of the variable's value among the words; 0 where it is not set. */
static int word(const char *name, const char *const *words)
{
    const char *set = getenv(name);
    if (!set || !*set)
        return 0;
    for (int i = 0; words[i]; i++)
        if (!strcmp(set, words[i]))
            return i;
    sim_die("%s=%s: it is %s, %s or %s", name, set, words[0], words[1], words[2]);
}

static int number(const char *name, int fallback, int least, int most)
{
    const char *set = getenv(name);
    char *end;
    if (!set || !*set)
        return fallback;
    long value = strtol(set, &end, 10);
    if (*end || value < least || value > most)
        sim_die("%s=%s: a number from %d to %d", name, set, least, most);
    return (int)value;
}

static struct sim_options read_once;

static void read_environment(void)
{
    static const char *const orders[] = {"forward", "reverse", "random", NULL};
    static const char *const streams[] = {"eager", "lazy", "random", NULL};
    read_once = (struct sim_options){
        .order = (enum sim_order)word("VT_SIM_ORDER", orders),
        .streams = (enum sim_streams)word("VT_SIM_STREAMS", streams),
        .seed = (uint64_t)number("VT_SIM_SEED", 1, 0, 1 << 30),
        .workers = number("VT_SIM_WORKERS", 1, 1, SIM_WORKERS_MAX),
        .strict = number("VT_SIM_STRICT", 0, 0, 1),
        .devices = number("VT_SIM_DEVICES", 1, 0, SIM_DEVICES_MAX),
        .algorithms = number("VT_SIM_ALGORITHMS", 1, 0, SIM_ALGORITHMS_MAX),
        .sums = number("VT_SIM_SUMS", 1, 0, 1),
        .grids = number("VT_SIM_GRIDS", INT_MAX, 0, INT_MAX),
    };
}

const struct sim_options *sim_options(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_environment);
    return &read_once;
}
