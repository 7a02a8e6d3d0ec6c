/* A plan loaded on the processor: two blocks of memory, addresses resolved once, one kernel call a
 * step. The backends cpu and judge are this file with another table of kernels. */
#include "backend/cpu/program.h"

#include "base/arena.h"
#include "base/memory.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Memory from the system: zeroed, aligned to a huge page where it is that large. */
struct block {
    char *data;
    void *map;
    size_t map_bytes;
};

struct cpu_step {
    const struct kernel *kernel;
    struct kernel_call call;
    double seconds;
};

struct program {
    const struct plan *plan;
    const struct kernel_table *table;
    struct block static_block, arena_block, work_block;
    struct arena arena; /* steps and their address lists */
    struct cpu_step *steps;
    char *ordered; /* [plan->graph->n_tensors] parameters that lie in the order of the products */
    int profiling;
};

/* ---- memory ---------------------------------------------------------------------------------- */

enum { HUGE_PAGE = 2 << 20, PAGE = 4096 };

static int block_map(struct block *b, size_t bytes, const char *what, struct error *err)
{
    if (bytes == 0)
        return 0;
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : PAGE;
    if (bytes > SIZE_MAX / 2)
        return error_env(err, "the %s of this plan cannot be addressed: %zu bytes", what, bytes);
    b->map_bytes = bytes + align;
    b->map = mmap(NULL, b->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->map == MAP_FAILED) {
        b->map = NULL;
        return error_env(err,
                         "no memory for the %s of this plan, %.1f MB: use a smaller batch or model",
                         what, (double)bytes / 1e6);
    }
    uintptr_t address = ((uintptr_t)b->map + align - 1) & ~(uintptr_t)(align - 1);
    b->data = (char *)address;
    if (align == HUGE_PAGE)
        madvise(b->data, bytes, MADV_HUGEPAGE); /* a hint: small pages do as well */
    return 0;
}

static void block_unmap(struct block *b)
{
    if (b->map)
        munmap(b->map, b->map_bytes);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void *address_of(const struct program *p, const struct tensor *t)
{
    struct placement place = p->plan->places[t->id];
    if (place.block == PLAN_NONE)
        return NULL;
    const struct block *b = place.block == PLAN_STATIC ? &p->static_block : &p->arena_block;
    return b->data + place.offset;
}

/* Where the host's values of t are: it must be in the plan. */
static void *host_address(const struct program *p, const struct tensor *t)
{
    void *address = address_of(p, t);
    if (!address)
        BUG("tensor %s has no place in the plan", t->name);
    return address;
}

static void **addresses(struct program *p, struct tensor *const *tensors, int n)
{
    void **list = ARENA_ARRAY(&p->arena, void *, n + 1);
    for (int i = 0; i < n; i++)
        list[i] = address_of(p, tensors[i]);
    return list;
}

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* Bytes of private memory that the hungriest step needs for each thread. */
static size_t work_stride(const struct program *p)
{
    size_t most = 0;
    for (int i = 0; i < p->plan->n_steps; i++) {
        const struct node *n = p->plan->steps[i].node;
        size_t bytes = kernel_find(p->table, n->op)->memory(n).thread;
        most = bytes > most ? bytes : most;
    }
    return round_up(most, PAGE);
}

static void resolve(struct program *p, size_t stride, int threads)
{
    p->steps = ARENA_ARRAY(&p->arena, struct cpu_step, p->plan->n_steps + 1);
    for (int i = 0; i < p->plan->n_steps; i++) {
        const struct step *s = &p->plan->steps[i];
        const struct node *n = s->node;
        p->steps[i].kernel = kernel_find(p->table, n->op);
        p->steps[i].call = (struct kernel_call){
            .node = n,
            .in = addresses(p, n->in, n->n_in),
            .out = addresses(p, n->out, n->n_out),
            .scratch = s->scratch_bytes ? p->arena_block.data + s->scratch_offset : NULL,
            .work = p->work_block.data,
            .work_stride = stride,
            .threads = threads,
        };
    }
}

/* ---- the order of weights -------------------------------------------------------------------- */

static int may_be_ordered(const struct tensor *t)
{
    return t->kind == TENSOR_PARAM && t->type == TENSOR_VALUE && t->shape.rank >= 2;
}

/* Whether input i of a step may be ordered, as far as this step goes. */
static int read_ordered(const struct cpu_step *s, int i)
{
    return s->kernel->weight == i && may_be_ordered(s->call.node->in[i]);
}

/* Weights of a plan that only reads them are put in the order of the products as they are written,
 * so that no run has to: those that all of their readers take so. */
static void choose_ordered(struct program *p)
{
    const struct plan *plan = p->plan;
    p->ordered = ARENA_ARRAY(&p->arena, char, plan->graph->n_tensors + 1);
    if (!p->table->order->order || plan->n_trained > 0)
        return;
    for (int i = 0; i < plan->graph->n_tensors; i++)
        p->ordered[i] = may_be_ordered(plan->graph->tensors[i]);
    for (int s = 0; s < plan->n_steps; s++)
        for (int i = 0; i < plan->steps[s].node->n_in; i++)
            if (!read_ordered(&p->steps[s], i))
                p->ordered[plan_memory_of(plan->steps[s].node->in[i])->id] = 0;
    for (int i = 0; i < plan->graph->n_outputs; i++)
        p->ordered[plan_memory_of(plan->graph->outputs[i])->id] = 0;
    for (int s = 0; s < plan->n_steps; s++) {
        int weight = p->steps[s].kernel->weight;
        p->steps[s].call.ordered = weight >= 0 && p->ordered[plan->steps[s].node->in[weight]->id];
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

/* t's values as the host has them: in their place or, where that is ordered, in memory of their own
 * until the end of writing or reading. */
static void *begin_write(const struct program *p, const struct tensor *t)
{
    void *place = host_address(p, t);
    return p->ordered[t->id] ? mem_alloc(p->table->value_size * (size_t)shape_count(t->shape))
                             : place;
}

static void end_write(const struct program *p, const struct tensor *t, void *values)
{
    int64_t rows = t->shape.dim[0];
    if (!p->ordered[t->id])
        return;
    p->table->order->order(address_of(p, t), values, rows, shape_count(t->shape) / rows);
    free(values);
}

static void *begin_read(const struct program *p, const struct tensor *t)
{
    void *values = begin_write(p, t);
    int64_t rows = t->shape.dim[0];
    if (p->ordered[t->id])
        p->table->order->restore(values, address_of(p, t), rows, shape_count(t->shape) / rows);
    return values;
}

static void end_read(const struct program *p, const struct tensor *t, void *values)
{
    if (p->ordered[t->id])
        free(values);
}

static void store_double(const struct program *p, const struct tensor *t, const double *from)
{
    void *to = begin_write(p, t);
    int64_t n = shape_count(t->shape);
    if (t->type == TENSOR_BYTE)
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)to)[i] = (uint8_t)from[i];
    else if (t->type == TENSOR_INT)
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)to)[i] = (int32_t)from[i];
    else if (p->table->value_size == sizeof(double))
        memcpy(to, from, sizeof(double) * (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[i] = (float)from[i];
    end_write(p, t, to);
}

void cpu_write_double(struct program *p, const struct tensor *t, const double *host)
{
    store_double(p, t, host);
}

void cpu_write(struct program *p, const struct tensor *t, const void *host)
{
    void *to = begin_write(p, t);
    int64_t n = shape_count(t->shape);
    if (t->type != TENSOR_VALUE || p->table->value_size == sizeof(float))
        memcpy(to, host, tensor_type_size(t->type, sizeof(float)) * (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)to)[i] = (double)((const float *)host)[i];
    end_write(p, t, to);
}

void cpu_read(struct program *p, const struct tensor *t, void *host)
{
    void *from = begin_read(p, t);
    int64_t n = shape_count(t->shape);
    if (t->type != TENSOR_VALUE || p->table->value_size == sizeof(float))
        memcpy(host, from, tensor_type_size(t->type, sizeof(float)) * (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)host)[i] = (float)((const double *)from)[i];
    end_read(p, t, from);
}

void cpu_read_double(struct program *p, const struct tensor *t, double *host)
{
    void *from = begin_read(p, t);
    int64_t n = shape_count(t->shape);
    if (t->type == TENSOR_BYTE)
        for (int64_t i = 0; i < n; i++)
            host[i] = ((const uint8_t *)from)[i];
    else if (t->type == TENSOR_INT)
        for (int64_t i = 0; i < n; i++)
            host[i] = ((const int32_t *)from)[i];
    else if (p->table->value_size == sizeof(double))
        memcpy(host, from, sizeof(double) * (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            host[i] = (double)((const float *)from)[i];
    end_read(p, t, from);
}

static void fill_constants(struct program *p)
{
    const struct graph *g = p->plan->graph;
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->kind == TENSOR_CONSTANT && address_of(p, g->tensors[i]))
            store_double(p, g->tensors[i], g->tensors[i]->constant);
}

/* ---- load and run ---------------------------------------------------------------------------- */

static int check_steps(const struct program *p, struct error *err)
{
    for (int i = 0; i < p->plan->n_steps; i++)
        if (!kernel_find(p->table, p->plan->steps[i].node->op))
            return error_set(err, "the cpu backend has no kernel for %s",
                             p->plan->steps[i].node->op->name);
    return 0;
}

struct program *cpu_load_table(const struct plan *plan, const struct kernel_table *table,
                               int threads, struct error *err)
{
    if (plan->value_size != table->value_size)
        BUG("a plan for values of %zu bytes on kernels for %zu", plan->value_size,
            table->value_size);
    struct program *p = mem_zalloc(1, sizeof *p);
    p->plan = plan;
    p->table = table;
    if (check_steps(p, err))
        goto failed;
    size_t stride = work_stride(p);
    if (block_map(&p->static_block, plan->static_bytes, "parameters and inputs", err) ||
        block_map(&p->arena_block, plan->arena_bytes, "intermediate results", err) ||
        block_map(&p->work_block, stride * (size_t)threads, "threads", err))
        goto failed;
    resolve(p, stride, threads);
    choose_ordered(p);
    fill_constants(p);
    /* Blocks are the unit of parallel work: within one, BLAS must not start threads of its own. */
    openblas_set_num_threads(1);
    return p;
failed:
    cpu_unload(p);
    return NULL;
}

void cpu_unload(struct program *p)
{
    block_unmap(&p->static_block);
    block_unmap(&p->arena_block);
    block_unmap(&p->work_block);
    arena_release(&p->arena);
    free(p);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_step(struct cpu_step *s, uint64_t seed, uint64_t step)
{
    s->call.seed = seed;
    s->call.step = step;
    s->kernel->run(&s->call);
}

static void run_profiled(struct program *p, uint64_t seed, uint64_t step)
{
    double before = seconds_now();
    for (int i = 0; i < p->plan->n_steps; i++) {
        run_step(&p->steps[i], seed, step);
        double after = seconds_now();
        p->steps[i].seconds += after - before;
        before = after;
    }
}

void cpu_run(struct program *p, uint64_t seed, uint64_t step)
{
    if (p->profiling) {
        run_profiled(p, seed, step);
        return;
    }
    for (int i = 0; i < p->plan->n_steps; i++)
        run_step(&p->steps[i], seed, step);
}

void cpu_profile(struct program *p, int on)
{
    p->profiling = on;
    for (int i = 0; on && i < p->plan->n_steps; i++)
        p->steps[i].seconds = 0;
}

double cpu_profile_step(const struct program *p, int step)
{
    ASSERT(step >= 0 && step < p->plan->n_steps);
    return p->steps[step].seconds;
}
