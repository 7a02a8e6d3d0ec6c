/* Compile: a graph becomes a plan, an ordered list of kernel calls with an address for every
 * tensor. The plan owns the compiled graph.
 *
 * Passes, in order: check, lower (expand what the backend lacks), fuse (join what it has one kernel
 * for), autograd, lower, fuse, prune, narrow (leave out results that nobody reads), store (in full
 * or in bf16), place.
 *
 * Two blocks of memory, sized here:
 *
 *   static   parameters and moments (flat, in one order), inputs, constants, results
 *   arena    gradients at its start (flat, in that order, each from when it is made on), all
 *            else by liveness; in place where a source dies */
#ifndef TENSOR_COMPILE_PLAN_H
#define TENSOR_COMPILE_PLAN_H

#include "tensor/graph/graph.h"
#include "tensor/ops/op.h"

#define PLAN_ALIGN 16 /* values; every tensor starts at a multiple of 16 values */

/* How the kernel of a node can keep values in bf16, two bytes each; bit i is input or result i.
 * What it computes between is single precision in any case. */
struct half_rule {
    unsigned writes;  /* results that it may store so, whoever reads them: those of products */
    unsigned quiet;   /* results that it may store so where each reader rounds them anyway */
    unsigned follows; /* result 0 may be stored so where all of these inputs are */
    unsigned reads;   /* inputs that it can read so */
    unsigned accepts; /* of these, whose rounding changes nothing that counts: operands of products
                       * and gradients that are summed */
    unsigned needs;   /* of these, that it cannot read otherwise: a copy is made where they are
                       * stored in full */
    unsigned doubles; /* results stored in full of which it can write the copy too */
    unsigned as_result; /* inputs that it can read only as its last result is stored */
};

/* Whether bit k of such a mask, or of one of struct step, is set. What stands behind the 32nd has
 * none. */
static inline int plan_bit(unsigned mask, int k)
{
    return k < 32 && (mask >> k & 1);
}

/* What compile needs to know of a backend. */
struct capability {
    int (*has)(const void *ctx, const struct op *op);
    size_t (*scratch)(const void *ctx,
                      const struct node *n); /* bytes the kernel needs while it runs */
    size_t value_size;                       /* 4 or 8 */
    /* Fills the rule of a node, which is preset to zeros; NULL: every value is stored in full. */
    void (*halves)(const struct node *n, struct half_rule *r);
    const void *ctx;
};

struct plan_options {
    const char *loss; /* output to differentiate; NULL: forward only */
    /* Append the gradient norm and this update, op_adamw_row or another with inputs like its (needs
     * loss): makes the input "train/hyper", the output "train/norm_square" and the states "train/m"
     * and, where it has two, "train/v". NULL: none. */
    const struct op *optimizer;
    int accumulate;   /* > 1: micro-batches an update. The loss is divided by it, and the update
                       * reads the sum of the gradients, the state "train/sum" */
    int running_mean; /* the state "train/mean" follows the trained parameters (HYPER_SHARE) */
    /* Parameters that get no gradient, those that weight decay leaves alone; NULL: none. */
    int (*frozen)(const struct tensor *param);
    int (*undecayed)(const struct tensor *param);
    int keep_gradients; /* name each parameter's gradient as an output "grad/NAME" */
    int no_reuse;       /* every tensor gets its own place (tests: an oracle for the planner) */
    int half_ends;      /* inputs and results too are stored in bf16 where kernels can (tests) */
};

enum plan_block { PLAN_NONE, PLAN_STATIC, PLAN_ARENA };

struct placement {
    enum plan_block block;
    size_t offset;              /* bytes into the block */
    int half;                   /* values are bf16 */
    enum plan_block copy_block; /* of a copy in bf16 beside values in full */
    size_t copy_offset;
};

struct step {
    const struct node *node;
    size_t scratch_offset; /* into the arena */
    size_t scratch_bytes;
    unsigned half_in, half_out; /* bit i: in[i], or its copy, and out[i] are bf16 */
    unsigned rounds;            /* bit i: in[i] is copied before the step, for it and later ones */
    unsigned doubles;           /* bit i: the step writes out[i] and its copy */
    unsigned unread;            /* bit i: out[i] is no result, and no step reads it */
};

/* Owned by the caller of plan_compile; freed by plan_free with its graph. */
struct plan {
    struct graph *graph;      /* the compiled graph */
    struct placement *places; /* [graph->n_tensors] */
    struct step *steps;
    int n_steps;
    size_t static_bytes, arena_bytes;
    size_t value_size;
    int stores_half; /* the backend may store values in bf16 */

    struct tensor **params; /* learned parameters in flat order, those with a gradient first, and of
                             * these the decayed ones */
    struct tensor **grads;  /* [n_trained] their gradients */
    int n_params, n_trained;
    int64_t param_count;   /* values in all registered parameters, unused ones included */
    int64_t flat_count;    /* length of the flat gradients and moments: the trained parameters, each
                            * padded to PLAN_ALIGN values; padding is zero and stays zero */
    int64_t decayed_count; /* of flat_count, how many come before the undecayed */
    size_t params_offset, grads_offset; /* flat: into the static block, into the arena */
    /* The copy in bf16 of all parameters, in the static block: values as the parameters' segment
     * has them, padding included. 0 values where there is none. Whoever writes a parameter keeps
     * it up to date. */
    size_t copy_offset;
    int64_t copy_count;
};

/* Compiles g, which the plan takes over (also on failure). */
struct plan *plan_compile(struct graph *g, const struct plan_options *options,
                          const struct capability *backend, struct error *err);
void plan_free(struct plan *p);

/* Aborts if two tensors that live at the same time overlap, or a kernel reads what another wrote
 * since. */
int plan_verify(const struct plan *p, struct error *err);

/* Bytes that t takes: of its values, and of its copy in bf16. */
size_t plan_bytes(const struct plan *p, const struct tensor *t);
size_t plan_copy_bytes(const struct tensor *t);

/* The tensor whose memory t shows. */
struct tensor *plan_memory_of(struct tensor *t);

/* Sum of op costs over the nodes of a graph (before lowering: what the model asks for). */
void graph_cost(const struct graph *g, struct op_cost *total);

#endif
