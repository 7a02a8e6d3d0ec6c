/* From a golden file's JSON to our configuration. */
#include "base/strbuf.h"
#include "cli/schema.h"
#include "cli/selftest/golden.h"

#include <stdio.h>
#include <string.h>

/* Keys that some families read and other files repeat as facts that follow from the rest: assigned
 * where the model reads them, after everything else. */
static const char *const derived[] = {
    "memory_tokens",    "process_tokens", "process_patch",  "process_grid",
    "latent_dim",       "dyna_heads",     "dyna_concat",    "dyna_reduced_dim",
    "class_token",      "pool",           "fuse",           "qkv",
    "norm_before_pool", "attn_norm_eps",  "mlp_norm_eps",   "qkv_bias",
    "input_resize",     "logits",         "final_norm_eps",
};

/* Facts about segmentation models that have no keys: upstream's code, and what it always does. */
static const char *const segment_facts[] = {"task",          "source", "rw_eps",       "upsample",
                                            "decoder_input", "pad",    "ignore_index", "slide"};

/* Keys under another name than ours. */
static const char *const renamed[][2] = {
    {"model.train.r_student", "model.reduce.r"},
    {"model.train.r_teacher", "model.reduce.teacher_r"},
    {"model.train.task_weight", "model.reduce.task_weight"},
    {"model.train.confidence_threshold", "model.reduce.confidence_threshold"},
};

static int is_derived(const char *key)
{
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++)
        if (!strcmp(key, derived[i]))
            return 1;
    return 0;
}

static const char *our_name(const char *name)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (!strcmp(name, renamed[i][0]))
            return renamed[i][1];
    return name;
}

static void value_text(struct strbuf *s, const json_t *v);

/* Lists of lists are written flat. */
static void list_text(struct strbuf *s, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (i)
            strbuf_adds(s, ", ");
        if (json_is_array(json_array_get(v, i)))
            list_text(s, json_array_get(v, i));
        else
            value_text(s, json_array_get(v, i));
    }
}

static void value_text(struct strbuf *s, const json_t *v)
{
    if (json_is_string(v))
        strbuf_adds(s, json_string_value(v));
    else if (json_is_boolean(v))
        strbuf_adds(s, json_is_true(v) ? "true" : "false");
    else if (json_is_integer(v))
        strbuf_addf(s, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        strbuf_addf(s, "%.17g", json_real_value(v));
    if (json_is_array(v)) {
        strbuf_addc(s, '[');
        list_text(s, v);
        strbuf_addc(s, ']');
    }
}

/* A list where our key is a single number is one value a branch: CrossViT's model.dim is our
 * model.branch_dim. The input has the first branch's size. */
static int assign_branches(struct config *c, const char *key, const json_t *v, const char *path,
                           struct error *err)
{
    struct config_origin origin = {path, 0, 0};
    struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
    strbuf_addf(&name, "model.branch_%s", key);
    value_text(&text, v);
    int rc = config_set(c, name.text, text.text, origin, err);
    if (!rc && !strcmp(key, "image_size")) {
        strbuf_clear(&text);
        value_text(&text, json_array_get(v, 0));
        rc = config_set(c, "model.image_size", text.text, origin, err);
    }
    strbuf_release(&name);
    strbuf_release(&text);
    return rc;
}

static int is_branch_list(const struct config *c, const char *name, const json_t *v)
{
    const struct config_key *k = config_find(c, name);
    return json_is_array(v) && k && (k->type == CONFIG_INT || k->type == CONFIG_FLOAT);
}

int golden_assign(struct config *c, const char *prefix, json_t *object, int want_derived,
                  const char *path, struct error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach(object, key, v)
    {
        struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
        int rc = 0;
        strbuf_addf(&name, "%s.%s", prefix, key);
        const char *ours = our_name(name.text);
        if (json_is_object(v)) {
            rc = golden_assign(c, name.text, v, want_derived, path, err);
        } else if (is_branch_list(c, ours, v)) {
            rc = want_derived ? 0 : assign_branches(c, key, v, path, err);
        } else if (is_derived(key) == want_derived &&
                   (!want_derived || config_is_active(c, ours))) {
            value_text(&text, v);
            rc = config_set(c, ours, text.text, (struct config_origin){path, 0, 0}, err);
        }
        strbuf_release(&name);
        strbuf_release(&text);
        if (rc)
            return -1;
    }
    return 0;
}

/* Every assigned key must matter. */
static int all_read(const struct config *c, struct error *err)
{
    struct config_item item;
    for (int i = 0; config_item(c, i, &item); i++)
        if (item.assigned && !item.active)
            return error_set(err, "nothing reads %s", item.key->name);
    return 0;
}

json_t *golden_json(const struct safetensors *s)
{
    const char *text = safetensors_metadata(s, "config");
    json_error_t je;
    return text ? json_loads(text, JSON_REJECT_DUPLICATES, &je) : NULL;
}

/* A training step of two passes describes itself under "train". */
static int assign_training(struct config *c, json_t *object, const char *path, struct error *err)
{
    if (!json_object_get(object, "train"))
        return 0;
    return config_set(c, "model.reduce.consistency", "true", (struct config_origin){path, 0, 0},
                      err);
}

static int set_text(struct config *c, const char *key, const char *text, const char *path,
                    struct error *err)
{
    return config_set(c, key, text, (struct config_origin){path, 0, 0}, err);
}

/* What the file's backbone was built for: a table of another size, and a classifier. */
static int assign_backbone(struct config *c, const struct safetensors *s, json_t *image,
                           json_t *table, const char *scope, struct error *err)
{
    char name[64], text[32];
    snprintf(name, sizeof name, "param/%s.head.weight", scope);
    const struct safetensors_tensor *head = safetensors_find(s, name);
    snprintf(text, sizeof text, "%lld", head ? (long long)head->dim[0] : 0);
    if (set_text(c, "model.backbone_classes", text, s->path, err))
        return -1;
    if (json_equal(image, table))
        return 0;
    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(json_array_get(table, 0)));
    return set_text(c, "model.table_image_size", text, s->path, err);
}

/* Segmentation files have a family "segmenter" over "backbone" and "decoder". Ours is the
 * backbone's family, trained for segmentation, so the backbone's keys move up. */
static int assign_segmenter(struct config *c, const struct safetensors *s, json_t *object,
                            struct error *err)
{
    json_t *backbone = json_object_get(object, "backbone"), *image, *patch, *value;
    const char *family = json_string_value(json_object_get(object, "family")), *key;
    if (!family || strcmp(family, "segmenter") != 0)
        return 0;
    if (!backbone)
        return error_set(err, "%s: a segmenter without a backbone", s->path);
    int is_vit = !strcmp(json_string_value(json_object_get(backbone, "family")), "vit");
    image = json_object_get(object, "image_size");
    int rc = set_text(c, "train.objective", "segment", s->path, err) ||
             assign_backbone(c, s, image, json_object_get(backbone, "image_size"),
                             is_vit ? "encoder" : "backbone", err);
    patch = json_object_get(backbone, "patch");
    json_object_set(object, is_vit ? "patch" : "upstream_patch_size", patch);
    if (!is_vit)
        json_object_del(object, "patch");
    if (!is_vit) /* the authors' streams have timm's, which is no key */
        json_object_del(backbone, "norm_eps");
    json_object_del(backbone, "patch");
    json_object_del(backbone, "image_size");
    json_object_foreach(backbone, key, value) json_object_set(object, key, value);
    json_object_set(object, "image_size", json_array_get(image, 0));
    for (size_t i = 0; i < sizeof segment_facts / sizeof *segment_facts; i++)
        json_object_del(object, segment_facts[i]);
    json_object_del(object, "backbone");
    return rc ? -1 : 0;
}

struct config *golden_config(const struct safetensors *s, struct error *err)
{
    json_t *object = golden_json(s);
    struct config *c = config_new(cli_schema());
    int rc = object ? 0 : error_set(err, "not a model");
    if (rc || assign_segmenter(c, s, object, err) ||
        golden_assign(c, "model", object, 0, s->path, err) ||
        assign_training(c, object, s->path, err) || config_resolve(c, err) ||
        golden_assign(c, "model", object, 1, s->path, err) || config_resolve(c, err) ||
        all_read(c, err)) {
        config_free(c);
        c = NULL;
    }
    json_decref(object);
    return c;
}
