/* The cpu backend's ops inside real models: time, GMAC/s and GB/s of every op of an inference and a
 * training step, best of several runs, against the machine's own ceilings (a product of 2048^3 and
 * a copy of 256 MB, same threads); then the time that each head's read and write take at ViTTM-B's
 * sizes against their multiply-adds at peak. Usage: bench_ops [--only TEXT] [--precision fp32|bf16]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/wait.h"
#include "base/clock.h"
#include "base/memory.h"
#include "bench/subject.h"
#include "heads/head.h"
#include "tensor/ops/ops.h"

/* ---- ceilings -------------------------------------------------------------------------------- */

enum { COPY_BYTES = 256 << 20 };

static double peak(int threads)
{
    double best = 1e9;
    for (int i = 0; i < 4; i++) {
        double s = peak_seconds(threads);
        best = s < best ? s : best;
    }
    return PEAK_MACS / best;
}

/* Bytes read and written a second by copying, each thread its part. */
static double copy_rate(int threads)
{
    char *x = mem_alloc(2 * (size_t)COPY_BYTES);
    size_t part = (size_t)COPY_BYTES / (size_t)threads;
    double best = 1e9;
    memset(x, 1, 2 * (size_t)COPY_BYTES);
    for (int i = 0; i < 4; i++) {
        double start = clock_now();
#pragma omp parallel for num_threads(threads)
        for (int t = 0; t < threads; t++)
            memcpy(x + COPY_BYTES + part * (size_t)t, x + part * (size_t)t, part);
        double s = clock_now() - start;
        best = s < best ? s : best;
    }
    free(x);
    return 2.0 * COPY_BYTES / best;
}

/* ---- ops of a model -------------------------------------------------------------------------- */

struct op_total {
    const struct op *op;
    double seconds, macs, bytes;
    int calls;
};

static int by_seconds(const void *a, const void *b)
{
    double x = ((const struct op_total *)a)->seconds, y = ((const struct op_total *)b)->seconds;
    return (x < y) - (x > y);
}

static void print_ops(struct loaded *l, double rate, double copy)
{
    struct op_total *t = mem_zalloc((size_t)op_count(), sizeof *t);
    double all = 0, *best = loaded_step_times(l);
    for (int i = 0; i < l->plan->n_steps; i++) {
        const struct node *n = l->plan->steps[i].node;
        struct op_total *row = &t[op_index(n->op)];
        struct op_cost cost;
        op_cost(n, &cost);
        row->op = n->op;
        row->seconds += best[i];
        row->macs += (double)cost.macs;
        row->bytes += (double)(cost.bytes_read + cost.bytes_written);
        row->calls++;
        all += best[i];
    }
    qsort(t, (size_t)op_count(), sizeof *t, by_seconds);
    printf("    %-22s %6s %9s %6s %9s %7s %7s %7s\n", "op", "calls", "ms", "%", "GFLOP/s", "/peak",
           "GB/s", "/copy");
    for (int i = 0; i < op_count() && t[i].seconds > 0.002 * all; i++)
        printf("    %-22s %6d %9.3f %5.1f%% %9.1f %7.2f %7.1f %7.2f\n", t[i].op->name, t[i].calls,
               1e3 * t[i].seconds, 100 * t[i].seconds / all, 2 * t[i].macs / t[i].seconds * 1e-9,
               t[i].macs / t[i].seconds / rate, t[i].bytes / t[i].seconds * 1e-9,
               t[i].bytes / t[i].seconds / copy);
    printf("    %-22s %6d %9.3f\n", "sum of the best", l->plan->n_steps, 1e3 * all);
    free(best);
    free(t);
}

static void measure(const struct subject *s, enum precision p)
{
    struct loaded l;
    double rate = peak(s->threads), copy = copy_rate(s->threads);
    loaded_open(&l, s, p);
    loaded_run(&l);
    printf("%s, %s, batch %d, %s, %d thread%s; ceilings %.1f GFLOP/s, %.1f GB/s\n", s->name,
           s->training ? "training" : "inference", s->batch, precision_name(p), s->threads,
           s->threads == 1 ? "" : "s", 2e-9 * rate, 1e-9 * copy);
    print_ops(&l, rate, copy);
    fflush(stdout);
    loaded_close(&l);
}

/* ---- heads ----------------------------------------------------------------------------------- */

enum { HEAD_DEPTH = 2 };

static int of_head(const struct node *n)
{
    return strstr(n->scope, "read_head") || strstr(n->scope, "write_head");
}

/* A read and a write of ViTTM-B(64,64), batch 8: ms, and times the seconds that their multiply-adds
 * take at peak. */
static void measure_head(const struct head *h, int threads)
{
    char keys[1000];
    struct loaded l;
    double seconds = 0, macs = 0, before = peak(threads);
    snprintf(keys, sizeof keys, VITTM_B_KEYS "model.depth=%d model.rw_head=%s%s", HEAD_DEPTH,
             h->choice.name, h->choice.keys == head_latent_keys ? " model.latent_dim=192" : "");
    struct subject s = {h->choice.name, 0, 8, threads, 0, keys};
    loaded_open(&l, &s, PRECISION_FP32);
    double *best = loaded_step_times(&l);
    for (int i = 0; i < l.plan->n_steps; i++) {
        const struct node *n = l.plan->steps[i].node;
        struct op_cost cost;
        op_cost(n, &cost);
        seconds += of_head(n) ? best[i] : 0;
        macs += of_head(n) ? (double)cost.macs : 0;
    }
    double after = peak(threads), rate = before > after ? before : after;
    printf("    %-14s %9.3f ms %9.1f MMAC, %5.2f times their time at peak\n", h->choice.name,
           1e3 * seconds / HEAD_DEPTH, 1e-6 * macs / HEAD_DEPTH, seconds * rate / macs);
    free(best);
    loaded_close(&l);
}

static void measure_heads(int threads)
{
    printf("read and write of each head, ViTTM-B(64,64), batch 8, %d threads (goal 1.3)\n",
           threads);
    for (int i = 0; head_at(i); i++)
        measure_head(head_at(i), threads);
}

int main(int argc, char **argv)
{
    cpu_wait_briefly(argv, 0);
    enum precision p = PRECISION_FP32;
    const char *only = "";
    for (int i = 1; i + 1 < argc; i += 2)
        if (!strcmp(argv[i], "--precision"))
            p = strcmp(argv[i + 1], "bf16") ? PRECISION_FP32 : PRECISION_BF16;
        else if (!strcmp(argv[i], "--only"))
            only = argv[i + 1];
    for (int i = 0; subject_at(i); i++)
        if (strstr(subject_at(i)->name, only))
            measure(subject_at(i), p);
    if (strstr("heads", only))
        measure_heads(2);
    return 0;
}
