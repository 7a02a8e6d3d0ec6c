/* What a case holds: values of its tensors, what plain loops make of them, and the buffers of one
 * run of whatever is under test. */
#ifndef TESTS_BACKEND_RUNS_H
#define TESTS_BACKEND_RUNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/precision.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/ops/ops.h"
#include "tests/backend/recipes.h"

#define REF_REAL  double
#define REF(name) name##_double
#include "tests/backend/reference.h"
#undef REF_REAL
#undef REF
#define REF_REAL  float
#define REF(name) name##_float
#include "tests/backend/reference.h"
#undef REF
#undef REF_ROUND

/* The nearest bfloat16, ties to even. */
static float bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define REF(name)    name##_bf16
#define REF_ROUND(x) bf16_of(x)
#include "tests/backend/reference.h"
#undef REF
#undef REF_ROUND

/* The nearest float with ten bits of mantissa, ties away from zero: tf32. */
static float tf32_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000) & ~0x1fffu;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define REF(name)    name##_tf32
#define REF_ROUND(x) tf32_of(x)
#include "tests/backend/reference.h"

/* ---- values ---------------------------------------------------------------------------------- */

/* Values of the tensors of a case, exact in float: what all types start from. Labels are int32. */
struct values {
    double *of[64];
};

static double *exact(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(float)x[i];
    return x;
}

static double *room(const struct tensor *t)
{
    return mem_zalloc((size_t)shape_count(t->shape) + 1, sizeof(double));
}

static double *any_values(const struct tensor *t, const struct recipe *recipe, int input,
                          struct rng *r)
{
    int64_t n = shape_count(t->shape);
    double *x = room(t);
    for (int64_t i = 0; i < n; i++)
        if (t->type == TENSOR_BYTE)
            ((uint8_t *)(void *)x)[i] = (uint8_t)rng_below(r, 256);
        else if (t->type == TENSOR_INT)
            ((int32_t *)(void *)x)[i] =
                (int32_t)rng_below(r, strcmp(t->name, "assign") ? 2 : PLACES);
        else
            x[i] = recipe->value ? recipe->value(r, input, i) : rng_normal(r);
    return t->type == TENSOR_VALUE ? exact(x, n) : x;
}

static struct node *last_node(const struct graph *g)
{
    return g->nodes[g->n_nodes - 1];
}

/* Leaves are drawn; what earlier nodes make (an output of the forward op that its gradient reads)
 * is computed by reference and rounded. */
static void fill(struct values *v, const struct graph *g, const struct recipe *recipe,
                 struct rng *r)
{
    memset(v, 0, sizeof *v);
    for (int k = 0; k < g->n_nodes; k++) {
        const struct node *n = g->nodes[k];
        double *in[16], *out[8];
        for (int i = 0; i < n->n_in; i++) {
            if (!v->of[n->in[i]->id])
                v->of[n->in[i]->id] = any_values(n->in[i], recipe, i, r);
            in[i] = v->of[n->in[i]->id];
        }
        if (n == last_node(g))
            return;
        for (int i = 0; i < n->n_out; i++)
            out[i] = v->of[n->out[i]->id] = room(n->out[i]);
        reference_double(n, in, out);
        for (int i = 0; i < n->n_out; i++)
            exact(out[i], shape_count(n->out[i]->shape));
    }
}

static void release(struct values *v)
{
    for (int i = 0; i < 64; i++)
        free(v->of[i]);
}

/* ---- runs ------------------------------------------------------------------------------------ */

enum { GUARD = 64 }; /* bytes behind every buffer */

/* Buffers of one run: inputs and outputs in the type of the run. An effect's outputs are its
 * inputs. */
struct run {
    const struct node *node;
    size_t size; /* of a value */
    void *in[16], *out[8];
    size_t in_bytes[16], out_bytes[8];
};

static void *buffer(size_t bytes)
{
    size_t all = (bytes + GUARD + 63) / 64 * 64;
    char *p = aligned_alloc(64, all);
    assert_non_null(p);
    memset(p, 0x5a, all);
    return p;
}

static int intact(const void *p, size_t bytes)
{
    for (int i = 0; i < GUARD; i++)
        if (((const char *)p)[bytes + (size_t)i] != 0x5a)
            return 0;
    return 1;
}

static void store(void *to, const double *from, int64_t n, size_t size)
{
    for (int64_t i = 0; i < n; i++)
        if (size == sizeof(double))
            ((double *)to)[i] = from[i];
        else
            ((float *)to)[i] = (float)from[i];
}

static size_t value_bytes(const struct tensor *t, size_t size)
{
    return tensor_type_size(t->type, size);
}

static struct run run_new(const struct node *n, const struct values *v, size_t size)
{
    struct run u = {.node = n, .size = size};
    for (int i = 0; i < n->n_in; i++) {
        const struct tensor *t = n->in[i];
        int64_t count = shape_count(t->shape);
        u.in_bytes[i] = value_bytes(t, size) * (size_t)count;
        u.in[i] = buffer(u.in_bytes[i]);
        if (t->type != TENSOR_VALUE)
            memcpy(u.in[i], v->of[t->id], u.in_bytes[i]);
        else
            store(u.in[i], v->of[t->id], count, size);
    }
    for (int i = 0; i < n->n_out; i++) {
        u.out_bytes[i] = value_bytes(n->out[i], size) * (size_t)shape_count(n->out[i]->shape);
        u.out[i] = buffer(u.out_bytes[i]);
    }
    return u;
}

static void run_free(struct run *u)
{
    for (int i = 0; i < u->node->n_in; i++)
        free(u->in[i]);
    for (int i = 0; i < u->node->n_out; i++)
        free(u->out[i]);
}

/* Result i: an output, or what an effect changed. */
static void *result(const struct run *u, int i)
{
    return u->node->n_out ? u->out[i] : u->in[i];
}

static int n_results(const struct node *n)
{
    return n->n_out ? n->n_out : 3;
}

static const struct tensor *result_tensor(const struct node *n, int i)
{
    return n->n_out ? n->out[i] : n->in[i];
}

static void check_guards(const struct run *u)
{
    for (int i = 0; i < u->node->n_in; i++)
        if (!intact(u->in[i], u->in_bytes[i]))
            fail_msg("%s wrote behind input %d", u->node->op->name, i);
    for (int i = 0; i < u->node->n_out; i++)
        if (!intact(u->out[i], u->out_bytes[i]))
            fail_msg("%s wrote behind output %d", u->node->op->name, i);
}

/* ---- what is under test ---------------------------------------------------------------------- */

/* Something that computes one node: a table of kernels, or a device. */
struct subject {
    const char *variant;
    size_t value_size;
    enum precision precision;
    /* Fills u's outputs from its inputs, or changes the inputs of an effect. */
    void (*call)(const struct subject *s, struct run *u, int threads);
    int threads;   /* 1 to this many give the same bits */
    int addressed; /* inputs and outputs are where the run says, so they may lie on each other */
    const void *ctx;
};

#endif
