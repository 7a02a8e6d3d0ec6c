#include "tests/support/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

/* ---- schema and costs ---- */

static const struct config_key latent_keys[] = {
    {"model.latent_dim", CONFIG_INT, "24", 1, 4096, NULL, 0, "width of the latent space"}, {0}};
static const struct config_choice heads[] = {{"cross", "cross attention", NULL},
                                             {"latent", "latent", latent_keys},
                                             {"latent_cross", "latent cross", latent_keys},
                                             {"linear", "linear attention", latent_keys}};
static const struct config_choice fusions[] = {
    {"erase", "erase", NULL}, {"add", "add", NULL}, {"add_erase", "both", NULL}};

static const struct config_choice *head(int i)
{
    return i < 4 ? &heads[i] : NULL;
}

static const struct config_choice *fusion(int i)
{
    return i < 3 ? &fusions[i] : NULL;
}

static const struct config_key reduce_keys[] = {
    {"model.reduce.r", CONFIG_INT, "0", 0, 1000, NULL, 0, "tokens removed in each layer"}, {0}};
static const struct config_choice reducers[] = {
    {"none", "nothing", NULL}, {"tome", "merging", reduce_keys}, {"mctf", "fusion", reduce_keys}};

static const struct config_choice *reducer(int i)
{
    return i < 3 ? &reducers[i] : NULL;
}

static const struct config_key vittm_keys[] = {
    {"model.rw_head", CONFIG_CHOICE, "linear", 0, 0, head, 0, "read-write head"},
    {"model.fusion", CONFIG_CHOICE, "add", 0, 0, fusion, 0, "fusion"},
    {0}};
static const struct config_choice families[] = {{"vit", "plain", NULL},
                                                {"vittm", "two streams", vittm_keys}};

static const struct config_choice *family(int i)
{
    return i < 2 ? &families[i] : NULL;
}

static const struct config_key model_keys[] = {
    {"model.family", CONFIG_CHOICE, "vit", 0, 0, family, 0, "kind of network"},
    {"model.dim", CONFIG_INT, "192", 1, 65536, NULL, 0, "channels"},
    {"model.heads", CONFIG_INT, "3", 1, 1024, NULL, 0, "attention heads"},
    {"model.depth", CONFIG_INT, "12", 1, 64, NULL, 0, "blocks"},
    {"model.patch", CONFIG_INTS, "16", 1, 1024, NULL, 0, "patch size, pixels"},
    {"model.reduce.method", CONFIG_CHOICE, "none", 0, 0, reducer, 0, "token reduction"},
    {0}};
static const struct config_key train_keys[] = {
    {"train.epochs", CONFIG_INT, "10", 0, 1e9, NULL, 0, "epochs"},
    {"train.lr", CONFIG_FLOAT, "1e-3", 0, 1e30, NULL, 0, "learning rate"},
    {"train.weight_decay", CONFIG_FLOAT, "0.05", 0, 1, NULL, 0, "weight decay"},
    {"train.note", CONFIG_STRING, "", 0, 0, NULL, CONFIG_UNHASHED, "free text"},
    {0}};
const struct config_key *const lab_tables[] = {model_keys, train_keys, NULL};

int lab_cost(void *calls, const struct config *c, struct cell_cost *out, struct error *err)
{
    int64_t dim = config_int(c, "model.dim"), heads_ = config_int(c, "model.heads");
    ++*(int *)calls;
    if (dim % heads_)
        return config_error(c, err, "model.dim", "not divisible by heads %lld", (long long)heads_);
    cell_cost_clear(out);
    out->params = dim * dim * config_int(c, "model.depth");
    out->macs = 10 * out->params;
    return 0;
}

/* ---- a folder with files ---- */

void lab_write(const struct lab *lab, const char *name, const char *text)
{
    char path[600];
    struct error err = {0};
    snprintf(path, sizeof path, "%s/%s", lab->folder, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    if (file_make_folder(path, &err))
        fail_msg("%s", err.msg);
    *slash = '/';
    if (file_write(path, text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

int lab_setup(void **state)
{
    struct lab *lab = mem_zalloc(1, sizeof *lab);
    *state = lab;
    lab->roots[0] = lab->folder;
    lab->source = (struct experiment_source){lab_tables, lab->roots};
    lab->model = (struct cost_model){.cost = lab_cost, .ctx = &lab->calls};
    const char *tmp = getenv("TMPDIR");
    snprintf(lab->folder, sizeof lab->folder, "%s/vittm-experiment-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(lab->folder))
        return -1;
    lab_write(lab, "experiments/models/vit_s16.yaml", "model: {family: vit, dim: 384, heads: 6}\n");
    lab_write(lab, "experiments/models/vittm_s.yaml",
              "title: a model file\nmodel: {family: vittm, dim: 384, heads: 6, rw_head: latent}\n");
    lab_write(lab, "experiments/base/vittm.yaml",
              "name: base\n"
              "seeds: 2\n"
              "model: {family: vittm, dim: 96, depth: 6, latent_dim: 32}\n"
              "train: {epochs: 30}\n"
              "limits: {timeout: 2h, retries: 1}\n");
    lab_write(lab, "results/published/t1.csv", "a,b\n");
    return 0;
}

int lab_teardown(void **state)
{
    static const char *const names[] = {"experiments/models/vit_s16.yaml",
                                        "experiments/models/vittm_s.yaml",
                                        "experiments/base/vittm.yaml",
                                        "results/published/t1.csv",
                                        "q.yaml",
                                        "b.yaml",
                                        "experiments/models",
                                        "experiments/base",
                                        "experiments",
                                        "results/published",
                                        "results",
                                        "."};
    struct lab *lab = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", lab->folder, strcmp(names[i], ".") ? names[i] : "");
        remove(path);
    }
    free(lab);
    return 0;
}

static int try_load(struct lab *lab, struct experiment *e, const char *text,
                    const char *const *overrides, int n, struct error *err)
{
    char path[600];
    snprintf(path, sizeof path, "%s/q.yaml", lab->folder);
    lab_write(lab, "q.yaml", text);
    lab->calls = 0;
    if (experiment_load(e, &lab->source, path, overrides, n, err))
        return -1;
    if (!experiment_expand(e, &lab->model, 0, err))
        return 0;
    experiment_release(e);
    return -1;
}

void lab_load(struct lab *lab, struct experiment *e, const char *text, const char *const *overrides,
              int n)
{
    struct error err = {0};
    if (try_load(lab, e, text, overrides, n, &err))
        fail_msg("%s", err.msg);
}

/* The message without the folder in front of file names. */
void lab_refuses_with(struct lab *lab, const char *text, const char *const *overrides, int n,
                      const char *message)
{
    struct experiment e;
    struct error err = {0};
    struct strbuf s = STRBUF_INIT;
    if (!try_load(lab, &e, text, overrides, n, &err))
        fail_msg("accepted: %s", text);
    size_t length = strlen(lab->folder);
    for (const char *p = err.msg; *p; p++) {
        if (!strncmp(p, lab->folder, length))
            p += length + 1;
        strbuf_addc(&s, *p);
    }
    assert_string_equal(s.text, message);
    assert_int_equal(err.code, EXIT_USAGE);
    strbuf_release(&s);
}

void lab_refuses(struct lab *lab, const char *text, const char *message)
{
    lab_refuses_with(lab, text, NULL, 0, message);
}

void lab_labels_are(const struct experiment *e, const char *expected)
{
    struct strbuf s = STRBUF_INIT;
    for (int i = 0; i < e->n_cells; i++)
        strbuf_addf(&s, "%s%s", i ? " " : "", e->cells[i].label);
    assert_string_equal(s.text, expected);
    strbuf_release(&s);
}

const char lab_quick[] = "name: quick\n"
                         "title: Heads and fusions\n"
                         "seeds: 3\n"
                         "grid:\n"
                         "  model.rw_head: [cross, linear]\n"
                         "  model.fusion: [erase, add, add_erase]\n"
                         "baseline: {model.rw_head: linear, model.fusion: add}\n"
                         "objectives: {val/top1: max, cost/macs: min}\n"
                         "measure: [cost, accuracy]\n"
                         "limits: {timeout: 90m, retries: 2}\n"
                         "published: published/t1.csv\n"
                         "model: {family: vittm, dim: 96, depth: 6, latent_dim: 48}\n"
                         "train: {lr: 1e-3, epochs: 1e1}\n";
