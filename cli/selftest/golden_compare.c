/* Comparing tensors with stored ones. */
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/selftest.h"

#include <math.h>
#include <stdio.h>

double golden_norm(const double *x, int64_t n)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++)
        s += x[i] * x[i];
    return sqrt(s);
}

void golden_compare(struct comparison *c, const char *name, const double *got, const double *want,
                    int64_t n, double tolerance, double floor)
{
    double difference = 0;
    for (int64_t i = 0; i < n; i++)
        difference += (got[i] - want[i]) * (got[i] - want[i]);
    double size = golden_norm(want, n);
    double error = sqrt(difference) / (size > floor ? size : floor) / tolerance;
    c->compared++;
    if (!(error <= c->worst)) {
        c->worst = error;
        snprintf(c->what, sizeof c->what, "%s: relative error %.2e, allowed %.0e", name,
                 error * tolerance, tolerance);
    }
}

void golden_compare_exactly(struct comparison *c, const char *name, const double *got,
                            const double *want, int64_t n)
{
    c->compared++;
    for (int64_t i = 0; i < n; i++)
        if (!(got[i] == want[i])) {
            c->worst = INFINITY;
            snprintf(c->what, sizeof c->what, "%s: entry %lld is %.17g, not %.17g", name,
                     (long long)i, got[i], want[i]);
            return;
        }
}

double *golden_stored(const struct safetensors *s, const char *prefix, const char *name,
                      int64_t count)
{
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s%s", prefix, name);
    const struct safetensors_tensor *t = safetensors_find(s, path.text);
    strbuf_release(&path);
    if (!t || t->count != count)
        return NULL;
    double *x = mem_alloc(sizeof *x * (size_t)count);
    safetensors_read_double(t, x);
    return x;
}

double *golden_values(const struct safetensors *f, const char *name, int64_t *n, struct error *err)
{
    const struct safetensors_tensor *t = safetensors_find(f, name);
    if (!t) {
        error_set(err, "has no %s", name);
        return NULL;
    }
    double *x = mem_alloc(sizeof *x * (size_t)(t->count + 1));
    safetensors_read_double(t, x);
    if (n)
        *n = t->count;
    return x;
}

double golden_number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

void golden_verdict(struct selftest *t, const char *name, const char *backend, int rc,
                    const struct comparison *c, const struct error *err)
{
    selftest_on(t, backend);
    if (rc)
        selftest_fail(t, name, "%s: %s", backend, err->msg);
    else if (!(c->worst <= 1))
        selftest_fail(t, name, "%s: %s", backend, c->what);
    else
        selftest_pass(t, name, "%s, %d tensors, %s", backend, c->compared, c->what);
    selftest_on(t, NULL);
}
