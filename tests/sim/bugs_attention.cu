/* Planted bugs of attention on tensor cores: fragments, barriers, masks. */
#include "backend/cuda/kernels/attention.h"
#include "backend/cuda/kernels/mma_tile.h"
#include "tests/sim/bugs.h"

/* One case of attention that fills no tile: two heads, 37 queries and 23 keys, heads 24 and 16
 * wide. Values are multiples of 1/8, exact in every type. */
enum {
    QUERIES = 37,
    KEYS = 23,
    HEADS = 2,
    DIM = 24,
    WIDE = 16,
    OPERAND = QUERIES * HEADS * DIM,
    OUT = 0, /* where results begin */
    LSE = OUT + QUERIES * HEADS * WIDE,
    DQ = LSE + HEADS * QUERIES,
    DK = DQ + QUERIES * HEADS * DIM,
    DV = DK + KEYS * HEADS * DIM,
    RESULTS = DV + KEYS * HEADS * WIDE
};
static const float SCALE = 0.25f;

struct attention_case {
    float operands[4][OPERAND]; /* q, k, v, dout */
    int counts[4];
    double delta[HEADS * QUERIES];
};

static double rounded(double x, bool rounds)
{
    return rounds ? (double)__bfloat162float(__float2bfloat16((float)x)) : x;
}

/* rounds: what enters a product is bf16. */
static void attention_loops(const attention_case &c, bool rounds, double *to)
{
    memset(to, 0, sizeof *to * RESULTS);
    for (int h = 0; h < HEADS; h++)
        for (int m = 0; m < QUERIES; m++) {
            double p[KEYS], top = -INFINITY, sum = 0;
            for (int n = 0; n < KEYS; n++) {
                p[n] = 0;
                for (int d = 0; d < DIM; d++)
                    p[n] += (double)SCALE * (double)c.operands[0][(m * HEADS + h) * DIM + d] *
                            (double)c.operands[1][(n * HEADS + h) * DIM + d];
                top = p[n] > top ? p[n] : top;
            }
            for (int n = 0; n < KEYS; n++)
                sum += p[n] = exp(p[n] - top);
            to[LSE + h * QUERIES + m] = top + log(sum);
            for (int n = 0; n < KEYS; n++) {
                double dp = -c.delta[h * QUERIES + m], q = rounded(p[n] / sum, rounds);
                for (int e = 0; e < WIDE; e++) {
                    double dout = (double)c.operands[3][(m * HEADS + h) * WIDE + e];
                    double v = (double)c.operands[2][(n * HEADS + h) * WIDE + e];
                    to[OUT + (m * HEADS + h) * WIDE + e] += q * v;
                    to[DV + (n * HEADS + h) * WIDE + e] += q * dout;
                    dp += dout * v;
                }
                double ds = rounded((double)SCALE * p[n] / sum * dp, rounds);
                for (int d = 0; d < DIM; d++) {
                    to[DQ + (m * HEADS + h) * DIM + d] +=
                        ds * (double)c.operands[1][(n * HEADS + h) * DIM + d];
                    to[DK + (n * HEADS + h) * DIM + d] +=
                        ds * (double)c.operands[0][(m * HEADS + h) * DIM + d];
                }
            }
        }
}

static const attention_case &the_case()
{
    static attention_case c;
    const int counts[4] = {QUERIES * HEADS * DIM, KEYS * HEADS * DIM, KEYS * HEADS * WIDE,
                           QUERIES * HEADS * WIDE};
    double truth[RESULTS];
    if (c.counts[0])
        return c;
    for (int i = 0; i < 4; i++) {
        c.counts[i] = counts[i];
        for (int k = 0; k < counts[i]; k++)
            c.operands[i][k] = (float)((k * 37 + i * 11 + k / 7 * 5) % 17 - 8) / 8;
    }
    attention_loops(c, false, truth);
    for (int h = 0; h < HEADS; h++)
        for (int m = 0; m < QUERIES; m++)
            for (int e = 0; e < WIDE; e++)
                c.delta[h * QUERIES + m] += truth[OUT + (m * HEADS + h) * WIDE + e] *
                                            (double)c.operands[3][(m * HEADS + h) * WIDE + e];
    return c;
}

/* Each result by its own largest value. */
static bool close_enough(const float *got, const double *truth, double tolerance)
{
    static const int begins[] = {OUT, LSE, DQ, DK, DV, RESULTS};
    for (int r = 0; r < 5; r++) {
        double top = 0, error = 0;
        for (int i = begins[r]; i < begins[r + 1]; i++) {
            double e = fabs((double)got[i] - truth[i]);
            top = fabs(truth[i]) > top ? fabs(truth[i]) : top;
            error = e <= error ? error : e == e ? e : INFINITY;
        }
        if (error > tolerance * top)
            return false;
    }
    return true;
}

/* Operands whose way into registers is planted to be wrong: attention_mma.h takes any type that has
 * a vt_mma and an operand. */
enum fault { SWAPPED_QUARTERS, NOT_TURNED, SWAPPED_SUMS, NEXT_ROW, NARROW_PITCH, COLUMNS_IN_ORDER };

template <class B, fault F> struct faulty : B {
    faulty() = default;
    faulty(float x) : B(x)
    {
    }
};
struct plain_float { /* a class, to inherit from */
    float value;
    plain_float() = default;
    plain_float(float x) : value(x)
    {
    }
};
template <class B> struct base_of {
    typedef B type;
};
template <> struct base_of<plain_float> {
    typedef float type;
};

template <class B, fault F> struct vt_mma<faulty<B, F>> {
    typedef typename base_of<B>::type T;
    typedef vt_mma<T> right;
    enum {
        DEPTH = right::DEPTH,
        PAD = F == NARROW_PITCH ? right::PAD / 2 : (int)right::PAD,
        LOADED = right::LOADED
    };
    static const T *plain(const faulty<B, F> *x)
    {
        return reinterpret_cast<const T *>(x);
    }
    static void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
    {
        right::multiply(d, a, b);
    }
    static void rows_of(uint32_t (&a)[4], const faulty<B, F> *x, int pitch)
    {
        right::rows_of(a, plain(x), pitch);
        if (F == SWAPPED_QUARTERS) {
            uint32_t swapped = a[1];
            a[1] = a[2];
            a[2] = swapped;
        }
    }
    static void turned_rows(uint32_t (&b)[2][2], const faulty<B, F> *x, int pitch)
    {
        right::turned_rows(b, plain(x) + (F == NEXT_ROW ? pitch : 0), pitch);
    }
    static void columns_of(uint32_t (&b)[2][2], const faulty<B, F> *x, int pitch)
    {
        if (F == NOT_TURNED) {
            right::turned_rows(b, plain(x), pitch);
        } else if (F == COLUMNS_IN_ORDER) { /* tf32: depth is not in the order of from_sums */
            int pair = (int)threadIdx.x & 3, group = (int)threadIdx.x >> 2 & 7;
            for (int j = 0; j < 2; j++)
                for (int half = 0; half < 2; half++)
                    memcpy(&b[j][half], plain(x) + (pair + 4 * half) * pitch + 8 * j + group,
                           sizeof b[j][half]);
        } else {
            right::columns_of(b, plain(x), pitch);
        }
    }
    static void from_sums(uint32_t (&a)[4], const float (*sums)[4])
    {
        right::from_sums(a, sums);
        if (F == SWAPPED_SUMS) {
            uint32_t swapped = a[0];
            a[0] = a[1];
            a[1] = swapped;
        }
    }
};

template <class B, fault F> struct operand<faulty<B, F>> {
    static faulty<B, F> of(faulty<B, F> x)
    {
        return x; /* the values of the case are exact */
    }
    static void move(faulty<B, F> *to, const faulty<B, F> *from)
    {
        memcpy(static_cast<void *>(to), from, 16);
    }
};

namespace whole
{
#include "tests/sim/attention_trial.inc"
} // namespace whole

/* The header without its barriers, and with tiles that are always taken for full ones. */
namespace no_barriers
{
#define __syncthreads() ((void)0)
#include "tests/sim/attention_trial.inc"
#undef __syncthreads
} // namespace no_barriers

namespace no_masks
{
static __device__ __forceinline__ int whole_tile(int64_t, int64_t, int tile_rows)
{
    return tile_rows;
}
#define rows_left whole_tile
#include "tests/sim/attention_trial.inc"
#undef rows_left
} // namespace no_masks

static const double ROUNDED = 2e-2, NEARLY = 2e-3; /* errors of bf16 and of tf32 */

static int run_attention_bf16()
{
    return whole::trial<vt_bf16, true>(ROUNDED);
}
static int run_attention_tf32()
{
    return whole::trial<float, false>(NEARLY);
}
static int run_attention_no_barriers()
{
    return no_barriers::trial<vt_bf16, true>(ROUNDED);
}
static int run_attention_no_masks()
{
    return no_masks::trial<vt_bf16, true>(ROUNDED);
}
#define FAULT(name, B, fault, tolerance)                                                           \
    static int run_attention_##name()                                                              \
    {                                                                                              \
        return whole::trial<faulty<B, fault>, true>(tolerance);                                    \
    }
FAULT(swapped_quarters, vt_bf16, SWAPPED_QUARTERS, ROUNDED)
FAULT(not_turned, vt_bf16, NOT_TURNED, ROUNDED)
FAULT(swapped_sums, vt_bf16, SWAPPED_SUMS, ROUNDED)
FAULT(next_row, vt_bf16, NEXT_ROW, ROUNDED)
FAULT(narrow_pitch, vt_bf16, NARROW_PITCH, ROUNDED)
FAULT(swapped_quarters_tf32, plain_float, SWAPPED_QUARTERS, ROUNDED)
FAULT(columns_in_order, plain_float, COLUMNS_IN_ORDER, ROUNDED)

const planted attention_bugs[] = {
    {"attention_no_barriers", "tsan", "", "data race", run_attention_no_barriers},
    {"attention_no_masks", "asan", "", "heap-buffer-overflow", run_attention_no_masks},
    {"attention_swapped_quarters", "both", "", "wrong value", run_attention_swapped_quarters},
    {"attention_not_turned", "both", "", "wrong value", run_attention_not_turned},
    {"attention_swapped_sums", "both", "", "wrong value", run_attention_swapped_sums},
    {"attention_next_row", "asan", "", "heap-buffer-overflow", run_attention_next_row},
    {"attention_narrow_pitch", "asan", "", "misaligned address", run_attention_narrow_pitch},
    {"attention_narrow_pitch", "tsan", "", "not at a multiple of 16 bytes",
     run_attention_narrow_pitch},
    {"attention_swapped_quarters_tf32", "both", "", "wrong value",
     run_attention_swapped_quarters_tf32},
    {"attention_columns_in_order", "both", "", "wrong value", run_attention_columns_in_order},
    /* right */
    {"attention_bf16", "both", "VT_SIM_ORDER=random", "", run_attention_bf16},
    {"attention_tf32", "both", "VT_SIM_ORDER=reverse", "", run_attention_tf32},
    {},
};
