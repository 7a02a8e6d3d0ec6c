/* Products are cuBLASLt's or our own kernel's (kernels/gemm.h).
 *
 * cuBLASLt offers several algorithms for a product. Each is timed once on this kind of device, and
 * the own kernel with them; the fastest is kept in a file of choices. Without a place for that file
 * the library's own first choice is taken, which is the same every time. What the library refuses
 * is the own kernel's, and all with VITTM_CUDA_PRODUCTS=own. GELU, which the library has not
 * exactly, is a second launch behind its product, or part of the own kernel: timed and kept
 * likewise. The library is opened for the first product: many programs of a test have none. */
#include "backend/cuda/products.h"

#include "backend/cuda/choices.h"
#include "backend/cuda/cublaslt.h"
#include "backend/cuda/own_product.h"
#include "backend/cuda/timing.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A product that can be executed. With an epilogue that is not own, in_turn is its product. */
struct product {
    struct vt_product plan;
    int own, measured; /* measured: or found in the file of choices */
    struct lt_product *described;
    struct lt_algorithm algorithm;
    const struct product *in_turn;
};

struct vt_products {
    struct lt_library *library; /* NULL before the first product */
    struct product **products;
    size_t n_products, cap_products;
    char *path; /* of the file of choices, or NULL */
};

size_t vt_type_size(enum vt_type t)
{
    return t == VT_BF16 ? 2 : 4;
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* A product with an epilogue without it, into c or into pre where that is kept. */
static struct vt_product plain_of(const struct vt_product *p)
{
    struct vt_product plain = *p;
    plain.epilogue = VT_PLAIN;
    plain.type_pre = VT_F32;
    if (p->epilogue == VT_GELU_KEEP)
        plain.type_c = p->type_pre;
    return plain;
}

static int same_layout(const struct vt_product *p, const struct vt_product *q)
{
    return p->lda == q->lda && p->ldb == q->ldb && p->ldc == q->ldc && p->batch == q->batch &&
           p->stride_a == q->stride_a && p->stride_b == q->stride_b && p->stride_c == q->stride_c &&
           p->shift_a == q->shift_a && p->shift_b == q->shift_b && p->shift_c == q->shift_c;
}

static int same(const struct vt_product *p, const struct vt_product *q)
{
    return p->m == q->m && p->n == q->n && p->k == q->k && p->trans_a == q->trans_a &&
           p->trans_b == q->trans_b && same_layout(p, q) && p->has_bias == q->has_bias &&
           p->has_residual == q->has_residual && p->has_sums == q->has_sums &&
           p->scale == q->scale && /* the same literal */
           p->type_ab == q->type_ab && p->type_c == q->type_c && p->math == q->math &&
           p->epilogue == q->epilogue && p->type_pre == q->type_pre;
}

static struct product *find(const struct vt_products *all, const struct vt_product *p)
{
    for (size_t i = 0; i < all->n_products; i++)
        if (same(&all->products[i]->plan, p))
            return all->products[i];
    return NULL;
}

/* Every fact of a plan: the key of its line. */
static void describe(const struct vt_product *p, struct strbuf *key)
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
    if (p->epilogue != VT_PLAIN)
        strbuf_addf(key, " gelu %d %d", (int)p->epilogue, (int)p->type_pre);
}

/* ---- execution ------------------------------------------------------------------------------- */

static int execute(const struct vt_products *all, const struct product *x,
                   const struct vt_operands *o, cudaStream_t stream);

/* The product, then GELU where it stands. */
static int in_turn(const struct vt_products *all, const struct product *x,
                   const struct vt_operands *o, cudaStream_t stream)
{
    const struct vt_product *p = &x->plan;
    struct vt_operands first = *o;
    unsigned of_c = p->type_c == VT_BF16, of_pre = p->type_pre == VT_BF16;
    int64_t count = p->batch * p->m * p->n;
    if (p->epilogue == VT_GELU_KEEP)
        first.c = o->pre;
    int code = execute(all, x->in_turn, &first, stream);
    if (code)
        return code;
    if (p->epilogue == VT_GELU_SLOPE)
        return vt_gelu_grad(o->c, o->pre, o->c, count, of_c | of_pre << 1 | of_c << 2, stream);
    return vt_gelu(o->c, first.c, count, of_c | (x->in_turn->plan.type_c == VT_BF16) << 1, stream);
}

static int execute(const struct vt_products *all, const struct product *x,
                   const struct vt_operands *o, cudaStream_t stream)
{
    if (x->own)
        return own_product_execute(&x->plan, o, stream);
    if (x->in_turn)
        return in_turn(all, x, o, stream);
    return lt_execute(all->library, x->described, &x->algorithm, o, stream) ? cudaErrorUnknown : 0;
}

/* ---- trials ---------------------------------------------------------------------------------- */

/* Elements between the first and the last of an operand. */
static size_t extent(int64_t rows, int64_t cols, int64_t ld, int64_t batch, int64_t stride)
{
    return (size_t)((batch - 1) * stride + (rows - 1) * ld + cols);
}

static int trial_open(struct vt_operands *o, const struct vt_product *p, cudaStream_t stream)
{
    size_t ab = vt_type_size(p->type_ab), of_c = extent(p->m, p->n, p->ldc, p->batch, p->stride_c);
    void *a = NULL, *b = NULL, *vector = NULL;
    struct {
        void **memory;
        size_t bytes;
    } needs[] = {
        {&a, ab * extent(p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k, p->lda, p->batch,
                         p->stride_a)},
        {&b, ab * extent(p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n, p->ldb, p->batch,
                         p->stride_b)},
        {&o->c, vt_type_size(p->type_c) * of_c},
        {&o->pre, p->epilogue == VT_PLAIN ? 0 : vt_type_size(p->type_pre) * of_c},
        {&vector, sizeof(float) * (size_t)(p->n > p->m ? p->n : p->m)},
    };
    int code = 0;
    for (size_t i = 0; i < sizeof needs / sizeof *needs && !code; i++) {
        if (!needs[i].bytes)
            continue;
        code = (int)cudaMalloc(needs[i].memory, needs[i].bytes);
        code = code ? code : (int)cudaMemsetAsync(*needs[i].memory, 0, needs[i].bytes, stream);
    }
    o->a = a;
    o->b = b;
    o->bias = o->sums = vector;
    o->residual = o->c;
    return code;
}

static void trial_close(struct vt_operands *o)
{
    void *memory[] = {(void *)(uintptr_t)o->a, (void *)(uintptr_t)o->b, o->c, o->pre, o->sums};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i])
            cudaFree(memory[i]);
    cudaGetLastError();
}

/* One way to execute a product. */
struct candidate {
    const struct vt_products *all;
    struct product x;
    const struct vt_operands *o;
};

static int try_once(const void *ctx, cudaStream_t stream)
{
    const struct candidate *c = ctx;
    return execute(c->all, &c->x, c->o, stream);
}

/* The fastest of n ways to execute a product, and the own kernel, which is number n; the first
 * where none can be timed. algorithms: of the ways, or NULL for one as x is. */
static int fastest(const struct vt_products *all, const struct product *x,
                   const struct lt_algorithm *algorithms, int n, cudaStream_t stream)
{
    struct vt_operands o = {0};
    int best = 0;
    float least = -1;
    int code = trial_open(&o, &x->plan, stream);
    for (int i = 0; i <= n && !code; i++) {
        struct candidate c = {all, *x, &o};
        c.x.own = i == n;
        if (i < n && algorithms)
            c.x.algorithm = algorithms[i];
        float ms = timing_of(try_once, &c, stream);
        if (ms >= 0 && (least < 0 || ms < least)) {
            least = ms;
            best = i;
        }
    }
    trial_close(&o);
    return best;
}

/* ---- choices --------------------------------------------------------------------------------- */

static const char own_name[] = "own", in_turn_name[] = "in turn";

/* Takes a line of the file of choices; -1 where it is none. */
static int take(struct product *x, const char *text)
{
    x->measured = 1;
    x->own = !strcmp(text, own_name);
    if (x->own)
        return 0;
    if (x->in_turn)
        return strcmp(text, in_turn_name) ? -1 : 0;
    return x->described ? lt_parse(text, &x->algorithm) : -1;
}

/* Of a plain product: by the file of choices, by measurement, or by the library's reckoning where
 * there is no such file. -1: there is no way. Sums are refused where the library refuses them,
 * since product and sum in turn are what to do then. */
static int choose_algorithm(const struct vt_products *all, struct product *x, const char *key,
                            cudaStream_t stream)
{
    struct lt_algorithm found[LT_CANDIDATES];
    char text[LT_TEXT];
    x->described = lt_product_new(&x->plan);
    if (!choices_find(all->path, key, text, sizeof text))
        return take(x, text);
    int n = x->described ? lt_candidates(all->library, x->described, found) : 0;
    x->own = n < 1;
    if (x->own)
        return x->plan.has_sums || !own_product_fits(&x->plan) ? -1 : 0;
    x->algorithm = found[0];
    if (!all->path || n == 1)
        return 0;
    int best = fastest(all, x, found, n, stream);
    if (best < n)
        lt_print(text, &found[best]);
    else
        snprintf(text, sizeof text, "%s", own_name);
    return choices_keep(all->path, key, text, sizeof text) ? 0 : take(x, text);
}

/* Of a product with GELU behind it: the own kernel where that has the product anyway. */
static int choose_launches(const struct vt_products *all, struct product *x, const char *key,
                           cudaStream_t stream)
{
    char text[LT_TEXT];
    x->own = x->in_turn->own;
    if (x->own || !x->in_turn->measured)
        return 0;
    if (!choices_find(all->path, key, text, sizeof text))
        return take(x, text);
    snprintf(text, sizeof text, "%s", fastest(all, x, NULL, 1, stream) ? own_name : in_turn_name);
    return choices_keep(all->path, key, text, sizeof text) ? 0 : take(x, text);
}

static int choose(const struct vt_products *all, struct product *x, cudaStream_t stream)
{
    struct strbuf key = STRBUF_INIT;
    describe(&x->plan, &key);
    int rc = x->in_turn ? choose_launches(all, x, key.text, stream)
                        : choose_algorithm(all, x, key.text, stream);
    strbuf_release(&key);
    return rc;
}

/* ---- the interface --------------------------------------------------------------------------- */

struct vt_products *vt_products_new(void)
{
    return mem_zalloc(1, sizeof(struct vt_products));
}

static void product_free(struct product *x)
{
    lt_product_free(x->described);
    free(x);
}

void vt_products_free(struct vt_products *all)
{
    for (size_t i = 0; i < all->n_products; i++)
        product_free(all->products[i]);
    lt_close(all->library);
    free(all->products);
    free(all->path);
    free(all);
}

static int open_library(struct vt_products *all, struct error *err)
{
    char name[64];
    if (all->library)
        return 0;
    if (lt_open(&all->library, err)) {
        lt_close(all->library);
        all->library = NULL;
        return -1;
    }
    snprintf(name, sizeof name, "cublaslt-%zu", lt_version());
    all->path = choices_path(name);
    return 0;
}

static int refuse(const struct vt_product *p, struct error *err)
{
    return error_env(err, "no product (%lld,%lld) x (%lld,%lld) of this kind", (long long)p->m,
                     (long long)p->k, (long long)p->k, (long long)p->n);
}

int vt_product_prepare(struct vt_products *all, const struct vt_product *p, cudaStream_t stream,
                       struct error *err)
{
    ASSERT(!p->has_sums ||
           (p->batch == 1 && !p->has_bias && p->type_c == VT_F32 && p->epilogue == VT_PLAIN));
    if (find(all, p))
        return 0;
    int own = own_product_decided(err);
    if (own < 0 || (!own && open_library(all, err)))
        return -1;
    struct product *x = mem_zalloc(1, sizeof *x);
    x->plan = *p;
    x->own = own;
    if (!own && p->epilogue != VT_PLAIN) {
        struct vt_product plain = plain_of(p);
        if (vt_product_prepare(all, &plain, stream, err)) {
            free(x);
            return -1;
        }
        x->in_turn = find(all, &plain);
    }
    if (own ? !own_product_fits(p) : choose(all, x, stream)) {
        product_free(x);
        return refuse(p, err);
    }
    all->products =
        mem_grow(all->products, all->n_products, &all->cap_products, sizeof *all->products);
    all->products[all->n_products++] = x;
    return 0;
}

int vt_product_execute(struct vt_products *all, const struct vt_product *p,
                       const struct vt_operands *o, cudaStream_t stream)
{
    const struct product *x = find(all, p);
    if (!x)
        BUG("a product was not prepared");
    return execute(all, x, o, stream);
}
