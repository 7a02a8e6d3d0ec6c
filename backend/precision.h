/* The precision of a model's products: linear layers, matmul, attention. Sums, everything else and
 * the master weights are single precision throughout. */
#ifndef BACKEND_PRECISION_H
#define BACKEND_PRECISION_H

#include "base/config.h"

enum precision {
    PRECISION_FP32,
    PRECISION_TF32, /* operands rounded to 10 bits of mantissa, by a GPU's tensor cores */
    PRECISION_BF16  /* operands rounded to bfloat16 */
};

/* The i-th, for configuration keys; NULL past the last. Their order is that of the enumeration. */
const struct config_choice *precision_choice(int i);
enum precision precision_of(const struct config_choice *c);
/* "fp32", "tf32", "bf16" */
const char *precision_name(enum precision p);

#endif
