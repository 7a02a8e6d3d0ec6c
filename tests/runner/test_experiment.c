/* Experiments: expansion, states, identity, budgets. */
#include "tests/support/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"

/* ---- expansion ---- */

static void test_grid(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab_load(lab, &e, lab_quick, NULL, 0);
    assert_string_equal(e.name, "quick");
    assert_string_equal(e.title, "Heads and fusions");
    assert_string_equal(e.text, lab_quick);
    lab_labels_are(
        &e, "cross/erase cross/add cross/add_erase linear/erase linear/add linear/add_erase");
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
    assert_int_equal(lab->calls, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(experiment_is_baseline(&e, &e.cells[i]), i == 4);
    experiment_release(&e);
}

static void test_zip_cells_ranges(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab_load(lab, &e, "grid: {train.lr: 'x'}\n",
             (const char *const[]){"train.lr=logspace(1e-4,1e-2,3)"}, 1);
    lab_labels_are(&e, "0.0001 0.001 0.01");
    assert_string_equal(e.name, "q");
    experiment_release(&e);
    lab_load(lab, &e,
             "zip: {model.dim: [64, 96], model.heads: [2, 3]}\n"
             "grid: {train.epochs: 'range(1,6,2)', model.patch: [[4, 4], 8]}\n"
             "cells:\n"
             "- {model: {dim: 32, heads: 1}}\n"
             "- {label: mine, train.epochs: 0}\n",
             NULL, 0);
    lab_labels_are(&e, "64,2/1/4,4 64,2/1/8 64,2/3/4,4 64,2/3/8 64,2/5/4,4 64,2/5/8 "
                       "96,3/1/4,4 96,3/1/8 96,3/3/4,4 96,3/3/8 96,3/5/4,4 96,3/5/8 "
                       "32/1 mine");
    assert_int_equal(e.n_axes, 4);
    assert_string_equal(e.cells[12].values[0], "32");
    assert_string_equal(e.cells[12].values[2], "10");
    experiment_release(&e);
    lab_load(lab, &e,
             "grid: {model.patch: [[4, 4], 8, [8, 4]]}\n"
             "exclude: ['model.patch == 8,4']\nwhere: model.patch == 8 or model.patch != [4, 4]\n",
             NULL, 0);
    lab_labels_are(&e, "4,4 8 8,4");
    assert_int_equal(e.n_planned, 1);
    assert_int_equal(e.cells[1].state, CELL_PLANNED);
    experiment_release(&e);
    lab_load(lab, &e, "cells: [{model.dim: 96}, {model.dim: 48}]\n", NULL, 0);
    lab_labels_are(&e, "96 48");
    experiment_release(&e);
    lab_load(lab, &e, "cells: [{label: \"a\\e[31m\\nb\", model.dim: 96}]\n", NULL, 0);
    lab_labels_are(&e, "a [31m b"); /* nothing that moves a cursor */
    experiment_release(&e);
    lab_load(lab, &e, "name: one\n", NULL, 0);
    lab_labels_are(&e, "one");
    experiment_release(&e);
    lab_load(lab, &e, "grid: {train.lr: ['range(0.1, 0.45, 0.1)', 1]}\nseeds: [5, 3]\n", NULL, 0);
    lab_labels_are(&e, "0.1 0.2 0.3 0.4 1");
    assert_int_equal(e.seeds[0], 5);
    experiment_release(&e);
    /* Of a key that is a list, a list of one, which expressions take for its number. */
    lab_load(lab, &e,
             "grid: {model.patch: 'range(4,16,4)'}\nexclude: ['model.patch == 8']\n"
             "where: model.patch < 12\n",
             NULL, 0);
    lab_labels_are(&e, "4 8 12");
    assert_int_equal(e.n_planned, 1);
    assert_int_equal(e.n_excluded, 2);
    experiment_release(&e);
}

static void test_models_and_bases(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab_load(
        lab, &e,
        "base: [base/vittm.yaml]\n"
        "model: {depth: 4}\n"
        "cells: [{model: vit_s16}, {model: vittm_s, model.depth: 2}, {model.rw_head: cross}]\n",
        NULL, 0);
    assert_string_equal(e.name, "q");
    assert_int_equal(e.n_seeds, 2);
    assert_true(e.timeout_s == 7200);
    lab_labels_are(&e, "vit_s16 vittm_s/2 cross");
    assert_string_equal(e.cells[0].identity, "model.dim: 384\nmodel.heads: 6\ntrain.epochs: 30\n");
    assert_string_equal(e.cells[1].identity,
                        "model.depth: 2\nmodel.dim: 384\nmodel.family: vittm\nmodel.heads: 6\n"
                        "model.rw_head: latent\ntrain.epochs: 30\n");
    assert_string_equal(e.cells[2].identity, "model.depth: 4\nmodel.dim: 96\nmodel.family: vittm\n"
                                             "model.rw_head: cross\ntrain.epochs: 30\n");
    assert_string_equal(e.cells[0].model, "vit_s16");
    assert_null(e.cells[2].model);
    experiment_release(&e);
    lab_load(lab, &e,
             "grid: {model: [vit_s16, vittm_s], model.depth: [1, 2]}\nwhere: model == vittm_s\n",
             NULL, 0);
    lab_labels_are(&e, "vit_s16/1 vit_s16/2 vittm_s/1 vittm_s/2");
    assert_int_equal(e.n_planned, 2);
    assert_string_equal(e.cells[0].reason, "where: model == vittm_s does not hold");
    experiment_release(&e);
}

static void test_model_by_name(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    struct error err = {0};
    const char *const depths[] = {"model.depth=1,2"};
    if (experiment_load(&e, &lab->source, "vit_s16", depths, 1, &err) ||
        experiment_expand(&e, &lab->model, 0, &err))
        fail_msg("%s", err.msg);
    assert_string_equal(e.name, "vit_s16");
    lab_labels_are(&e, "1 2");
    experiment_release(&e);
    assert_int_equal(experiment_load(&e, &lab->source, "vit_s17", NULL, 0, &err), -1);
    assert_string_equal(err.msg, "unknown model vit_s17 (did you mean vit_s16?)");
    assert_int_equal(experiment_load(&e, &lab->source, "x/y.yaml", NULL, 0, &err), -1);
    assert_string_equal(err.msg, "x/y.yaml: no such file");
}

static void test_overrides(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab_load(lab, &e, lab_quick, (const char *const[]){"model.rw_head=linear", "seeds=5"}, 2);
    lab_labels_are(&e, "erase add add_erase");
    assert_int_equal(e.n_seeds, 5);
    experiment_release(&e);
    lab_load(lab, &e, lab_quick,
             (const char *const[]){"model.fusion=add", "model.dim=48,96", "seeds=[7]"}, 3);
    lab_labels_are(&e, "cross/48 cross/96 linear/48 linear/96");
    assert_int_equal(e.n_seeds, 1);
    assert_int_equal(e.seeds[0], 7);
    experiment_release(&e);
    lab_load(lab, &e, "cells: [{model.dim: 96}, {model.dim: 48, model.depth: 3}]\n",
             (const char *const[]){"model.dim=24", "model.patch=[3,3],[4,4]", "name=n",
                                   "limits.timeout=5s"},
             4);
    lab_labels_are(&e, "3,3 4,4 3/3,3 3/4,4");
    assert_int_equal(config_int(e.cells[3].config, "model.dim"), 24);
    assert_true(e.timeout_s == 5);
    experiment_release(&e);
    lab_load(lab, &e, lab_quick, (const char *const[]){"model.patch=3,3", "train.note='a, b'"}, 2);
    assert_int_equal(e.n_cells, 6);
    assert_string_equal(config_string(e.cells[0].config, "train.note"), "a, b");
    experiment_release(&e);
    lab_load(lab, &e, "cells: [{model: vit_s16}]\nmodel: {depth: 3}\n",
             (const char *const[]){"model.depth=5", "where=model.depth == 5"}, 2);
    assert_int_equal(config_int(e.cells[0].config, "model.depth"), 5);
    assert_int_equal(e.n_planned, 1);
    experiment_release(&e);
}

/* ---- states ---- */

static void test_exclude_and_where(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab_load(
        lab, &e,
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
    assert_int_equal(lab->calls, 9); /* excluded cells are not built */
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
    assert_int_equal(experiment_select(&e, "macs < 3", &err), -1); /* near by its last part */
    assert_string_equal(err.msg, "--only: column 1: unknown name macs (did you mean cost.macs?)");
    experiment_release(&e);
}

static void test_when_and_folding(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab_load(lab, &e,
             "grid: {model.reduce.method: [none, tome, mctf], model.reduce.r: [4, 8]}\n"
             "when: {model.reduce.r: \"model.reduce.method == 'tome'\"}\n",
             NULL, 0);
    assert_int_equal(e.n_cells, 6);
    assert_int_equal(e.n_planned, 4);
    assert_int_equal(e.n_folded, 2);
    lab_labels_are(&e, "none/- none/- tome/4 tome/8 mctf/0 mctf/0");
    assert_int_equal(e.cells[1].state, CELL_FOLDED);
    assert_int_equal(e.cells[1].folded_into, 0);
    assert_int_equal(e.cells[0].folds, 1);
    assert_string_equal(e.cells[1].reason, "the same configuration as none/-");
    assert_null(e.cells[0].values[1]);
    assert_int_equal(lab->calls, 4);
    experiment_release(&e);
    /* a condition on a key that a later condition takes back */
    lab_load(
        lab, &e,
        "when: {model.depth: model.dim == 64, model.dim: model.heads == 1}\n"
        "cells: [{model.depth: 5, model.dim: 64}, {model.depth: 5, model.dim: 64, model.heads: "
        "1}]\n",
        NULL, 0);
    assert_string_equal(e.cells[0].identity, "");
    assert_string_equal(e.cells[1].identity, "model.depth: 5\nmodel.dim: 64\nmodel.heads: 1\n");
    experiment_release(&e);
}

/* ---- identity ---- */

static const struct config_key later_keys[] = {
    {"train.later", CONFIG_INT, "7", 0, 100, NULL, 0, "a key that a later version adds"}, {0}};

static void ids(struct lab *lab, const char *text, const char *const *overrides, int n,
                struct strbuf *out)
{
    struct experiment e;
    lab_load(lab, &e, text, overrides, n);
    strbuf_clear(out);
    for (int i = 0; i < e.n_cells; i++)
        if (e.cells[i].state == CELL_PLANNED)
            strbuf_addf(out, "%s\n", e.cells[i].id);
    experiment_release(&e);
}

static void test_identity_invariants(void **state)
{
    struct lab *lab = *state;
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
    const struct config_key *const later_tables[] = {lab_tables[0], lab_tables[1], later_keys,
                                                     NULL};
    struct strbuf first = STRBUF_INIT, now = STRBUF_INIT;
    const char *text = "grid: {train.lr: [1e-3, 2e-3]}\nmodel: {family: vittm, dim: 96}\n";
    ids(lab, text, NULL, 0, &first);
    assert_int_equal(first.len, 34);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ids(lab, same[i], NULL, 0, &now);
        assert_string_equal(now.text, first.text);
    }
    lab->source.tables = later_tables; /* a later version knows one more key */
    ids(lab, text, NULL, 0, &now);
    assert_string_equal(now.text, first.text);
    lab->source.tables = lab_tables;
    ids(lab, "grid: {train.lr: [1e-3, 5e-4, 2e-3]}\nmodel: {family: vittm, dim: 96}\n", NULL, 0,
        &now);
    assert_int_equal(now.len, 51); /* exactly one new cell, in the middle */
    assert_memory_equal(now.text, first.text, 17);
    assert_memory_equal(now.text + 34, first.text + 17, 17);
    assert_memory_not_equal(now.text + 17, first.text, 17);
    ids(lab, text, (const char *const[]){"model.dim=48"}, 1, &now);
    assert_string_not_equal(now.text, first.text);
    strbuf_release(&first);
    strbuf_release(&now);
}

/* The id is a promise to everybody's databases: it must never change by accident. */
static void test_identity_is_pinned(void **state)
{
    struct lab *lab = *state;
    struct strbuf s = STRBUF_INIT;
    char hex[65];
    ids(lab, "model: {family: vittm, dim: 96}\n", NULL, 0, &s);
    file_sha256_bytes("model.dim: 96\nmodel.family: vittm\n", 34, hex);
    hex[16] = '\n';
    hex[17] = 0;
    assert_string_equal(s.text, hex);
    strbuf_release(&s);
}

/* ---- budgets ---- */

static void test_match(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    lab_load(lab, &e,
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
    lab_load(lab, &e,
             "grid: {model.depth: [2, 4]}\n"
             "match: {cost.params: {like: 40000, within: 5%, solve: model.dim}}\n",
             NULL, 0);
    assert_int_equal(config_int(e.cells[0].config, "model.dim"), 141); /* a multiple of 3 heads */
    assert_int_equal(config_int(e.cells[1].config, "model.dim"), 99);
    experiment_release(&e);
    lab_load(lab, &e, "match: {cost.params: {like: 1e6, within: 0.1%, solve: model.depth}}\n", NULL,
             0);
    assert_int_equal(e.n_refused, 1);
    assert_string_equal(e.cells[0].reason,
                        "match: no model.depth gives cost.params within 0.1% of 1000000 "
                        "(nearest: 27 gives 995328)");
    experiment_release(&e);
    lab_refuses(lab, "match: {cost.mac: {like: 1, within: 1%, solve: model.dim}}\n",
                "q.yaml:1:9: match: cost.mac is no cost (cost.macs, cost.params, …)");
    lab_refuses(lab, "match: {cost.macs: {like: 1, within: 1, solve: model.dim}}\n",
                "q.yaml:1:38: match.within: expected a percentage such as 2%");
    lab_refuses(lab, "match: {cost.macs: {like: 1, within: 1%}}\n",
                "q.yaml:1:9: match: cost.macs needs like, within and solve");
    lab_refuses(lab, "match: {cost.macs: {like: 1, within: 1%, solve: train.lr}}\n",
                "q.yaml:1:49: match.solve: train.lr is no integer key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_zip_cells_ranges),
        cmocka_unit_test(test_models_and_bases),
        cmocka_unit_test(test_model_by_name),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_exclude_and_where),
        cmocka_unit_test(test_when_and_folding),
        cmocka_unit_test(test_identity_invariants),
        cmocka_unit_test(test_identity_is_pinned),
        cmocka_unit_test(test_match),
    };
    return cmocka_run_group_tests_name("runner/experiment", tests, lab_setup, lab_teardown);
}
