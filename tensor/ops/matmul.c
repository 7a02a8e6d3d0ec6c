/* matmul: stacks of matrix products, heads as an attribute. */
#include "tensor/ops/rule.h"

struct tensor *op_matmul(struct graph *g, struct tensor *a, struct tensor *b,
                         struct matmul_attr attr)
{
    return apply2(g, &op_matmul_row, a, b, &attr);
}

struct matrix {
    int64_t batch, heads, rows, cols;
};

/* The stack that a tensor stands for; batch 0 where it stands for none. */
static struct matrix as_stack(struct shape s, int heads)
{
    const int64_t *d = s.dim;
    if (s.rank == 2 && heads == 1)
        return (struct matrix){1, 1, d[0], d[1]};
    if (s.rank == 3 && d[2] % heads == 0)
        return (struct matrix){d[0], heads, d[1], d[2] / heads};
    if (s.rank == 4 && d[1] == heads)
        return (struct matrix){d[0], heads, d[2], d[3]};
    return (struct matrix){0};
}

static struct matrix transposed(struct matrix x, int yes)
{
    return yes ? (struct matrix){x.batch, x.heads, x.cols, x.rows} : x;
}

static int matmul_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    const struct matmul_attr *t = n->attr;
    char left[200], right[200];
    struct matrix a = transposed(as_stack(n->in[0]->shape, t->heads), t->trans_a);
    struct matrix b = transposed(as_stack(n->in[1]->shape, t->heads), t->trans_b);
    int flat = n->in[0]->shape.rank == 2;
    if (!a.batch || !b.batch || a.batch != b.batch || a.cols != b.rows ||
        flat != (n->in[1]->shape.rank == 2) || flat != (t->out_rank == 2))
        return op_refuse(n, err, "%s%s and %s%s cannot be multiplied with %d heads",
                         op_describe(n, 0, left, sizeof left), t->trans_a ? " transposed" : "",
                         op_describe(n, 1, right, sizeof right), t->trans_b ? " transposed" : "",
                         t->heads);
    if (n->n_in == 3 && shape_count(n->in[2]->shape) != a.rows * b.cols)
        return op_refuse(n, err, "%s is not as large as the product",
                         op_describe(n, 2, left, sizeof left));
    if (t->out_rank == 2)
        shape[0] = SHAPE(a.rows, b.cols);
    else if (t->out_rank == 3)
        shape[0] = SHAPE(a.batch, a.rows, t->heads * b.cols);
    else
        shape[0] = SHAPE(a.batch, t->heads, a.rows, b.cols);
    return 0;
}

struct matmul_size op_matmul_size(const struct node *n)
{
    const struct matmul_attr *t = n->attr;
    struct matrix a = transposed(as_stack(n->in[0]->shape, t->heads), t->trans_a);
    struct matrix b = transposed(as_stack(n->in[1]->shape, t->heads), t->trans_b);
    return (struct matmul_size){a.batch, a.rows, b.cols, a.cols};
}

static void matmul_grad(struct grad *gr)
{
    const struct matmul_attr *t = gr->node->attr;
    struct tensor *a = gr->node->in[0], *b = gr->node->in[1], *dc = gr->dout[0];
    int ra = a->shape.rank, rb = b->shape.rank;
    struct matmul_attr r = *t;
    if (gr->wanted[0]) {
        r.out_rank = ra;
        if (t->trans_a) { /* a^T: da = b' dc^T */
            r.trans_a = t->trans_b;
            r.trans_b = 1;
            gr->din[0] = op_matmul(gr->g, b, dc, r);
        } else { /* da = dc b'^T */
            r.trans_a = 0;
            r.trans_b = !t->trans_b;
            gr->din[0] = op_matmul(gr->g, dc, b, r);
        }
    }
    if (gr->wanted[1]) {
        r.out_rank = rb;
        if (t->trans_b) { /* db = dc^T a' */
            r.trans_a = 1;
            r.trans_b = t->trans_a;
            gr->din[1] = op_matmul(gr->g, dc, a, r);
        } else { /* db = a'^T dc */
            r.trans_a = !t->trans_a;
            r.trans_b = 0;
            gr->din[1] = op_matmul(gr->g, a, dc, r);
        }
    }
}

static void matmul_cost(const struct node *n, struct op_cost *c)
{
    const struct matmul_attr *t = n->attr;
    struct matmul_size s = op_matmul_size(n);
    c->macs = s.batch * t->heads * s.m * s.n * s.k;
    c->macs_fvcore = c->macs;
}

/* One product alone. */
static int matmul_adds(const struct node *n)
{
    const struct matmul_attr *t = n->attr;
    return n->n_in == 2 && t->out_rank == 2 && t->scale >= 1 && t->scale <= 1;
}

const struct op op_matmul_row = {
    .name = "matmul",
    .doc = "matrix products, one for each batch element and head",
    .flags = OP_INPLACE,
    .overwrites = 1 << 2,
    .attr_size = sizeof(struct matmul_attr),
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .shape = matmul_shape,
    .grad = matmul_grad,
    .adds = matmul_adds,
    .cost = matmul_cost,
};
