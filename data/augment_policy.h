/* Which operations a training image goes through after crop and flip: none, RandAugment or
 * 3-augment (data.augment.policy). */
#ifndef DATA_AUGMENT_POLICY_H
#define DATA_AUGMENT_POLICY_H

#include "base/config.h"

struct augment_bytes;
struct augment_flavour;
struct augment_image;
struct rng;

struct augment_settings {
    const struct augment_policy *policy;   /* NULL: none */
    const struct augment_flavour *flavour; /* RandAugment's; else NULL */
    int ops, magnitude;
};

const struct config_choice *augment_policy_choice(int i);

/* Reads data.augment.policy and the keys of the chosen one. */
void augment_settings_init(struct augment_settings *s, const struct config *c);

int augment_is_on(const struct augment_settings *s);
/* Whether it works on bytes: images are resampled to bytes before it, not to floats, and are bytes
 * until they are normalised. */
int augment_on_bytes(const struct augment_settings *s);

/* Whether pixels change places, which masks do not follow. */
int augment_moves(const struct augment_settings *s);

/* In place; s is on. A 3-augmented image has both sides at least 4. */
void augment_apply(const struct augment_settings *s, struct augment_image *im, struct rng *r);
/* The same where augment_on_bytes. */
void augment_apply_bytes(const struct augment_settings *s, struct augment_bytes *im, struct rng *r);

#endif
