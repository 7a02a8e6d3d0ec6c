#include "train/measure.h"

#include "base/memory.h"
#include "base/rng.h"
#include "train/update.h"
#include "train/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void run_once(void *ctx)
{
    struct measure *m = ctx;
    network_run(&m->net, 0, m->step++);
    network_wait(&m->net); /* what is timed is the work, not the order to do it */
}

static void write_noise(struct network *n, const struct tensor *input, const char *purpose)
{
    struct rng r;
    int64_t count = shape_count(input->shape);
    float *values = mem_alloc(sizeof(float) * (size_t)count);
    rng_init(&r, 0, purpose, (uint64_t)n->batch, 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)rng_normal(&r);
    network_write(n, input, values);
    free(values);
}

/* Rate 0: the steps do all their work, and the weights stay where they are however many are timed.
 */
static void write_training_inputs(struct network *n, const struct config *c)
{
    float hyper[HYPER_COUNT];
    int64_t count = n->target ? shape_count(n->target->shape) : 1;
    int32_t *labels = mem_alloc(sizeof(int32_t) * (size_t)count);
    for (int64_t i = 0; i < count; i++)
        labels[i] = n->classes ? (int32_t)(i % n->classes) : 0;
    update_hyper(c, &(struct update){.last = 1}, hyper);
    if (n->target)
        network_write(n, n->target, labels);
    network_write(n, n->hyper, hyper);
    free(labels);
}

int measure_open(struct measure *m, const struct config *c, const struct device *d,
                 const struct measure_options *o, const struct weights *weights, struct error *err)
{
    struct network_options options = {.batch = o->batch, .training = o->training};
    *m = (struct measure){.subject = {.run = run_once, .ctx = m, .images = o->batch}};
    if (network_open(&m->net, c, d, &options, err))
        return -1;
    network_init(&m->net, 0);
    if (weights)
        weights_put(weights, &m->net);
    write_noise(&m->net, m->net.image, "latency/input");
    if (m->net.second)
        write_noise(&m->net, m->net.second, "latency/second");
    if (o->training)
        write_training_inputs(&m->net, c);
    return 0;
}

void measure_close(struct measure *m)
{
    free(m->subject.blocks);
    network_close(&m->net);
    *m = (struct measure){0};
}

double measure_clock_mhz(void)
{
    char line[256];
    double sum = 0, mhz;
    int n = 0;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strncmp(line, "cpu MHz", 7) ? NULL : strchr(line, ':');
        if (!colon || (mhz = strtod(colon + 1, NULL)) <= 0)
            continue;
        sum += mhz;
        n++;
    }
    if (f)
        fclose(f);
    return n ? sum / n : NAN;
}

int64_t measure_resident_bytes(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? -1 : (int64_t)u.ru_maxrss * 1024;
}
