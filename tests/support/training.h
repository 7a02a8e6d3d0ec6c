/* Runs of a tiny ViTTM on the built-in shapes, and one of them that all others must equal. Failures
 * fail the test. */
#ifndef TESTS_SUPPORT_TRAINING_H
#define TESTS_SUPPORT_TRAINING_H

#include <stdint.h>

#include "base/config.h"
#include "base/strbuf.h"
#include "train/device.h"
#include "train/metrics.h"
#include "train/trainer.h"

enum {
    TRAINING_EPOCHS = 3,
    TRAINING_EPOCH_STEPS = 6,
    TRAINING_STEPS = TRAINING_EPOCHS * TRAINING_EPOCH_STEPS
};

/* The tiny run with keys set over it, as run_configure (tests/support/run.h). */
struct config *training_configure(const char *const pairs[][2]);

/* One thread of the processor. */
struct device training_device(void);

/* Trains a whole run without a folder; the caller closes t. */
void training_whole(struct trainer *t, const struct config *c, const struct device *d,
                    uint64_t seed, struct metrics *m);

/* A new folder of a run; the caller removes it with what a run leaves in it, and frees the name. */
char *training_folder(const char *name);
void training_remove(const char *folder);

/* folder/name, good until the second next call. */
const char *training_path(const char *folder, const char *name);

/* What a run ended with. */
struct training_outcome {
    char weights[65], bits[65];
    struct metrics metrics;
    int attempts;
};

/* Attempts that stop after so many steps each, until it is done. 0: one attempt. Seed 7. */
struct training_outcome training_run(const char *folder, const struct config *c,
                                     const struct device *d, int64_t stop_after);

/* Stops a run after some steps, so that checkpoints are there. */
void training_part(const char *folder, const struct config *c, const struct device *d,
                   int64_t steps, uint64_t seed);

/* "epoch metric value" of every event that is not a time, the last one of each winning, as text. */
void training_history(const char *folder, struct strbuf *out);

/* Of a group of tests: makes the folder of folders and the uninterrupted run that all others must
 * equal. */
int training_setup(void **state);
int training_teardown(void **state);
extern struct training_outcome training_reference;
extern struct strbuf training_reference_history;

/* The same weights, the same images right, the same curves. */
void training_expect_reference(const char *what, const char *folder,
                               const struct training_outcome *o);

#endif
