/* The configuration keys of training and of latency measurement. */
#ifndef TRAIN_KEYS_H
#define TRAIN_KEYS_H

#include "backend/precision.h"
#include "base/config.h"

#include <stdint.h>

struct error;

/* Root tables of the schema: train.*, latency.*. */
extern const struct config_key train_keys[];
extern const struct config_key latency_keys[];

/* The root tables of everything that a run reads, for config_new: model, data, train, latency. */
extern const struct config_key *const train_schema[];

/* train.precision; latency.precision, resolved. */
enum precision train_precision(const struct config *c);
enum precision latency_precision(const struct config *c);

/* train.select taken apart: the running mean instead of the weights; the best epoch instead of the
 * last. */
int train_selects_average(const struct config *c);
int train_selects_best(const struct config *c);

/* Batches of an epoch over so many images: whole ones, of at most train.steps optimiser steps. */
int64_t train_epoch_batches(const struct config *c, int64_t images);

/* What ranges cannot say. Called by whoever starts a run, after config_resolve. */
int train_check(const struct config *c, struct error *err);

#endif
