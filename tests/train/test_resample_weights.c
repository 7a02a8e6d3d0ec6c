/* Resizing of patch kernels and position tables: what the pseudo-inverse promises, and the
 * reference tensors where they are at hand. */
#include "train/resample_weights.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "train/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static double *noise(int64_t n)
{
    double *x = mem_alloc(sizeof *x * (size_t)n);
    struct rng r;
    rng_init(&r, 1, "test/noise", (uint64_t)n, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = rng_normal(&r);
    return x;
}

static double worst(const double *a, const double *b, int64_t n)
{
    double w = 0;
    for (int64_t i = 0; i < n; i++)
        w = fmax(w, fabs(a[i] - b[i]));
    return w;
}

/* <w', B x> = <w, x>: a patch that is enlarged keeps its embedding. */
static void test_enlarged_patch_keeps_its_embedding(void **state)
{
    (void)state;
    enum { P = 7, Q = 12, N = P * P, M = Q * Q };
    double *w = noise(N), *x = noise(N + 1), large[M], kernel[M], before = 0, after = 0;
    resample_table(x, P, 1, large, Q);
    resample_kernels(RESAMPLE_PINV, w, 1, P, kernel, Q);
    for (int i = 0; i < N; i++)
        before += w[i] * x[i];
    for (int i = 0; i < M; i++)
        after += kernel[i] * large[i];
    assert_true(fabs(before - after) < 1e-10);
    resample_kernels(RESAMPLE_INTERPOLATE, w, 1, P, kernel, Q);
    after = 0;
    for (int i = 0; i < M; i++)
        after += kernel[i] * large[i];
    assert_true(fabs(before - after) > 1e-3); /* which plain interpolation does not do */
    free(w);
    free(x);
}

/* The four conditions of Moore and Penrose, for P = pinv(B^T) in both directions. */
static void test_pseudo_inverse(void **state)
{
    (void)state;
    static const int sizes[][2] = {{5, 9}, {16, 7}, {16, 14}, {4, 4}, {1, 3}, {8, 1}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int p = sizes[k][0], q = sizes[k][1], n = p * p, m = q * q;
        double *a = mem_zalloc((size_t)(n * m), sizeof *a); /* B^T (n,m) */
        double *x = mem_zalloc((size_t)(n * m), sizeof *x); /* pinv (m,n) */
        double *unit = mem_zalloc((size_t)n, sizeof *unit), *column;
        column = mem_zalloc((size_t)m, sizeof *column);
        for (int i = 0; i < n; i++) {
            unit[i] = 1;
            resample_table(unit, p, 1, column, q);
            memcpy(a + i * m, column, sizeof *a * (size_t)m);
            resample_kernels(RESAMPLE_PINV, unit, 1, p, column, q);
            for (int j = 0; j < m; j++)
                x[j * n + i] = column[j];
            unit[i] = 0;
        }
        double *ax = mem_zalloc((size_t)(n * n), sizeof *ax);
        double *xa = mem_zalloc((size_t)(m * m), sizeof *xa), error = 0;
        for (int i = 0; i < n; i++)
            for (int l = 0; l < m; l++)
                for (int j = 0; j < n; j++)
                    ax[i * n + j] += a[i * m + l] * x[l * n + j];
        for (int i = 0; i < m; i++)
            for (int l = 0; l < n; l++)
                for (int j = 0; j < m; j++)
                    xa[i * m + j] += x[i * n + l] * a[l * m + j];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                error = fmax(error, fabs(ax[i * n + j] - ax[j * n + i]));
        for (int i = 0; i < m; i++)
            for (int j = 0; j < m; j++)
                error = fmax(error, fabs(xa[i * m + j] - xa[j * m + i]));
        for (int i = 0; i < n; i++)
            for (int j = 0; j < m; j++) {
                double axa = 0;
                for (int l = 0; l < n; l++)
                    axa += ax[i * n + l] * a[l * m + j];
                error = fmax(error, fabs(axa - a[i * m + j]));
            }
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                double xax = 0;
                for (int l = 0; l < m; l++)
                    xax += xa[i * m + l] * x[l * n + j];
                error = fmax(error, fabs(xax - x[i * n + j]));
            }
        if (!(error < 1e-9))
            fail_msg("%d to %d: %g", p, q, error);
        free(a);
        free(x);
        free(unit);
        free(column);
        free(ax);
        free(xa);
    }
}

static void test_table(void **state)
{
    (void)state;
    enum { P = 6, Q = 9, C = 3 };
    double *x = noise(P * P * C), same[P * P * C], level[P * P * C], out[Q * Q * C];
    resample_table(x, P, C, same, P);
    assert_true(worst(x, same, P * P * C) < 1e-12);
    for (int i = 0; i < P * P * C; i++)
        level[i] = i % C;
    resample_table(level, P, C, out, Q);
    for (int i = 0; i < Q * Q * C; i++)
        assert_true(fabs(out[i] - i % C) < 1e-12);
    free(x);
}

/* ---- reference tensors ----------------------------------------------------------------------- */

static double *tensor(const struct safetensors *s, const char *name, int64_t *n)
{
    const struct safetensors_tensor *t = safetensors_find(s, name);
    assert_non_null(t);
    double *x = mem_alloc(sizeof *x * (size_t)t->count);
    safetensors_read_double(t, x);
    *n = t->count;
    return x;
}

static void open_reference(struct safetensors *s, const char *name)
{
    char path[600];
    struct error err = {0};
    const char *shared = getenv("VITTM_SHARED");
    snprintf(path, sizeof path, "%s/golden/model/%s", shared && *shared ? shared : "../shared",
             name);
    if (access(path, R_OK)) {
        print_message("%s is not there\n", path);
        skip();
    }
    if (safetensors_open(s, path, &err))
        fail_msg("%s", err.msg);
}

static void test_reference_kernel(void **state)
{
    (void)state;
    struct safetensors s;
    int64_t n, m;
    open_reference(&s, "util-flexi-patch-8to12.safetensors");
    double *w = tensor(&s, "weight", &n), *want = tensor(&s, "resized", &m);
    double *got = mem_alloc(sizeof *got * (size_t)m);
    resample_kernels(RESAMPLE_PINV, w, n / 64, 8, got, 12);
    double error = worst(got, want, m);
    print_message("largest error %.1e\n", error);
    assert_true(error < 2e-6);
    free(w);
    free(want);
    free(got);
    safetensors_close(&s);
}

static void test_reference_table(void **state)
{
    (void)state;
    struct safetensors s;
    int64_t n, m;
    open_reference(&s, "util-posembed-6to9.safetensors");
    double *x = tensor(&s, "pos_embed", &n), *want = tensor(&s, "resampled", &m);
    double *got = mem_alloc(sizeof *got * (size_t)m);
    resample_table(x + 8, 6, 8, got + 8, 9);
    memcpy(got, x, sizeof *x * 8);
    assert_true(worst(got, want, m) < 1e-6);
    free(x);
    free(want);
    free(got);
    safetensors_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enlarged_patch_keeps_its_embedding),
        cmocka_unit_test(test_pseudo_inverse),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_reference_kernel),
        cmocka_unit_test(test_reference_table),
    };
    return cmocka_run_group_tests_name("train/resample_weights", tests, NULL, NULL);
}
