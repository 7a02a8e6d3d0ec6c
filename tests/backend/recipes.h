/* What every op is tried on: how a case is drawn, in recipes/ by subject, and the table of all. */
#ifndef TESTS_BACKEND_RECIPES_H
#define TESTS_BACKEND_RECIPES_H

#include "tests/backend/recipes/elementwise.h"
#include "tests/backend/recipes/fused.h"
#include "tests/backend/recipes/losses.h"
#include "tests/backend/recipes/matching.h"
#include "tests/backend/recipes/products.h"
#include "tests/backend/recipes/structure.h"
#include "tests/backend/recipes/training.h"

/* One line an op at least; test_complete checks it. */
static const struct recipe recipes[] = {
    {"slice", build_slice, NULL},
    {"pad", build_pad, NULL},
    {"concat", build_concat, NULL},
    {"repeat", build_repeat, NULL},
    {"swap", build_swap, NULL},
    {"patchify", build_patchify, NULL},
    {"unpatchify", build_unpatchify, NULL},
    {"levels", build_levels, NULL},
    {"patch_levels", build_patch_levels, NULL},
    {"mix", build_mix, for_mix},
    {"patch_mix", build_patch_mix, for_mix},
    {"patch_mix", build_patch_mix_levels, for_mix},
    {"resample", build_resample, NULL},
    {"resample", build_pool, NULL},
    {"unfold", build_unfold, NULL},
    {"fold", build_fold, NULL},
    {"scatter_rows", build_scatter, NULL},
    {"scatter_max", build_scatter_max, NULL},
    {"gather_rows", build_gather, NULL},
    {"above", build_above, NULL},
    {"add", build_add, NULL},
    {"sub", build_sub, NULL},
    {"mul", build_mul, NULL},
    {"div", build_div, divisor},
    {"affine", build_affine, NULL},
    {"exp", build_exp, wide},
    {"log", build_log, positive},
    {"sqrt", build_sqrt, positive},
    {"erf", build_erf, wide},
    {"sigmoid", build_sigmoid, wide},
    {"phi", build_phi, wide},
    {"phi_grad", build_phi_grad, wide},
    {"relu", build_relu, wide},
    {"relu_grad", build_relu_grad, wide},
    {"gelu", build_gelu, wide},
    {"gelu_grad", build_gelu_grad, wide},
    {"sum", build_sum, NULL},
    {"max", build_max, NULL},
    {"spread", build_spread, NULL},
    {"linear", build_linear, NULL},
    {"linear_add", build_linear_add, NULL},
    {"linear_gelu", build_linear_gelu, NULL},
    {"matmul_gelu_grad", build_matmul_gelu_grad, NULL},
    {"linear_weight_grad", build_linear_weight_grad, NULL},
    {"linear_weight_grad", build_linear_weight_grad_more, NULL},
    {"matmul", build_matmul_flat, NULL},
    {"matmul", build_matmul_more, NULL},
    {"matmul", build_matmul_stack, NULL},
    {"depthwise", build_depthwise, NULL},
    {"scale_shift", build_scale_shift, NULL},
    {"depthwise_grad", build_depthwise_grad, NULL},
    {"softmax", build_softmax, wide},
    {"softmax_grad", build_softmax_grad, shares},
    {"layer_norm", build_layer_norm, NULL},
    {"add_layer_norm", build_add_layer_norm, NULL},
    {"layer_norm_grad", build_layer_norm_grad, NULL},
    {"layer_norm_grad", build_layer_norm_grad_more, NULL},
    {"attention", build_attention, NULL},
    {"attention_grad", build_attention_grad, NULL},
    {"linear_attention", build_linear_attention, NULL},
    {"linear_attention", build_linear_attention, around_three},
    {"linear_attention_grad", build_linear_attention_grad, NULL},
    {"cross_entropy", build_cross_entropy, wide},
    {"cross_entropy_grad", build_cross_entropy_grad, wide},
    {"label_cross_entropy", build_label_cross_entropy, wide},
    {"label_cross_entropy_grad", build_label_cross_entropy_grad, wide},
    {"bce", build_bce, wide},
    {"bce_grad", build_bce_grad, wide},
    {"tome_match", build_tome_match, NULL},
    {"tome_match", build_tome_match, alike},
    {"mctf_match", build_mctf_match, for_mctf},
    {"mctf_match", build_mctf_match, alike},
    {"drop_path", build_drop_path, NULL},
    {"norm_square", build_norm_square, NULL},
    {"adamw", build_adamw, for_adamw},
    {"sgd", build_sgd, for_sgd},
    {"sgd", build_sgd, for_nesterov},
    {"accumulate", build_accumulate, for_flat},
    {"accumulate", build_accumulate, for_flat_anew},
    {"running_mean", build_running_mean, for_flat},
};

enum { N_RECIPES = sizeof recipes / sizeof *recipes };

/* What a recipe draws depends on its op and on how many of that op stand before it: another op's
 * row redraws nothing. */
static uint64_t recipe_stream(const struct recipe *recipe)
{
    uint64_t n = 0;
    for (const struct recipe *r = recipes; r < recipe; r++)
        n += !strcmp(r->op, recipe->op);
    return n;
}

#endif
