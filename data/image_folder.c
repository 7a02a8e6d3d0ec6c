/* A data set of files. Images are decoded when they are read; nothing is kept. */
#include "data/image_folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/codec.h"
#include "data/dataset.h"

struct folder_set {
    struct dataset base;
    struct image_list list;
};

static int split_folder(const struct config *c, enum split split, struct strbuf *path,
                        struct error *err)
{
    const char *root = config_string(c, "data.root");
    const char *key = split == SPLIT_TRAIN ? "data.train_folder" : "data.val_folder";
    const char *folder = config_string(c, key);
    if (!strcmp(root, "auto"))
        return config_error(c, err, "data.root",
                            "image_folder needs a folder with %s/CLASS/IMAGE in it", folder);
    strbuf_adds(path, root);
    if (strcmp(folder, "."))
        strbuf_addf(path, "/%s", folder);
    if (!file_is_folder(path->text))
        return error_env(err,
                         "%s: no such folder (data.root=%s, %s=%s; a dot means the root itself)",
                         path->text, root, key, folder);
    return 0;
}

static int folder_open(struct dataset **out, const struct config *c, enum split split,
                       struct error *err)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    struct strbuf path = STRBUF_INIT;
    struct folder_set *d = mem_zalloc(1, sizeof *d);
    d->base.kind = &dataset_image_folder;
    *out = &d->base;
    int rc =
        split_folder(c, split, &path, err) || image_list_read(&d->list, path.text, err) ? -1 : 0;
    strbuf_release(&path);
    if (rc)
        return -1;
    d->base = (struct dataset){.kind = &dataset_image_folder,
                               .split = split,
                               .total = d->list.n,
                               .classes = d->list.n_classes,
                               .channels = 3};
    memcpy(d->base.mean, mean, sizeof mean);
    memcpy(d->base.deviation, deviation, sizeof deviation);
    return 0;
}

static void folder_close(struct dataset *base)
{
    struct folder_set *d = (struct folder_set *)base;
    image_list_release(&d->list);
    free(d);
}

static int folder_label(const struct dataset *base, int64_t i)
{
    return ((const struct folder_set *)base)->list.labels[i];
}

static const char *folder_class_name(const struct dataset *base, int k)
{
    return ((const struct folder_set *)base)->list.classes[k];
}

static int folder_read(const struct dataset *base, int64_t i, int size, struct image *scratch,
                       struct image_view *view, struct error *err)
{
    const struct image_list *l = &((const struct folder_set *)base)->list;
    struct strbuf path = STRBUF_INIT;
    (void)size;
    strbuf_addf(&path, "%s/%s", l->root, l->paths[i]);
    int rc = codec_load(path.text, scratch, err);
    strbuf_release(&path);
    if (rc == 0)
        *view = image_view(scratch);
    return rc;
}

/* Names and sizes: reading every byte of ImageNet would take longer than many runs. */
static int folder_hash(const struct dataset *base, char hex[65], struct error *err)
{
    const struct image_list *l = &((const struct folder_set *)base)->list;
    struct strbuf s = STRBUF_INIT;
    (void)err;
    for (int64_t i = 0; i < l->n; i++)
        strbuf_addf(&s, "%s %lld\n", l->paths[i], (long long)l->bytes[i]);
    file_sha256_bytes(s.text, s.len, hex);
    strbuf_release(&s);
    return 0;
}

static const struct config_key keys[] = {PREPROCESS_KEYS("true", "rrc", "0.875"),
                                         {"data.train_folder", CONFIG_STRING, "train", 0, 0, NULL,
                                          0, "folder of the training classes below data.root"},
                                         {"data.val_folder", CONFIG_STRING, "val", 0, 0, NULL, 0,
                                          "folder of the evaluation classes below data.root"},
                                         {0}};

const struct dataset_kind dataset_image_folder = {
    .choice = {"image_folder",
               "your own JPEG and PNG files: ROOT/train/CLASS/… and ROOT/val/CLASS/…", keys},
    .open = folder_open,
    .close = folder_close,
    .label = folder_label,
    .class_name = folder_class_name,
    .read = folder_read,
    .hash = folder_hash,
};
