/* The op table: one row holds every fact about an op.
 *
 * Letters: B batch, N tokens, M query tokens, C channels, H heads, D = C/H, K classes. A
 * "head-major" matrix stack is (B,H,rows,cols); a "token-major" one is (B,rows,H*cols), where head
 * h owns columns [h*cols, (h+1)*cols): heads are an attribute, never a permute. */
#ifndef TENSOR_OPS_OP_H
#define TENSOR_OPS_OP_H

#include "tensor/graph/graph.h"

enum op_flags {
    OP_ALIAS = 1, /* output 0 shares the memory of input 0 (reshape): no kernel runs */
    OP_INPLACE =
        2, /* output 0 may overwrite an input of the same size that dies here: the kernel reads
            * each input element before it writes the output element at the same index */
    OP_EFFECT =
        4, /* changes a state tensor in place (input 0 and on, as the op says): never pruned */
    OP_FUSED = 8,          /* has an expansion; a backend may lack it */
    OP_CONSTANT_GRAD = 16, /* autograd takes the result for a constant */
    OP_BACKWARD = 32,      /* made by gradient rules only; has no gradient itself */
    OP_OPTIONAL = 64 /* OP_FUSED for devices that gain by it: the processor does not, and has no
                      * kernel; plans of null are like its */
};

/* Counts for one application. macs is exact: every multiply-add of every contraction (matrix
 * products, attention, convolution), nothing else. macs_fvcore is what fvcore.FlopCountAnalysis
 * prints for the authors' code: products inside fused attention are 0, layer norm is 5 an element,
 * pooling 1 an input element, an einsum half of numpy's path cost rounded to four digits. */
struct op_cost {
    int64_t macs;
    int64_t macs_fvcore;
    int64_t other_flops; /* element-wise work, one an operation; exp and erf count 1 */
    int64_t bytes_read, bytes_written; /* at 4 bytes a value */
};

/* Autograd's view of one node while its gradient rule runs. */
struct grad {
    struct graph *g;
    const struct node *node;
    struct tensor *const *dout; /* gradient of output i, or NULL where nothing needs it */
    struct tensor **din;        /* the rule sets the gradient of input i, where wanted(i) */
    const int *wanted;
};

struct op {
    const char *name;
    const char *doc;
    unsigned flags;
    unsigned overwrites; /* OP_INPLACE: bit k: input k is one of those; 0: every input is */
    size_t attr_size;
    int min_in, max_in, n_out;
    int min_out; /* results that are always made: those behind are not, from the last one back,
                  * where nobody reads them (pass_narrow). 0: all are */
    /* Fills shape[0..n_out-1] and type[] (preset to TENSOR_VALUE); a refusal describes inputs by
     * name and shape. */
    int (*shape)(const struct node *n, struct shape *shape, enum tensor_type *type,
                 struct error *err);
    void (*grad)(struct grad *gr); /* NULL with OP_CONSTANT_GRAD or OP_EFFECT */
    void (*expand)(struct graph *g, const struct node *n, struct tensor *const *in,
                   struct tensor **out); /* OP_FUSED: builds out[] from in[] in g */
    /* Whether the node can take one input more, with as many elements as output 0, which is added
     * to it: autograd hands over the sum so far of a gradient. NULL: none can. */
    int (*adds)(const struct node *n);
    const struct op *gradient; /* the fused gradient op, which a backend must have
                                * too, or this op is expanded; NULL if none */
    void (*cost)(const struct node *n, struct op_cost *c); /* c is preset to bytes in and out */
};

/* Whether output 0 may lie on input k. */
static inline int op_overwrites(const struct op *op, int k)
{
    return (op->flags & OP_INPLACE) && (!op->overwrites || op->overwrites >> k & 1);
}

/* All ops, in ops.def order; NULL past the last. op_find returns NULL for an unknown name. */
const struct op *op_at(int i);
const struct op *op_find(const char *name);
int op_count(void);
int op_index(const struct op *op);

/* op_linear_row: the row; op_linear(): the function. */
#define OP(name) extern const struct op op_##name##_row;
#include "tensor/ops/ops.def"
#undef OP

/* Cost of a node through its op's row. */
void op_cost(const struct node *n, struct op_cost *c);

/* For shape rules: "input 1 'blocks.0.mlp.fc1.weight' (64, 32)". */
const char *op_describe(const struct node *n, int input, char *text, size_t size);
int op_refuse(const struct node *n, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
