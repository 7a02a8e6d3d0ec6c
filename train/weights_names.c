#include "train/weights_names.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int is_prefix(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/* What wrappers put into names. */
static const char *const wrappers[] = {"module.", "_orig_mod."};

static size_t wrapper_length(const char *s)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (is_prefix(s, wrappers[i]))
            return strlen(wrappers[i]);
    return 0;
}

static const char *plain_name(struct arena *a, const char *name)
{
    char *plain = arena_alloc(a, strlen(name) + 1), *end = plain;
    for (const char *s = name; *s;) {
        int starts_part = s == name || s[-1] == '.';
        size_t skip = starts_part ? wrapper_length(s) : 0;
        if (skip)
            s += skip;
        else
            *end++ = *s++;
    }
    *end = 0;
    while (is_prefix(plain, "model."))
        plain += strlen("model.");
    return plain;
}

int named_tensors_init(struct named_tensors *l, const struct safetensors *file, struct arena *a,
                       struct error *err)
{
    *l = (struct named_tensors){.all = ARENA_ARRAY(a, struct named_tensor, file->n_tensors + 1)};
    for (size_t i = 0; i < file->n_tensors; i++) {
        const struct safetensors_tensor *t = &file->tensors[i];
        if (is_prefix(t->name, "train/") || is_prefix(t->name, "best/"))
            continue;
        const char *name = plain_name(a, t->name);
        const struct named_tensor *other = named_tensors_find(l, name);
        if (other)
            return error_env(err,
                             "%s: %s and %s are both %s without their prefixes (two models in one "
                             "file? Keep one of them)",
                             file->path, other->tensor->name, t->name, name);
        l->all[l->n++] = (struct named_tensor){.name = name, .tensor = t};
    }
    return 0;
}

struct named_tensor *named_tensors_find(const struct named_tensors *l, const char *name)
{
    for (int i = 0; name && i < l->n; i++)
        if (!strcmp(l->all[i].name, name))
            return &l->all[i];
    return NULL;
}

int name_is_in(const char *name, const char *module)
{
    size_t n = strlen(module);
    return !strncmp(name, module, n) && (name[n] == '.' || !name[n]);
}

/* timm's VisionTransformer, with DeiT's distillation. */
static const char *const vit_modules[] = {"patch_embed", "cls_token", "pos_embed",
                                          "blocks",      "norm",      "fc_norm",
                                          "head",        "head_dist", "dist_token"};

int name_is_vit(const char *name)
{
    for (size_t i = 0; i < sizeof vit_modules / sizeof *vit_modules; i++)
        if (name_is_in(name, vit_modules[i]))
            return 1;
    return 0;
}

int named_tensors_are_vit(const struct named_tensors *l)
{
    int patches = 0, blocks = 0;
    for (int i = 0; i < l->n; i++) {
        const char *name = l->all[i].name;
        patches |= name_is_in(name, "patch_embed");
        blocks |= name_is_in(name, "blocks");
        if (!name_is_vit(name) && strcmp(name, "n_averaged") != 0)
            return 0;
    }
    return patches && blocks;
}

/* ---- files of torch.save --------------------------------------------------------------------- */

static int has_pickle_ending(const char *path)
{
    static const char *const endings[] = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".tar"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i]))
            return 1;
    return 0;
}

/* A zip archive (torch since 1.6), or a pickle of protocol 2 or later. A safetensors file has its
 * header's { where these have not. */
static int has_pickle_bytes(const char *path)
{
    unsigned char b[9] = {0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t n = fread(b, 1, sizeof b, f);
    fclose(f);
    if (n < sizeof b || b[8] == '{')
        return 0;
    return !memcmp(b, "PK\3\4", 4) || (b[0] == 0x80 && b[1] >= 2 && b[1] <= 5);
}

int weights_refuse_pickle(const char *path, struct error *err)
{
    if (!has_pickle_ending(path) && !has_pickle_bytes(path))
        return 0;
    return error_set(err,
                     "%s: a file of torch.save is a program that loading would run, so it is not "
                     "read: convert it where you trust it: python3 -c 'import sys, torch; from "
                     "safetensors.torch import save_file; d = torch.load(sys.argv[1], "
                     "weights_only=True); d = d.get(\"state_dict\", d.get(\"model\", d)); "
                     "save_file({k: v.clone().contiguous() for k, v in d.items()}, sys.argv[2])' "
                     "FILE.pth FILE.safetensors",
                     path);
}
