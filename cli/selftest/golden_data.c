/* Golden files with a case: found by kind, and run. */
#include "cli/selftest/golden_kind.h"
#include "cli/selftest/selftest.h"

#include <string.h>

static const struct golden_kind *const tables[] = {
    golden_image_kinds,    golden_preprocess_kinds, golden_augment_kinds,
    golden_mix_kinds,      golden_format_kinds,     golden_train_kinds,
    golden_resample_kinds, golden_segment_kinds,    NULL};

static const struct golden_kind *find_kind(const char *kind)
{
    for (int i = 0; tables[i]; i++)
        for (const struct golden_kind *k = tables[i]; k->kind; k++)
            if (!strcmp(k->kind, kind))
                return k;
    return NULL;
}

int golden_data(struct selftest *t, const char *name, const struct safetensors *file)
{
    const char *text = safetensors_metadata(file, "case");
    json_error_t je;
    if (!text)
        return 0;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &je);
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const struct golden_kind *k = kind ? find_kind(kind) : NULL;
    if (k)
        k->run(t, name, file, object);
    else if (kind)
        selftest_skip(t, name, "a case of kind %s, which this build does not know", kind);
    int is_ours = kind != NULL; /* models name their case in a word */
    json_decref(object);
    return is_ours;
}
