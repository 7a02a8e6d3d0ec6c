#include "backend/precision.h"

#include <stddef.h>

static const struct config_choice choices[] = {
    [PRECISION_FP32] = {"fp32", "products in single precision", NULL},
    [PRECISION_TF32] = {"tf32", "operands of products rounded to TF32, on GPUs that have it", NULL},
    [PRECISION_BF16] = {"bf16",
                        "operands of products rounded to bfloat16, sums and weights in single "
                        "precision, where the device has it",
                        NULL},
};

enum { N_CHOICES = sizeof choices / sizeof *choices };

const struct config_choice *precision_choice(int i)
{
    return i >= 0 && i < N_CHOICES ? &choices[i] : NULL;
}

enum precision precision_of(const struct config_choice *c)
{
    return (enum precision)(c - choices);
}

const char *precision_name(enum precision p)
{
    return choices[p].name;
}
