/* A run of a loaded program: eager, captured as one graph, replayed, or timed step by step. */
#include "backend/cuda/program_internal.h"

#include "base/memory.h"

#include <stdlib.h>

static void run_step(struct program *p, int i)
{
    const struct cuda_step *s = &p->steps[i];
    const struct node *n = s->call.node;
    for (int k = 0; k < n->n_in; k++)
        if (plan_bit(s->rounds, k))
            cuda_check(
                vt_to_bf16(s->call.in[k], s->full[k], shape_count(n->in[k]->shape), p->stream),
                "a copy in bf16");
    cuda_check(s->kernel->run(&s->call), n->op->name);
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
        cuda_check(vt_to_bf16(p->static_block + plan->copy_offset,
                              (const float *)(void *)(p->static_block + plan->params_offset),
                              plan->copy_count, p->stream),
                   "parameters in bf16");
    p->stale = 0;
}

/* Records the steps without running them. */
static void capture(struct program *p)
{
    cudaGraph_t graph;
    cuda_check((int)cudaStreamBeginCapture(p->stream, cudaStreamCaptureModeThreadLocal), "capture");
    run_steps(p);
    cuda_check((int)cudaStreamEndCapture(p->stream, &graph), "capture");
    cuda_check((int)cudaGraphInstantiate(&p->graph, graph, 0), "capture");
    cuda_check((int)cudaGraphDestroy(graph), "capture");
}

static void run_profiled(struct program *p)
{
    int n = p->plan->n_steps;
    cuda_check((int)cudaEventRecord(p->marks[0], p->stream), "profile");
    for (int i = 0; i < n; i++) {
        run_step(p, i);
        cuda_check((int)cudaEventRecord(p->marks[i + 1], p->stream), "profile");
    }
    cuda_check((int)cudaStreamSynchronize(p->stream), "profile");
    for (int i = 0; i < n; i++) {
        float ms = 0;
        cuda_check((int)cudaEventElapsedTime(&ms, p->marks[i], p->marks[i + 1]), "profile");
        p->steps[i].seconds += 1e-3 * (double)ms;
    }
}

void cuda_run(struct program *p, uint64_t seed, uint64_t step)
{
    cuda_check(upload_place(&p->upload, p->stream, cuda_address, p), "inputs");
    cuda_check(vt_set_scalars(p->scalars, seed, step, p->stream), "the step's scalars");
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
    cuda_check((int)cudaGraphLaunch(p->graph, p->stream), "a captured step");
}

void cuda_wait(struct program *p)
{
    cuda_check((int)cudaStreamSynchronize(p->stream), "the end of a run");
}

void cuda_free_marks(struct program *p)
{
    for (int i = 0; p->marks && i <= p->plan->n_steps; i++)
        cudaEventDestroy(p->marks[i]);
    free(p->marks);
    p->marks = NULL;
}

void cuda_profile(struct program *p, int on)
{
    p->profiling = on;
    if (!on)
        return;
    cuda_free_marks(p);
    p->marks = mem_zalloc((size_t)p->plan->n_steps + 1, sizeof *p->marks);
    for (int i = 0; i <= p->plan->n_steps; i++)
        cuda_check((int)cudaEventCreate(&p->marks[i]), "profile");
    for (int i = 0; i < p->plan->n_steps; i++)
        p->steps[i].seconds = 0;
}

double cuda_profile_step(const struct program *p, int step)
{
    ASSERT(step >= 0 && step < p->plan->n_steps);
    return p->steps[step].seconds;
}
