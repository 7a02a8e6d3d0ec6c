/* A plan loaded on a CUDA device: two blocks of memory, addresses resolved once, one kernel call a
 * step, all of it captured as one graph. */
#include "backend/cuda/program.h"

#include "backend/cuda/cuda.h"
#include "backend/cuda/upload.h"
#include "base/arena.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cuda_step {
    const struct cuda_kernel *kernel;
    struct cuda_call call;
    unsigned rounds; /* bit i: call.in[i] is made from full[i] before the call */
    void **full;     /* where the inputs' values in full are */
    void *table;     /* device memory of call.table, or NULL */
    void *state;     /* call.state */
    double seconds;
};

struct program {
    const struct plan *plan;
    enum precision precision;
    char *static_block, *arena_block;
    void *work;
    struct vt_scalars *scalars;
    struct arena arena; /* steps and their address lists */
    struct cuda_step *steps;
    struct upload upload;
    struct vt_lt *lt;
    struct vt_sdpa *sdpa;
    cudaStream_t stream;
    cudaGraphExec_t graph; /* NULL until captured */
    int runs, may_capture, profiling;
    int stale;          /* the copy of the parameters in bf16 is older than they are */
    cudaEvent_t *marks; /* [n_steps + 1], while profiling */
};

/* ---- failures -------------------------------------------------------------------------------- */

static void check(int code, const char *what)
{
    if (!code)
        return;
    fprintf(stderr, "vittm: the CUDA device failed at %s: %s\n", what,
            cudaGetErrorString((cudaError_t)code));
    exit(EXIT_FAILED);
}

static int cuda_error(struct error *err, int code, const char *what)
{
    cudaGetLastError(); /* so that the next call does not report it again */
    return error_env(err, "cuda: %s: %s", what, cudaGetErrorString((cudaError_t)code));
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Device memory filled with zeros, or NULL for no bytes. */
static int block_new(void **block, size_t bytes, const char *what, cudaStream_t stream,
                     struct error *err)
{
    *block = NULL;
    if (bytes == 0)
        return 0;
    int code = (int)cudaMalloc(block, bytes);
    if (code) {
        cudaGetLastError();
        return error_env(err,
                         "no device memory for the %s of this plan, %.1f MB (%s): use a smaller "
                         "batch or model",
                         what, (double)bytes / 1e6, cudaGetErrorString((cudaError_t)code));
    }
    code = (int)cudaMemsetAsync(*block, 0, bytes, stream);
    return code ? cuda_error(err, code, what) : 0;
}

static void *address_of(const void *ctx, const struct tensor *t)
{
    const struct program *p = ctx;
    struct placement place = p->plan->places[t->id];
    if (place.block == PLAN_NONE)
        return NULL;
    return (place.block == PLAN_STATIC ? p->static_block : p->arena_block) + place.offset;
}

/* Where t's copy in bf16 is. */
static void *copy_of(const struct program *p, const struct tensor *t)
{
    struct placement place = p->plan->places[t->id];
    return (place.copy_block == PLAN_STATIC ? p->static_block : p->arena_block) + place.copy_offset;
}

/* Where a step reads input i: the values, or their copy in bf16. */
static void *operand_of(const struct program *p, const struct step *s, int i)
{
    const struct tensor *t = s->node->in[i];
    int copied = plan_bit(s->half_in, i) && !p->plan->places[t->id].half;
    return copied ? copy_of(p, t) : address_of(p, t);
}

static void **operands(struct program *p, const struct step *s)
{
    void **list = ARENA_ARRAY(&p->arena, void *, s->node->n_in + 1);
    for (int i = 0; i < s->node->n_in; i++)
        list[i] = operand_of(p, s, i);
    return list;
}

static void **doubles(struct program *p, const struct step *s)
{
    void **list = ARENA_ARRAY(&p->arena, void *, s->node->n_out + 1);
    for (int i = 0; i < s->node->n_out; i++)
        list[i] = plan_bit(s->doubles, i) ? copy_of(p, s->node->out[i]) : NULL;
    return list;
}

/* The copy in bf16 of parameters that a step updates, or NULL. */
static void *updated_copy(const struct program *p, const struct node *n)
{
    const struct plan *plan = p->plan;
    const struct tensor *t = n->n_in ? n->in[0] : NULL;
    int flat = t && t->kind == TENSOR_FLAT && t->output == FLAT_PARAMS;
    if (!(n->op->flags & OP_EFFECT) || !t || !(flat || t->kind == TENSOR_PARAM) ||
        !plan->copy_count)
        return NULL;
    size_t first = (plan->places[t->id].offset - plan->params_offset) / sizeof(float);
    return p->static_block + plan->copy_offset + 2 * first;
}

/* Where the device's values of t are: it must be in the plan. */
static void *place_of(const struct program *p, const struct tensor *t)
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

/* ---- values ---------------------------------------------------------------------------------- */

static size_t bytes_of(const struct tensor *t)
{
    return tensor_type_size(t->type, sizeof(float)) * (size_t)shape_count(t->shape);
}

/* Where the plan stores t in bf16, which only tests ask of what the host writes or reads: values of
 * single precision through memory of their own. */
static void move_half(struct program *p, const struct tensor *t, void *host, int to_device)
{
    void *full;
    int64_t n = shape_count(t->shape);
    check((int)cudaMalloc(&full, bytes_of(t)), t->name);
    if (to_device) {
        check((int)cudaMemcpyAsync(full, host, bytes_of(t), cudaMemcpyHostToDevice, p->stream),
              t->name);
        check(vt_to_bf16(place_of(p, t), full, n, p->stream), t->name);
    } else {
        check(vt_from_bf16(full, place_of(p, t), n, p->stream), t->name);
        check((int)cudaMemcpyAsync(host, full, bytes_of(t), cudaMemcpyDeviceToHost, p->stream),
              t->name);
    }
    check((int)cudaStreamSynchronize(p->stream), t->name);
    check((int)cudaFree(full), t->name);
}

/* Inputs go by the double buffer; everything else is rare and waits. */
void cuda_write(struct program *p, const struct tensor *t, const void *host)
{
    int i = upload_find(&p->upload, t);
    if (i >= 0) {
        check(upload_write(&p->upload, i, host), "an input");
        return;
    }
    p->stale |= t->kind == TENSOR_PARAM || t->kind == TENSOR_FLAT;
    if (p->plan->places[t->id].half) {
        move_half(p, t, (void *)(uintptr_t)host, 1);
        return;
    }
    check(
        (int)cudaMemcpyAsync(place_of(p, t), host, bytes_of(t), cudaMemcpyHostToDevice, p->stream),
        t->name);
    check((int)cudaStreamSynchronize(p->stream), t->name);
}

void cuda_read(struct program *p, const struct tensor *t, void *host)
{
    check(upload_place(&p->upload, p->stream, address_of, p), "inputs");
    if (p->plan->places[t->id].half) {
        move_half(p, t, host, 0);
        return;
    }
    check(
        (int)cudaMemcpyAsync(host, place_of(p, t), bytes_of(t), cudaMemcpyDeviceToHost, p->stream),
        t->name);
    check((int)cudaStreamSynchronize(p->stream), t->name);
}

void cuda_write_double(struct program *p, const struct tensor *t, const double *host)
{
    int64_t n = shape_count(t->shape);
    char *values = mem_alloc(bytes_of(t));
    for (int64_t i = 0; i < n; i++)
        if (t->type == TENSOR_BYTE)
            ((uint8_t *)(void *)values)[i] = (uint8_t)host[i];
        else if (t->type == TENSOR_INT)
            ((int32_t *)(void *)values)[i] = (int32_t)host[i];
        else
            ((float *)(void *)values)[i] = (float)host[i];
    cuda_write(p, t, values);
    free(values);
}

void cuda_read_double(struct program *p, const struct tensor *t, double *host)
{
    int64_t n = shape_count(t->shape);
    char *values = mem_alloc(bytes_of(t));
    cuda_read(p, t, values);
    for (int64_t i = 0; i < n; i++)
        host[i] = t->type == TENSOR_BYTE  ? (double)((uint8_t *)(void *)values)[i]
                  : t->type == TENSOR_INT ? (double)((int32_t *)(void *)values)[i]
                                          : (double)((float *)(void *)values)[i];
    free(values);
}

static void fill_constants(struct program *p)
{
    const struct graph *g = p->plan->graph;
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->kind == TENSOR_CONSTANT && address_of(p, g->tensors[i]))
            cuda_write_double(p, g->tensors[i], g->tensors[i]->constant);
}

/* ---- load ------------------------------------------------------------------------------------ */

/* Lets a kernel prepare itself; its table goes to the device. */
static int set_up(struct program *p, struct cuda_step *s, const struct step *step, size_t *work,
                  struct error *err)
{
    const struct node *n = step->node;
    struct cuda_setup setup = {.node = n,
                               .lt = p->lt,
                               .sdpa = p->sdpa,
                               .precision = p->precision,
                               .half_in = step->half_in,
                               .half_out = step->half_out,
                               .stream = p->stream};
    if (s->kernel->setup(&setup, err))
        return -1;
    s->state = setup.state;
    *work = setup.work_bytes > *work ? setup.work_bytes : *work;
    int rc = block_new(&s->table, setup.table_bytes, "constants", p->stream, err);
    if (!rc && setup.table_bytes) {
        int code = (int)cudaMemcpyAsync(s->table, setup.table, setup.table_bytes,
                                        cudaMemcpyHostToDevice, p->stream);
        code = code ? code : (int)cudaStreamSynchronize(p->stream);
        rc = code ? cuda_error(err, code, n->op->name) : 0;
    }
    free(setup.table);
    return rc;
}

static int resolve(struct program *p, struct error *err)
{
    size_t work = 0;
    p->steps = ARENA_ARRAY(&p->arena, struct cuda_step, p->plan->n_steps + 1);
    for (int i = 0; i < p->plan->n_steps; i++) {
        const struct step *s = &p->plan->steps[i];
        const struct node *n = s->node;
        p->steps[i].kernel = cuda_kernel_find(n->op);
        if (!p->steps[i].kernel)
            return error_set(err, "the cuda backend has no kernel for %s", n->op->name);
        if (set_up(p, &p->steps[i], s, &work, err))
            return error_prefix(err, "%s", n->scope);
        p->steps[i].rounds = s->rounds;
        p->steps[i].full = addresses(p, n->in, n->n_in);
        p->steps[i].call = (struct cuda_call){
            .node = n,
            .in = operands(p, s),
            .out = addresses(p, n->out, n->n_out),
            .out_copy = doubles(p, s),
            .half_in = s->half_in,
            .half_out = s->half_out,
            .copy = updated_copy(p, n),
            .scratch = s->scratch_bytes ? p->arena_block + s->scratch_offset : NULL,
            .table = p->steps[i].table,
            .scalars = p->scalars,
            .lt = p->lt,
            .sdpa = p->sdpa,
            .state = p->steps[i].state,
            .precision = p->precision,
            .stream = p->stream,
        };
    }
    if (block_new(&p->work, work, "operands of products", p->stream, err))
        return -1;
    for (int i = 0; i < p->plan->n_steps; i++)
        p->steps[i].call.work = p->work;
    return 0;
}

static int allocate(struct program *p, struct error *err)
{
    void *block;
    if (block_new(&block, p->plan->static_bytes, "parameters and inputs", p->stream, err))
        return -1;
    p->static_block = block;
    if (block_new(&block, p->plan->arena_bytes, "intermediate results", p->stream, err))
        return -1;
    p->arena_block = block;
    if (block_new(&block, sizeof *p->scalars, "step", p->stream, err))
        return -1;
    p->scalars = block;
    return 0;
}

static int graphs_wanted(void)
{
    const char *value = getenv("VITTM_CUDA_GRAPH");
    return !value || strcmp(value, "0");
}

struct program *cuda_load(const struct plan *plan, const struct backend_options *o,
                          struct error *err)
{
    if (plan->value_size != sizeof(float))
        BUG("a plan for values of %zu bytes on a device for single precision", plan->value_size);
    if (plan->stores_half != (o && o->precision == PRECISION_BF16))
        BUG("a plan for another precision");
    struct program *p = mem_zalloc(1, sizeof *p);
    p->plan = plan;
    p->stale = 1;
    p->precision = o ? o->precision : PRECISION_FP32;
    p->may_capture = graphs_wanted();
    int code = (int)cudaSetDevice(o ? o->device : 0);
    code = code ? code : (int)cudaStreamCreateWithFlags(&p->stream, cudaStreamNonBlocking);
    if (code) {
        cuda_error(err, code, "no stream");
        goto failed;
    }
    if (allocate(p, err))
        goto failed;
    if ((code = upload_open(&p->upload, plan))) {
        cuda_error(err, code, "no memory for inputs: use a smaller batch");
        goto failed;
    }
    if (p->precision == PRECISION_BF16)
        p->sdpa = vt_sdpa_new();
    p->lt = vt_lt_new();
    if (resolve(p, err))
        goto failed;
    fill_constants(p);
    return p;
failed:
    cuda_unload(p);
    return NULL;
}

static void free_marks(struct program *p)
{
    for (int i = 0; p->marks && i <= p->plan->n_steps; i++)
        cudaEventDestroy(p->marks[i]);
    free(p->marks);
    p->marks = NULL;
}

void cuda_unload(struct program *p)
{
    if (p->stream)
        cudaStreamSynchronize(p->stream);
    free_marks(p);
    if (p->graph)
        cudaGraphExecDestroy(p->graph);
    upload_close(&p->upload);
    for (int i = 0; p->steps && i < p->plan->n_steps; i++) {
        if (p->steps[i].table)
            cudaFree(p->steps[i].table);
        free(p->steps[i].state);
    }
    void *blocks[] = {p->static_block, p->arena_block, p->work, p->scalars};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (blocks[i])
            cudaFree(blocks[i]);
    if (p->lt)
        vt_lt_free(p->lt);
    if (p->sdpa)
        vt_sdpa_free(p->sdpa);
    if (p->stream)
        cudaStreamDestroy(p->stream);
    arena_release(&p->arena);
    free(p);
}

/* ---- run ------------------------------------------------------------------------------------- */

static void run_step(struct program *p, int i)
{
    const struct cuda_step *s = &p->steps[i];
    const struct node *n = s->call.node;
    for (int k = 0; k < n->n_in; k++)
        if (plan_bit(s->rounds, k))
            check(vt_to_bf16(s->call.in[k], s->full[k], shape_count(n->in[k]->shape), p->stream),
                  "a copy in bf16");
    check(s->kernel->run(&s->call), n->op->name);
}

static void run_steps(struct program *p)
{
    for (int i = 0; i < p->plan->n_steps; i++)
        run_step(p, i);
}

/* Steps that update parameters write their copy too; what the host wrote is copied here. */
static void refresh_copy(struct program *p)
{
    const struct plan *plan = p->plan;
    if (p->stale && plan->copy_count)
        check(vt_to_bf16(p->static_block + plan->copy_offset,
                         (const float *)(void *)(p->static_block + plan->params_offset),
                         plan->copy_count, p->stream),
              "parameters in bf16");
    p->stale = 0;
}

/* Records the steps without running them. */
static void capture(struct program *p)
{
    cudaGraph_t graph;
    check((int)cudaStreamBeginCapture(p->stream, cudaStreamCaptureModeThreadLocal), "capture");
    run_steps(p);
    check((int)cudaStreamEndCapture(p->stream, &graph), "capture");
    check((int)cudaGraphInstantiate(&p->graph, graph, 0), "capture");
    check((int)cudaGraphDestroy(graph), "capture");
}

static void run_profiled(struct program *p)
{
    int n = p->plan->n_steps;
    check((int)cudaEventRecord(p->marks[0], p->stream), "profile");
    for (int i = 0; i < n; i++) {
        run_step(p, i);
        check((int)cudaEventRecord(p->marks[i + 1], p->stream), "profile");
    }
    check((int)cudaStreamSynchronize(p->stream), "profile");
    for (int i = 0; i < n; i++) {
        float ms = 0;
        check((int)cudaEventElapsedTime(&ms, p->marks[i], p->marks[i + 1]), "profile");
        p->steps[i].seconds += 1e-3 * (double)ms;
    }
}

void cuda_run(struct program *p, uint64_t seed, uint64_t step)
{
    check(upload_place(&p->upload, p->stream, address_of, p), "inputs");
    check(vt_set_scalars(p->scalars, seed, step, p->stream), "the step's scalars");
    refresh_copy(p);
    if (p->profiling) {
        run_profiled(p);
        return;
    }
    if (p->runs++ == 0 || !p->may_capture) {
        run_steps(p);
        return;
    }
    if (!p->graph)
        capture(p);
    check((int)cudaGraphLaunch(p->graph, p->stream), "a captured step");
}

void cuda_wait(struct program *p)
{
    check((int)cudaStreamSynchronize(p->stream), "the end of a run");
}

void cuda_profile(struct program *p, int on)
{
    p->profiling = on;
    if (!on)
        return;
    free_marks(p);
    p->marks = mem_zalloc((size_t)p->plan->n_steps + 1, sizeof *p->marks);
    for (int i = 0; i <= p->plan->n_steps; i++)
        check((int)cudaEventCreate(&p->marks[i]), "profile");
    for (int i = 0; i < p->plan->n_steps; i++)
        p->steps[i].seconds = 0;
}

double cuda_profile_step(const struct program *p, int step)
{
    ASSERT(step >= 0 && step < p->plan->n_steps);
    return p->steps[step].seconds;
}
