/* Products by cuBLASLt.
 *
 * cuBLASLt offers several algorithms for a product. Each is timed once on this kind of device, and
 * the fastest is kept in a file of choices. Without a place for that file the library's own first
 * choice is taken, which is the same every time. Algorithms that add in an order of chance are not
 * asked for. The handle and its workspace are made for the first product: many programs of a test
 * have none.
 *
 * cuBLASLt counts matrices by columns: the row-major c = a b is its c^T = b^T a^T. */
#include "backend/cuda/lt.h"

#include "backend/cuda/choices.h"
#include "backend/cuda/timing.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <cublasLt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CANDIDATES = 8,
    BIAS_ALIGNMENT = 16,   /* bytes, of every bias and of sums */
    WORKSPACE = 4 << 20,   /* bytes, as NVIDIA recommends; */
    WORKSPACE_90 = 32 << 20, /* from compute capability 9.0 on */
};

/* A product that can be executed. */
struct product {
    struct vt_lt_plan plan;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, c; /* of our a, b, c */
    cublasLtMatmulAlgo_t algo;
};

struct vt_lt {
    cublasLtHandle_t handle; /* NULL before the first product */
    char *workspace;
    size_t workspace_bytes;
    struct product **products;
    size_t n_products, cap_products;
    char *path; /* of the file of choices, or NULL */
};

/* ---- algorithms as text ---------------------------------------------------------------------- */

/* Every fact of a plan: the key of its line. */
static void describe(const struct vt_lt_plan *p, struct strbuf *key)
{
    const int64_t facts[] = {
        p->m,       p->n,       p->k,       p->trans_a,  p->trans_b,      p->lda,
        p->ldb,     p->ldc,     p->batch,   p->stride_a, p->stride_b,     p->stride_c,
        p->shift_a, p->shift_b, p->shift_c, p->has_bias, p->has_residual, p->type_ab,
        p->type_c,  p->math};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        strbuf_addf(key, "%s%lld", i ? " " : "", (long long)facts[i]);
    if (p->has_sums)
        strbuf_addf(key, " sums");
}

enum { ALGO_TEXT = 512 };

static void print_algo(char text[ALGO_TEXT], const cublasLtMatmulAlgo_t *algo)
{
    int n = 0;
    for (size_t i = 0; i < sizeof algo->data / sizeof *algo->data; i++)
        n += snprintf(text + n, ALGO_TEXT - (size_t)n, "%s%llx", i ? " " : "",
                      (unsigned long long)algo->data[i]);
}

static int parse_algo(const char *text, cublasLtMatmulAlgo_t *algo)
{
    for (size_t i = 0; i < sizeof algo->data / sizeof *algo->data; i++) {
        char *end;
        algo->data[i] = strtoull(text, &end, 16);
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

static size_t size_of(enum vt_type t)
{
    return t == VT_BF16 ? 2 : 4;
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

static int description(struct product *x)
{
    const struct vt_lt_plan *p = &x->plan;
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

static void product_free(struct product *x)
{
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
    while ((uint64_t)shift * size_of(type) % bytes)
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
static int point_at(const struct product *x, const void *vector)
{
    if (!x->plan.has_bias && !x->plan.has_sums)
        return 0;
    return cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &vector,
                                          sizeof vector);
}

/* Proposals that can be used, in their order; how many. */
static int usable(cublasLtMatmulHeuristicResult_t *found, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (found[i].state == CUBLAS_STATUS_SUCCESS)
            found[kept++] = found[i];
    return kept;
}

/* The library's proposals, best first by its own reckoning; how many, or -1. */
static int candidates(const struct vt_lt *lt, const struct product *x,
                      cublasLtMatmulHeuristicResult_t found[CANDIDATES])
{
    const struct vt_lt_plan *p = &x->plan;
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
                                              CANDIDATES, found, &n);
    if (pref)
        cublasLtMatmulPreferenceDestroy(pref);
    return code ? -1 : usable(found, n);
}

static int execute(const struct vt_lt *lt, const struct product *x,
                   const cublasLtMatmulAlgo_t *algo, const void *a, const void *b,
                   const void *residual, void *c, cudaStream_t stream)
{
    float beta = x->plan.has_residual ? 1 : 0;
    return cublasLtMatmul(lt->handle, x->desc, &x->plan.scale, b, x->b, a, x->a, &beta,
                          x->plan.has_residual ? residual : c, x->c, c, x->c, algo, lt->workspace,
                          lt->workspace_bytes, stream);
}

/* Elements between the first and the last of an operand. */
static size_t extent(int64_t rows, int64_t cols, int64_t ld, int64_t batch, int64_t stride)
{
    return (size_t)((batch - 1) * stride + (rows - 1) * ld + cols);
}

/* Memory to time a product on. */
struct trial {
    void *a, *b, *c, *vector;
};

static int trial_open(struct trial *t, const struct product *x, cudaStream_t stream)
{
    const struct vt_lt_plan *p = &x->plan;
    struct {
        void **memory;
        size_t bytes;
    } needs[] = {
        {&t->a, size_of(p->type_ab) * extent(p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k,
                                             p->lda, p->batch, p->stride_a)},
        {&t->b, size_of(p->type_ab) * extent(p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n,
                                             p->ldb, p->batch, p->stride_b)},
        {&t->c, size_of(p->type_c) * extent(p->m, p->n, p->ldc, p->batch, p->stride_c)},
        {&t->vector, size_of(p->type_c) * (size_t)(p->n > p->m ? p->n : p->m)},
    };
    int code = 0;
    for (size_t i = 0; i < sizeof needs / sizeof *needs && !code; i++) {
        code = (int)cudaMalloc(needs[i].memory, needs[i].bytes);
        code = code ? code : (int)cudaMemsetAsync(*needs[i].memory, 0, needs[i].bytes, stream);
    }
    return code;
}

static void trial_close(struct trial *t)
{
    void *memory[] = {t->a, t->b, t->c, t->vector};
    for (int i = 0; i < 4; i++)
        if (memory[i])
            cudaFree(memory[i]);
    cudaGetLastError();
}

/* An execution of a product by one of its candidates. */
struct candidate {
    const struct vt_lt *lt;
    const struct product *x;
    const struct trial *t;
    const cublasLtMatmulAlgo_t *algo;
};

static int try_once(const void *ctx, cudaStream_t stream)
{
    const struct candidate *c = ctx;
    return execute(c->lt, c->x, c->algo, c->t->a, c->t->b, c->t->c, c->t->c, stream);
}

/* The fastest candidate; the first where none can be timed. */
static int fastest(const struct vt_lt *lt, struct product *x,
                   const cublasLtMatmulHeuristicResult_t *found, int n, cudaStream_t stream)
{
    struct trial t = {0};
    int best = 0;
    float least = -1;
    if (!trial_open(&t, x, stream)) {
        point_at(x, t.vector);
        for (int i = 0; i < n; i++) {
            struct candidate c = {lt, x, &t, &found[i].algo};
            float ms = timing_of(try_once, &c, stream);
            if (ms >= 0 && (least < 0 || ms < least)) {
                least = ms;
                best = i;
            }
        }
    }
    trial_close(&t);
    return best;
}

/* ---- the interface --------------------------------------------------------------------------- */

struct vt_lt *vt_lt_new(void)
{
    return mem_zalloc(1, sizeof(struct vt_lt));
}

static size_t workspace_bytes(void)
{
    int device = 0, major = 0;
    int known = !cudaGetDevice(&device) &&
                !cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    return known && major < 9 ? WORKSPACE : WORKSPACE_90;
}

static int open_library(struct vt_lt *lt, struct error *err)
{
    char name[64];
    void *memory;
    if (lt->workspace)
        return 0;
    int code = lt->handle ? 0 : (int)cublasLtCreate(&lt->handle);
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
    snprintf(name, sizeof name, "cublaslt-%zu", cublasLtGetVersion());
    lt->path = choices_path(name);
    return 0;
}

void vt_lt_free(struct vt_lt *lt)
{
    for (size_t i = 0; i < lt->n_products; i++)
        product_free(lt->products[i]);
    if (lt->workspace)
        cudaFree(lt->workspace);
    if (lt->handle)
        cublasLtDestroy(lt->handle);
    free(lt->products);
    free(lt->path);
    free(lt);
}

static int same_layout(const struct vt_lt_plan *p, const struct vt_lt_plan *q)
{
    return p->lda == q->lda && p->ldb == q->ldb && p->ldc == q->ldc && p->batch == q->batch &&
           p->stride_a == q->stride_a && p->stride_b == q->stride_b && p->stride_c == q->stride_c &&
           p->shift_a == q->shift_a && p->shift_b == q->shift_b && p->shift_c == q->shift_c;
}

static int same(const struct vt_lt_plan *p, const struct vt_lt_plan *q)
{
    return p->m == q->m && p->n == q->n && p->k == q->k && p->trans_a == q->trans_a &&
           p->trans_b == q->trans_b && same_layout(p, q) && p->has_bias == q->has_bias &&
           p->has_residual == q->has_residual && p->has_sums == q->has_sums && p->scale == q->scale && /* the same literal */
           p->type_ab == q->type_ab && p->type_c == q->type_c && p->math == q->math;
}

static struct product *find(const struct vt_lt *lt, const struct vt_lt_plan *p)
{
    for (size_t i = 0; i < lt->n_products; i++)
        if (same(&lt->products[i]->plan, p))
            return lt->products[i];
    return NULL;
}

/* The algorithm for x by the file of choices, by measurement, or by the library's reckoning where
 * there is no such file; -1 if the library has none. */
static int choose_for(const struct vt_lt *lt, struct product *x, const char *key,
                      cudaStream_t stream)
{
    cublasLtMatmulHeuristicResult_t found[CANDIDATES];
    char text[ALGO_TEXT];
    if (!choices_find(lt->path, key, text, sizeof text))
        return parse_algo(text, &x->algo);
    int n = candidates(lt, x, found);
    if (n < 1)
        return -1;
    if (lt->path && n > 1) {
        print_algo(text, &found[fastest(lt, x, found, n, stream)].algo);
        if (!choices_keep(lt->path, key, text, sizeof text))
            return parse_algo(text, &x->algo);
    }
    x->algo = found[0].algo;
    return 0;
}

static int choose(const struct vt_lt *lt, struct product *x, cudaStream_t stream)
{
    struct strbuf key = STRBUF_INIT;
    describe(&x->plan, &key);
    int rc = choose_for(lt, x, key.text, stream);
    strbuf_release(&key);
    return rc;
}

int vt_lt_prepare(struct vt_lt *lt, const struct vt_lt_plan *p, cudaStream_t stream,
                  struct error *err)
{
    ASSERT(!p->has_sums || (p->batch == 1 && !p->has_bias && p->type_c == VT_F32 &&
                             p->epilogue == VT_PLAIN));
    if (p->epilogue != VT_PLAIN) {
        struct vt_lt_plan plain = vt_lt_plain(p);
        return vt_lt_prepare(lt, &plain, stream, err);
    }
    if (find(lt, p))
        return 0;
    if (open_library(lt, err))
        return -1;
    struct product *x = mem_zalloc(1, sizeof *x);
    x->plan = *p;
    int code = description(x);
    if (code || choose(lt, x, stream)) {
        product_free(x);
        return error_env(err, "cuBLASLt has no product (%lld,%lld) x (%lld,%lld) of this kind: %s",
                         (long long)p->m, (long long)p->k, (long long)p->k, (long long)p->n,
                         code ? cublasLtGetStatusString((cublasStatus_t)code) : "not supported");
    }
    lt->products = mem_grow(lt->products, lt->n_products, &lt->cap_products, sizeof *lt->products);
    lt->products[lt->n_products++] = x;
    return 0;
}

/* vector: the bias or the place of sums. */
static int multiply(struct vt_lt *lt, const struct vt_lt_plan *p, const void *a, const void *b,
                    const void *vector, const void *residual, void *c, cudaStream_t stream)
{
    struct product *x = find(lt, p);
    if (!x)
        BUG("a product was not prepared");
    if (point_at(x, vector))
        return cudaErrorInvalidValue;
    return execute(lt, x, &x->algo, a, b, residual, c, stream) ? cudaErrorUnknown : 0;
}

int vt_lt_matmul(struct vt_lt *lt, const struct vt_lt_plan *p, const void *a, const void *b,
                 const void *bias, const void *residual, void *c, cudaStream_t stream)
{
    ASSERT(!p->has_sums);
    return multiply(lt, p, a, b, bias, residual, c, stream);
}

int vt_lt_matmul_sums(struct vt_lt *lt, const struct vt_lt_plan *p, const void *a, const void *b,
                      const void *residual, void *c, float *sums, cudaStream_t stream)
{
    ASSERT(p->has_sums);
    return multiply(lt, p, a, b, sums, residual, c, stream);
}
