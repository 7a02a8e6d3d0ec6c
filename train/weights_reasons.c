/* The rules that explain why a file lacks a parameter, or a model a tensor. */
#include "train/weights_import_internal.h"

#include "train/weights_fit.h"

#include <string.h>

const char *import_bare_name(const char *name)
{
    static const char *const scopes[] = {"encoder", "backbone"};
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (name_is_in(name, scopes[i]) && name[strlen(scopes[i])])
            return name + strlen(scopes[i]) + 1;
    return name;
}

static int model_has(const struct import *m, const char *module)
{
    for (int i = 0; i < m->w->n; i++)
        if (name_is_in(import_bare_name(m->w->tensors[i]->name), module))
            return 1;
    return 0;
}

int import_file_has(const struct import *m, const char *module)
{
    for (int i = 0; i < m->names.n; i++)
        if (name_is_in(import_bare_name(m->names.all[i].name), module))
            return 1;
    return 0;
}

static int is_decoder(const char *name)
{
    return name_is_in(name, "memory_decoder") || name_is_in(name, "process_decoder") ||
           name_is_in(name, "mask_token");
}

const char *import_why_missing(const struct import *m, const struct tensor *t)
{
    const char *name = import_bare_name(t->name);
    if (t->unused)
        return "nothing reads it";
    if (m->backbone && name_is_in(name, "decoder"))
        return "a classifier has no decoder";
    if (m->from_vit && !name_is_vit(name))
        return "a ViT has none";
    if (name_is_in(name, "fc_norm") && import_file_has(m, "norm") && !import_file_has(m, "fc_norm"))
        return "the file normalises before pooling, this model after";
    if (name_is_in(name, "norm") && import_file_has(m, "fc_norm") && !import_file_has(m, "norm"))
        return "the file normalises after pooling, this model before";
    if (weights_is_head(name) && !import_file_has(m, "head") && !import_file_has(m, "process_head"))
        return "the file has no classifier";
    if (import_file_has(m, "mask_token") && !model_has(m, "mask_token") &&
        (name_is_in(name, "fc_norm") || name_is_in(name, "fc_norm_process")))
        return "a masked autoencoder has none";
    if (is_decoder(name) && !import_file_has(m, "mask_token"))
        return "only a masked autoencoder has one";
    return NULL;
}

const char *import_why_ignored(const struct import *m, const char *name)
{
    static const char *const optional[][2] = {
        {"cls_token", "this model has no class token"},
        {"dist_token", "DeiT's distillation token, which this model does not have"},
        {"head_dist", "DeiT's distillation classifier, which this model does not have"},
        {"n_averaged", "a counter of weight averaging"}};
    name = import_bare_name(name);
    if (m->backbone &&
        (weights_is_head(name) || name_is_in(name, "norm") || name_is_in(name, "fc_norm") ||
         name_is_in(name, "process_norm") || name_is_in(name, "fc_norm_process")))
        return "of the classifier, which segmentation leaves out";
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (name_is_in(name, optional[i][0]) && !model_has(m, optional[i][0]))
            return optional[i][1];
    if (name_is_in(name, "norm") && !model_has(m, "norm") && model_has(m, "fc_norm"))
        return "the final norm of a model that pools after it; this one has fc_norm";
    if (name_is_in(name, "fc_norm") && !model_has(m, "fc_norm") && model_has(m, "norm"))
        return "the norm of a model that pools before it; this one has norm";
    if (model_has(m, "mask_token") &&
        (weights_is_head(name) || name_is_in(name, "norm") || name_is_in(name, "fc_norm") ||
         name_is_in(name, "fc_norm_process")))
        return "a masked autoencoder has no classifier";
    if (is_decoder(name) && !model_has(m, "mask_token"))
        return "the decoder of a masked autoencoder";
    return NULL;
}
