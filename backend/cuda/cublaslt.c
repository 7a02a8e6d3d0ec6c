/* cuBLASLt counts matrices by columns: the row-major c = a b is its c^T = b^T a^T. Algorithms that
 * add in an order of chance are not asked for. */
#include "backend/cuda/cublaslt.h"

#include "base/memory.h"

#include <cublasLt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BIAS_ALIGNMENT = 16,     /* bytes, of every bias and of sums */
    WORKSPACE = 4 << 20,     /* bytes, as NVIDIA recommends; */
    WORKSPACE_90 = 32 << 20, /* from compute capability 9.0 on */
};

struct lt_library {
    cublasLtHandle_t handle;
    char *workspace;
    size_t workspace_bytes;
};

struct lt_product {
    struct vt_product plan;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, c; /* of our a, b, c */
};

/* ---- the library ----------------------------------------------------------------------------- */

static size_t workspace_bytes(void)
{
    int device = 0, major = 0;
    int known = !cudaGetDevice(&device) &&
                !cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    return known && major < 9 ? WORKSPACE : WORKSPACE_90;
}

int lt_open(struct lt_library **library, struct error *err)
{
    struct lt_library *lt = mem_zalloc(1, sizeof *lt);
    void *memory;
    *library = lt;
    int code = (int)cublasLtCreate(&lt->handle);
    if (code) {
        lt->handle = NULL;
        return error_env(err, "cuBLASLt: %s", cublasLtGetStatusString((cublasStatus_t)code));
    }
    lt->workspace_bytes = workspace_bytes();
    if (cudaMalloc(&memory, lt->workspace_bytes)) {
        cudaGetLastError();
        return error_env(err, "no device memory for the workspace of products, %zu MB",
                         lt->workspace_bytes >> 20);
    }
    lt->workspace = memory;
    return 0;
}

void lt_close(struct lt_library *lt)
{
    if (lt && lt->workspace)
        cudaFree(lt->workspace);
    if (lt && lt->handle)
        cublasLtDestroy(lt->handle);
    free(lt);
}

size_t lt_version(void)
{
    return cublasLtGetVersion();
}

/* ---- algorithms ------------------------------------------------------------------------------ */

_Static_assert(sizeof(struct lt_algorithm) == sizeof(cublasLtMatmulAlgo_t), "the library's own");

void lt_print(char text[LT_TEXT], const struct lt_algorithm *algorithm)
{
    int n = 0;
    for (size_t i = 0; i < sizeof algorithm->data / sizeof *algorithm->data; i++)
        n += snprintf(text + n, LT_TEXT - (size_t)n, "%s%llx", i ? " " : "",
                      (unsigned long long)algorithm->data[i]);
}

int lt_parse(const char *text, struct lt_algorithm *algorithm)
{
    for (size_t i = 0; i < sizeof algorithm->data / sizeof *algorithm->data; i++) {
        char *end;
        algorithm->data[i] = strtoull(text, &end, 16);
        if (end == text)
            return -1;
        text = end;
    }
    return 0;
}

/* ---- descriptions ---------------------------------------------------------------------------- */

static cudaDataType_t type_of(enum vt_type t)
{
    return t == VT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* A row-major (rows, cols) matrix: by columns it is (cols, rows). */
static int layout(cublasLtMatrixLayout_t *l, enum vt_type type, int64_t rows, int64_t cols,
                  int64_t ld, int64_t batch, int64_t stride)
{
    int32_t count = (int32_t)batch;
    int code = cublasLtMatrixLayoutCreate(l, type_of(type), (uint64_t)cols, (uint64_t)rows, ld);
    if (code || batch == 1)
        return code;
    code = cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                            sizeof count);
    if (!code)
        code = cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                &stride, sizeof stride);
    return code;
}

static int description(struct lt_product *x)
{
    const struct vt_product *p = &x->plan;
    cublasOperation_t of_a = p->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t of_b = p->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    /* BGRADB adds up the columns of the library's second operand along k: our a. */
    cublasLtEpilogue_t epilogue = p->has_bias   ? CUBLASLT_EPILOGUE_BIAS
                                  : p->has_sums ? CUBLASLT_EPILOGUE_BGRADB
                                                : CUBLASLT_EPILOGUE_DEFAULT;
    cublasComputeType_t compute =
        p->math == VT_MATH_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    int code = cublasLtMatmulDescCreate(&x->desc, compute, CUDA_R_32F);
    if (!code) /* the library's first operand is our second */
        code = cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_TRANSA, &of_b,
                                              sizeof of_b);
    if (!code)
        code = cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_TRANSB, &of_a,
                                              sizeof of_a);
    if (!code)
        code = cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                              sizeof epilogue);
    if (!code)
        code = layout(&x->a, p->type_ab, p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k, p->lda,
                      p->batch, p->stride_a);
    if (!code)
        code = layout(&x->b, p->type_ab, p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n, p->ldb,
                      p->batch, p->stride_b);
    if (!code)
        code = layout(&x->c, p->type_c, p->m, p->n, p->ldc, p->batch, p->stride_c);
    return code;
}

struct lt_product *lt_product_new(const struct vt_product *p)
{
    struct lt_product *x = mem_zalloc(1, sizeof *x);
    x->plan = *p;
    if (!description(x))
        return x;
    lt_product_free(x);
    return NULL;
}

void lt_product_free(struct lt_product *x)
{
    if (!x)
        return;
    if (x->desc)
        cublasLtMatmulDescDestroy(x->desc);
    cublasLtMatrixLayout_t layouts[] = {x->a, x->b, x->c};
    for (int i = 0; i < 3; i++)
        if (layouts[i])
            cublasLtMatrixLayoutDestroy(layouts[i]);
    free(x);
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Bytes to which an address is aligned that lies shift elements, or a multiple, from 16. */
static uint32_t alignment(int64_t shift, enum vt_type type)
{
    uint32_t bytes = 16;
    while ((uint64_t)shift * vt_type_size(type) % bytes)
        bytes /= 2;
    return bytes;
}

static int prefer(cublasLtMatmulPreference_t pref, cublasLtMatmulPreferenceAttributes_t which,
                  uint64_t value, size_t size)
{
    uint32_t small = (uint32_t)value;
    return cublasLtMatmulPreferenceSetAttribute(
        pref, which, size == sizeof small ? (const void *)&small : (const void *)&value, size);
}

/* Where the bias is, or where sums go. */
static int point_at(const struct lt_product *x, const void *vector)
{
    if (!x->plan.has_bias && !x->plan.has_sums)
        return 0;
    return cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &vector,
                                          sizeof vector);
}

/* The library's answer, usable or not; how many, or -1. */
static int proposals(const struct lt_library *lt, const struct lt_product *x,
                     cublasLtMatmulHeuristicResult_t found[LT_CANDIDATES])
{
    const struct vt_product *p = &x->plan;
    uint32_t a = alignment(p->shift_a, p->type_ab), b = alignment(p->shift_b, p->type_ab);
    uint32_t c = alignment(p->shift_c, p->type_c);
    cublasLtMatmulPreference_t pref = NULL;
    int n = 0, code = cublasLtMatmulPreferenceCreate(&pref);
    if (!code)
        code = prefer(pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, lt->workspace_bytes, 8);
    if (!code) /* no sums whose order is left to chance */
        code = prefer(pref, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                      CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, 4);
    if (!code)
        code = prefer(pref, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, b, 4);
    if (!code)
        code = prefer(pref, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, a, 4);
    if (!code)
        code = prefer(pref, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, c, 4);
    if (!code)
        code = prefer(pref, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, c, 4);
    if (!code) /* the library looks how a bias is aligned: no better than any */
        code = point_at(x, lt->workspace + BIAS_ALIGNMENT);
    if (!code)
        code = cublasLtMatmulAlgoGetHeuristic(lt->handle, x->desc, x->b, x->a, x->c, x->c, pref,
                                              LT_CANDIDATES, found, &n);
    if (pref)
        cublasLtMatmulPreferenceDestroy(pref);
    return code ? -1 : n;
}

int lt_candidates(const struct lt_library *lt, const struct lt_product *x,
                  struct lt_algorithm found[LT_CANDIDATES])
{
    cublasLtMatmulHeuristicResult_t all[LT_CANDIDATES];
    int n = proposals(lt, x, all), kept = 0;
    for (int i = 0; i < n; i++)
        if (all[i].state == CUBLAS_STATUS_SUCCESS)
            memcpy(&found[kept++], &all[i].algo, sizeof *found);
    return kept;
}

/* ---- execution ------------------------------------------------------------------------------- */

int lt_execute(const struct lt_library *lt, const struct lt_product *x,
               const struct lt_algorithm *algorithm, const struct vt_operands *o,
               cudaStream_t stream)
{
    cublasLtMatmulAlgo_t algo;
    float beta = x->plan.has_residual ? 1 : 0;
    int code = point_at(x, x->plan.has_sums ? o->sums : o->bias);
    memcpy(&algo, algorithm, sizeof algo);
    return code ? code
                : (int)cublasLtMatmul(lt->handle, x->desc, &x->plan.scale, o->b, x->b, o->a, x->a,
                                      &beta, x->plan.has_residual ? o->residual : o->c, x->c, o->c,
                                      x->c, &algo, lt->workspace, lt->workspace_bytes, stream);
}
