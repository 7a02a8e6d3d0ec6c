/* A plan loaded on a CUDA device: two blocks of memory, addresses resolved once, each kernel set
 * up. */
#include "backend/cuda/program_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- failures -------------------------------------------------------------------------------- */

void cuda_check(int code, const char *what)
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

void *cuda_address(const void *ctx, const struct tensor *t)
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
    return copied ? copy_of(p, t) : cuda_address(p, t);
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

static void **addresses(struct program *p, struct tensor *const *tensors, int n)
{
    void **list = ARENA_ARRAY(&p->arena, void *, n + 1);
    for (int i = 0; i < n; i++)
        list[i] = cuda_address(p, tensors[i]);
    return list;
}

/* ---- load ------------------------------------------------------------------------------------ */

/* Lets a kernel prepare itself; its table goes to the device. */
static int set_up(struct program *p, struct cuda_step *s, const struct step *step, size_t *work,
                  struct error *err)
{
    const struct node *n = step->node;
    struct cuda_setup setup = {.node = n,
                               .products = p->products,
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
            .unread = s->unread,
            .copy = updated_copy(p, n),
            .scratch = s->scratch_bytes ? p->arena_block + s->scratch_offset : NULL,
            .table = p->steps[i].table,
            .scalars = p->scalars,
            .products = p->products,
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

static void fill_constants(struct program *p)
{
    const struct graph *g = p->plan->graph;
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->kind == TENSOR_CONSTANT && cuda_address(p, g->tensors[i]))
            cuda_write_double(p, g->tensors[i], g->tensors[i]->constant);
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
    p->products = vt_products_new();
    if (resolve(p, err))
        goto failed;
    fill_constants(p);
    return p;
failed:
    cuda_unload(p);
    return NULL;
}

void cuda_unload(struct program *p)
{
    if (p->stream)
        cudaStreamSynchronize(p->stream);
    cuda_free_marks(p);
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
    if (p->products)
        vt_products_free(p->products);
    if (p->sdpa)
        vt_sdpa_free(p->sdpa);
    if (p->stream)
        cudaStreamDestroy(p->stream);
    arena_release(&p->arena);
    free(p);
}
