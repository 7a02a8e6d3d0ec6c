/* Golden files about training: losses, AdamW with what surrounds it, schedules, accuracy; each
 * through the code that a run uses, on every backend under test or once on the host. */
#include "cli/selftest/golden_train.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_kind.h"
#include "cli/selftest/selftest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int train_open(const struct train_case *s, struct probe *p, struct graph *g, const char *loss,
               struct error *err)
{
    const struct probe_options o = {.threads = s->threads};
    return probe_open(p, s->backend, g, loss, &o, 0, err);
}

void train_write(const struct probe *p, const char *name, const double *x)
{
    p->backend->write_double(p->program, graph_find(p->plan->graph, name), x);
}

void train_compare(struct comparison *c, const char *name, const double *got, const double *want,
                   int64_t n, double absolute, double relative)
{
    c->compared++;
    for (int64_t i = 0; i < n; i++) {
        double error = fabs(got[i] - want[i]) / (absolute + relative * fabs(want[i]));
        if (!(error <= c->worst)) {
            c->worst = isnan(error) ? INFINITY : error;
            snprintf(c->what, sizeof c->what, "%s: value %lld is %.9g, stored %.9g", name,
                     (long long)i, got[i], want[i]);
        }
    }
}

void train_compare_result(struct comparison *c, const struct probe *p, const char *output,
                          const char *name, const double *want, double absolute, double relative)
{
    int64_t n;
    double *got = probe_read(p, output, &n);
    train_compare(c, name, got, want, n, absolute, relative);
    free(got);
}

typedef int case_check(struct train_case *s, struct error *err);

static void run(struct selftest *t, const char *name, struct train_case s, case_check *check)
{
    struct error err = {0};
    int rc = check(&s, &err);
    if (!rc && !s.result.compared)
        rc = error_set(&err, "nothing to compare");
    golden_verdict(t, name, s.backend ? s.backend->choice.name : "host", rc, &s.result, &err);
}

#define ON_BACKENDS(kind)                                                                          \
    static void run_##kind(struct selftest *t, const char *name, const struct safetensors *file,   \
                           json_t *json)                                                           \
    {                                                                                              \
        struct train_case s = {.file = file, .json = json, .threads = t->threads};                 \
        for (int i = 0; t->backends[i]; i++) {                                                     \
            s.backend = t->backends[i];                                                            \
            run(t, name, s, train_check_##kind);                                                   \
        }                                                                                          \
    }

#define ON_HOST(kind)                                                                              \
    static void run_##kind(struct selftest *t, const char *name, const struct safetensors *file,   \
                           json_t *json)                                                           \
    {                                                                                              \
        run(t, name, (struct train_case){.file = file, .json = json}, train_check_##kind);         \
    }

ON_BACKENDS(loss)
ON_BACKENDS(two_heads)
ON_BACKENDS(adamw)
ON_HOST(schedule)
ON_HOST(topk)

const struct golden_kind golden_train_kinds[] = {
    {"loss", run_loss},   {"loss_two_heads", run_two_heads},
    {"adamw", run_adamw}, {"lr_schedule", run_schedule},
    {"topk", run_topk},   {NULL, NULL},
};
