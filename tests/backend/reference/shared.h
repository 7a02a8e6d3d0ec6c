/* What the plain loops share: the type they are written for, views of a shape, functions of a
 * number. Once a type: reference.h forgets REF_SHARED at its end. */
#ifndef REF_SHARED
#define REF_SHARED

#include "base/memory.h"
#include "base/rng.h"
#include "tensor/ops/ops.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What random ops are keyed by, here and in the kernels under test. */
#define TEST_SEED 17
#define TEST_STEP 5

#ifndef REF_REAL
#define REF_REAL  double
#define REF(name) name##_double
#endif

#ifndef REF_ROUND
#define REF_ROUND(x) (x)
#endif

/* A tensor as (outer, size, inner), size being the axes from first on. */
struct REF(view) {
    int64_t outer, size, inner;
};

static struct REF(view) REF(view)(struct shape s, int first, int count)
{
    struct REF(view) v = {1, 1, 1};
    for (int i = 0; i < s.rank; i++)
        *(i < first ? &v.outer : i < first + count ? &v.size : &v.inner) *= s.dim[i];
    return v;
}

/* Index into a tensor of shape s of the element that broadcasts to element i of shape out. */
static int64_t REF(source)(struct shape out, struct shape s, int64_t i)
{
    int64_t index = 0, stride = 1;
    for (int d = 0; d < out.rank; d++) {
        int64_t size = out.dim[out.rank - 1 - d], at = i % size;
        int64_t mine = d < s.rank ? s.dim[s.rank - 1 - d] : 1;
        i /= size;
        index += (mine == 1 ? 0 : at) * stride;
        stride *= mine;
    }
    return index;
}

#define REF_IS_FLOAT (sizeof(REF_REAL) == sizeof(float))
#define REF_CALL(name, x)                                                                          \
    (REF_IS_FLOAT ? (REF_REAL)name##f((float)(x)) : (REF_REAL)name((double)(x)))

static REF_REAL REF(exp_of)(REF_REAL x)
{
    return REF_CALL(exp, x);
}

static REF_REAL REF(erf_of)(REF_REAL x)
{
    return REF_CALL(erf, x);
}

static REF_REAL REF(log_of)(REF_REAL x)
{
    return REF_CALL(log, x);
}

static REF_REAL REF(sqrt_of)(REF_REAL x)
{
    return REF_CALL(sqrt, x);
}

static REF_REAL REF(phi_of)(REF_REAL x)
{
    return x > 0 ? x + 1 : REF(exp_of)(x);
}

static REF_REAL REF(phi_slope)(REF_REAL x)
{
    return x > 0 ? 1 : REF(exp_of)(x);
}

static REF_REAL REF(gelu_of)(REF_REAL x)
{
    return (REF_REAL)0.5 * x * (1 + REF(erf_of)(x * (REF_REAL)M_SQRT1_2));
}

static REF_REAL REF(gelu_slope)(REF_REAL x)
{
    return (REF_REAL)0.5 * (1 + REF(erf_of)(x * (REF_REAL)M_SQRT1_2)) +
           x * REF(exp_of)((REF_REAL)-0.5 * x * x) * (REF_REAL)0.398942280401432678;
}

#endif
