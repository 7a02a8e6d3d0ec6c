/* Experiments: expansion, identity, reasons, refusals with their exact messages, speed. The schema
 * is a small one of its own: a family whose head owns keys, and costs that are simple products. */
#include "runner/experiment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "runner/enroll.h"

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
static const struct config_key later_keys[] = {
    {"train.later", CONFIG_INT, "7", 0, 100, NULL, 0, "a key that a later version adds"}, {0}};
static const struct config_key *const tables[] = {model_keys, train_keys, NULL};
static const struct config_key *const later_tables[] = {model_keys, train_keys, later_keys, NULL};

static const struct config_choice averages[] = {{"none", "none", NULL}, {"ema", "ema", NULL}};
static const struct config_choice *average(int i)
{
    return i < 2 ? &averages[i] : NULL;
}
static const struct config_key average_keys[] = {
    {"train.average", CONFIG_CHOICE, "none", 0, 0, average, 0, "running mean of the weights"}, {0}};
static const struct config_key *const average_tables[] = {model_keys, train_keys, average_keys,
                                                          NULL};

static int cost(void *ctx, const struct config *c, struct cell_cost *out, struct error *err)
{
    int64_t dim = config_int(c, "model.dim"), heads_ = config_int(c, "model.heads");
    ++*(int *)ctx;
    if (dim % heads_)
        return config_error(c, err, "model.dim", "not divisible by heads %lld", (long long)heads_);
    cell_cost_clear(out);
    out->params = dim * dim * config_int(c, "model.depth");
    out->macs = 10 * out->params;
    return 0;
}

/* The same from several threads at once. */
static atomic_int shared_calls;

static int shared_cost(void *ctx, const struct config *c, struct cell_cost *out, struct error *err)
{
    int uncounted = 0;
    (void)ctx;
    atomic_fetch_add(&shared_calls, 1);
    return cost(&uncounted, c, out, err);
}

/* ---- a folder with files ---- */

static char folder[300];
static const char *roots[] = {folder, NULL};
static struct experiment_source source = {tables, roots};
static int calls;
static struct cost_model model = {.cost = cost, .ctx = &calls};

static void write_file(const char *name, const char *text)
{
    char path[600];
    struct error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    if (file_make_folder(path, &err))
        fail_msg("%s", err.msg);
    *slash = '/';
    if (file_write(path, text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vittm-experiment-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    write_file("experiments/models/vit_s16.yaml", "model: {family: vit, dim: 384, heads: 6}\n");
    write_file(
        "experiments/models/vittm_s.yaml",
        "title: a model file\nmodel: {family: vittm, dim: 384, heads: 6, rw_head: latent}\n");
    write_file("experiments/base/vittm.yaml",
               "name: base\n"
               "seeds: 2\n"
               "model: {family: vittm, dim: 96, depth: 6, latent_dim: 32}\n"
               "train: {epochs: 30}\n"
               "limits: {timeout: 2h, retries: 1}\n");
    write_file("results/published/t1.csv", "a,b\n");
    return 0;
}

static int remove_folder(void **state)
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
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, strcmp(names[i], ".") ? names[i] : "");
        remove(path);
    }
    return 0;
}

static int try_load(struct experiment *e, const char *text, const char *const *overrides, int n,
                    struct error *err)
{
    char path[600];
    snprintf(path, sizeof path, "%s/q.yaml", folder);
    write_file("q.yaml", text);
    calls = 0;
    if (experiment_load(e, &source, path, overrides, n, err))
        return -1;
    if (!experiment_expand(e, &model, 0, err))
        return 0;
    experiment_release(e);
    return -1;
}

static void load(struct experiment *e, const char *text, const char *const *overrides, int n)
{
    struct error err = {0};
    if (try_load(e, text, overrides, n, &err))
        fail_msg("%s", err.msg);
}

/* The message without the folder in front of file names. */
static void refuses_with(const char *text, const char *const *overrides, int n, const char *message)
{
    struct experiment e;
    struct error err = {0};
    struct strbuf s = STRBUF_INIT;
    if (!try_load(&e, text, overrides, n, &err))
        fail_msg("accepted: %s", text);
    size_t length = strlen(folder);
    for (const char *p = err.msg; *p; p++) {
        if (!strncmp(p, folder, length))
            p += length + 1;
        strbuf_addc(&s, *p);
    }
    assert_string_equal(s.text, message);
    assert_int_equal(err.code, EXIT_USAGE);
    strbuf_release(&s);
}

static void refuses(const char *text, const char *message)
{
    refuses_with(text, NULL, 0, message);
}

static void labels_are(const struct experiment *e, const char *expected)
{
    struct strbuf s = STRBUF_INIT;
    for (int i = 0; i < e->n_cells; i++)
        strbuf_addf(&s, "%s%s", i ? " " : "", e->cells[i].label);
    assert_string_equal(s.text, expected);
    strbuf_release(&s);
}

/* ---- expansion ---- */

static const char quick[] = "name: quick\n"
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

static void test_grid(void **state)
{
    (void)state;
    struct experiment e;
    load(&e, quick, NULL, 0);
    assert_string_equal(e.name, "quick");
    assert_string_equal(e.title, "Heads and fusions");
    assert_string_equal(e.text, quick);
    labels_are(&e,
               "cross/erase cross/add cross/add_erase linear/erase linear/add linear/add_erase");
    assert_int_equal(e.n_planned, 6);
    assert_int_equal(e.n_seeds, 3);
    assert_int_equal(e.seeds[2], 2);
    assert_int_equal(e.n_axes, 2);
    assert_string_equal(e.axes[1], "model.fusion");
    assert_string_equal(e.cells[5].values[1], "add_erase");
    assert_int_equal(e.n_objectives, 2);
    assert_true(e.objectives[0].maximize);
    assert_false(e.objectives[1].maximize);
    assert_int_equal(e.measure, EXPERIMENT_COST | EXPERIMENT_ACCURACY);
    assert_true(e.timeout_s == 5400);
    assert_int_equal(e.retries, 2);
    assert_non_null(strstr(e.published, "/results/published/t1.csv"));
    assert_string_equal(e.cells[4].identity, "model.depth: 6\nmodel.dim: 96\nmodel.family: vittm\n"
                                             "model.latent_dim: 48\n");
    assert_string_equal(
        e.cells[1].identity,
        "model.depth: 6\nmodel.dim: 96\nmodel.family: vittm\nmodel.rw_head: cross\n");
    assert_int_equal(strlen(e.cells[0].id), 16);
    assert_int_equal(e.cells[0].cost.macs, 10 * 96 * 96 * 6);
    assert_int_equal(e.cells[0].cost.flops, -1);
    assert_int_equal(calls, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(experiment_is_baseline(&e, &e.cells[i]), i == 4);
    experiment_release(&e);
}

static void test_zip_cells_ranges(void **state)
{
    (void)state;
    struct experiment e;
    load(&e, "grid: {train.lr: 'x'}\n", (const char *const[]){"train.lr=logspace(1e-4,1e-2,3)"}, 1);
    labels_are(&e, "0.0001 0.001 0.01");
    assert_string_equal(e.name, "q");
    experiment_release(&e);
    load(&e,
         "zip: {model.dim: [64, 96], model.heads: [2, 3]}\n"
         "grid: {train.epochs: 'range(1,6,2)', model.patch: [[4, 4], 8]}\n"
         "cells:\n"
         "- {model: {dim: 32, heads: 1}}\n"
         "- {label: mine, train.epochs: 0}\n",
         NULL, 0);
    labels_are(&e, "64,2/1/[4, 4] 64,2/1/[8] 64,2/3/[4, 4] 64,2/3/[8] 64,2/5/[4, 4] 64,2/5/[8] "
                   "96,3/1/[4, 4] 96,3/1/[8] 96,3/3/[4, 4] 96,3/3/[8] 96,3/5/[4, 4] 96,3/5/[8] "
                   "32/1 mine");
    assert_int_equal(e.n_axes, 4);
    assert_string_equal(e.cells[12].values[0], "32");
    assert_string_equal(e.cells[12].values[2], "10");
    experiment_release(&e);
    load(&e, "cells: [{model.dim: 96}, {model.dim: 48}]\n", NULL, 0);
    labels_are(&e, "96 48");
    experiment_release(&e);
    load(&e, "name: one\n", NULL, 0);
    labels_are(&e, "one");
    experiment_release(&e);
    load(&e, "grid: {train.lr: ['range(0.1, 0.45, 0.1)', 1]}\nseeds: [5, 3]\n", NULL, 0);
    labels_are(&e, "0.1 0.2 0.3 0.4 1");
    assert_int_equal(e.seeds[0], 5);
    experiment_release(&e);
}

static void test_models_and_bases(void **state)
{
    (void)state;
    struct experiment e;
    load(&e,
         "base: [base/vittm.yaml]\n"
         "model: {depth: 4}\n"
         "cells: [{model: vit_s16}, {model: vittm_s, model.depth: 2}, {model.rw_head: cross}]\n",
         NULL, 0);
    assert_string_equal(e.name, "q");
    assert_int_equal(e.n_seeds, 2);
    assert_true(e.timeout_s == 7200);
    labels_are(&e, "vit_s16 vittm_s/2 cross");
    assert_string_equal(e.cells[0].identity, "model.dim: 384\nmodel.heads: 6\ntrain.epochs: 30\n");
    assert_string_equal(e.cells[1].identity,
                        "model.depth: 2\nmodel.dim: 384\nmodel.family: vittm\nmodel.heads: 6\n"
                        "model.rw_head: latent\ntrain.epochs: 30\n");
    assert_string_equal(e.cells[2].identity, "model.depth: 4\nmodel.dim: 96\nmodel.family: vittm\n"
                                             "model.rw_head: cross\ntrain.epochs: 30\n");
    assert_string_equal(e.cells[0].model, "vit_s16");
    assert_null(e.cells[2].model);
    experiment_release(&e);
    load(&e, "grid: {model: [vit_s16, vittm_s], model.depth: [1, 2]}\nwhere: model == vittm_s\n",
         NULL, 0);
    labels_are(&e, "vit_s16/1 vit_s16/2 vittm_s/1 vittm_s/2");
    assert_int_equal(e.n_planned, 2);
    assert_string_equal(e.cells[0].reason, "where: model == vittm_s does not hold");
    experiment_release(&e);
}

static void test_model_by_name(void **state)
{
    (void)state;
    struct experiment e;
    struct error err = {0};
    const char *const depths[] = {"model.depth=1,2"};
    if (experiment_load(&e, &source, "vit_s16", depths, 1, &err) ||
        experiment_expand(&e, &model, 0, &err))
        fail_msg("%s", err.msg);
    assert_string_equal(e.name, "vit_s16");
    labels_are(&e, "1 2");
    experiment_release(&e);
    assert_int_equal(experiment_load(&e, &source, "vit_s17", NULL, 0, &err), -1);
    assert_string_equal(err.msg, "unknown model vit_s17 (did you mean vit_s16?)");
    assert_int_equal(experiment_load(&e, &source, "x/y.yaml", NULL, 0, &err), -1);
    assert_string_equal(err.msg, "x/y.yaml: no such file");
}

static void test_overrides(void **state)
{
    (void)state;
    struct experiment e;
    load(&e, quick, (const char *const[]){"model.rw_head=linear", "seeds=5"}, 2);
    labels_are(&e, "erase add add_erase");
    assert_int_equal(e.n_seeds, 5);
    experiment_release(&e);
    load(&e, quick, (const char *const[]){"model.fusion=add", "model.dim=48,96", "seeds=[7]"}, 3);
    labels_are(&e, "cross/48 cross/96 linear/48 linear/96");
    assert_int_equal(e.n_seeds, 1);
    assert_int_equal(e.seeds[0], 7);
    experiment_release(&e);
    load(&e, "cells: [{model.dim: 96}, {model.dim: 48, model.depth: 3}]\n",
         (const char *const[]){"model.dim=24", "model.patch=[3,3],[4,4]", "name=n",
                               "limits.timeout=5s"},
         4);
    labels_are(&e, "[3, 3] [4, 4] 3/[3, 3] 3/[4, 4]");
    assert_int_equal(config_int(e.cells[3].config, "model.dim"), 24);
    assert_true(e.timeout_s == 5);
    experiment_release(&e);
    load(&e, quick, (const char *const[]){"model.patch=3,3", "train.note='a, b'"}, 2);
    assert_int_equal(e.n_cells, 6);
    assert_string_equal(config_string(e.cells[0].config, "train.note"), "a, b");
    experiment_release(&e);
    load(&e, "cells: [{model: vit_s16}]\nmodel: {depth: 3}\n",
         (const char *const[]){"model.depth=5", "where=model.depth == 5"}, 2);
    assert_int_equal(config_int(e.cells[0].config, "model.depth"), 5);
    assert_int_equal(e.n_planned, 1);
    experiment_release(&e);
}

/* ---- states ---- */

static void test_exclude_and_where(void **state)
{
    (void)state;
    struct experiment e;
    load(&e,
         "grid: {model.rw_head: [cross, linear], model.fusion: [erase, add], model.dim: [96, 97, "
         "192]}\n"
         "exclude: [\"model.rw_head == 'cross' and model.fusion == 'erase'\"]\n"
         "where: \"cost.macs <= 1e6 and cost.params < 3e6\"\n"
         "model: {family: vittm, depth: 6}\n",
         NULL, 0);
    assert_int_equal(e.n_cells, 12);
    assert_int_equal(e.n_excluded, 3 + 3);
    assert_int_equal(e.n_refused, 3);
    assert_int_equal(e.n_planned, 3);
    assert_int_equal(calls, 9); /* excluded cells are not built */
    assert_string_equal(e.cells[0].reason,
                        "exclude: model.rw_head == 'cross' and model.fusion == 'erase'");
    assert_int_equal(e.cells[4].state, CELL_REFUSED);
    assert_string_equal(strrchr(e.cells[4].reason, '/'),
                        "/q.yaml:1:84: model.dim 97: not divisible by heads 3");
    assert_string_equal(e.cells[5].reason,
                        "where: cost.macs <= 1e6 and cost.params < 3e6 does not hold "
                        "(cost.macs 2211840, cost.params 221184)");
    struct error err = {0};
    assert_int_equal(experiment_select(&e, "model.rw_head == linear", &err), 2);
    assert_string_equal(e.cells[3].reason, "not selected by --only model.rw_head == linear");
    assert_int_equal(experiment_select(&e, "model.rwhead == 3", &err), -1);
    assert_string_equal(err.msg,
                        "command line: --only: column 1: unknown name model.rwhead (did you mean "
                        "model.rw_head?)");
    assert_int_equal(experiment_select(&e, "cost.mac < 3", &err), -1);
    assert_string_equal(
        err.msg, "command line: --only: column 1: unknown name cost.mac (did you mean cost.macs?)");
    experiment_release(&e);
}

static void test_when_and_folding(void **state)
{
    (void)state;
    struct experiment e;
    load(&e,
         "grid: {model.reduce.method: [none, tome, mctf], model.reduce.r: [4, 8]}\n"
         "when: {model.reduce.r: \"model.reduce.method == 'tome'\"}\n",
         NULL, 0);
    assert_int_equal(e.n_cells, 6);
    assert_int_equal(e.n_planned, 4);
    assert_int_equal(e.n_folded, 2);
    labels_are(&e, "none/- none/- tome/4 tome/8 mctf/0 mctf/0");
    assert_int_equal(e.cells[1].state, CELL_FOLDED);
    assert_int_equal(e.cells[1].folded_into, 0);
    assert_int_equal(e.cells[0].folds, 1);
    assert_string_equal(e.cells[1].reason, "the same configuration as none/-");
    assert_null(e.cells[0].values[1]);
    assert_int_equal(calls, 4);
    experiment_release(&e);
    /* a condition on a key that a later condition takes back */
    load(&e,
         "when: {model.depth: model.dim == 64, model.dim: model.heads == 1}\n"
         "cells: [{model.depth: 5, model.dim: 64}, {model.depth: 5, model.dim: 64, model.heads: "
         "1}]\n",
         NULL, 0);
    assert_string_equal(e.cells[0].identity, "");
    assert_string_equal(e.cells[1].identity, "model.depth: 5\nmodel.dim: 64\nmodel.heads: 1\n");
    experiment_release(&e);
}

static int only_model(const char *key)
{
    return !strncmp(key, "model.", 6);
}

/* Cells that differ only in what cannot change a cost share one call, and its refusal. */
static void test_shared_costs(void **state)
{
    (void)state;
    struct experiment e;
    model.matters = only_model;
    load(&e,
         "grid: {train.epochs: [1, 2, 3], model.dim: [96, 97, 192]}\nwhere: cost.params > 2e5\n",
         NULL, 0);
    model.matters = NULL;
    assert_int_equal(calls, 3);
    assert_int_equal(e.n_refused, 3);
    assert_int_equal(e.n_excluded, 3);
    assert_int_equal(e.cells[8].cost.params, 192 * 192 * 12);
    assert_int_equal(e.cells[7].state, CELL_REFUSED);
    assert_string_equal(e.cells[7].reason, e.cells[1].reason);
    experiment_release(&e);
}

/* Two checkpoints of weights and two moments, and the weights at the end; a running mean stands in
 * each of the three. */
static void test_disk(void **state)
{
    (void)state;
    struct experiment e;
    struct arena arena = {0};
    struct schedule_task *tasks;
    size_t n;
    const struct enroll_options options = {.out = "out", .device = "cpu", .threads = 1};
    source.tables = average_tables;
    load(&e, "grid: {train.average: [none, ema]}\nmodel: {dim: 96, depth: 1}\nseeds: 2\n", NULL, 0);
    source.tables = tables;
    enroll_preview(&e, &options, &arena, &tasks, &n);
    assert_int_equal(n, 4);
    assert_int_equal(tasks[0].disk_bytes, 7 * 4 * 96 * 96);
    assert_int_equal(tasks[2].disk_bytes, 10 * 4 * 96 * 96);
    e.measure = EXPERIMENT_COST;
    enroll_preview(&e, &options, &arena, &tasks, &n);
    assert_int_equal(tasks[2].disk_bytes, 0);
    experiment_release(&e);
    arena_release(&arena);
}

/* ---- identity ---- */

static void ids(const char *text, const char *const *overrides, int n, struct strbuf *out)
{
    struct experiment e;
    load(&e, text, overrides, n);
    strbuf_clear(out);
    for (int i = 0; i < e.n_cells; i++)
        if (e.cells[i].state == CELL_PLANNED)
            strbuf_addf(out, "%s\n", e.cells[i].id);
    experiment_release(&e);
}

static void test_identity_invariants(void **state)
{
    (void)state;
    static const char *const same[] = {
        /* renamed, retitled, notes, other limits, comments */
        "# comment\nname: other\ntitle: T\nnotes: some\nseeds: 9\ngrid: {train.lr: [1e-3, 2e-3]}\n"
        "model: {family: vittm, dim: 96}\nlimits: {timeout: 1h}\n",
        /* keys in another order, other spellings of the same numbers */
        "train.note: changed\nmodel: {dim: 9.6e1, family: vittm}\ngrid: {train.lr: [0.001, "
        ".002]}\n",
        /* defaults written out */
        "grid: {train.lr: [1e-3, 2e-3]}\nmodel: {family: vittm, dim: 96, heads: 3, rw_head: "
        "linear}\n"
        "train: {epochs: 10, weight_decay: 0.050}\n",
    };
    struct strbuf first = STRBUF_INIT, now = STRBUF_INIT;
    const char *text = "grid: {train.lr: [1e-3, 2e-3]}\nmodel: {family: vittm, dim: 96}\n";
    ids(text, NULL, 0, &first);
    assert_int_equal(first.len, 34);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ids(same[i], NULL, 0, &now);
        assert_string_equal(now.text, first.text);
    }
    source.tables = later_tables; /* a later version knows one more key */
    ids(text, NULL, 0, &now);
    assert_string_equal(now.text, first.text);
    source.tables = tables;
    ids("grid: {train.lr: [1e-3, 5e-4, 2e-3]}\nmodel: {family: vittm, dim: 96}\n", NULL, 0, &now);
    assert_int_equal(now.len, 51); /* exactly one new cell, in the middle */
    assert_memory_equal(now.text, first.text, 17);
    assert_memory_equal(now.text + 34, first.text + 17, 17);
    assert_memory_not_equal(now.text + 17, first.text, 17);
    ids(text, (const char *const[]){"model.dim=48"}, 1, &now);
    assert_string_not_equal(now.text, first.text);
    strbuf_release(&first);
    strbuf_release(&now);
}

/* The id is a promise to everybody's databases: it must never change by accident. */
static void test_identity_is_pinned(void **state)
{
    (void)state;
    struct strbuf s = STRBUF_INIT;
    char hex[65];
    ids("model: {family: vittm, dim: 96}\n", NULL, 0, &s);
    file_sha256_bytes("model.dim: 96\nmodel.family: vittm\n", 34, hex);
    hex[16] = '\n';
    hex[17] = 0;
    assert_string_equal(s.text, hex);
    strbuf_release(&s);
}

/* ---- refusals ---- */

static void test_file_refusals(void **state)
{
    (void)state;
    refuses("model: {rwhead: linear}\n",
            "q.yaml:1:9: unknown key model.rwhead (did you mean model.rw_head?)");
    refuses("model: vit_s16\nepocs: 100\noptimizer:\n  name: adamw\n  weight_decya: 0.1\n",
            "q.yaml:2:1: unknown key epocs (did you mean train.epochs?); q.yaml:4:3: unknown key "
            "optimizer.name; q.yaml:5:3: unknown key optimizer.weight_decya (did you mean "
            "train.weight_decay?)");
    refuses("gird: {}\n", "q.yaml:1:1: unknown key gird (did you mean grid?)");
    refuses("model: {dim: 96x}\n", "q.yaml:1:14: model.dim: 96x is not an integer");
    refuses("grid: {model.dim: [64, 96x]}\n", "q.yaml:1:24: model.dim: 96x is not an integer");
    refuses("model: {dim: 96}\nmodel.dim: 64\n",
            "q.yaml:2:1: duplicate key model.dim (first set on line 1; remove one)");
    refuses("grid: {model.dim: [1]}\ngrid: {}\n",
            "q.yaml:2:1: duplicate key grid (first set on line 1; remove one)");
    refuses("model: {dim: [64, 96]}\n",
            "q.yaml:1:14: model.dim: a list where one value is expected "
            "(several values are an axis: put them under grid)");
    refuses("model: {dim: }\n",
            "q.yaml:1:14: model.dim: no value (write one, or leave the key out for its default)");
    refuses("grid: {model.dims: [1]}\n",
            "q.yaml:1:8: unknown key model.dims (did you mean model.dim?)");
    refuses("grid: {model.dim: []}\n", "q.yaml:1:19: model.dim: an axis without values");
    refuses("grid: [1]\n", "q.yaml:1:7: grid: expected keys and values (key: value)");
    refuses("[1, 2]\n", "q.yaml:1:1: expected keys and values (key: value)");
    refuses(
        "zip: {model.dim: [1, 2], model.heads: [1]}\n",
        "q.yaml:1:26: zip: model.heads has 1 values and model.dim has 2: they are walked together");
    refuses("zip: {model.dim: [1, 2]}\ngrid: {model.dim: [1]}\n",
            "q.yaml:2:8: model.dim: in grid and in zip: keep one of them");
    refuses("grid: {train.epochs: 'range(1,3)'}\ncells: 3\n",
            "q.yaml:2:8: cells: expected a list of maps");
    refuses("grid:\n  train.epochs: range(3,1)\n",
            "q.yaml:2:17: train.epochs: range: no values (stop is exclusive)");
    refuses("grid: {train.epochs: 'range(1,5,0)'}\n",
            "q.yaml:1:22: train.epochs: range: the step is 0");
    refuses(
        "grid: {train.lr: 'logspace(0,1,3)', train.epochs: 3}\n",
        "q.yaml:1:18: train.lr: logspace(first, last, count) takes two positive ends and a count");
    refuses(
        "grid: {train.lr: ['logspace(1)']}\n",
        "q.yaml:1:19: train.lr: logspace(first, last, count) takes two positive ends and a count");
    refuses("cells: [{model.dmi: 3}]\n",
            "q.yaml:1:10: unknown key model.dmi (did you mean model.dim?)");
    refuses("base: [nothing.yaml]\n",
            "q.yaml:1:8: base: no file nothing.yaml (beside this file, or below experiments/)");
    refuses("base: q.yaml\n",
            "q.yaml:1:7: base: q.yaml: files include each other more than 16 deep");
    refuses("model: vittm_x\n", "q.yaml:1:8: unknown model vittm_x (did you mean vittm_s?)");
    refuses("published: none.csv\n",
            "q.yaml:1:12: published: no file none.csv (beside this file, or below results/)");
}

static void test_value_refusals(void **state)
{
    (void)state;
    refuses("name: a b\n",
            "q.yaml:1:7: name: a b: letters, digits, '.', '_' and '-', at most 64 of "
            "them, the first a letter or digit");
    refuses("seeds: 0\n", "q.yaml:1:8: seeds: 0 is not a number of seeds (1 to 10000; or a list)");
    refuses("seeds: [1, 2, 1]\n", "q.yaml:1:15: seeds: 1 is there twice");
    refuses("seeds: [1, -2]\n", "q.yaml:1:12: seeds: -2 is not a seed (an integer from 0)");
    refuses("limits: {timeout: soon}\n",
            "q.yaml:1:19: limits.timeout: soon is not a time (90s, 30m, 2h, 1d)");
    refuses("limits: {retries: -1}\n",
            "q.yaml:1:19: limits.retries: -1 is not a number from 0 to 100");
    refuses("limits: {time: 3}\n",
            "q.yaml:1:10: unknown key limits.time (there are timeout and retries)");
    refuses("measure: [cost, speed]\n",
            "q.yaml:1:17: measure: speed is none of cost, accuracy, latency");
    refuses("objectives: {top1: max}\n",
            "q.yaml:1:14: objectives: top1 is no metric (they are split/name, such as val/top1)");
    refuses("objectives: {val/top1: up}\n",
            "q.yaml:1:24: objectives: val/top1: up is not max or min");
    refuses("where: 'model.dimm > 3'\n",
            "q.yaml:1:8: where: column 1: unknown name model.dimm (did you mean model.dim?)");
    refuses("where: 'model.dim >'\n",
            "q.yaml:1:8: where: column 12: expected a value, found the end");
    refuses("exclude: ['model.family > 3']\n",
            "q.yaml:1:11: exclude: column 1: 'vit' is text where a number is needed");
    refuses("when: {model.dim: 'cost.macs > 3'}\n",
            "q.yaml:1:19: when: model.dim: costs are not known before the keys are");
    refuses("when: {model.dimm: 'true'}\n",
            "q.yaml:1:8: unknown key model.dimm (did you mean model.dim?)");
    refuses("baseline: {model.dim: 17}\n", "q.yaml:1:23: baseline: no cell has these values");
    refuses("baseline: {model.latent_dim: 17}\n",
            "q.yaml:1:30: baseline: no cell reads model.latent_dim");
    refuses("baseline: {model.dim: x}\n", "q.yaml:1:23: model.dim: x is not an integer");
}

static void test_unread_keys(void **state)
{
    (void)state;
    struct experiment e;
    const char *text = "model: {family: vittm, rw_head: cross, latent_dim: 24}\n";
    refuses(text,
            "q.yaml:1:52: no cell reads model.latent_dim: it belongs to model.rw_head latent, "
            "latent_cross, linear");
    refuses("grid: {model.reduce.r: [1, 2]}\n",
            "q.yaml:1:8: no cell reads model.reduce.r: it belongs to "
            "model.reduce.method tome, mctf");
    refuses("grid: {model.reduce.r: [1, 2], model.reduce.method: [tome]}\n"
            "when: {model.reduce.r: 'model.dim > 1e4'}\n",
            "q.yaml:1:8: no cell reads model.reduce.r: its condition in when never holds");
    /* one cell that reads it is enough; values of base files may stay unread */
    load(&e, "model: {family: vittm, latent_dim: 24}\ngrid: {model.rw_head: [cross, linear]}\n",
         NULL, 0);
    experiment_release(&e);
    load(&e, "base: base/vittm.yaml\nmodel: {rw_head: cross}\n", NULL, 0);
    experiment_release(&e);
    /* an override may make the file's own keys idle, but is not idle itself */
    load(&e, quick, (const char *const[]){"model.rw_head=cross", "model.fusion=add"}, 2);
    experiment_release(&e);
    refuses_with(
        "name: x\n", (const char *const[]){"model.latent_dim=3"}, 1,
        "command line: no cell reads model.latent_dim: it belongs to model.rw_head latent, "
        "latent_cross, linear");
}

static void test_command_line_refusals(void **state)
{
    (void)state;
    refuses_with("name: x\n", (const char *const[]){"model.dimm=3"}, 1,
                 "command line: unknown key model.dimm (did you mean model.dim?)");
    refuses_with("name: x\n", (const char *const[]){"dim"}, 1,
                 "command line: dim: expected key=value");
    refuses_with("name: x\n", (const char *const[]){"model.dim=3,x"}, 1,
                 "command line: model.dim: x is not an integer");
    refuses_with("name: x\n", (const char *const[]){"seeds=x"}, 1,
                 "command line: seeds: x is not a number of seeds (1 to 10000; or a list)");
    refuses_with("name: x\n", (const char *const[]){"model=nothing"}, 1,
                 "command line: unknown model nothing (vittm list models names them)");
}

static void test_too_many(void **state)
{
    (void)state;
    struct experiment e;
    struct error err = {0};
    const char *text =
        "seeds: 100\ngrid: {model.dim: 'range(1,1002)', train.epochs: 'range(1,3)'}\n";
    refuses(text,
            "q.yaml: 2002 cells with 100 seeds are 200200 runs, more than 100000 (narrow the grid, "
            "or say --many)");
    char path[600];
    snprintf(path, sizeof path, "%s/q.yaml", folder);
    write_file("q.yaml", text);
    if (experiment_load(&e, &source, path, NULL, 0, &err) || experiment_expand(&e, NULL, 1, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(e.n_cells, 2002);
    experiment_release(&e);
    refuses("grid: {model.dim: 'range(1,60000)', train.epochs: 'range(0,60000)', model.heads: "
            "'range(1,1000)', "
            "model.depth: 'range(1,60)', train.lr: 'range(0,60000)', train.weight_decay: "
            "'range(0,1,1e-4)'}\n",
            "q.yaml: more cells than can be counted (narrow the grid)");
}

/* ---- budgets ---- */

static void test_match(void **state)
{
    (void)state;
    struct experiment e;
    load(&e,
         "grid: {model.dim: [96, 192, 384]}\n"
         "match: {cost.macs: {like: {model.dim: 192, model.depth: 8}, within: 2%, solve: "
         "model.depth}}\n",
         NULL, 0);
    assert_int_equal(e.n_planned, 3);
    assert_int_equal(config_int(e.cells[0].config, "model.depth"), 32);
    assert_int_equal(config_int(e.cells[1].config, "model.depth"), 8);
    assert_int_equal(config_int(e.cells[2].config, "model.depth"), 2);
    assert_int_equal(e.n_axes, 2);
    assert_string_equal(e.cells[0].values[1], "32");
    experiment_release(&e);
    load(&e,
         "grid: {model.depth: [2, 4]}\n"
         "match: {cost.params: {like: 40000, within: 5%, solve: model.dim}}\n",
         NULL, 0);
    assert_int_equal(config_int(e.cells[0].config, "model.dim"), 141); /* a multiple of 3 heads */
    assert_int_equal(config_int(e.cells[1].config, "model.dim"), 99);
    experiment_release(&e);
    load(&e, "match: {cost.params: {like: 1e6, within: 0.1%, solve: model.depth}}\n", NULL, 0);
    assert_int_equal(e.n_refused, 1);
    assert_string_equal(e.cells[0].reason,
                        "match: no model.depth gives cost.params within 0.1% of 1000000 "
                        "(nearest: 27 gives 995328)");
    experiment_release(&e);
    refuses("match: {cost.mac: {like: 1, within: 1%, solve: model.dim}}\n",
            "q.yaml:1:9: match: cost.mac is no cost (cost.macs, cost.params, …)");
    refuses("match: {cost.macs: {like: 1, within: 1, solve: model.dim}}\n",
            "q.yaml:1:38: match.within: expected a percentage such as 2%");
    refuses("match: {cost.macs: {like: 1, within: 1%}}\n",
            "q.yaml:1:9: match: cost.macs needs like, within and solve");
    refuses("match: {cost.macs: {like: 1, within: 1%, solve: train.lr}}\n",
            "q.yaml:1:49: match.solve: train.lr is no integer key");
}

/* ---- speed ---- */

static void test_speed(void **state)
{
    (void)state;
    struct experiment e;
    double start = clock_now();
    load(&e,
         "grid: {model.dim: 'range(96,396,3)', train.epochs: 'range(1,51)', model.rw_head: [cross, "
         "latent]}\n"
         "model: {family: vittm, depth: 6, latent_dim: 48}\ntrain: {lr: 5e-4, weight_decay: 0.1}\n"
         "exclude: [\"model.rw_head == 'cross' and model.dim == 96\"]\nwhere: cost.macs < 1e12\n",
         NULL, 0);
    print_message("%d cells planned in %.3f s\n", e.n_cells, clock_now() - start);
    assert_int_equal(e.n_cells, 10000);
    assert_int_equal(e.n_excluded, 50);
    experiment_release(&e);
}

/* The malformed experiment that lies beside the checkout, where it does. */
static void test_shared_file(void **state)
{
    (void)state;
    const char *shared = getenv("VITTM_SHARED");
    char path[1000];
    struct experiment e;
    struct error err = {0};
    snprintf(path, sizeof path, "%s/data/bad/15_unknown_keys.yaml", shared ? shared : "../shared");
    if (!file_exists(path)) {
        print_message("%s is not here: skipped\n", path);
        skip();
    }
    assert_int_equal(experiment_load(&e, &source, path, NULL, 0, &err), -1);
    assert_non_null(strstr(err.msg, "15_unknown_keys.yaml:2:1: unknown key epocs"));
    assert_non_null(
        strstr(err.msg, "15_unknown_keys.yaml:6:3: unknown key optimizer.weight_decya"));
}

/* Costs computed by several threads are those of one, refusals and what depends on costs too. */
static void test_concurrent_costs(void **state)
{
    (void)state;
    static const char text[] = "grid: {model.dim: 'range(60, 360, 3)', model.depth: [1, 2, 3]}\n"
                               "model: {heads: 6}\nwhere: cost.params < 200000\n";
    struct experiment one, many;
    const struct cost_model serial = model;
    load(&one, text, NULL, 0);
    model = (struct cost_model){.cost = shared_cost, .concurrent = 1};
    atomic_store(&shared_calls, 0);
    load(&many, text, NULL, 0);
    model = serial;
    assert_int_equal(atomic_load(&shared_calls), 300);
    assert_int_equal(one.n_refused, 150);
    assert_int_equal(many.n_cells, one.n_cells);
    for (int i = 0; i < one.n_cells; i++) {
        const struct cell *a = &one.cells[i], *b = &many.cells[i];
        assert_int_equal(a->state, b->state);
        assert_memory_equal(&a->cost, &b->cost, sizeof a->cost);
        assert_string_equal(a->reason ? a->reason : "", b->reason ? b->reason : "");
    }
    experiment_release(&one);
    experiment_release(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_zip_cells_ranges),
        cmocka_unit_test(test_models_and_bases),
        cmocka_unit_test(test_concurrent_costs),
        cmocka_unit_test(test_model_by_name),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_exclude_and_where),
        cmocka_unit_test(test_when_and_folding),
        cmocka_unit_test(test_shared_costs),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_identity_invariants),
        cmocka_unit_test(test_identity_is_pinned),
        cmocka_unit_test(test_file_refusals),
        cmocka_unit_test(test_value_refusals),
        cmocka_unit_test(test_unread_keys),
        cmocka_unit_test(test_command_line_refusals),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_shared_file),
    };
    return cmocka_run_group_tests_name("runner/experiment", tests, make_folder, remove_folder);
}
