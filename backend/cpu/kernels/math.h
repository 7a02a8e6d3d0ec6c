/* Elementary functions that vectorise. float: own approximations, fitted here; double: the C
 * library's.
 *
 * Errors in float, found by trying every float (tests/backend/test_math.c holds the bounds):
 * exp 1 ulp in the normal range, results below 2^-126 are 0; erf 1.3e-7 absolute. NaN gives NaN. */
#ifndef BACKEND_CPU_KERNELS_MATH_H
#define BACKEND_CPU_KERNELS_MATH_H

#include "backend/cpu/kernels/kernel.h"

#include <math.h>

enum { MATH_IS_DOUBLE = sizeof(real) == sizeof(double) };

static inline float math_float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* e^x = 2^n e^r, |r| <= ln 2 / 2. Adding and taking away 1.5 * 2^23 rounds to an integer whose bits
 * are then at the low end. 2^n is applied as 2 * 2^(n-1), so that n = 128 does not overflow on the
 * way. */
static inline float math_expf(float x)
{
    const float round = 12582912.0f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    float shifted = x * 1.44269504f + round;
    float n = shifted - round;
    float r = (x - n * ln2_high) - n * ln2_low;
    float q = 1.38145352e-3f;
    q = q * r + 8.36874558e-3f;
    q = q * r + 4.16683909e-2f;
    q = q * r + 1.66665204e-1f;
    q = q * r + 4.99999934e-1f;
    float p = 2 * (q * r * r + r) + 2;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    float e = p * math_float_of_bits((bits + 126) << 23);
    e = x < -87.33654f ? 0 : e;
    return x > 88.72283f ? INFINITY : e;
}

/* x P(x^2) / Q(x^2) on [-3.92, 3.92], beyond which erf rounds to 1: all terms of one sign, nothing
 * cancels. */
static inline float math_erff(float x)
{
    const float end = 3.92f;
    x = x < -end ? -end : x;
    x = x > end ? end : x;
    float t = x * x;
    float p = 2.05009367e-6f;
    p = p * t + 2.84882820e-4f;
    p = p * t + 3.76560597e-3f;
    p = p * t + 5.27486880e-2f;
    p = p * t + 1.90406166e-1f;
    p = p * t + 1.12837915f;
    float q = 3.80917870e-5f;
    q = q * t + 1.16253354e-3f;
    q = q * t + 1.49691934e-2f;
    q = q * t + 1.14108992e-1f;
    q = q * t + 5.02075812e-1f;
    q = q * t + 1;
    return x * p / q;
}

static inline real math_exp(real x)
{
    return MATH_IS_DOUBLE ? (real)exp((double)x) : (real)math_expf((float)x);
}

static inline real math_erf(real x)
{
    return MATH_IS_DOUBLE ? (real)erf((double)x) : (real)math_erff((float)x);
}

static inline real math_log(real x)
{
    return MATH_IS_DOUBLE ? (real)log((double)x) : (real)logf((float)x);
}

static inline real math_sqrt(real x)
{
    return MATH_IS_DOUBLE ? (real)sqrt((double)x) : (real)sqrtf((float)x);
}

static inline real math_sigmoid(real x)
{
    return 1 / (1 + math_exp(-x));
}

/* elu(x) + 1 and its slope. */
static inline real math_phi(real x)
{
    real e = math_exp(x < 0 ? x : 0);
    return x > 0 ? x + 1 : e;
}

static inline real math_phi_slope(real x)
{
    return math_exp(x < 0 ? x : 0);
}

static inline real math_gelu(real x)
{
    real half = (real)0.5 * x;
    return half + half * math_erf(x * (real)M_SQRT1_2);
}

/* The normal distribution's integral plus x times its density. */
static inline real math_gelu_slope(real x)
{
    real integral = (real)0.5 + (real)0.5 * math_erf(x * (real)M_SQRT1_2);
    real density = (real)(0.5 * M_2_SQRTPI * M_SQRT1_2) * math_exp((real)-0.5 * x * x);
    return integral + x * density;
}

#endif
