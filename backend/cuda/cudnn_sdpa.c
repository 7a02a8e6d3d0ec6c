/* Attention as cuDNN graphs. Letters: B batch, H heads, M queries, N keys, D and E channels of a
 * head of q and k, and of v. */
#include "backend/cuda/cudnn_sdpa.h"

#include "backend/cuda/sdpa.h"
#include "base/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- graphs ---------------------------------------------------------------------------------- */

static const struct dnn_tensor nothing = {NULL, 0};

/* (B, H, rows, cols) in a token-major matrix; transposed: (B, H, cols, rows). */
static struct dnn_shape tokens(const struct vt_attention_size *a, int64_t rows, int64_t cols,
                               int64_t ld, int transposed)
{
    if (transposed)
        return (struct dnn_shape){{a->batch, a->heads, cols, rows}, {rows * ld, cols, 1, ld}};
    return (struct dnn_shape){{a->batch, a->heads, rows, cols}, {rows * ld, cols, ld, 1}};
}

/* (B, H, M, N) */
static struct dnn_shape scores(const struct vt_attention_size *a)
{
    int64_t m = a->queries, n = a->keys;
    return (struct dnn_shape){{a->batch, a->heads, m, n}, {a->heads * m * n, m * n, n, 1}};
}

static struct dnn_shape scores_turned(const struct vt_attention_size *a)
{
    int64_t m = a->queries, n = a->keys;
    return (struct dnn_shape){{a->batch, a->heads, n, m}, {a->heads * m * n, m * n, 1, n}};
}

/* (B, H, M, 1) */
static struct dnn_shape rows(const struct vt_attention_size *a)
{
    int64_t m = a->queries;
    return (struct dnn_shape){{a->batch, a->heads, m, 1}, {a->heads * m, m, 1, 1}};
}

static struct dnn_tensor number(struct dnn_graph *g)
{
    struct dnn_shape one = {{1, 1, 1, 1}, {1, 1, 1, 1}};
    return dnn_tensor(g, CUDNN_DATA_FLOAT, DNN_VALUE, one);
}

static struct dnn_tensor between(struct dnn_graph *g, cudnnDataType_t type, struct dnn_shape shape)
{
    return dnn_tensor(g, type, DNN_VIRTUAL, shape);
}

static struct dnn_tensor operand(struct dnn_graph *g, int64_t *uid, cudnnDataType_t type,
                                 struct dnn_shape shape)
{
    struct dnn_tensor t = dnn_tensor(g, type, DNN_MEMORY, shape);
    *uid = t.uid;
    return t;
}

#define BF16 CUDNN_DATA_BFLOAT16
#define F32  CUDNN_DATA_FLOAT

void sdpa_forward_graph(struct dnn_graph *g, struct sdpa_uids *u, const struct vt_attention_size *a)
{
    struct dnn_shape square = scores(a), row = rows(a);
    struct dnn_tensor q = operand(g, &u->q, BF16, tokens(a, a->queries, a->dim, a->ldq, 0));
    struct dnn_tensor kt = operand(g, &u->k, BF16, tokens(a, a->keys, a->dim, a->ldk, 1));
    struct dnn_tensor v = operand(g, &u->v, BF16, tokens(a, a->keys, a->value_dim, a->ldv, 0));
    struct dnn_tensor out =
        operand(g, &u->out, BF16, tokens(a, a->queries, a->value_dim, a->ldo, 0));
    struct dnn_tensor lse = operand(g, &u->lse, F32, row), scale = number(g);
    struct dnn_tensor product = between(g, F32, square), score = between(g, F32, square);
    struct dnn_tensor top = between(g, F32, row), shifted = between(g, F32, square);
    struct dnn_tensor e = between(g, F32, square), sum = between(g, F32, row);
    struct dnn_tensor log = between(g, F32, row), p = between(g, BF16, square);
    u->scale = scale.uid;
    dnn_matmul(g, q, kt, product);
    dnn_pointwise(g, CUDNN_POINTWISE_MUL, product, scale, score);
    dnn_reduce(g, CUDNN_REDUCE_TENSOR_MAX, score, top);
    dnn_pointwise(g, CUDNN_POINTWISE_SUB, score, top, shifted);
    dnn_pointwise(g, CUDNN_POINTWISE_EXP, shifted, nothing, e);
    dnn_reduce(g, CUDNN_REDUCE_TENSOR_ADD, e, sum);
    dnn_pointwise(g, CUDNN_POINTWISE_LOG, sum, nothing, log);
    dnn_pointwise(g, CUDNN_POINTWISE_ADD, top, log, lse);
    dnn_pointwise(g, CUDNN_POINTWISE_DIV, e, sum, p);
    dnn_matmul(g, p, v, out);
}

void sdpa_backward_graph(struct dnn_graph *g, struct sdpa_uids *u,
                         const struct vt_attention_size *a)
{
    struct dnn_shape square = scores(a), turned = scores_turned(a), row = rows(a);
    struct dnn_shape of_q = tokens(a, a->queries, a->dim, a->ldq, 0);
    struct dnn_shape of_k = tokens(a, a->keys, a->dim, a->ldk, 0);
    struct dnn_shape of_v = tokens(a, a->keys, a->value_dim, a->ldv, 0);
    struct dnn_shape of_out = tokens(a, a->queries, a->value_dim, a->ldo, 0);
    struct dnn_tensor q = operand(g, &u->q, BF16, of_q);
    struct dnn_tensor kt = operand(g, &u->k, BF16, tokens(a, a->keys, a->dim, a->ldk, 1));
    struct dnn_tensor vt = operand(g, &u->v, BF16, tokens(a, a->keys, a->value_dim, a->ldv, 1));
    struct dnn_tensor out = operand(g, &u->out, BF16, of_out);
    struct dnn_tensor dout = operand(g, &u->dout, BF16, of_out);
    struct dnn_tensor lse = operand(g, &u->lse, F32, row),
                      sums = operand(g, &u->row_sums, F32, row);
    struct dnn_tensor dq = operand(g, &u->dq, BF16, of_q), dk = operand(g, &u->dk, BF16, of_k);
    struct dnn_tensor dv = operand(g, &u->dv, BF16, of_v), scale = number(g), one = number(g);
    u->scale = scale.uid;
    u->one = one.uid;

    struct dnn_tensor both = between(g, F32, of_out), sum = between(g, F32, row);
    dnn_pointwise(g, CUDNN_POINTWISE_MUL, dout, out, both);
    dnn_reduce(g, CUDNN_REDUCE_TENSOR_ADD, both, sum);
    dnn_pointwise(g, CUDNN_POINTWISE_MUL, sum, one, sums);

    struct dnn_tensor product = between(g, F32, square), score = between(g, F32, square);
    struct dnn_tensor shifted = between(g, F32, square), p = between(g, F32, square);
    struct dnn_tensor p_turned = between(g, BF16, turned);
    dnn_matmul(g, q, kt, product);
    dnn_pointwise(g, CUDNN_POINTWISE_MUL, product, scale, score);
    dnn_pointwise(g, CUDNN_POINTWISE_SUB, score, lse, shifted);
    dnn_pointwise(g, CUDNN_POINTWISE_EXP, shifted, nothing, p);
    dnn_reshape(g, p, p_turned);
    dnn_matmul(g, p_turned, dout, dv);

    struct dnn_tensor dp = between(g, F32, square), less = between(g, F32, square);
    struct dnn_tensor dscore = between(g, F32, square), ds = between(g, BF16, square);
    struct dnn_tensor ds_turned = between(g, BF16, turned), k = between(g, BF16, of_k);
    dnn_matmul(g, dout, vt, dp);
    dnn_pointwise(g, CUDNN_POINTWISE_SUB, dp, sums, less);
    dnn_pointwise(g, CUDNN_POINTWISE_MUL, less, p, dscore);
    dnn_pointwise(g, CUDNN_POINTWISE_MUL, dscore, scale, ds);
    dnn_reshape(g, ds, ds_turned);
    dnn_matmul(g, ds_turned, q, dk);
    dnn_reshape(g, kt, k);
    dnn_matmul(g, ds, k, dq);
}

/* ---- plans ----------------------------------------------------------------------------------- */

struct entry {
    struct vt_attention_size a;
    enum vt_sdpa_pass pass;
    struct dnn_plan plan; /* plan.plan NULL: cuDNN refused, why says it */
    struct sdpa_uids uids;
    struct error why;
};

struct vt_sdpa {
    struct dnn_library lib;
    cudnnHandle_t handle; /* NULL before the first shape */
    struct entry **entries;
    size_t n, cap;
};

struct vt_sdpa *vt_sdpa_new(void)
{
    return mem_zalloc(1, sizeof(struct vt_sdpa));
}

void vt_sdpa_free(struct vt_sdpa *s)
{
    for (size_t i = 0; i < s->n; i++) {
        dnn_plan_release(&s->entries[i]->plan);
        free(s->entries[i]);
    }
    free(s->entries);
    if (s->handle)
        s->lib.cudnnDestroy(s->handle);
    free(s);
}

static int open_library(struct vt_sdpa *s, struct error *err)
{
    if (s->handle)
        return 0;
    if (dnn_library_open(&s->lib, err))
        return -1;
    cudnnStatus_t status = s->lib.cudnnCreate(&s->handle);
    if (!status)
        return 0;
    s->handle = NULL;
    return error_env(err, "cuDNN: %s", s->lib.cudnnGetErrorString(status));
}

enum { /* versions, as cudnnGetVersion gives them */
       BROKEN_FROM = 91000,
       BROKEN_TO = 91001,
       MASKS_TO = 91500,
       TILE = 128
};

/* What releases of cuDNN compute wrongly, by the source of NVIDIA's own front end (cudnn-frontend
 * 1.23): attention in 9.10.0 and 9.10.1; backward in 9.15 and before, where the last tile of keys
 * is not full and no mask says so. */
static int trusted(const struct vt_sdpa *s, const struct vt_attention_size *a,
                   enum vt_sdpa_pass pass, struct error *err)
{
    size_t version = s->lib.cudnnGetVersion();
    if (version >= BROKEN_FROM && version <= BROKEN_TO)
        return error_env(err, "cuDNN %zu computes attention wrongly", version);
    if (pass == VT_SDPA_BACKWARD && version <= MASKS_TO && a->keys % TILE)
        return error_env(err,
                         "cuDNN %zu computes gradients of %lld keys wrongly: of multiples of "
                         "%d alone rightly",
                         version, (long long)a->keys, TILE);
    return 0;
}

/* Compared as memory up to the last field, before which there is no padding. */
static int same(const struct vt_attention_size *a, const struct vt_attention_size *b)
{
    return !memcmp(a, b, offsetof(struct vt_attention_size, scale)) && a->scale == b->scale;
}

static struct entry *find(const struct vt_sdpa *s, const struct vt_attention_size *a,
                          enum vt_sdpa_pass pass)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->entries[i]->pass == pass && same(&s->entries[i]->a, a))
            return s->entries[i];
    return NULL;
}

static struct entry *build(struct vt_sdpa *s, const struct vt_attention_size *a,
                           enum vt_sdpa_pass pass)
{
    struct dnn_graph g = {.lib = &s->lib};
    struct entry *e = mem_zalloc(1, sizeof *e);
    e->a = *a;
    e->pass = pass;
    if (pass == VT_SDPA_FORWARD)
        sdpa_forward_graph(&g, &e->uids, a);
    else
        sdpa_backward_graph(&g, &e->uids, a);
    dnn_plan_build(&e->plan, &g, s->handle, &e->why);
    dnn_graph_release(&g);
    s->entries = mem_grow(s->entries, s->n, &s->cap, sizeof *s->entries);
    return s->entries[s->n++] = e;
}

/* Bytes behind the plan's own workspace: the row sums of backward. */
static size_t sums_bytes(const struct entry *e)
{
    size_t count = (size_t)(e->a.batch * e->a.heads * e->a.queries);
    return e->pass == VT_SDPA_BACKWARD ? sizeof(float) * count : 0;
}

static size_t sums_offset(const struct entry *e)
{
    return ((size_t)e->plan.workspace_bytes + 255) / 256 * 256;
}

int vt_sdpa_prepare(struct vt_sdpa *s, const struct vt_attention_size *a, enum vt_sdpa_pass pass,
                    size_t *workspace_bytes, struct error *err)
{
    struct entry *e = find(s, a, pass);
    if (!e && (open_library(s, err) || trusted(s, a, pass, err)))
        return -1;
    e = e ? e : build(s, a, pass);
    if (!e->plan.plan) {
        *err = e->why;
        return -1;
    }
    *workspace_bytes = sums_offset(e) + sums_bytes(e);
    return 0;
}

/* An address and what it is of. */
struct binding {
    int64_t uid;
    const void *address;
};

enum { BINDINGS = 12 };

static int execute(struct vt_sdpa *s, const struct entry *e, const struct binding *list, int n,
                   void *workspace, cudaStream_t stream)
{
    int64_t uids[BINDINGS];
    void *addresses[BINDINGS];
    for (int i = 0; i < n; i++) {
        uids[i] = list[i].uid;
        memcpy(&addresses[i], &list[i].address, sizeof addresses[i]); /* cuDNN has no const */
    }
    if (s->lib.cudnnSetStream(s->handle, stream) ||
        dnn_plan_execute(&e->plan, s->handle, n, uids, addresses, workspace))
        return cudaErrorUnknown;
    return 0;
}

static const struct entry *prepared(const struct vt_sdpa *s, const struct vt_attention_size *a,
                                    enum vt_sdpa_pass pass)
{
    const struct entry *e = find(s, a, pass);
    if (!e || !e->plan.plan)
        BUG("a shape of attention was not prepared");
    return e;
}

int vt_sdpa_forward(struct vt_sdpa *s, const struct vt_attention_size *a, void *out, float *lse,
                    const void *q, const void *k, const void *v, void *workspace,
                    cudaStream_t stream)
{
    const struct entry *e = prepared(s, a, VT_SDPA_FORWARD);
    const struct sdpa_uids *u = &e->uids;
    struct binding list[] = {{u->q, q},     {u->k, k},     {u->v, v},
                             {u->out, out}, {u->lse, lse}, {u->scale, &e->a.scale}};
    return execute(s, e, list, sizeof list / sizeof *list, workspace, stream);
}

int vt_sdpa_backward(struct vt_sdpa *s, const struct vt_attention_size *a, void *dq, void *dk,
                     void *dv, const void *q, const void *k, const void *v, const void *out,
                     const float *lse, const void *dout, void *workspace, cudaStream_t stream)
{
    static const float one = 1;
    const struct entry *e = prepared(s, a, VT_SDPA_BACKWARD);
    const struct sdpa_uids *u = &e->uids;
    char *sums = (char *)workspace + sums_offset(e);
    struct binding list[] = {{u->q, q},      {u->k, k},       {u->v, v},
                             {u->out, out},  {u->lse, lse},   {u->scale, &e->a.scale},
                             {u->one, &one}, {u->dout, dout}, {u->row_sums, sums},
                             {u->dq, dq},    {u->dk, dk},     {u->dv, dv}};
    return execute(s, e, list, sizeof list / sizeof *list, workspace, stream);
}
