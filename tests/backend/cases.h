/* Random cases of every op against plain loops, and what a result must be: shared by the test of
 * the CPU's kernels and by that of devices behind plugins. */
#ifndef TESTS_BACKEND_CASES_H
#define TESTS_BACKEND_CASES_H

#include "tests/backend/runs.h"

static double value_at(const void *p, int64_t i, size_t size)
{
    return size == sizeof(double) ? ((const double *)p)[i] : (double)((const float *)p)[i];
}

/* Largest error and largest magnitude of a result. NaN anywhere makes the error infinite. */
static double worst(const void *got, const double *truth, int64_t n, size_t size, double *top)
{
    double error = 0;
    *top = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs(value_at(got, i, size) - truth[i]);
        if (!(e <= error))
            error = e >= 0 ? e : INFINITY;
        if (fabs(truth[i]) > *top)
            *top = fabs(truth[i]);
    }
    return error;
}

static void describe(const struct node *n, char *text, size_t size)
{
    int len = snprintf(text, size, "%s", n->op->name);
    for (int i = 0; i < n->n_in; i++) {
        char shape[128];
        shape_text(n->in[i]->shape, shape, sizeof shape);
        len += snprintf(text + len, size - (size_t)len, " %s", shape);
    }
}

/* Whole numbers are right or wrong, unless a plain loop at the same precision errs too: the case is
 * closer than that precision can tell. */
static void check_whole(const struct subject *t, const struct run *u, const void *got,
                        const void *truth, const void *plain, int64_t n)
{
    char text[1000];
    if (memcmp(plain, truth, sizeof(int32_t) * (size_t)n))
        return;
    for (int64_t i = 0; i < n; i++)
        if (((const int32_t *)got)[i] != ((const int32_t *)truth)[i]) {
            describe(u->node, text, sizeof text);
            fail_msg("%s, %s: entry %lld is %d instead of %d", t->variant, text, (long long)i,
                     ((const int32_t *)got)[i], ((const int32_t *)truth)[i]);
        }
}

enum { PRECISIONS = PRECISION_BF16 + 1 };

/* The true results of a case, and those of plain loops by precision: in fp32, and in what is
 * tested. */
struct expected {
    struct run truth, plain[PRECISIONS];
};

typedef void plain_loop(const struct node *n, float *const *in, float *const *out);

static plain_loop *const plain_loops[PRECISIONS] = {[PRECISION_FP32] = reference_float,
                                                    [PRECISION_TF32] = reference_tf32,
                                                    [PRECISION_BF16] = reference_bf16};

static struct run plain_run(const struct node *n, const struct values *v, plain_loop *loop)
{
    struct run u = run_new(n, v, sizeof(float));
    float *in[16], *out[8];
    for (int i = 0; i < n->n_in; i++)
        in[i] = u.in[i];
    for (int i = 0; i < n->n_out; i++)
        out[i] = u.out[i];
    loop(n, in, out);
    return u;
}

/* The precisions that somebody among the subjects has, a bit each. */
static unsigned precisions_of(const struct subject *subjects)
{
    unsigned all = 1u << PRECISION_FP32;
    for (int i = 0; subjects[i].variant; i++)
        all |= 1u << subjects[i].precision;
    return all;
}

static struct expected expect(const struct node *n, const struct values *v, unsigned precisions)
{
    struct expected e = {.truth = run_new(n, v, sizeof(double))};
    double *in[16], *out[8];
    for (int i = 0; i < n->n_in; i++)
        in[i] = e.truth.in[i];
    for (int i = 0; i < n->n_out; i++)
        out[i] = e.truth.out[i];
    reference_double(n, in, out);
    for (int p = 0; p < PRECISIONS; p++)
        if (precisions >> p & 1)
            e.plain[p] = plain_run(n, v, plain_loops[p]);
    return e;
}

static void release_expected(struct expected *e, unsigned precisions)
{
    run_free(&e->truth);
    for (int p = 0; p < PRECISIONS; p++)
        if (precisions >> p & 1)
            run_free(&e->plain[p]);
}

static int is_packed_filler(const struct node *n, int i)
{
    return i > 0 && !strcmp(n->op->name, "attention_grad") &&
           ((const struct attention_attr *)n->attr)->packed;
}

enum { RESULTS = 8, TABLES = 8 };

/* The largest relative errors over all cases of a recipe: one case alone may be exact by luck. */
struct record {
    double plain[TABLES][RESULTS], kernel[TABLES][RESULTS];
};

static void note(double *worst_so_far, double error)
{
    *worst_so_far = error > *worst_so_far ? error : *worst_so_far;
}

/* Anything beyond rounding fails at once, with the case; the rest is judged at the end of the
 * recipe. */
static void check_values(const struct subject *t, const struct run *u, const struct expected *e,
                         double *errors, double *plain)
{
    char text[1000];
    double gross = t->value_size == sizeof(double)  ? 1e-11
                   : t->precision == PRECISION_BF16 ? 1e-2
                   : t->precision == PRECISION_TF32 ? 1e-3
                                                    : 2e-5;
    for (int i = 0; i < n_results(u->node); i++) {
        int64_t count = shape_count(result_tensor(u->node, i)->shape);
        double top, error, of_loop;
        if (result_tensor(u->node, i)->type == TENSOR_INT) {
            check_whole(
                t, u, result(u, i), result(&e->truth, i),
                result(&e->plain[t->value_size == sizeof(float) ? t->precision : PRECISION_FP32],
                       i),
                count);
            continue;
        }
        if (is_packed_filler(u->node, i))
            continue;
        of_loop = worst(result(&e->plain[t->precision], i), result(&e->truth, i), count,
                        sizeof(float), &top);
        error = worst(result(u, i), result(&e->truth, i), count, t->value_size, &top);
        note(&errors[i], error / (top + 1e-30));
        note(&plain[i], of_loop / (top + 1e-30));
        if (error > gross * (top + 1e-3) && error > 2 * of_loop) {
            describe(u->node, text, sizeof text);
            fail_msg("%s, %s, result %d: error %.3g, a plain loop %.3g (largest value %.3g)",
                     t->variant, text, i, error, of_loop, top);
        }
    }
}

static void check_same(const struct subject *t, const struct run *a, const struct run *b,
                       const char *what)
{
    char text[1000];
    for (int i = 0; i < n_results(a->node); i++) {
        const struct tensor *tensor = result_tensor(a->node, i);
        size_t bytes = value_bytes(tensor, a->size) * (size_t)shape_count(tensor->shape);
        if (is_packed_filler(a->node, i) || !memcmp(result(a, i), result(b, i), bytes))
            continue;
        describe(a->node, text, sizeof text);
        fail_msg("%s, %s, result %d: other bits %s", t->variant, text, i, what);
    }
}

static void check_inputs(const struct run *u, const struct values *v)
{
    struct run fresh = run_new(u->node, v, u->size);
    for (int i = 0; i < u->node->n_in && u->node->n_out; i++)
        if (memcmp(u->in[i], fresh.in[i], u->in_bytes[i]))
            fail_msg("%s changed input %d", u->node->op->name, i);
    run_free(&fresh);
}

/* The output on top of each input of its size that it may overwrite. */
static void check_in_place(const struct subject *t, const struct run *first, const struct values *v)
{
    const struct node *n = first->node;
    for (int i = 0; i < n->n_in && t->addressed; i++) {
        if (!op_overwrites(n->op, i) || !shape_equal(n->in[i]->shape, n->out[0]->shape))
            continue;
        struct run u = run_new(n, v, t->value_size);
        free(u.out[0]);
        u.out[0] = u.in[i];
        t->call(t, &u, 2);
        check_same(t, first, &u, "in place");
        u.out[0] = NULL;
        run_free(&u);
    }
}

static void check_subject(const struct subject *t, const struct node *n, const struct values *v,
                          const struct expected *e, double *errors, double *plain)
{
    struct run first = run_new(n, v, t->value_size);
    t->call(t, &first, 1);
    check_values(t, &first, e, errors, plain);
    check_inputs(&first, v);
    for (int threads = 2; threads <= t->threads; threads++) {
        struct run u = run_new(n, v, t->value_size);
        t->call(t, &u, threads);
        check_same(t, &first, &u, "with more threads");
        run_free(&u);
    }
    check_in_place(t, &first, v);
    run_free(&first);
}

/* One node of a recipe on every subject; errors go into the record. */
static void check_case(const struct recipe *recipe, uint64_t number, const struct subject *subjects,
                       struct record *record)
{
    struct graph *g = graph_new();
    struct error err = {0};
    struct values v;
    struct rng r;
    rng_init(&r, number, recipe->op, recipe_stream(recipe), 0);
    recipe->build(g, &r);
    if (graph_failed(g, &err))
        fail_msg("%s: %s", recipe->op, err.msg);
    fill(&v, g, recipe, &r);
    const struct node *n = last_node(g);
    assert_string_equal(n->op->name, recipe->op);
    unsigned precisions = precisions_of(subjects);
    struct expected e = expect(n, &v, precisions);
    for (int i = 0; subjects[i].variant; i++)
        check_subject(&subjects[i], n, &v, &e, record->kernel[i], record->plain[i]);
    release_expected(&e, precisions);
    release(&v);
    graph_free(g);
}

/* cases cases of a recipe, or one for each of the given numbers of tokens. Flash attention's rule:
 * over all cases at most twice the error of a plain loop at the same precision; too few cases to
 * know the largest error are not judged by it. */
static void check_recipe(const struct recipe *recipe, const struct subject *subjects, int cases,
                         const int64_t *tokens)
{
    enum { ENOUGH = 5 };
    struct record record = {0};
    for (int k = 0; k < cases; k++) {
        fixed_tokens = tokens ? tokens[k] : 0;
        check_case(recipe, (uint64_t)(tokens ? tokens[k] : k), subjects, &record);
    }
    for (int i = 0; subjects[i].variant && cases >= ENOUGH; i++)
        for (int k = 0; k < RESULTS && subjects[i].value_size == sizeof(float); k++)
            if (record.kernel[i][k] > 2 * record.plain[i][k] + 6e-8)
                fail_msg("%s, %s, result %d: relative error %.3g, a plain loop %.3g",
                         subjects[i].variant, recipe->op, k, record.kernel[i][k],
                         record.plain[i][k]);
}

#endif
