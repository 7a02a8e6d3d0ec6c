/* Elementary functions that vectorise. float: own approximations, fitted here; double: the C
 * library's.
 *
 * Errors in float, found by trying every float (tests/backend/test_extremes.c holds the bounds):
 * exp 1.1 and log 1 units in the last place, exp 0 below 1.7e-38; erf 1.6e-7, relative 2e-7; gelu
 * 9e-8 max(1, |x|); gelu_grad 1.5e-7. NaN gives NaN. */
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
    e = x < -86.98f ? 0 : e;
    return x > 88.72283f ? INFINITY : e;
}

/* 2^-q for q in [0, 126] and a little outside. */
static inline float math_half_power(float q)
{
    const float round = 12582912.0f;
    float shifted = round - q;
    float f = (round - shifted) - q;
    float p = 1.535329678e-4f;
    p = p * f + 1.339895284e-3f;
    p = p * f + 9.618438123e-3f;
    p = p * f + 5.550332283e-2f;
    p = p * f + 2.402264790e-1f;
    p = p * f + 6.931472029e-1f;
    p = p * f + 1;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return p * math_float_of_bits((bits + 127) << 23);
}

/* x = 2^n m, sqrt(1/2) <= m < sqrt(2): log x = n ln 2 + log m, log m = f - f^2/2 + f^3 q(f), f = m
 * - 1. */
static inline float math_logf(float x)
{
    const float least = 1.17549435e-38f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    float scaled = fabsf(x < least ? x * 8388608.0f : x);
    int32_t bits;
    memcpy(&bits, &scaled, sizeof bits);
    int32_t power = (bits - 0x3f3504f3) >> 23;
    float f = math_float_of_bits((uint32_t)(bits - power * (1 << 23))) - 1;
    float n = (float)power - (x < least ? 23.0f : 0.0f);
    float q = -7.634320765e-2f;
    q = q * f + 1.276540101e-1f;
    q = q * f - 1.316200390e-1f;
    q = q * f + 1.420137316e-1f;
    q = q * f - 1.662314359e-1f;
    q = q * f + 2.000123566e-1f;
    q = q * f - 2.500082679e-1f;
    q = q * f + 3.333333168e-1f;
    float y = n * ln2_high + (f + (f * f * (q * f - 0.5f) + n * ln2_low));
    y = x > 0 ? y : x < 0 ? NAN : -INFINITY;
    return x <= 3.40282347e38f ? y : x;
}

/* |x| < 0.7: x times a polynomial in x^2. Else 1 - 2^-q(|x|), which needs only q's leading digits.
 */
static inline float math_erff(float x)
{
    float a = fabsf(x), t = x * x;
    float p = -6.948641875e-4f;
    p = p * t + 5.138150918e-3f;
    p = p * t - 2.684449512e-2f;
    p = p * t + 1.128354170e-1f;
    p = p * t - 3.761262828e-1f;
    p = p * t + 1.128379166f;
    a = a > 4.0f ? 4.0f : a;
    float q = -3.113266114e-4f;
    q = q * a + 4.659300115e-3f;
    q = q * a - 3.308889383e-2f;
    q = q * a + 1.519581032e-1f;
    q = q * a + 9.170811300e-1f;
    q = q * a + 1.628115450f;
    q = q * a + 2.942511926e-6f;
    float far = copysignf(1 - math_half_power(q), x);
    return t > 0.49f ? far : p * x;
}

/* The normal distribution's integral from -infinity to -|x|, as 2^-q(|x|): small values keep their
 * digits, which 1 + erf does not. */
static inline float math_tailf(float x)
{
    float a = fabsf(x);
    float q = 2.275875533e-6f;
    q = q * a - 3.296804368e-5f;
    q = q * a + 1.572788749e-4f;
    q = q * a + 2.024786915e-4f;
    q = q * a - 7.142781329e-3f;
    q = q * a + 5.254643560e-2f;
    q = q * a + 4.591930574e-1f;
    q = q * a + 1.151106941f;
    q = q * a + 0.999999959f;
    return math_half_power(q > 126 ? 126 : q);
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
    return MATH_IS_DOUBLE ? (real)log((double)x) : (real)math_logf((float)x);
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

static inline real math_tail(real x)
{
    if (MATH_IS_DOUBLE)
        return (real)(0.5 * erfc(fabs((double)x) * M_SQRT1_2));
    return (real)math_tailf((float)x);
}

static inline real math_gelu(real x)
{
    real small = x * math_tail(x);
    return x < 0 ? small : x - small;
}

/* The slope of gelu at -|x|: the normal distribution's integral there less |x| times its density,
 * which is e^(-x^2/2) times a function that a polynomial follows. */
static inline float math_gelu_slope_left(float x)
{
    float a = fabsf(x);
    float e = math_expf(-0.5f * x * x);
    a = a > 14.0f ? 14.0f : a;
    float w = 1.631659488e-6f;
    w = w * a - 3.520725740e-5f;
    w = w * a + 3.397346601e-4f;
    w = w * a - 1.974612630e-3f;
    w = w * a + 7.939356596e-3f;
    w = w * a - 2.431388243e-2f;
    w = w * a + 6.115484648e-2f;
    w = w * a - 1.325137794e-1f;
    w = w * a + 2.499167888e-1f;
    w = w * a - 7.978787948e-1f;
    w = w * a + 4.999999341e-1f;
    return w * e;
}

static inline real math_gelu_slope(real x)
{
    if (MATH_IS_DOUBLE) {
        double bell = 0.5 * M_2_SQRTPI * M_SQRT1_2 * exp(-0.5 * (double)x * (double)x);
        return (real)(0.5 * erfc(-(double)x * M_SQRT1_2) + (double)x * bell);
    }
    real left = (real)math_gelu_slope_left((float)x);
    return x < 0 ? left : 1 - left;
}

#endif
