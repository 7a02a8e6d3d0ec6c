/* cuBLASLt on the emulated device: descriptions, algorithms, calls. What the library refuses is
 * refused, and more: an algorithm found for another product, addresses less aligned than was said
 * when it was looked for, and operands that leave device memory, which on a device are faults or
 * wrong values. */
#include "backend/sim/lt_internal.h"

#include "backend/sim/launch.h"
#include "backend/sim/options.h"
#include "base/file.h"
#include "base/memory.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cublasLtContext {
    int unused;
};

struct cublasLtMatmulPreference {
    uint64_t workspace;
    uint32_t schemes, alignment[4]; /* of a, b, c, d */
};

size_t cublasLtGetVersion(void)
{
    return 0;
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "unknown";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    openblas_set_num_threads(1);
    *handle = mem_zalloc(1, sizeof **handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    free(handle);
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- descriptions ---------------------------------------------------------------------------- */

/* A field and the attribute's value must be of one size. */
static cublasStatus_t put(void *field, size_t size, const void *value, size_t bytes)
{
    if (!value || bytes != size)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(field, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

#define PUT(field) put(&(field), sizeof(field), value, bytes)

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType_t type,
                                          uint64_t rows, uint64_t cols, int64_t ld)
{
    *l = mem_zalloc(1, sizeof **l);
    **l = (struct cublasLtMatrixLayout){type, 1, (int64_t)rows, (int64_t)cols, ld, 0};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
    free(l);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l,
                                                cublasLtMatrixLayoutAttribute_t name,
                                                const void *value, size_t bytes)
{
    return name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT ? PUT(l->batch) : PUT(l->stride);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    *d = mem_zalloc(1, sizeof **d);
    (*d)->compute = compute;
    (*d)->scale = scale;
    (*d)->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
    free(d);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d,
                                              cublasLtMatmulDescAttributes_t name,
                                              const void *value, size_t bytes)
{
    switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return PUT(d->trans_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return PUT(d->trans_b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return PUT(d->epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return PUT(d->bias);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

enum { DEFAULT_ALIGNMENT = 256 };

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
    *p = mem_zalloc(1, sizeof **p);
    (*p)->schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
    for (int i = 0; i < 4; i++)
        (*p)->alignment[i] = DEFAULT_ALIGNMENT;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    free(p);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *value, size_t bytes)
{
    if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return PUT(p->workspace);
    if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
        return PUT(p->schemes);
    return PUT(p->alignment[name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES]);
}

/* ---- what can be asked for ------------------------------------------------------------------- */

/* No padding is left unset, and no bias: equal problems are equal bytes. */
static struct problem problem_of(const struct cublasLtMatmulDesc *d,
                                 const struct cublasLtMatrixLayout *a,
                                 const struct cublasLtMatrixLayout *b,
                                 const struct cublasLtMatrixLayout *c,
                                 const struct cublasLtMatrixLayout *to)
{
    struct problem p;
    memset(&p, 0, sizeof p);
    p.desc.compute = d->compute;
    p.desc.scale = d->scale;
    p.desc.trans_a = d->trans_a;
    p.desc.trans_b = d->trans_b;
    p.desc.epilogue = d->epilogue;
    p.a = *a;
    p.b = *b;
    p.c = *c;
    p.d = *to;
    return p;
}

static int fits(const struct cublasLtMatrixLayout *l, int may_repeat)
{
    return l->rows > 0 && l->cols > 0 && l->rows <= INT32_MAX && l->cols <= INT32_MAX &&
           l->ld >= l->rows && l->batch > 0 &&
           (may_repeat || l->batch == 1 || l->stride >= l->ld * (l->cols - 1) + l->rows ||
            l->stride > 0);
}

/* Values of the vector beside the matrices: one a row of d, or a column. */
static int64_t vector_length(const struct problem *p)
{
    return p->desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT  ? 0
           : p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADB ? p->d.cols
                                                          : p->d.rows;
}

static cublasStatus_t possible(const struct problem *p)
{
    int64_t m = lt_rows_of(&p->a, p->desc.trans_a), k = lt_rows_of(&p->a, !p->desc.trans_a);
    int64_t n = lt_rows_of(&p->b, !p->desc.trans_b);
    int tf32 = p->desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    if (!fits(&p->a, 1) || !fits(&p->b, 1) || !fits(&p->c, 0) || !fits(&p->d, 0))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (lt_rows_of(&p->b, p->desc.trans_b) != k || p->d.rows != m || p->d.cols != n ||
        memcmp(&p->c, &p->d, sizeof p->c))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (p->a.batch != p->d.batch || p->b.batch != p->d.batch)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (p->a.type != p->b.type || p->desc.scale != CUDA_R_32F ||
        (tf32 && p->a.type != CUDA_R_32F) || (p->a.type == CUDA_R_32F && p->d.type != CUDA_R_32F))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (lt_has_sums(p) && (p->d.batch != 1 || !sim_options()->sums))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- algorithms ------------------------------------------------------------------------------ */

enum { ALGO_NUMBER, ALGO_PROBLEM, ALGO_ALIGNMENT, ALGO_BIAS, ALGO_USED };

static uint64_t digest(const struct problem *p)
{
    char hex[65];
    file_sha256_bytes(p, sizeof *p, hex);
    hex[16] = 0;
    return strtoull(hex, NULL, 16);
}

/* Where a pointer tells how its like will be aligned; none: as well as any. */
static uint64_t alignment_of(const void *p)
{
    uint64_t unit = DEFAULT_ALIGNMENT;
    while ((uintptr_t)p % unit)
        unit /= 2;
    return unit;
}

/* VT_SIM_ALGORITHMS of them. Of several the first is not to be used, as its state says. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t d,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t to,
                                              cublasLtMatmulPreference_t p, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int *count)
{
    struct problem x = problem_of(d, a, b, c, to);
    cublasStatus_t s = handle && p && wanted > 0 ? possible(&x) : CUBLAS_STATUS_INVALID_VALUE;
    int n = sim_options()->algorithms;
    *count = 0;
    if (s != CUBLAS_STATUS_SUCCESS)
        return s;
    for (int i = 0; i < n && i < wanted; i++) {
        cublasLtMatmulHeuristicResult_t *r = &results[(*count)++];
        memset(r, 0, sizeof *r);
        r->state = n > 1 && i == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
        if (r->state != CUBLAS_STATUS_SUCCESS)
            continue;
        r->algo.data[ALGO_NUMBER] = (uint64_t)i + 1;
        r->algo.data[ALGO_PROBLEM] = digest(&x);
        for (int k = 0; k < 4; k++)
            r->algo.data[ALGO_ALIGNMENT] |= (uint64_t)(p->alignment[k] & 0xffff) << 16 * k;
        if (vector_length(&x))
            r->algo.data[ALGO_BIAS] = alignment_of(d->bias);
    }
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- products -------------------------------------------------------------------------------- */

static int complain(const char *what)
{
    fprintf(stderr, "sim: a product: %s\n", what);
    return 0;
}

static int aligned(const void *p, uint64_t unit, const char *what)
{
    return (uintptr_t)p % unit == 0 || complain(what);
}

/* Every matrix lies in device memory, to its last element. */
static int reaches(const void *p, const struct cublasLtMatrixLayout *l)
{
    int64_t last = (l->batch - 1) * l->stride + (l->cols - 1) * l->ld + l->rows;
    return sim_is_device(p, lt_size_of(l->type) * (size_t)last) ||
           complain("an operand leaves device memory");
}

static int algorithm_fits(const struct product *x, const cublasLtMatmulAlgo_t *algo)
{
    const void *operands[] = {x->a, x->b, x->c, x->d};
    if (!algo || !algo->data[ALGO_NUMBER] || algo->data[ALGO_PROBLEM] != digest(&x->p))
        return complain("by an algorithm for another one");
    for (int i = 0; i < 4; i++)
        if (!aligned(operands[i], algo->data[ALGO_ALIGNMENT] >> 16 * i & 0xffff,
                     "an operand is less aligned than was said when its algorithm was found"))
            return 0;
    return !x->vector || aligned(x->vector, algo->data[ALGO_BIAS],
                                 "a bias is less aligned than the one its algorithm was found for");
}

static int operands_right(const struct product *x)
{
    size_t bytes = lt_size_of(x->p.d.type) * (size_t)vector_length(&x->p);
    return reaches(x->a, &x->p.a) && reaches(x->b, &x->p.b) && reaches(x->c, &x->p.c) &&
           reaches(x->d, &x->p.d) &&
           (!x->vector || sim_is_device(x->vector, bytes) ||
            complain("a bias leaves device memory"));
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t d, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t la, const void *b,
                              cublasLtMatrixLayout_t lb, const void *beta, const void *c,
                              cublasLtMatrixLayout_t lc, void *to, cublasLtMatrixLayout_t lto,
                              const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream)
{
    struct product x = {problem_of(d, la, lb, lc, lto),
                        *(const float *)alpha,
                        *(const float *)beta,
                        a,
                        b,
                        c,
                        NULL,
                        to};
    cublasStatus_t s = possible(&x.p);
    if (vector_length(&x.p)) {
        x.vector = d->bias;
        if (!x.vector)
            return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (s != CUBLAS_STATUS_SUCCESS)
        return s;
    if (!handle || !algorithm_fits(&x, algo) || !operands_right(&x) ||
        !sim_is_device(workspace, workspace_bytes))
        return CUBLAS_STATUS_INVALID_VALUE;
    return sim_enqueue(stream, lt_multiply, &x, sizeof x) == cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
}
