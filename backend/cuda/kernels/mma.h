/* Tensor cores: products of a warp's small matrices, of bf16 or tf32 operands, with sums in float.
 * With copy.h the one place with PTX; backend/sim/mma.h has the same functions for the emulated
 * device.
 *
 * A warp holds matrices in registers. With group = lane / 4 and pair = lane % 4, a lane has (PTX
 * ISA, "Matrix fragments for mma.m16n8k16 and .m16n8k8"):
 *   d (16, 8)            d[0], d[1]: row group, columns 2 pair and 2 pair + 1; d[2], d[3]: row
 *                        group + 8
 *   bf16: a (16, 16)     a[0]: row group, columns 2 pair, 2 pair + 1; a[1]: row group + 8; a[2] and
 *                        a[3]: eight columns on
 *         b (16, 8)      b[0]: rows 2 pair, 2 pair + 1, column group; b[1]: eight rows on
 *   tf32: a (16, 8)      a[0]: row group, column pair; a[1]: row group + 8; a[2] and a[3]: four
 *                        columns on
 *         b (8, 8)       b[0]: row pair, column group; b[1]: four rows on
 * All lanes of a warp call each function together. */
#ifndef BACKEND_CUDA_KERNELS_MMA_H
#define BACKEND_CUDA_KERNELS_MMA_H

#include "backend/cuda/kernels/device.h"

#ifdef VT_SIM
#include "backend/sim/mma.h"
#else

/* d += a b */
static __device__ __forceinline__ void vt_mma_bf16(float (&d)[4], const uint32_t (&a)[4],
                                                   const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

static __device__ __forceinline__ void vt_mma_tf32(float (&d)[4], const uint32_t (&a)[4],
                                                   const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* The nearest float with ten bits of mantissa, ties away from zero: an operand of vt_mma_tf32. */
static __device__ __forceinline__ float vt_tf32_of(float x)
{
    uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}

/* The bits of x that a tf32 has. Computed where it stands: a loop that needs many of them again and
 * again would otherwise hold all in registers. */
static __device__ __forceinline__ uint32_t vt_tf32_bits(float x)
{
    uint32_t bits;
    asm volatile("and.b32 %0, %1, 0xffffe000;" : "=r"(bits) : "r"(__float_as_uint(x)));
    return bits;
}

/* Four matrices of 8 x 8 values of two bytes from shared memory: lane i brings the address of row i
 * % 8 of matrix i / 8, a multiple of 16 bytes, and gets of each matrix the values (group, 2 pair)
 * and (group, 2 pair + 1); from the transposes with vt_load_turned. */
static __device__ __forceinline__ void vt_load_matrices(uint32_t (&r)[4], const vt_bf16 *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}

static __device__ __forceinline__ void vt_load_turned(uint32_t (&r)[4], const vt_bf16 *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}

/* Two values rounded to bf16, the first one in the lower half. */
static __device__ __forceinline__ uint32_t vt_pair_of(float low, float high)
{
    __nv_bfloat162 v = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t *>(&v);
}
#endif

/* ---- operands by type ------------------------------------------------------------------------ */

/* Operands of type E in shared memory: bf16, or float that vt_tf32_of has rounded. A pitch of PAD
 * more than a power of two puts eight rows into different banks.
 *
 *   rows_of       a = 16 rows of x from column 0 on
 *   turned_rows   b[0], b[1] = the transposes of rows 0 to 7 and 8 to 15 of x
 *   columns_of    b[0], b[1] = columns 0 to 7 and 8 to 15 of x; DEPTH rows
 *   from_sums     a = 16 rows and DEPTH columns of sums, which are DEPTH / 8 results d side by side
 *   rows_in_turn  a = 16 rows of x from column 0 on
 *   turned_columns  a = the transpose of 16 columns of x; DEPTH rows
 *   turned_sums   high[0], high[1] = the transposes of rows 0 to 7 and 8 to 15 of DEPTH columns of
 *                 sums, low[0], low[1] = what rounding them takes away; sums after in_two, which
 *                 for bf16 keeps both parts, packed, in their place
 *   rounded       the nearest value of type E
 * For tf32 the depth of the first two is in the order of columns; that of the others is in one
 * other order: what comes from sums meets only those. */
template <class E> struct vt_mma;

template <> struct vt_mma<vt_bf16> {
    enum { DEPTH = 16, PAD = 8, LOADED = 8 /* values that 16 bytes are */ };
    static __device__ __forceinline__ int lane()
    {
        return (int)threadIdx.x & 31;
    }
    static __device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4],
                                                    const uint32_t (&b)[2])
    {
        vt_mma_bf16(d, a, b);
    }
    static __device__ __forceinline__ void rows_of(uint32_t (&a)[4], const vt_bf16 *x, int pitch)
    {
        vt_load_matrices(a, x + (lane() & 15) * pitch + (lane() >> 4) * 8);
    }
    static __device__ __forceinline__ void split(uint32_t (&b)[2][2], const uint32_t (&r)[4])
    {
        b[0][0] = r[0];
        b[0][1] = r[1];
        b[1][0] = r[2];
        b[1][1] = r[3];
    }
    static __device__ __forceinline__ void turned_rows(uint32_t (&b)[2][2], const vt_bf16 *x,
                                                       int pitch)
    {
        uint32_t r[4];
        vt_load_matrices(r, x + ((lane() >> 4) * 8 + (lane() & 7)) * pitch + (lane() & 8));
        split(b, r);
    }
    static __device__ __forceinline__ void columns_of(uint32_t (&b)[2][2], const vt_bf16 *x,
                                                      int pitch)
    {
        uint32_t r[4];
        vt_load_turned(r, x + (lane() & 15) * pitch + (lane() >> 4) * 8);
        split(b, r);
    }
    static __device__ __forceinline__ void from_sums(uint32_t (&a)[4], const float (*sums)[4])
    {
        a[0] = vt_pair_of(sums[0][0], sums[0][1]);
        a[1] = vt_pair_of(sums[0][2], sums[0][3]);
        a[2] = vt_pair_of(sums[1][0], sums[1][1]);
        a[3] = vt_pair_of(sums[1][2], sums[1][3]);
    }
    static __device__ __forceinline__ void rows_in_turn(uint32_t (&a)[4], const vt_bf16 *x,
                                                        int pitch)
    {
        rows_of(a, x, pitch);
    }
    static __device__ __forceinline__ void turned_columns(uint32_t (&a)[4], const vt_bf16 *x,
                                                          int pitch)
    {
        vt_load_turned(a, x + ((lane() >> 4) * 8 + (lane() & 7)) * pitch + (lane() & 8));
    }
    static __device__ __forceinline__ float rounded(float x)
    {
        return __bfloat162float(__float2bfloat16(x));
    }
    static __device__ __forceinline__ void in_two(float (&sums)[4])
    {
        uint32_t high[2], low[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float x = sums[2 * i], y = sums[2 * i + 1];
            high[i] = vt_pair_of(x, y);
            low[i] = vt_pair_of(x - rounded(x), y - rounded(y));
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            sums[i] = __uint_as_float(high[i]);
            sums[i + 2] = __uint_as_float(low[i]);
        }
    }
    static __device__ __forceinline__ void
    turned_sums(uint32_t (&high)[2][2], uint32_t (&low)[2][2], const float (*sums)[4])
    {
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int k = 0; k < 2; k++) {
                high[i][k] = __float_as_uint(sums[k][i]);
                low[i][k] = __float_as_uint(sums[k][i + 2]);
            }
    }
};

template <> struct vt_mma<float> {
    enum { DEPTH = 8, PAD = 4, LOADED = 4 };
    static __device__ __forceinline__ int group()
    {
        return (int)threadIdx.x >> 2 & 7;
    }
    static __device__ __forceinline__ int pair()
    {
        return (int)threadIdx.x & 3;
    }
    static __device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4],
                                                    const uint32_t (&b)[2])
    {
        vt_mma_tf32(d, a, b);
    }
    static __device__ __forceinline__ void rows_of(uint32_t (&a)[4], const float *x, int pitch)
    {
        const float *at = x + group() * pitch + pair();
        a[0] = __float_as_uint(at[0]);
        a[1] = __float_as_uint(at[8 * pitch]);
        a[2] = __float_as_uint(at[4]);
        a[3] = __float_as_uint(at[8 * pitch + 4]);
    }
    static __device__ __forceinline__ void turned_rows(uint32_t (&b)[2][2], const float *x,
                                                       int pitch)
    {
        for (int j = 0; j < 2; j++) {
            const float *at = x + (8 * j + group()) * pitch + pair();
            b[j][0] = __float_as_uint(at[0]);
            b[j][1] = __float_as_uint(at[4]);
        }
    }
    /* Depth: the even columns of sums, then the odd ones, as a lane has them. */
    static __device__ __forceinline__ void columns_of(uint32_t (&b)[2][2], const float *x,
                                                      int pitch)
    {
        for (int j = 0; j < 2; j++) {
            const float *at = x + 2 * pair() * pitch + 8 * j + group();
            b[j][0] = __float_as_uint(at[0]);
            b[j][1] = __float_as_uint(at[pitch]);
        }
    }
    static __device__ __forceinline__ void from_sums(uint32_t (&a)[4], const float (*sums)[4])
    {
        a[0] = __float_as_uint(vt_tf32_of(sums[0][0]));
        a[1] = __float_as_uint(vt_tf32_of(sums[0][2]));
        a[2] = __float_as_uint(vt_tf32_of(sums[0][1]));
        a[3] = __float_as_uint(vt_tf32_of(sums[0][3]));
    }
    static __device__ __forceinline__ void rows_in_turn(uint32_t (&a)[4], const float *x, int pitch)
    {
        const float *at = x + group() * pitch + 2 * pair();
        float2 above = *reinterpret_cast<const float2 *>(at);
        float2 below = *reinterpret_cast<const float2 *>(at + 8 * pitch);
        a[0] = __float_as_uint(above.x);
        a[1] = __float_as_uint(below.x);
        a[2] = __float_as_uint(above.y);
        a[3] = __float_as_uint(below.y);
    }
    static __device__ __forceinline__ void turned_columns(uint32_t (&a)[4], const float *x,
                                                          int pitch)
    {
        const float *at = x + 2 * pair() * pitch + group();
        a[0] = __float_as_uint(at[0]);
        a[1] = __float_as_uint(at[8]);
        a[2] = __float_as_uint(at[pitch]);
        a[3] = __float_as_uint(at[pitch + 8]);
    }
    static __device__ __forceinline__ float rounded(float x)
    {
        return vt_tf32_of(x);
    }
    static __device__ __forceinline__ void in_two(float (&)[4])
    {
    }
    static __device__ __forceinline__ void
    turned_sums(uint32_t (&high)[2][2], uint32_t (&low)[2][2], const float (*sums)[4])
    {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            uint32_t upper = vt_tf32_bits(sums[0][i]);
            high[i >> 1][i & 1] = upper;
            low[i >> 1][i & 1] = vt_tf32_bits(sums[0][i] - __uint_as_float(upper));
        }
    }
};

#endif
