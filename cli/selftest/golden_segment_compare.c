/* Values of golden files about segmentation, and comparing with them. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

unsigned char *segment_stored_bytes(const struct safetensors *f, const char *name, int64_t *n,
                                    struct error *err)
{
    int64_t count = 0;
    double *x = golden_values(f, name, &count, err);
    if (!x)
        return NULL;
    unsigned char *bytes = mem_alloc((size_t)count + 1);
    for (int64_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)x[i];
    free(x);
    if (n)
        *n = count;
    return bytes;
}

int segment_compare(struct comparison *c, const struct safetensors *f, const char *name,
                    const double *got, int64_t n, double allowed, struct error *err)
{
    int64_t count = 0;
    double *want = golden_values(f, name, &count, err);
    if (!want)
        return -1;
    if (count != n) {
        free(want);
        return error_set(err, "%s has %lld values, not %lld", name, (long long)count, (long long)n);
    }
    c->compared++;
    for (int64_t i = 0; i < n; i++) {
        double off = fabs(got[i] - want[i]);
        double error = isnan(got[i]) && isnan(want[i]) ? 0
                       : isnan(off)                    ? INFINITY
                       : allowed > 0                   ? off / allowed
                       : off > 0                       ? INFINITY
                                                       : 0;
        if (!(error <= c->worst)) {
            c->worst = error;
            snprintf(c->what, sizeof c->what, "%s: value %lld is %.9g, stored %.9g", name,
                     (long long)i, got[i], want[i]);
        }
    }
    free(want);
    return 0;
}

int segment_compare_bytes(struct comparison *c, const struct safetensors *f, const char *name,
                          const unsigned char *got, int64_t n, double allowed, struct error *err)
{
    double *x = mem_alloc(sizeof *x * (size_t)(n + 1));
    for (int64_t i = 0; i < n; i++)
        x[i] = got[i];
    int rc = segment_compare(c, f, name, x, n, allowed, err);
    free(x);
    return rc;
}

void segment_to_pixels(const double *from, double *to, int64_t classes, int64_t pixels, int back)
{
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t k = 0; k < classes; k++) {
            int64_t planes = k * pixels + p, rows = p * classes + k;
            to[back ? planes : rows] = from[back ? rows : planes];
        }
}
