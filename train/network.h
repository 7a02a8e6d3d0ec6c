/* A network: the configured model, compiled for one use and loaded on a device. A run has three of
 * them, for training, evaluation and latency, which exchange parameters by name. */
#ifndef TRAIN_NETWORK_H
#define TRAIN_NETWORK_H

#include "backend/backend.h"
#include "model/mae.h"
#include "model/model.h"
#include "model/segment.h"
#include "model/view.h"
#include "train/device.h"

#include <stdint.h>

struct error;

enum { NETWORK_STATES_MAX = 4 };

struct network_options {
    int64_t batch;
    int training; /* loss, gradients, optimiser and stochastic depth; else the forward pass alone */
    double smoothing; /* of labels, in training */
    int soft_targets; /* targets are (B,K) values, which are not smoothed */
    int bytes;        /* images come in bytes where the device takes them (network.levels) */
    int mix;          /* what mixes a batch is an input where the device can do it (network.mix) */
};

/* Owned by the caller; network_close releases it. Tensors belong to the plan; those of training are
 * NULL in a forward network. */
struct network {
    const struct device *device;
    struct plan *plan;
    struct program *program;
    int64_t batch;
    const struct tensor *image;                  /* (B,channels,S,S) values, or bytes with levels */
    const struct tensor *levels;                 /* (channels,256) their values; NULL: values */
    const struct tensor *mix;                    /* (B,MIXED_FIELDS), op_mix's plan, or NULL: images
                                                  * are mixed when they come */
    const struct tensor *second;                 /* (B,c,S',S'), what the memory sees, or NULL */
    const struct view *view;                     /* what second shows; NULL without it */
    const struct tensor *target, *hyper;         /* (B) labels or (B,K), (HYPER_COUNT) */
    const struct tensor *loss, *norm_square;     /* (), () */
    const struct tensor *terms[MODEL_TERMS_MAX]; /* () each: they add up to the loss */
    const char *term_names[MODEL_TERMS_MAX];     /* "memory", "process" */
    int n_terms;                                 /* 0: the loss is one */
    const struct tensor *states[NETWORK_STATES_MAX]; /* flat: moments, running mean */
    int n_states;
    const struct tensor *mean; /* the running mean of these; NULL without train.average */
    const struct tensor *logits[MODEL_HEADS_MAX]; /* (B,K) */
    const char *heads[MODEL_HEADS_MAX];           /* "logits"; "memory", "process" (mae too) */
    int n_logits;
    int classes;
    /* Of train.objective mae, which has no logits and no target; NULL else. */
    const struct mae *mae;
    const struct tensor *kept[MAE_STREAMS], *hidden[MAE_STREAMS]; /* (B,n) masks */
    const struct tensor *errors[MAE_STREAMS];                     /* (B) */
    /* Of train.objective segment, whose target is (B,S,S); NULL else. */
    const struct segment *segment;
    const struct tensor *pixels; /* (B,S,S,K) scores; of a forward network only */
};

/* Parameters are uninitialised: network_init, or weights_put. */
int network_open(struct network *n, const struct config *c, const struct device *device,
                 const struct network_options *o, struct error *err);
void network_close(struct network *n);
/* Initial values of parameters and moments for this seed. */
void network_init(struct network *n, uint64_t seed);

/* Host values are float, or int32 of integer tensors. */
void network_write(struct network *n, const struct tensor *t, const void *host);
void network_read(const struct network *n, const struct tensor *t, void *host);
/* The same in the device's own value type (float or double), so that no bit is lost. */
void network_put(struct network *n, const struct tensor *t, const void *values);
void network_get(const struct network *n, const struct tensor *t, void *values);
size_t network_value_size(const struct network *n);
/* May return before the device is done; reading a tensor waits, and so does network_wait. */
void network_run(struct network *n, uint64_t seed, uint64_t step);
void network_wait(struct network *n);

/* Both memory blocks. */
int64_t network_bytes(const struct network *n);

#endif
