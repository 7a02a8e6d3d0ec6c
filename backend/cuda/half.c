/* What the kernels store in bf16 where products are in that precision: a rule for each line of
 * kernels.def that names one (struct half_rule). Results of products are, and what is computed from
 * them element by element; sums of what is learned or what is kept from layer to layer are not:
 * residual streams, statistics, losses, gradients of parameters. */
#include "backend/cuda/cuda.h"

static unsigned inputs_up_to(int n)
{
    return n < 32 ? (1u << n) - 1 : ~0u;
}

void cuda_no_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    (void)r;
}

/* Values are moved, not changed. */
void cuda_moves_halves(const struct node *n, struct half_rule *r)
{
    for (int i = 0; i < n->n_in && i < 32; i++)
        if (n->in[i]->type == TENSOR_VALUE)
            r->reads |= 1u << i;
    r->follows = r->reads;
}

/* Element by element, of one tensor. */
void cuda_maps_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    r->reads = r->follows = r->quiet = 1;
}

/* The gradient of such a function: (x, dy). */
void cuda_slopes_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    r->reads = 3;
    r->follows = r->quiet = 1;
}

/* Operands are widened, the result is not rounded. */
void cuda_reads_halves(const struct node *n, struct half_rule *r)
{
    r->reads = inputs_up_to(n->n_in);
}

/* A sum of gradients does not mind rounded ones; a mean that a model computes is exact. */
void cuda_sums_halves(const struct node *n, struct half_rule *r)
{
    r->reads = 1;
    r->accepts = n->backward ? 1 : 0;
}

void cuda_norms_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    r->reads = r->quiet = r->doubles = 1;
}

/* Of a stream that is kept in full and what is added to it; the sum is result 0. */
void cuda_add_norms_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    r->reads = r->quiet = r->doubles = 2;
}

/* (dy, x, ...) */
void cuda_norm_grads_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    r->reads = 3;
    r->doubles = 1;
}

static void needs(struct half_rule *r, unsigned inputs)
{
    r->reads |= inputs;
    r->accepts |= inputs;
    r->needs |= inputs;
}

/* The library adds a bias of the result's type. */
void cuda_linear_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    needs(r, 3);
    r->as_result = 4;
    r->writes = 1;
}

/* The bias is of the type of what GELU is taken of, which is the last result, stored or not. */
void cuda_linear_gelu_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    needs(r, 3);
    r->as_result = 4;
    r->writes = 3;
}

/* What GELU was taken of is input 2. */
void cuda_matmul_gelu_grad_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    needs(r, 3);
    r->reads |= 4;
    r->writes = 1;
}

/* The residual, input 0, and the result are a stream that is kept in full. */
void cuda_linear_add_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    needs(r, 6);
}

/* A sum of gradients, input 2, and the results are in full. */
void cuda_linear_weight_grad_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    needs(r, 3);
}

/* With a sum of gradients, input 2, that and the result are in full. */
void cuda_matmul_halves(const struct node *n, struct half_rule *r)
{
    needs(r, 3);
    r->writes = n->n_in == 2;
}

/* Operands of an embedding. */
void cuda_patches_halves(const struct node *n, struct half_rule *r)
{
    (void)n;
    r->quiet = 1;
}

static int n_packed(const struct node *n)
{
    return ((const struct attention_attr *)n->attr)->packed ? 1 : 3;
}

void cuda_attention_halves(const struct node *n, struct half_rule *r)
{
    needs(r, inputs_up_to(n_packed(n)));
    r->writes = 1;
}

/* out and dout, around lse, come last. */
void cuda_attention_grad_halves(const struct node *n, struct half_rule *r)
{
    needs(r, inputs_up_to(n_packed(n)) | 1u << (n->n_in - 3) | 1u << (n->n_in - 1));
    r->writes = inputs_up_to(n_packed(n));
}

/* Heads too wide for tensor cores are computed in single precision from what is read. */
static int on_tensor_cores(const struct node *n)
{
    struct attention_size s = op_linear_attention_size(n);
    return vt_linear_fits(s.dim, s.value_dim);
}

void cuda_linear_attention_halves(const struct node *n, struct half_rule *r)
{
    r->reads = 7;
    r->writes = 1;
    if (on_tensor_cores(n))
        needs(r, 7);
}

/* (q, k, v, kv, ksum, out, dout) */
void cuda_linear_attention_grad_halves(const struct node *n, struct half_rule *r)
{
    r->reads = 7 | 3 << 5;
    r->writes = 7;
    if (on_tensor_cores(n))
        needs(r, 7 | 1 << 6);
}
