/* Which variants exist and which this machine can execute. */
#include "backend/cpu/cpu.h"

#include <string.h>

extern const struct kernel_table kernel_table_portable;
extern const struct kernel_table kernel_table_judge;
#ifdef __x86_64__
extern const struct kernel_table kernel_table_avx2;
extern const struct kernel_table kernel_table_avx512;
extern const struct kernel_table kernel_table_avx512_bf16;
#endif

static int runs_everywhere(void)
{
    return 1;
}

#ifdef __x86_64__
static int runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static int runs_avx512(void)
{
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static int runs_avx512_bf16(void)
{
    return runs_avx512() && __builtin_cpu_supports("avx512bf16");
}
#endif

static const struct {
    const struct kernel_table *table;
    int (*runs)(void);
} variants[] = {
#ifdef __x86_64__
    {&kernel_table_avx512, runs_avx512},
    {&kernel_table_avx2, runs_avx2},
#endif
    {&kernel_table_portable, runs_everywhere},
#ifdef __x86_64__
    {&kernel_table_avx512_bf16, runs_avx512_bf16},
#endif
};

enum { N_VARIANTS = sizeof variants / sizeof *variants };

const struct kernel_table *cpu_variant_at(int i)
{
    return i >= 0 && i < N_VARIANTS ? variants[i].table : NULL;
}

int cpu_variant_runs(const struct kernel_table *t)
{
    for (int i = 0; i < N_VARIANTS; i++)
        if (variants[i].table == t)
            return variants[i].runs();
    return t == &kernel_table_judge;
}

const struct kernel_table *judge_variant(void)
{
    return &kernel_table_judge;
}

/* The first in that precision, or NULL. */
static const struct kernel_table *best(enum precision p)
{
    for (int i = 0; i < N_VARIANTS; i++)
        if (variants[i].table->precision == p && variants[i].runs())
            return variants[i].table;
    return NULL;
}

static int refuse_precision(enum precision p, struct error *err)
{
    if (p == PRECISION_TF32)
        return error_env(err, "tf32 is a format of GPUs, the cpu has none: use fp32%s",
                         best(PRECISION_BF16) ? " or bf16" : "");
    return error_env(err,
                     "bf16 needs a processor with AVX512-BF16, which this one lacks: use fp32");
}

const struct kernel_table *cpu_variant(const char *name, enum precision p, struct error *err)
{
    const struct kernel_table *found = best(p);
    if (!found)
        refuse_precision(p, err);
    if (!name || !found)
        return found;
    for (int i = 0; i < N_VARIANTS; i++) {
        const struct kernel_table *t = variants[i].table;
        if (strcmp(t->variant, name))
            continue;
        if (variants[i].runs() && t->precision == p)
            return t;
        if (!variants[i].runs())
            error_env(err, "this machine has no %s: use the variant %s", name, found->variant);
        else
            error_set(err, "the cpu variant %s multiplies in %s: use the variant %s for %s", name,
                      precision_name(t->precision), found->variant, precision_name(p));
        return NULL;
    }
    error_set(err, "there is no cpu variant %s in this program (this machine's best is %s)", name,
              found->variant);
    return NULL;
}

const struct kernel *kernel_find(const struct kernel_table *t, const struct op *op)
{
    for (int i = 0; i < t->n_kernels; i++)
        if (!strcmp(t->kernels[i].name, op->name))
            return &t->kernels[i];
    return NULL;
}
