/* Every op as a plain loop, the way tensor/ops/ops.h defines it: in double the truth, in float the
 * error that a kernel is compared with. Included once a type, with
 *
 *   REF_REAL       float or double
 *   REF(name)      the name with the type in it
 *   REF_ROUND(x)   an operand of a product: x, or x rounded where that is what is tested
 *
 * Without them: in double. The loops are in reference/, by subject. */
#include "tests/backend/reference/attention.h"
#include "tests/backend/reference/elementwise.h"
#include "tests/backend/reference/losses.h"
#include "tests/backend/reference/matching.h"
#include "tests/backend/reference/normalize.h"
#include "tests/backend/reference/products.h"
#include "tests/backend/reference/reductions.h"
#include "tests/backend/reference/structure.h"
#include "tests/backend/reference/training.h"

struct REF(row) {
    const char *name;
    void (*run)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out);
};

static const struct REF(row) REF(rows)[] = {
    {"reshape", REF(reshape)},
    {"scatter_rows", REF(scatter_rows)},
    {"scatter_max", REF(scatter_max)},
    {"gather_rows", REF(gather_rows)},
    {"above", REF(above)},
    {"tome_match", REF(tome_match)},
    {"mctf_match", REF(mctf_match)},
    {"slice", REF(slice)},
    {"pad", REF(pad)},
    {"concat", REF(concat)},
    {"repeat", REF(repeat)},
    {"swap", REF(swap)},
    {"patchify", REF(patchify)},
    {"unpatchify", REF(unpatchify)},
    {"levels", REF(levels)},
    {"patch_levels", REF(patch_levels)},
    {"mix", REF(mix)},
    {"patch_mix", REF(patch_mix)},
    {"resample", REF(resample)},
    {"unfold", REF(unfold)},
    {"fold", REF(fold)},
    {"linear_attention_grad", REF(linear_attention_grad)},
    {"affine", REF(affine)},
    {"sum", REF(sum)},
    {"max", REF(max)},
    {"spread", REF(spread)},
    {"linear", REF(linear)},
    {"linear_add", REF(linear_add)},
    {"linear_gelu", REF(linear_gelu)},
    {"matmul_gelu_grad", REF(matmul_gelu_grad)},
    {"linear_weight_grad", REF(linear_weight_grad)},
    {"matmul", REF(matmul)},
    {"depthwise", REF(depthwise)},
    {"scale_shift", REF(scale_shift)},
    {"depthwise_grad", REF(depthwise_grad)},
    {"softmax", REF(softmax)},
    {"softmax_grad", REF(softmax_grad)},
    {"layer_norm", REF(layer_norm)},
    {"add_layer_norm", REF(add_layer_norm)},
    {"layer_norm_grad", REF(layer_norm_grad)},
    {"attention", REF(attention)},
    {"attention_grad", REF(attention_grad)},
    {"linear_attention", REF(linear_attention)},
    {"cross_entropy", REF(cross_entropy)},
    {"cross_entropy_grad", REF(cross_entropy_grad)},
    {"label_cross_entropy", REF(label_cross_entropy)},
    {"label_cross_entropy_grad", REF(label_cross_entropy_grad)},
    {"bce", REF(bce)},
    {"bce_grad", REF(bce_grad)},
    {"drop_path", REF(drop_path)},
    {"norm_square", REF(norm_square)},
    {"adamw", REF(adamw)},
    {"sgd", REF(sgd)},
    {"accumulate", REF(accumulate)},
    {"running_mean", REF(running_mean)},
    {"exp", REF(exp)},
    {"log", REF(log)},
    {"sqrt", REF(sqrt)},
    {"erf", REF(erf)},
    {"sigmoid", REF(sigmoid)},
    {"phi", REF(phi)},
    {"gelu", REF(gelu)},
    {"relu", REF(relu)},
    {"relu_grad", REF(relu_grad)},
    {"phi_grad", REF(phi_grad)},
    {"gelu_grad", REF(gelu_grad)},
    {"add", REF(add)},
    {"sub", REF(sub)},
    {"mul", REF(mul)},
    {"div", REF(div)},
};

static void REF(reference)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    for (size_t i = 0; i < sizeof REF(rows) / sizeof *REF(rows); i++)
        if (!strcmp(REF(rows)[i].name, n->op->name))
            REF(rows)[i].run(n, in, out);
}

#undef REF_SHARED
