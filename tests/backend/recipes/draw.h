/* Drawing a case of an op: a node on leaves of random shapes. */
#ifndef TESTS_BACKEND_RECIPES_DRAW_H
#define TESTS_BACKEND_RECIPES_DRAW_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "tensor/ops/ops.h"

struct recipe {
    const char *op;
    void (*build)(struct graph *g, struct rng *r);
    double (*value)(struct rng *r, int input, int64_t i); /* NULL: standard normal */
};

static int64_t any(struct rng *r, int64_t from, int64_t to)
{
    return from + rng_below(r, to - from + 1);
}

/* Numbers of tokens: any, or the one that the test sets, where kernels that cut by powers of two
 * have their edges. Then every case has an axis of that length. */
static int64_t fixed_tokens;

static int64_t any_tokens(struct rng *r, int64_t from, int64_t to)
{
    int64_t drawn = any(r, from, to);
    return fixed_tokens ? fixed_tokens : drawn;
}

/* The same as rows and columns, as square as it can be. */
static void any_grid(struct rng *r, int64_t most, int64_t *rows, int64_t *cols)
{
    *rows = any(r, 1, most);
    *cols = any(r, 1, most);
    for (int64_t k = 1; k * k <= fixed_tokens; k++)
        if (fixed_tokens % k == 0) {
            *rows = k;
            *cols = fixed_tokens / k;
        }
}

static int chance(struct rng *r)
{
    return (int)rng_below(r, 2);
}

static struct tensor *leaf(struct graph *g, const char *name, struct shape s)
{
    return graph_input(g, name, s, TENSOR_VALUE);
}

/* Mostly small, sometimes longer than a block of element-wise work. axis: any one, that of tokens
 * where their number is set. */
static struct shape shape_along(struct rng *r, int *axis)
{
    const int64_t most = fixed_tokens ? 8000 : 50000; /* elements */
    struct shape s = {.rank = (int)any(r, 1, 4)};
    int long_axis = (int)rng_below(r, 3 * s.rank);
    *axis = (int)rng_below(r, s.rank);
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = i == long_axis ? any(r, 900, 2500) : any(r, 1, 21);
    s.dim[*axis] = any_tokens(r, s.dim[*axis], s.dim[*axis]);
    for (int i = 0; shape_count(s) > most; i = (i + 1) % s.rank)
        if (!fixed_tokens || i != *axis)
            s.dim[i] = (s.dim[i] + 1) / 2;
    return s;
}

static struct shape any_shape(struct rng *r)
{
    int axis;
    return shape_along(r, &axis);
}

/* n of them, along a new first axis. */
static struct shape shape_times(int64_t n, struct shape s)
{
    struct shape t = {.rank = s.rank + 1};
    t.dim[0] = n;
    for (int i = 0; i < s.rank; i++)
        t.dim[i + 1] = s.dim[i];
    return t;
}

/* At least so many elements that the plain loop's largest error is not small by luck. */
static struct shape large_shape_along(struct rng *r, int *axis)
{
    enum { LEAST = 1000 };
    struct shape s = shape_along(r, axis);
    int64_t count = shape_count(s);
    if (count >= LEAST)
        return s;
    ++*axis;
    return shape_times((LEAST - 1) / count + 1, s);
}

static struct shape large_shape(struct rng *r)
{
    int axis;
    return large_shape_along(r, &axis);
}

/* Elements of a flat block. */
static struct shape any_flat(struct rng *r)
{
    int64_t drawn = any(r, 1, 40000), rows = any(r, 1, 40);
    return SHAPE(fixed_tokens ? rows * fixed_tokens : drawn);
}

/* Assignments are drawn below PLACES. */
enum { PLACES = 5 };

static struct tensor *assignment(struct graph *g, int64_t batch, int64_t tokens)
{
    return graph_input(g, "assign", SHAPE(batch, tokens), TENSOR_INT);
}

#endif
