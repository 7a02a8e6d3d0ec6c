/* One sample of a data set, read, decoded and preprocessed into its row of a batch. What it becomes
 * is a function of (data set, options, epoch, sample). */
#ifndef DATA_SAMPLE_H
#define DATA_SAMPLE_H

#include <stdint.h>

struct dataset;
struct error;
struct loader_options;
struct preprocess_scratch;

/* Where a sample goes: values or bytes (C,S,S), and a mask (S,S) or NULL. */
struct sample_row {
    float *values;
    uint8_t *bytes, *mask;
};

/* Any thread, each with its own scratch. -1 where the sample cannot be read: the message names its
 * file. */
int sample_fill(const struct dataset *d, const struct loader_options *o,
                struct preprocess_scratch *s, int64_t sample, int64_t epoch,
                const struct sample_row *out, struct error *err);

#endif
