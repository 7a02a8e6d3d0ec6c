/* Which way attention is computed: by decision, by rule, or by measurement. */
#include "backend/cuda/ops/attention.h"

#include "backend/cuda/trial.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURED_FROM = 9 /* compute capability */ };

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

/* Where nothing can be kept: cuDNN, every time. */
static int faster(const struct cuda_setup *s, enum vt_sdpa_pass pass,
                  const struct attention_way *own, const struct attention_way *cudnn)
{
    char what[200];
    const struct cuda_way ways[2] = {{"own", own->run, own}, {"cudnn", cudnn->run, cudnn}};
    describe(what, sizeof what, s->node, pass);
    return cuda_trial(s, "attention", what, ways);
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
