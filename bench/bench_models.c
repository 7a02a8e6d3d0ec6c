/* Whole models: the fraction of the machine's own matrix-product peak that inference and training
 * reach, the latency ratio of ViTTM-B to ViT-B/16, and how PyTorch does the same, all in one run: a
 * block of each in turn, so that drift and neighbours hit all alike. Ratios are of best blocks;
 * medians are printed beside. $PYTHON names a python3 with torch; without one that half of the
 * table is left out. Usage: bench_models [--only TEXT] [--seconds S a model] [--compiled
 * none|some|all] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/wait.h"
#include "base/clock.h"
#include "base/memory.h"
#include "bench/peer.h"
#include "bench/subject.h"

enum {
    OURS_FP32,
    OURS_BF16,
    EAGER_FP32,
    EAGER_BF16,
    COMPILED_FP32,
    COMPILED_BF16,
    KINDS,
    TOGETHER = 4, /* subjects measured in turn */
    ROUNDS = 1000,
    PEAKS = 3, /* a round */
    ROUNDS_LEAST = 3
};

static const struct {
    enum precision precision;
    int torch, compiled;
} kinds[KINDS] = {
    [OURS_FP32] = {PRECISION_FP32, 0, 0},     [OURS_BF16] = {PRECISION_BF16, 0, 0},
    [EAGER_FP32] = {PRECISION_FP32, 1, 0},    [EAGER_BF16] = {PRECISION_BF16, 1, 0},
    [COMPILED_FP32] = {PRECISION_FP32, 1, 1}, [COMPILED_BF16] = {PRECISION_BF16, 1, 1},
};

#define BLOCK_S 0.05 /* least seconds of a block */

/* Seconds a call, a value a round. */
struct series {
    int there, calls;
    double best, *all;
    size_t n;
};

struct entry {
    const struct subject *s;
    struct loaded ours[EAGER_FP32];
    struct series kind[KINDS], peak;
    char id[KINDS][64];
    double by_ops; /* seconds: the best of each op, summed */
};

struct bench {
    struct peer peer;
    double seconds;
    const char *compiled;
};

static double call(struct bench *b, struct entry *e, int k, int calls)
{
    if (kinds[k].torch)
        return peer_run(&b->peer, e->id[k], calls);
    double start = clock_now();
    for (int i = 0; i < calls; i++)
        loaded_run(&e->ours[k]);
    return (clock_now() - start) / calls;
}

static void note(struct series *s, double seconds)
{
    if (seconds <= 0 || s->n == ROUNDS)
        return;
    s->best = !s->n || seconds < s->best ? seconds : s->best;
    s->all[s->n++] = seconds;
}

static void start(struct bench *b, struct entry *e, int k)
{
    struct series *s = &e->kind[k];
    s->all = mem_zalloc(ROUNDS, sizeof *s->all);
    double seconds = call(b, e, k, 1);
    seconds = call(b, e, k, 1);
    s->calls = seconds < BLOCK_S ? (int)(BLOCK_S / seconds) + 1 : 1;
    s->there = seconds > 0;
}

/* Compiling takes PyTorch up to a minute a model: "some" is one training step in fp32. */
static int wanted(const struct bench *b, const struct subject *s, int k)
{
    if (!kinds[k].compiled)
        return 1;
    if (!strcmp(b->compiled, "some"))
        return k == COMPILED_FP32 && strstr(s->name, "96x6");
    return !strcmp(b->compiled, "all");
}

static void entry_open(struct bench *b, struct entry *e, const struct subject *s)
{
    *e = (struct entry){.s = s};
    e->peak.all = mem_zalloc(ROUNDS, sizeof *e->peak.all);
    for (int k = 0; k < KINDS; k++) {
        if (!wanted(b, s, k) || (kinds[k].torch && !b->peer.pid) || !loaded_has(kinds[k].precision))
            continue;
        snprintf(e->id[k], sizeof e->id[k], "%d-%.40s", k, s->name);
        for (char *c = e->id[k]; *c; c++)
            *c = *c == ' ' ? '_' : *c;
        if (!kinds[k].torch)
            loaded_open(&e->ours[k], s, kinds[k].precision);
        else if (peer_load(&b->peer, e->id[k], s, &e->ours[0], kinds[k].precision,
                           kinds[k].compiled))
            continue;
        start(b, e, k);
    }
}

static void entry_close(struct entry *e)
{
    for (int k = 0; k < KINDS; k++) {
        if (e->kind[k].there && !kinds[k].torch)
            loaded_close(&e->ours[k]);
        free(e->kind[k].all);
    }
    free(e->peak.all);
}

static void measure_ops(struct entry *e)
{
    double *best = loaded_step_times(&e->ours[OURS_FP32]);
    for (int i = 0; i < e->ours[OURS_FP32].plan->n_steps; i++)
        e->by_ops += best[i];
    free(best);
}

static void measure(struct bench *b, struct entry *e, int n)
{
    double begin = clock_now();
    for (int r = 0; r < ROUNDS; r++) {
        if (r >= ROUNDS_LEAST && clock_now() - begin > b->seconds * n)
            break;
        for (int k = 0; k < KINDS; k++)
            for (int i = 0; i < n; i++) {
                for (int p = 0; k == 0 && p < PEAKS; p++)
                    note(&e[i].peak, peak_seconds(e[i].s->threads));
                if (e[i].kind[k].there)
                    note(&e[i].kind[k], call(b, &e[i], k, e[i].kind[k].calls));
            }
    }
}

/* ---- what is printed ------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const struct series *s)
{
    qsort(s->all, s->n, sizeof *s->all, by_value);
    return s->n ? s->all[s->n / 2] : 0;
}

static void print_ratio(const struct entry *e, int k, int to)
{
    if (e->kind[k].there && e->kind[to].there)
        printf("%8.2f ", e->kind[k].best / e->kind[to].best);
    else
        printf("%8s ", "-");
}

static double fraction(const struct entry *e, double seconds, double peak)
{
    return e->ours[OURS_FP32].macs / seconds / (PEAK_MACS / peak);
}

static void print_head(const struct bench *b)
{
    printf("fp32 as a fraction of peak (median), bf16 as that and as a speed-up; then how many "
           "times as long\n"
           "PyTorch takes in the same precision (%s)\n\n",
           b->peer.about);
    printf("%-20s %5s %2s %6s %8s %6s %6s %6s %8s %9s %8s %9s\n", "", "batch", "th", "fp32",
           "(median)", "goal", "bf16", "bf16 x", "fp32", "compiled", "bf16", "compiled");
}

static void print_entry(struct entry *e)
{
    const struct series *ours = e->kind;
    double peak = e->peak.best;
    printf("%-20s %5d %2d %6.3f   (%.3f) %6.2f ", e->s->name, e->s->batch, e->s->threads,
           fraction(e, ours[OURS_FP32].best, peak),
           fraction(e, median(&ours[OURS_FP32]), median(&e->peak)), e->s->goal);
    if (ours[OURS_BF16].there)
        printf("%6.2f %6.2f ", fraction(e, ours[OURS_BF16].best, peak),
               ours[OURS_FP32].best / ours[OURS_BF16].best);
    else
        printf("%6s %6s ", "-", "-");
    print_ratio(e, EAGER_FP32, OURS_FP32);
    print_ratio(e, COMPILED_FP32, OURS_FP32);
    print_ratio(e, EAGER_BF16, OURS_BF16);
    print_ratio(e, COMPILED_BF16, OURS_BF16);
    putchar('\n');
    fflush(stdout);
}

static void print_details(const struct entry *e)
{
    static const char *const names[KINDS] = {"fp32",       "bf16",           "torch",
                                             "torch bf16", "torch compiled", "compiled bf16"};
    printf("    %-20s", e->s->name);
    for (int k = 0; k < KINDS; k++)
        if (e->kind[k].there)
            printf(" %s %.4g (%.4g);", names[k], 1e3 * e->kind[k].best, 1e3 * median(&e->kind[k]));
    if (e->by_ops > 0)
        printf(" fp32 by ops %.4g, of peak %.3f;", 1e3 * e->by_ops,
               fraction(e, e->by_ops, e->peak.best));
    printf(" peak %.1f GMAC/s; %zu rounds; %.1f MB\n", 1e-9 * PEAK_MACS / e->peak.best,
           e->kind[0].n,
           (double)(e->ours[0].plan->static_bytes + e->ours[0].plan->arena_bytes) / 1e6);
}

static const struct entry *find(const struct entry *e, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strstr(e[i].s->name, name))
            return &e[i];
    return NULL;
}

/* ViTTM-B(64,64) : ViT-B/16; the paper's A100 has 0.442, exact multiply-adds 0.407. */
static void print_latency_ratio(const struct entry *e, int n)
{
    const struct entry *vit = find(e, n, "vit-b/16"), *vittm = find(e, n, "vittm-b");
    if (!vit || !vittm)
        return;
    printf("\nlatency of ViTTM-B(64,64) : ViT-B/16, batch 8 (goal 0.415; multiply-adds %.3f):",
           vittm->ours[0].macs / vit->ours[0].macs);
    for (int k = 0; k < KINDS; k++)
        if (vit->kind[k].there && vittm->kind[k].there)
            printf(" %s%s %.3f", kinds[k].torch ? kinds[k].compiled ? "compiled " : "PyTorch " : "",
                   precision_name(kinds[k].precision), vittm->kind[k].best / vit->kind[k].best);
    putchar('\n');
}

/* ---- main ------------------------------------------------------------------------------------ */

/* Inference subjects are measured together, training steps each on its own. */
static void run_group(struct bench *b, const struct subject *const *s, int n, struct entry *e)
{
    for (int i = 0; i < n; i++)
        entry_open(b, &e[i], s[i]);
    measure(b, e, n);
    for (int i = 0; i < n; i++)
        measure_ops(&e[i]);
    for (int i = 0; i < n; i++)
        print_entry(&e[i]);
}

int main(int argc, char **argv)
{
    cpu_wait_briefly(argv, 0);
    struct bench b = {.seconds = 8, .compiled = "some"};
    struct entry all[32];
    const struct subject *inference[TOGETHER];
    const char *only = "";
    int n = 0, first_inference, n_inference = 0;
    for (int i = 1; i + 1 < argc; i += 2)
        if (!strcmp(argv[i], "--only"))
            only = argv[i + 1];
        else if (!strcmp(argv[i], "--seconds"))
            b.seconds = strtod(argv[i + 1], NULL);
        else if (!strcmp(argv[i], "--compiled"))
            b.compiled = argv[i + 1];
    peer_open(&b.peer);
    print_head(&b);
    for (int i = 0; subject_at(i); i++) {
        const struct subject *s = subject_at(i);
        if (!strstr(s->name, only))
            continue;
        if (s->training)
            run_group(&b, &s, 1, &all[n++]);
        else if (n_inference < TOGETHER)
            inference[n_inference++] = s;
    }
    first_inference = n;
    run_group(&b, inference, n_inference, &all[n]);
    n += n_inference;
    print_latency_ratio(all + first_inference, n_inference);
    printf("\nms a call, best (median)\n");
    for (int i = 0; i < n; i++) {
        print_details(&all[i]);
        entry_close(&all[i]);
    }
    peer_close(&b.peer);
    return 0;
}
