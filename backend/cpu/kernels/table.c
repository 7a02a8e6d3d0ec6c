/* The table of this variant. */
#include "backend/cpu/kernels/product.h"

struct kernel_memory KERNEL(no_memory)(const struct node *n)
{
    (void)n;
    return (struct kernel_memory){0};
}

static const struct kernel kernels[] = {
#define KERNEL_ROW(name, memory)         WEIGHT_ROW(name, memory, -1)
#define WEIGHT_ROW(name, memory, weight) {#name, KERNEL(name), KERNEL(memory##_memory), weight},
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL_ROW
};

#define KERNEL_TABLE KERNEL_PASTE(kernel_, table, KERNEL_VARIANT)

extern const struct kernel_table KERNEL_TABLE;
const struct kernel_table KERNEL_TABLE = {
    .variant = KERNEL_TEXT(KERNEL_VARIANT),
    .value_size = sizeof(real),
#ifdef KERNEL_BF16
    .precision = PRECISION_BF16,
#endif
    .order = &KERNEL(product_order),
    .kernels = kernels,
    .n_kernels = sizeof kernels / sizeof *kernels,
};
