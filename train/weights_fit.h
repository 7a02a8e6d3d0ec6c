/* Does a tensor of a file fit a parameter, and with what change? Part of weights_import. */
#ifndef TRAIN_WEIGHTS_FIT_H
#define TRAIN_WEIGHTS_FIT_H

#include "train/weights_import.h"

/* Parameters of classifiers, whose first dimension is the number of classes. */
int weights_is_head(const char *name);

/* USED, RESHAPED, REPLACED, or IGNORED: it does not fit. */
struct weights_fit {
    enum weights_state state;
    const char *how; /* in the arena; "" where there is nothing to say */
};

/* values are the tensor's. Where it is used or reshaped *fitted gets the parameter's values, which
 * the caller frees. */
struct weights_fit weights_fit(struct arena *a, const struct tensor *to,
                               const struct safetensors_tensor *from, const double *values,
                               enum resample_kernel kernels, double **fitted);

#endif
