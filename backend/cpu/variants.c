/* Which variants exist and which this machine can execute. */
#include "backend/cpu/cpu.h"

#include <string.h>

extern const struct kernel_table kernel_table_portable;
extern const struct kernel_table kernel_table_judge;
#ifdef __x86_64__
extern const struct kernel_table kernel_table_avx2;
extern const struct kernel_table kernel_table_avx512;
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

static const struct kernel_table *best(void)
{
    for (int i = 0; i < N_VARIANTS; i++)
        if (variants[i].runs())
            return variants[i].table;
    return &kernel_table_portable;
}

const struct kernel_table *cpu_variant(const char *name, struct error *err)
{
    if (!name)
        return best();
    for (int i = 0; i < N_VARIANTS; i++) {
        if (strcmp(variants[i].table->variant, name))
            continue;
        if (variants[i].runs())
            return variants[i].table;
        error_env(err, "this machine has no %s: use the variant %s", name, best()->variant);
        return NULL;
    }
    error_set(err, "there is no cpu variant %s in this program (this machine's best is %s)", name,
              best()->variant);
    return NULL;
}

const struct kernel *kernel_find(const struct kernel_table *t, const struct op *op)
{
    for (int i = 0; i < t->n_kernels; i++)
        if (!strcmp(t->kernels[i].name, op->name))
            return &t->kernels[i];
    return NULL;
}
