/* Measuring whole networks: latency subjects made from configurations, and their facts. */
#ifndef TRAIN_MEASURE_H
#define TRAIN_MEASURE_H

#include "train/latency.h"
#include "train/network.h"

struct error;
struct weights;

/* How every latency of ours is taken; stored with the figures. */
#define MEASURE_PROTOCOL                                                                           \
    "blocked: search of the block size as warm-up, blocks until min_time, median; normal random "  \
    "input, on the device; loading, copying and loss not included"

struct measure_options {
    int64_t batch;
    int training; /* whole training steps instead of forward passes */
};

/* One network ready to be timed. Owned by the caller. */
struct measure {
    struct network net;
    /* its ctx is this struct: do not move it between open and close */
    struct latency_subject subject;
    uint64_t step;
};

/* Input is normal noise keyed by the batch; labels are 0, 1, 2, …; parameters are initial values
 * (seed 0) unless weights are given. */
int measure_open(struct measure *m, const struct config *c, const struct device *d,
                 const struct measure_options *o, const struct weights *weights, struct error *err);
void measure_close(struct measure *m);

/* Clock of the processors now, MHz, their mean as the system tells it; NAN where it does not. */
double measure_clock_mhz(void);

/* Largest resident set of this process so far, bytes. */
int64_t measure_resident_bytes(void);

#endif
