/* vittm weights: other people's weights files and ours. */
#include "cli/actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/version.h"
#include "cli/store.h"
#include "cli/weights.h"
#include "results/listing.h"
#include "train/weights_file.h"
#include "train/weights_start.h"

static const struct option_spec options[] = {
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .value = "FILE",
     .doc = "import, export: safetensors file to write"},
    {.name = "seed",
     .type = OPTION_INT,
     .value = "N",
     .fallback = "0",
     .min = 0,
     .max = 4294967295.0,
     .doc = "import: what the file lacks starts as in a run with this seed"},
    OPTION_FORMAT,
    OPTION_DB,
    {0}};

/* ---- show ------------------------------------------------------------------------------------ */

static const char *dims_text(struct arena *a, const struct safetensors_tensor *t)
{
    struct strbuf s = STRBUF_INIT;
    for (int i = 0; i < t->rank; i++)
        strbuf_addf(&s, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    const char *text = arena_printf(a, "(%s)", s.text);
    strbuf_release(&s);
    return text;
}

static struct rows *show_rows(const struct safetensors *s)
{
    static const char *const names[] = {"kind",   "name",  "dtype", "shape",
                                        "values", "bytes", "text"};
    struct rows *r = rows_new(7, names);
    for (size_t i = 0; i < s->n_tensors; i++) {
        const struct safetensors_tensor *t = &s->tensors[i];
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], "tensor");
        rows_set_text(r, &cell[1], t->name);
        rows_set_text(r, &cell[2], safetensors_type_name(t->type));
        rows_set_text(r, &cell[3], dims_text(&r->arena, t));
        rows_set_integer(&cell[4], t->count);
        rows_set_integer(&cell[5], (int64_t)t->bytes);
    }
    for (size_t i = 0; i < s->n_metadata; i++) {
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], "metadata");
        rows_set_text(r, &cell[1], s->metadata[i].key);
        rows_set_text(r, &cell[6], s->metadata[i].value);
    }
    return r;
}

static int show(const struct args *a, struct error *err)
{
    struct safetensors file;
    if (a->n_operands > 2)
        return error_set(err, "show takes one file: vittm weights show FILE.safetensors");
    if (weights_open(&file, a->operands[1], err))
        return -1;
    int64_t values = 0;
    for (size_t i = 0; i < file.n_tensors; i++)
        values += file.tensors[i].count;
    fprintf(stderr, "%s: %zu tensors, %lld values, %zu bytes\n", file.path, file.n_tensors,
            (long long)values, file.size);
    int rc = cli_print(a, show_rows(&file), "no tensors", err);
    safetensors_close(&file);
    return rc;
}

/* ---- a file and its model -------------------------------------------------------------------- */

struct source {
    const char *run; /* id, or NULL */
    char *path;
    struct safetensors file;
    int open;
    struct config *config;
    struct device device;
    struct loaded_model model;
    struct arena arena;
};

static int source_open(struct source *s, const struct args *a, uint64_t seed, struct error *err)
{
    if (weights_open(&s->file, s->path, err))
        return -1;
    s->open = 1;
    s->config = cli_weights_config(a, 2, &s->file, err);
    if (!s->config || device_open(&s->device, "cpu", 1, err))
        return -1;
    struct network_options o = {.batch = 1};
    return loaded_model_open(&s->model, s->config, &s->device, &o, seed, &s->file, err);
}

static void source_release(struct source *s)
{
    loaded_model_release(&s->model);
    if (s->config)
        config_free(s->config);
    if (s->open)
        safetensors_close(&s->file);
    free(s->path);
    arena_release(&s->arena);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Writes --output and says so. pairs has room for two more. */
static int source_write(struct source *s, const struct args *a, struct safetensors_pair *pairs,
                        size_t n, int both_names, struct error *err)
{
    const char *path = args_text(a, "output");
    char digest[65];
    if (file_sha256(s->path, digest, err))
        return -1;
    pairs[n++] = (struct safetensors_pair){"source_sha256", digest};
    pairs[n++] = (struct safetensors_pair){
        "program", arena_printf(&s->arena, "vittm %s %s", version_number(), version_commit())};
    struct weights_about about = {
        .config = s->config, .pairs = pairs, .n_pairs = n, .both_names = both_names};
    if (weights_write(&s->model.weights, path, &about, NULL, err))
        return -1;
    fprintf(stderr, "wrote %s\n", path);
    return 0;
}

/* ---- import ---------------------------------------------------------------------------------- */

static struct rows *report_rows(const struct weights_report *report)
{
    static const char *const names[] = {"state", "parameter",  "tensor",
                                        "shape", "file_shape", "why"};
    struct rows *r = rows_new(6, names);
    for (int i = 0; i < report->n; i++) {
        const struct weights_row *row = &report->rows[i];
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], weights_state_name(row->state));
        rows_set_text(r, &cell[1], row->parameter);
        rows_set_text(r, &cell[2], row->tensor);
        rows_set_text(r, &cell[3], row->shape);
        rows_set_text(r, &cell[4], row->file_shape);
        rows_set_text(r, &cell[5], row->why);
    }
    return r;
}

static int import(const struct args *a, struct error *err)
{
    struct source s = {.path = mem_strdup(a->operands[1])};
    int rc = source_open(&s, a, (uint64_t)args_int(a, "seed"), err);
    if (!rc && args_given(a, "output")) {
        struct safetensors_pair pairs[4] = {
            {"source", base_name(s.path)},
            {"seed", arena_printf(&s.arena, "%lld", (long long)args_int(a, "seed"))}};
        rc = source_write(&s, a, pairs, 2, 0, err);
    }
    if (!rc) {
        struct strbuf summary = STRBUF_INIT;
        weights_report_summary(&s.model.report, &summary);
        fprintf(stderr, "%s: %s\n", s.path, summary.text);
        strbuf_release(&summary);
        rc = cli_print(a, report_rows(&s.model.report), "no tensors", err);
    }
    source_release(&s);
    return rc;
}

/* ---- export ---------------------------------------------------------------------------------- */

/* A file, or a run's. */
static int find_weights(struct source *s, const struct args *a, struct error *err)
{
    const char *name = a->operands[1];
    struct store_run run;
    if (file_exists(name)) {
        s->path = mem_strdup(name);
        return 0;
    }
    struct store *store = cli_store_open(a, STORE_READ, err);
    if (!store)
        return error_prefix(err, "%s is not a file, and to look for a run of that name", name);
    int rc = listing_find_run(store, name, &s->arena, &s->run, err);
    if (!rc && store_run(store, s->run, &s->arena, &run, err) != 1)
        rc = -1;
    if (!rc) {
        struct strbuf path = STRBUF_INIT;
        char *folder = cli_run_folder(store, run.folder);
        strbuf_addf(&path, "%s/weights.safetensors", folder);
        free(folder);
        s->path = strbuf_detach(&path);
        if (!file_exists(s->path))
            rc = error_env(err,
                           "run %s has no weights (%s is not there): it is not done, "
                           "measured no accuracy, or its folder was removed",
                           s->run, s->path);
    }
    store_close(store);
    return rc;
}

static size_t copy_metadata(const struct safetensors *file, struct safetensors_pair *pairs)
{
    static const char *const keys[] = {"cell", "seed", "epoch"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = safetensors_metadata(file, keys[i]);
        if (value)
            pairs[n++] = (struct safetensors_pair){keys[i], value};
    }
    return n;
}

static int write_export(struct source *s, const struct args *a, struct error *err)
{
    struct strbuf identity = STRBUF_INIT;
    struct safetensors_pair pairs[8];
    size_t n = copy_metadata(&s->file, pairs);
    config_identity(s->config, &identity);
    pairs[n++] = (struct safetensors_pair){"identity", identity.text};
    pairs[n++] = s->run ? (struct safetensors_pair){"run", s->run}
                        : (struct safetensors_pair){"source", base_name(s->path)};
    int rc = source_write(s, a, pairs, n, 1, err);
    strbuf_release(&identity);
    return rc;
}

static int export(const struct args *a, struct error *err)
{
    struct source s = {.run = NULL};
    if (!args_given(a, "output"))
        return error_set(err,
                         "export needs the file to write: vittm weights export %s -o "
                         "FILE.safetensors",
                         a->operands[1]);
    int rc = find_weights(&s, a, err);
    if (!rc)
        rc = source_open(&s, a, 0, err);
    if (!rc)
        rc = write_export(&s, a, err);
    source_release(&s);
    return rc;
}

/* ---- the command ----------------------------------------------------------------------------- */

static const struct action actions[] = {{"import", 2, 3, "a file", import},
                                        {"export", 2, 3, "a file", export},
                                        {"show", 2, 3, "a file", show},
                                        {0}};

static const char *action_name(int i)
{
    return actions_name(actions, i);
}

static int run(const struct args *a, struct error *err)
{
    return actions_run(actions, a, err);
}

const struct command command_weights = {
    .name = "weights",
    .group = "Models",
    .summary = "weights files: look into one, fit one to a model, hand a run's on",
    .operands = "show FILE | import FILE [MODEL|FILE.yaml] [key=value …] | export RUN|FILE "
                "[MODEL|FILE.yaml] -o OUT",
    .min_operands = 1,
    .max_operands = 3,
    .operand_kind = OPERAND_WORD,
    .word = action_name,
    .flags = COMMAND_OVERRIDES,
    .options = options,
    .details =
        "Files are safetensors with the parameter names of timm and of the ViTTM authors. "
        "import fits FILE to a model and prints what becomes of every tensor: used; reshaped "
        "(position tables are resampled, patch kernels resized); replaced (a classifier for "
        "another number of classes starts anew); missing, with the reason and the initial value; "
        "ignored, with the reason. A shape that no rule explains is an error, and so are tensors "
        "too many or missing, unless train.weights_strict=false. With -o the fitted weights are "
        "written, for `vittm eval` or train.weights.\n"
        "Training starts from weights with train.weights=FILE, by the same rules: "
        "train.weights_patch=pinv|interpolate says how patch kernels are resized, "
        "train.weights_spread=true lets a ViT's patch embedding start both embeddings of a ViTTM, "
        "train.weights_replace_head=true starts classifiers anew.\n"
        "export writes the weights of a run, or of a file, under the authors' names, shared "
        "tensors under both of theirs, with the configuration in the metadata.",
    .examples = "  vittm weights show vit_b16.safetensors --format csv\n"
                "  vittm weights import vit_b16.safetensors vittm_b_49_196\n"
                "  vittm weights import vit_b16.safetensors vittm_b_64_64 "
                "train.weights_spread=true -o start.safetensors\n"
                "  vittm weights export 3fa2c1d0-s0-cpu -o mine.safetensors",
    .run = run,
};
