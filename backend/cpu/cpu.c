/* The backends cpu (float, the best variant of the machine) and judge (the same kernels in double).
 */
#include "backend/cpu/program.h"

#include <stdio.h>
#include <string.h>

/* "AMD EPYC", or "processor" where the system does not say. */
static void processor_name(char *name, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "processor");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon)
            continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(name, size, "%s", colon + 2);
        break;
    }
    if (f)
        fclose(f);
}

static void describe(const struct kernel_table *t, char *device, size_t size)
{
    char name[200];
    processor_name(name, sizeof name);
    snprintf(device, size, "%s, %s", name, t->variant);
}

static const struct kernel_table *table_for(const struct backend_options *o, struct error *err)
{
    return cpu_variant(o ? o->variant : NULL, o ? o->precision : PRECISION_FP32, err);
}

static int cpu_probe(const struct backend_options *o, char *device, size_t size, struct error *err)
{
    const struct kernel_table *t = table_for(o, err);
    if (!t)
        return -1;
    describe(t, device, size);
    return 0;
}

/* An alias needs no kernel. All variants have the same kernels and shared memory. */
static int table_has(const struct kernel_table *t, const struct op *op)
{
    return (op->flags & OP_ALIAS) || kernel_find(t, op);
}

static size_t table_scratch(const struct kernel_table *t, const struct node *n)
{
    const struct kernel *k = kernel_find(t, n->op);
    return k ? k->memory(n).shared : 0;
}

static int cpu_has(const void *ctx, const struct op *op)
{
    (void)ctx;
    return table_has(cpu_variant(NULL, PRECISION_FP32, NULL), op);
}

static size_t cpu_scratch(const void *ctx, const struct node *n)
{
    (void)ctx;
    return table_scratch(cpu_variant(NULL, PRECISION_FP32, NULL), n);
}

static struct program *cpu_load(const struct plan *p, const struct backend_options *o,
                                struct error *err)
{
    const struct kernel_table *t = table_for(o, err);
    return t ? cpu_load_table(p, t, o && o->threads > 1 ? o->threads : 1, err) : NULL;
}

static int judge_refuses(const struct backend_options *o, struct error *err)
{
    if (!o || o->precision == PRECISION_FP32)
        return 0;
    return error_env(err, "judge computes in double precision: it has no %s",
                     precision_name(o->precision));
}

static int judge_probe(const struct backend_options *o, char *device, size_t size,
                       struct error *err)
{
    if (judge_refuses(o, err))
        return -1;
    describe(judge_variant(), device, size);
    return 0;
}

static int judge_has(const void *ctx, const struct op *op)
{
    (void)ctx;
    return table_has(judge_variant(), op);
}

static size_t judge_scratch(const void *ctx, const struct node *n)
{
    (void)ctx;
    return table_scratch(judge_variant(), n);
}

static struct program *judge_load(const struct plan *p, const struct backend_options *o,
                                  struct error *err)
{
    if (judge_refuses(o, err))
        return NULL;
    return cpu_load_table(p, judge_variant(), o && o->threads > 1 ? o->threads : 1, err);
}

#define CPU_FUNCTIONS                                                                              \
    .unload = cpu_unload, .write = cpu_write, .read = cpu_read, .read_double = cpu_read_double,    \
    .write_double = cpu_write_double, .run = cpu_run, .profile = cpu_profile,                      \
    .profile_step = cpu_profile_step

const struct backend backend_cpu = {
    .choice = {.name = "cpu", .doc = "the processor, in single precision"},
    .value_size = sizeof(float),
    .probe = cpu_probe,
    .has = cpu_has,
    .scratch = cpu_scratch,
    .load = cpu_load,
    CPU_FUNCTIONS,
};

const struct backend backend_judge = {
    .choice = {.name = "judge", .doc = "the processor, in double precision: the oracle of tests"},
    .value_size = sizeof(double),
    .probe = judge_probe,
    .has = judge_has,
    .scratch = judge_scratch,
    .load = judge_load,
    CPU_FUNCTIONS,
};
