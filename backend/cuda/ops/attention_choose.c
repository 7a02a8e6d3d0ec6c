/* Which way attention is computed: by decision, by rule, or by measurement. */
#include "backend/cuda/ops/attention.h"

#include "backend/cuda/choices.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPEATS = 5, TENSORS = 16, MEASURED_FROM = 9 /* compute capability */ };

/* ---- measuring ------------------------------------------------------------------------------- */

/* A call on memory of its own, filled with zeros. */
struct trial {
    struct cuda_call call;
    void *in[TENSORS], *out[TENSORS], *scratch, *work;
    cudaEvent_t from, to;
};

static int trial_memory(void **memory, size_t bytes, cudaStream_t stream)
{
    int code = bytes ? (int)cudaMalloc(memory, bytes) : 0;
    return code || !bytes ? code : (int)cudaMemsetAsync(*memory, 0, bytes, stream);
}

static int trial_open(struct trial *t, const struct cuda_setup *s, size_t work_bytes)
{
    const struct node *n = s->node;
    int code = 0;
    for (int i = 0; i < n->n_in && !code; i++)
        code = trial_memory(&t->in[i], 4 * (size_t)shape_count(n->in[i]->shape), s->stream);
    for (int i = 0; i < n->n_out && !code; i++)
        code = trial_memory(&t->out[i], 4 * (size_t)shape_count(n->out[i]->shape), s->stream);
    if (!code)
        code = trial_memory(&t->scratch, cuda_kernel_find(n->op)->scratch(n), s->stream);
    if (!code)
        code = trial_memory(&t->work, work_bytes, s->stream);
    if (!code)
        code = (int)cudaEventCreate(&t->from);
    if (!code)
        code = (int)cudaEventCreate(&t->to);
    t->call = (struct cuda_call){.node = n,
                                 .in = t->in,
                                 .out = t->out,
                                 .scratch = t->scratch,
                                 .work = t->work,
                                 .sdpa = s->sdpa,
                                 .precision = s->precision,
                                 .half_in = s->half_in,
                                 .half_out = s->half_out,
                                 .stream = s->stream};
    return code;
}

static void trial_close(struct trial *t)
{
    for (int i = 0; i < TENSORS; i++) {
        if (t->in[i])
            cudaFree(t->in[i]);
        if (t->out[i])
            cudaFree(t->out[i]);
    }
    if (t->scratch)
        cudaFree(t->scratch);
    if (t->work)
        cudaFree(t->work);
    if (t->from)
        cudaEventDestroy(t->from);
    if (t->to)
        cudaEventDestroy(t->to);
    cudaGetLastError();
}

/* The shortest of several calls in ms, or less than 0 where one fails. */
static float time_of(struct trial *t, const struct attention_way *way)
{
    float best = -1;
    t->call.state = way;
    for (int i = 0; i <= REPEATS; i++) {
        float ms = 0;
        if (cudaEventRecord(t->from, t->call.stream) || way->run(&t->call) ||
            cudaEventRecord(t->to, t->call.stream) || cudaEventSynchronize(t->to) ||
            cudaEventElapsedTime(&ms, t->from, t->to))
            return -1;
        if (i > 0 && (best < 0 || ms < best)) /* the first one warms up */
            best = ms;
    }
    return best;
}

/* 1 if cuDNN is faster. */
static int cudnn_wins(const struct cuda_setup *s, const char *what, const struct attention_way *own,
                      const struct attention_way *cudnn)
{
    struct trial t = {0};
    float of_own = -1, of_cudnn = -1;
    if (!trial_open(&t, s, s->work_bytes)) {
        of_own = time_of(&t, own);
        of_cudnn = time_of(&t, cudnn);
    }
    trial_close(&t);
    int wins = of_cudnn >= 0 && of_own >= 0 && of_cudnn < of_own;
    fprintf(stderr, "vittm: attention %s by %s (cuDNN %.3f ms, own kernel %.3f ms)\n", what,
            wins ? "cuDNN" : "the own kernel", (double)of_cudnn, (double)of_own);
    return wins;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static void describe(char *text, size_t size, const struct node *n, enum vt_sdpa_pass pass)
{
    struct vt_attention_size a = attention_size(n);
    snprintf(text, size, "%s %lld x %lld heads, %lld queries, %lld keys, %lld and %lld wide%s",
             pass == VT_SDPA_FORWARD ? "forward" : "backward", (long long)a.batch,
             (long long)a.heads, (long long)a.queries, (long long)a.keys, (long long)a.dim,
             (long long)a.value_dim,
             ((const struct attention_attr *)n->attr)->packed ? ", packed" : "");
}

static int new_enough(void)
{
    int device = 0, major = 0;
    return !cudaGetDevice(&device) &&
           !cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) &&
           major >= MEASURED_FROM;
}

/* By the file of choices, or by measurement where that can be kept. */
static int faster(const struct cuda_setup *s, enum vt_sdpa_pass pass,
                  const struct attention_way *own, const struct attention_way *cudnn)
{
    char what[200], value[16];
    char *path = choices_path("attention");
    describe(what, sizeof what, s->node, pass);
    int rc = choices_find(path, what, value, sizeof value);
    if (rc && path) {
        snprintf(value, sizeof value, "%s", cudnn_wins(s, what, own, cudnn) ? "cudnn" : "own");
        rc = choices_keep(path, what, value, sizeof value);
    }
    free(path);
    return rc || !strcmp(value, "cudnn"); /* where nothing can be kept: cuDNN, every time */
}

int attention_choose(struct cuda_setup *s, enum vt_sdpa_pass pass, attention_run *own,
                     attention_run *cudnn, struct error *err)
{
    const char *wanted = getenv("VITTM_CUDA_ATTENTION");
    struct attention_way by_own = {own, 0}, by_cudnn = {cudnn, 0}, *way;
    struct error why = {0};
    int automatic = !wanted || !*wanted || !strcmp(wanted, "auto"), use_cudnn = 0;
    int rounds = s->precision == PRECISION_BF16; /* else there is nothing to choose */
    if (!automatic && strcmp(wanted, "own") && strcmp(wanted, "cudnn"))
        return error_set(err, "VITTM_CUDA_ATTENTION is %s: it can be auto, own or cudnn", wanted);
    if (rounds && (automatic ? s->sdpa && new_enough() : !strcmp(wanted, "cudnn")))
        use_cudnn = !attention_cudnn_setup(s, pass, &by_cudnn, &why);
    if (use_cudnn && automatic)
        use_cudnn = faster(s, pass, &by_own, &by_cudnn);
    if (rounds && !automatic && !strcmp(wanted, "cudnn") && !use_cudnn) {
        *err = why;
        return -1;
    }
    if (!use_cudnn)
        s->work_bytes = 0;
    way = mem_alloc(sizeof *way);
    *way = use_cudnn ? by_cudnn : by_own;
    s->state = way;
    return 0;
}
