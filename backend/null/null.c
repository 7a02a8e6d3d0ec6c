/* null: has the ops that the processor has and computes nothing. Plans, costs and memory of a model
 * without its memory. */
#include "backend/backend.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program {
    int unused; /* a program of this backend holds nothing */
};

static int null_probe(const struct backend_options *o, char *device, size_t size, struct error *err)
{
    (void)o;
    (void)err;
    snprintf(device, size, "nothing: plans and counts only");
    return 0;
}

static int null_has(const void *ctx, const struct op *op)
{
    (void)ctx;
    return !(op->flags & OP_OPTIONAL);
}

static size_t null_scratch(const void *ctx, const struct node *n)
{
    (void)ctx;
    (void)n;
    return 0;
}

static struct program *null_load(const struct plan *p, const struct backend_options *o,
                                 struct error *err)
{
    (void)p;
    (void)o;
    (void)err;
    return mem_zalloc(1, sizeof(struct program));
}

static void null_unload(struct program *p)
{
    free(p);
}

static void null_write(struct program *p, const struct tensor *t, const void *host)
{
    (void)p;
    (void)t;
    (void)host;
}

static void null_write_double(struct program *p, const struct tensor *t, const double *host)
{
    null_write(p, t, host);
}

/* Everything reads as zero. */
static void null_read(struct program *p, const struct tensor *t, void *host)
{
    (void)p;
    memset(host, 0, tensor_type_size(t->type, sizeof(float)) * (size_t)shape_count(t->shape));
}

static void null_read_double(struct program *p, const struct tensor *t, double *host)
{
    (void)p;
    memset(host, 0, sizeof(double) * (size_t)shape_count(t->shape));
}

static void null_run(struct program *p, uint64_t seed, uint64_t step)
{
    (void)p;
    (void)seed;
    (void)step;
}

static void null_profile(struct program *p, int on)
{
    (void)p;
    (void)on;
}

static double null_profile_step(const struct program *p, int step)
{
    (void)p;
    (void)step;
    return 0;
}

const struct backend backend_null = {
    .choice = {.name = "null", .doc = "plans and counts, computes nothing"},
    .value_size = sizeof(float),
    .dry = 1,
    .probe = null_probe,
    .has = null_has,
    .scratch = null_scratch,
    .load = null_load,
    .unload = null_unload,
    .write = null_write,
    .read = null_read,
    .read_double = null_read_double,
    .write_double = null_write_double,
    .run = null_run,
    .profile = null_profile,
    .profile_step = null_profile_step,
};
