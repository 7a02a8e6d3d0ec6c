/* Tables, listings and queries over a small grid with known numbers. */
#include "tests/results/store_fixture.h"
#include "base/arena.h"
#include "results/listing.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/table.h"
#include "results/views.h"

#include <math.h>

/* Every cell but c10 (failed once of two), c20 (nothing ran), c21 (failed in both) and c22 (one
 * seed) has top-1 60 + 4h + f - 0.5, ..., + 0.5 over three seeds; only cells with three seeds are
 * compared. */
static struct store *grid(const char *name)
{
    struct error err = {0};
    struct store *s = open_store(name);
    struct store_result failed = {.state = STORE_FAILED, .exit_code = 1, .message = "loss is nan"};
    char id[32], run[STORE_RUN_ID];
    put_grid(s, 3);
    OK(store_begin(s, &ok_err));
    for (int h = 0; h < 4; h++) {
        for (int f = 0; f < 3; f++) {
            snprintf(id, sizeof id, "c%d%d", h, f);
            for (int seed = 0; seed < 3; seed++) {
                int skipped = (h == 2 && f == 0) || (h == 2 && f == 2 && seed);
                int fails = (h == 1 && f == 0 && seed == 2) || (h == 2 && f == 1 && seed);
                store_run_id(run, id, seed, "cpu");
                if (fails)
                    OK(store_ingest(s, run, &failed, &ok_err));
                else if (!skipped && !(h == 2 && f == 1))
                    ingest_run(s, id, seed, 60 + 4 * h + f + 0.5 * (seed - 1));
            }
        }
    }
    if (store_commit(s, &err))
        fail_msg("%s", err.msg);
    return s;
}

static struct rows *table(struct store *s, struct table_options o, struct strbuf *warnings)
{
    struct error err = {0};
    o.experiment = "quick";
    struct rows *r = table_build(s, &o, warnings, &err);
    if (!r)
        fail_msg("%s", err.msg);
    return r;
}

static const char *at(const struct rows *r, size_t row, const char *column)
{
    int c = rows_column(r, column);
    if (c < 0)
        fail_msg("no column %s", column);
    const struct rows_cell *cell = rows_cell(r, row, (size_t)c);
    return cell->type == ROWS_TEXT ? cell->text : "(not a text)";
}

static void test_pivot(void **state)
{
    (void)state;
    struct store *s = grid("pivot.db");
    struct strbuf warnings = STRBUF_INIT;
    struct rows *r = table(
        s, (struct table_options){.rows = "model.rw_head", .cols = "model.fusion"}, &warnings);
    assert_int_equal(r->count, 4);
    assert_int_equal(r->columns, 4);
    assert_string_equal(r->names[0], "model.rw_head");
    assert_string_equal(r->names[3], "add_erase");
    assert_string_equal(at(r, 0, "erase"), "60.00 ± 0.50 (n=3)");
    assert_string_equal(at(r, 1, "erase"), "63.75 ± 0.35 (n=2, 1 failed)");
    assert_string_equal(at(r, 2, "erase"), "—");
    assert_string_equal(at(r, 2, "add"), "failed (2 of 3)");
    assert_string_equal(at(r, 2, "add_erase"), "69.50 (n=1)");
    assert_string_equal(at(r, 3, "add_erase"), "74.00 ± 0.50 (n=3)");
    assert_true(rows_cell(r, 3, 3)->strong && !rows_cell(r, 0, 1)->strong);
    assert_non_null(
        strstr(r->caption, "val/top1, mean ± standard deviation (n-1) over n seeds (n = 0 to 3)"));
    assert_non_null(strstr(r->caption, "final epoch"));
    assert_non_null(strstr(r->caption, "Columns: model.fusion."));
    assert_int_equal(warnings.len, 0);
    rows_free(r);
    r = table(s,
              (struct table_options){
                  .rows = "model.rw_head", .cols = "model.fusion", .error = TABLE_CI95},
              NULL);
    assert_string_equal(at(r, 0, "erase"), "60.00 ± 1.24 (n=3)"); /* 4.3027 * 0.5 / sqrt(3) */
    rows_free(r);
    r = table(
        s,
        (struct table_options){.rows = "model.rw_head", .cols = "model.fusion", .error = TABLE_SEM},
        NULL);
    assert_string_equal(at(r, 0, "erase"), "60.00 ± 0.29 (n=3)");
    rows_free(r);
    /* One key alone keeps the other axis in the heads of the rows: nothing is averaged away. */
    r = table(s, (struct table_options){.rows = "model.rw_head"}, NULL);
    assert_int_equal(r->count, 12);
    assert_string_equal(at(r, 1, "model.rw_head"), "token_summary, fusion=add");
    rows_free(r);
    struct error err = {0};
    struct table_options bad = {.experiment = "quick", .rows = "model.rwhead"};
    assert_null(table_build(s, &bad, NULL, &err));
    assert_non_null(strstr(err.msg, "model.rw_head"));
    bad = (struct table_options){.experiment = "quick", .metric = "val/top2"};
    assert_null(table_build(s, &bad, NULL, &err));
    assert_non_null(strstr(err.msg, "did you mean val/top"));
    bad = (struct table_options){.experiment = "none"};
    assert_null(table_build(s, &bad, NULL, &err));
    /* Two axes into one column: refused, not averaged. */
    bad = (struct table_options){.experiment = "quick", .rows = "model.dim", .cols = "train.lr"};
    r = table_build(s, &bad, NULL, &err);
    assert_non_null(r); /* the axes stand in the row heads */
    assert_int_equal(r->count, 12);
    rows_free(r);
    strbuf_release(&warnings);
    store_close(s);
}

static void test_cells_and_tests(void **state)
{
    (void)state;
    struct store *s = grid("cells.db");
    struct strbuf warnings = STRBUF_INIT;
    struct rows *r = table(s, (struct table_options){.test = TABLE_PAIRED}, &warnings);
    assert_int_equal(r->count, 12);
    assert_string_equal(at(r, 10, "cell"), "linear add");
    assert_string_equal(at(r, 10, "p"), "baseline");
    assert_string_equal(at(r, 11, "Δ"), "+1.00");
    assert_string_equal(at(r, 0, "Δ"), "-13.00");
    assert_string_equal(at(r, 6, "Δ"), "—");
    /* Three pairs: every difference is the same, p = 2 / 8, and no correction can save it. */
    assert_string_equal(at(r, 0, "p"), "n too small (1)");
    assert_string_equal(at(r, 0, "params (M)"), "1.00");
    assert_string_equal(at(r, 0, "MACs (M)"), "2.00"); /* three digits */
    assert_string_equal(warnings.text, "");            /* the caption says it */
    assert_non_null(strstr(r->caption, "against linear add, Holm-corrected for 9 comparisons"));
    assert_non_null(strstr(r->caption, "n too small to decide in 9 of 9 comparisons: 3 common"));
    assert_non_null(strstr(r->caption, "9 seeds could."));
    rows_free(r);
    r = table(s,
              (struct table_options){.machine = 1,
                                     .test = TABLE_PAIRED,
                                     .baseline = "model.rw_head=token_summary,model.fusion=erase"},
              &warnings);
    assert_non_null(strstr(warnings.text, "n too small to decide in 9 of 9 comparisons: 3 common"));
    int p = rows_column(r, "p"), mean = rows_column(r, "mean"), base = rows_column(r, "baseline");
    assert_true(rows_number(rows_cell(r, 11, (size_t)p)) == 0.25);
    assert_true(rows_number(rows_cell(r, 11, (size_t)mean)) == 74);
    assert_true(rows_cell(r, 0, (size_t)base)->integer == 1);
    assert_true(rows_cell(r, 6, (size_t)mean)->type == ROWS_NULL);
    assert_true(rows_number(rows_cell(r, 0, (size_t)rows_column(r, "cost/params"))) == 1000000);
    rows_free(r);
    /* Keys are of their own type for machines: no "96". */
    r = table(s, (struct table_options){.machine = 1, .rows = "model.dim"}, NULL);
    assert_int_equal(rows_cell(r, 0, (size_t)rows_column(r, "model.dim"))->type, ROWS_INTEGER);
    assert_int_equal(rows_cell(r, 0, (size_t)rows_column(r, "model.rw_head"))->type, ROWS_TEXT);
    rows_free(r);
    struct error err = {0};
    struct table_options bad = {.experiment = "quick", .baseline = "model.rw_head=linear"};
    assert_null(table_build(s, &bad, NULL, &err));
    assert_non_null(strstr(err.msg, "several cells"));
    bad.baseline = "model.rw_head=none,model.fusion=add";
    assert_null(table_build(s, &bad, NULL, &err));
    assert_non_null(strstr(err.msg, "no cell"));
    bad.baseline = "linear";
    assert_null(table_build(s, &bad, NULL, &err));
    assert_non_null(strstr(err.msg, "KEY=VALUE"));
    /* Lower is better for what costs. */
    r = table(s, (struct table_options){.metric = "latency/p50_ms", .machine = 1}, NULL);
    rows_free(r);
    /* Another commit is said. */
    struct store_fact fact = {"commit", "fedcba"};
    struct store_metric top1 = {"val/top1", 61};
    struct store_result other = {
        .state = STORE_DONE, .metrics = &top1, .metric_count = 1, .facts = &fact, .fact_count = 1};
    OK(store_ingest(s, "c00-s0-cpu", &other, &ok_err));
    strbuf_clear(&warnings);
    rows_free(table(s, (struct table_options){.metric = "val/top1"}, &warnings));
    assert_non_null(strstr(warnings.text, "2 different commits"));
    strbuf_release(&warnings);
    store_close(s);
}

static void test_listing(void **state)
{
    (void)state;
    struct store *s = grid("listing.db");
    struct error err = {0};
    struct listing l = {.experiment = "quick",
                        .where = "state = 'done' AND \"val/top1\" > 70",
                        .sort = "-val/top1, seed"};
    struct rows *r = listing_runs(s, &l, &err);
    if (!r)
        fail_msg("%s", err.msg);
    assert_int_equal(r->count, 9 + 0);
    assert_true(rows_number(rows_cell(r, 0, (size_t)rows_column(r, "val/top1"))) == 74.5);
    assert_true(rows_column(r, "cost/macs") > 0);
    rows_free(r);
    l = (struct listing){.where = "model.rw_head = 'linear'"}; /* the quotes were forgotten */
    assert_null(listing_runs(s, &l, &err));
    assert_int_equal(err.code, EXIT_USAGE);
    l = (struct listing){.where = "\"val/topp1\" > 3"};
    assert_null(listing_runs(s, &l, &err)); /* not taken for a text, as SQLite would by default */
    assert_non_null(strstr(err.msg, "did you mean \"val/top1\"?"));
    l = (struct listing){.where = "top1 > 3"}; /* near by its last part */
    assert_null(listing_runs(s, &l, &err));
    assert_non_null(strstr(err.msg, "did you mean \"val/top1\"? names with"));
    l = (struct listing){.where = "sead > 3"};
    assert_null(listing_runs(s, &l, &err));
    assert_non_null(strstr(err.msg, "did you mean seed?)"));
    l = (struct listing){.where = "1) UNION SELECT 1, 2, 3, 4, 5, 6; DROP TABLE run; --"};
    assert_null(listing_runs(s, &l, &err));
    l = (struct listing){.sort = "val/top"};
    assert_null(listing_runs(s, &l, &err));
    assert_non_null(strstr(err.msg, "did you mean val/top"));
    l = (struct listing){.columns = "run,model.rw_head", .limit = 5};
    r = listing_runs(s, &l, &err);
    assert_true(r && r->count == 5 && r->columns == 2);
    rows_free(r);
    r = listing_status(s, NULL, &err);
    assert_int_equal(rows_cell(r, 0, (size_t)rows_column(r, "done"))->integer, 28 - 1 + 0);
    assert_int_equal(rows_cell(r, 0, (size_t)rows_column(r, "failed"))->integer, 3);
    rows_free(r);
    store_close(s);
}

static double mean_top1(struct store *s, const char *cell)
{
    struct error err = {0};
    struct rows *r = store_query(
        s, &err, "SELECT mean FROM v_cells WHERE cell = ? AND metric = 'val/top1'", "s", cell);
    double mean = rows_number(rows_cell(r, 0, 0));
    rows_free(r);
    return mean;
}

static void test_ids_show_diff(void **state)
{
    (void)state;
    struct store *s = grid("ids.db");
    struct error err = {0};
    struct arena arena = {0};
    const char *id;
    OK(listing_find_run(s, "c31-s2", &arena, &id, &ok_err));
    assert_string_equal(id, "c31-s2-cpu");
    OK(listing_find_run(s, "c31-s2-cpu", &arena, &id, &ok_err));
    assert_int_equal(listing_find_run(s, "c31", &arena, &id, &err), -1);
    assert_non_null(strstr(err.msg, "several runs: c31-s0-cpu, c31-s1-cpu, c31-s2-cpu"));
    assert_int_equal(listing_find_run(s, "zz", &arena, &id, &err), -1);
    assert_non_null(strstr(err.msg, "no run begins with zz"));
    assert_int_equal(listing_find_run(s, "c*", &arena, &id, &err), -1);
    OK(listing_find_cell(s, "c31", &arena, &id, &ok_err));
    assert_int_equal(listing_find_cell(s, "c3", &arena, &id, &err), -1);
    struct rows *r = listing_show(s, "c31-s0", &err);
    int found = 0;
    for (size_t i = 0; i < r->count; i++)
        found += strcmp(rows_cell(r, i, 0)->text, "val/top1") == 0 &&
                 rows_number(rows_cell(r, i, 1)) == 72.5;
    assert_int_equal(found, 1);
    rows_free(r);
    const char *text;
    OK(listing_config(s, "c31-s0", &arena, &text, &ok_err));
    assert_non_null(strstr(text, "rw_head: linear"));
    OK(listing_log(s, "c31-s0", &arena, &text, &ok_err));
    assert_string_equal(text, "epoch 1\nepoch 2\n");
    r = listing_env(s, "c31-s0", &err);
    assert_int_equal(r->count, 3);
    rows_free(r);
    r = listing_curves(s, "c31-s0", &err);
    assert_int_equal(r->count, 3);
    rows_free(r);
    r = listing_diff(s, "c31-s0", "c11-s1", &err);
    assert_string_equal(rows_cell(r, 0, 0)->text, "model.rw_head");
    assert_string_equal(rows_cell(r, 0, 1)->text, "linear");
    assert_string_equal(rows_cell(r, 0, 2)->text, "cross");
    assert_string_equal(rows_cell(r, 1, 0)->text,
                        "cost/macs"); /* same environment; then the metrics */
    rows_free(r);
    r = listing_diff(s, "c31", "c32", &err);
    assert_string_equal(rows_cell(r, 0, 0)->text, "model.fusion");
    rows_free(r);
    r = listing_diff(s, "c31", "c11", &err); /* of cells the means over seeds */
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(rows_cell(r, i, 0)->text, "val/top1")) {
            assert_true(rows_number(rows_cell(r, i, 1)) == mean_top1(s, "c31"));
            assert_true(rows_number(rows_cell(r, i, 2)) == mean_top1(s, "c11"));
            found++;
        }
    assert_int_equal(found, 2);
    rows_free(r);
    assert_null(listing_diff(s, "c31", "nothing", &err));
    arena_release(&arena);
    store_close(s);
}

static void test_images_and_effects(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *s = open_store("images.db");
    put_grid(s, 1);
    for (int h = 0; h < 4; h++)
        for (int f = 0; f < 3; f++) {
            char id[32];
            snprintf(id, sizeof id, "c%d%d", h, f);
            ingest_run(s, id, 0, 60 + 4 * h + 2 * f); /* additive: no interactions */
        }
    struct table_options o = {.experiment = "quick"};
    struct rows *r = table_effects(s, &o, &err);
    if (!r)
        fail_msg("%s", err.msg);
    assert_int_equal(r->count, 4 + 3 + 12);
    for (size_t i = 0; i < r->count; i++) {
        double effect = rows_number(rows_cell(r, i, 4));
        double want = i < 4 ? 4 * (double)i - 6 : i < 7 ? 2 * (double)(i - 4) - 2 : 0;
        assert_true(fabs(effect - want) < 1e-12);
        assert_int_equal(rows_cell(r, i, 5)->integer, i < 4 ? 3 : i < 7 ? 4 : 1);
    }
    rows_free(r);
    /* ingest_run got the first 12 images right; this one misses 4 of them. */
    static const unsigned char bits[] = {0x0f, 0x0f};
    struct store_metric top1 = {"val/top1", 50};
    struct store_result other = {.state = STORE_DONE,
                                 .metrics = &top1,
                                 .metric_count = 1,
                                 .correct = bits,
                                 .correct_images = 12};
    OK(store_ingest(s, "c01-s0-cpu", &other, &ok_err));
    r = listing_images(s, "c00-s0", "c01-s0", &err);
    const int64_t want[] = {12, 8, 4, 0, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(rows_cell(r, 0, i)->integer, want[i]);
    assert_true(fabs(rows_number(rows_cell(r, 0, 5)) - 0.125) < 1e-12);
    rows_free(r);
    other.correct_images = 11;
    OK(store_ingest(s, "c01-s0-cpu", &other, &ok_err));
    assert_null(listing_images(s, "c00-s0", "c01-s0", &err));
    assert_non_null(strstr(err.msg, "12 images"));
    other.correct = NULL;
    other.metric_count = 0;
    OK(store_ingest(s, "c01-s0-cpu", &other, &ok_err));
    assert_null(listing_images(s, "c00-s0", "c01-s0", &err));
    assert_non_null(strstr(err.msg, "kept no list"));
    assert_null(table_effects(s, &o, &err));
    assert_non_null(strstr(err.msg, "token_summary add has no finished run"));
    store_close(s);
}

static void refused(struct store *s, const char *sql)
{
    struct error err = {0};
    struct rows *r = store_query(s, &err, sql, "");
    if (r)
        fail_msg("%s was run", sql);
    assert_int_equal(err.code, EXIT_USAGE);
    assert_null(strchr(err.msg, '\n'));
}

static void test_queries_only_read(void **state)
{
    (void)state;
    struct store *s = grid("query.db");
    static const char *const bad[] = {"DELETE FROM run",
                                      "INSERT INTO tag VALUES(1, 'x')",
                                      "UPDATE run SET state='done'",
                                      "DROP VIEW v_runs",
                                      "ATTACH 'x.db' AS x",
                                      "PRAGMA journal_mode=DELETE",
                                      "PRAGMA user_version=7",
                                      "BEGIN",
                                      "COMMIT",
                                      "VACUUM",
                                      "CREATE TEMP TABLE t(x)",
                                      "SELECT 1; SELECT 2",
                                      "",
                                      "SELEC 1",
                                      "SELECT nope FROM v_runs",
                                      "SELECT * FROM nowhere",
                                      "WITH x AS (SELECT 1) DELETE FROM run",
                                      "SELECT load_extension('x')",
                                      "REINDEX",
                                      "ANALYZE",
                                      "DETACH main",
                                      "SAVEPOINT x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(s, bad[i]);
    struct error err = {0};
    assert_null(store_query(s, &err, "SELECT * FROM v_run", ""));
    assert_non_null(strstr(err.msg, "did you mean v_runs"));
    struct rows *r =
        store_query(s, &err, "SELECT count(*) AS n, ? AS x, ? AS y, ? AS z FROM v_runs -- all",
                    "sid", "it's", (int64_t)5, 0.5);
    assert_int_equal(rows_cell(r, 0, 0)->integer, 36);
    assert_string_equal(rows_cell(r, 0, 1)->text, "it's");
    rows_free(r);
    OK(store_tag(s, "c00-s0-cpu", "writing works again", &ok_err));
    for (int i = 0; view_doc(i); i++) {
        struct rows *columns = views_columns(s, view_doc(i)->name, &err);
        assert_true(columns && columns->count >= 3);
        rows_free(columns);
    }
    assert_null(views_columns(s, "run", &err));
    store_close(s);
}

static void test_published(void **state)
{
    (void)state;
    struct store *s = open_store("published.db");
    struct error err = {0};
    static const struct {
        const char *file;
        int rows;
    } files[] = {{"vittm-table1", 16},    {"vittm-table2", 9},    {"vittm-table3", 33},
                 {"vittm-table4", 16},    {"vittm-table5", 52},   {"vittm-table6", 12},
                 {"vittm-table7", 36},    {"vittm-table8", 132},  {"vittm-figure1", 26},
                 {"tome-benchmarks", 12}, {"mctf-benchmarks", 18}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[200];
        long long n = 0;
        snprintf(path, sizeof path, "results/published/%s.csv", files[i].file);
        OK(store_published(s, path, &ok_err));
        OK(store_published(s, path, &ok_err)); /* twice is once */
        assert_int_equal(store_query_integer(s, &err, &n,
                                             "SELECT count(*) FROM v_published WHERE file=?", "s",
                                             files[i].file),
                         1);
        assert_int_equal(n, files[i].rows);
    }
    long long n = 0;
    store_query_integer(
        s, &err, &n,
        "SELECT 100 * value FROM v_published WHERE file='vittm-table1' AND metric='val/top1'"
        " AND \"model.rw_head\"='cross' AND \"model.fusion\"='erase'",
        "");
    assert_int_equal(n, 394);
    store_query_integer(s, &err, &n,
                        "SELECT value FROM v_published WHERE file='vittm-table8' AND row='ViT-B/16'"
                        " AND metric='cost/macs_fvcore' AND unit='MACs' AND convention='fvcore'",
                        "");
    assert_int_equal(n, 16870000000);
    static const char bad[] = "source,table,row,metric,value\nx,1,r,val/top1,many\n";
    assert_int_equal(file_write(in_folder("bad.csv"), bad, sizeof bad - 1, &err), 0);
    assert_int_equal(store_published(s, in_folder("bad.csv"), &err), -1);
    assert_non_null(strstr(err.msg, "bad.csv:2: value 'many'"));
    store_close(s);
}

/* Of the cells of one cost the best is on the front, and the dearest is the best of all. */
static void test_front(void **state)
{
    (void)state;
    struct store *s = grid("front.db");
    struct rows *r = table(s, (struct table_options){.machine = 1}, NULL);
    int column = rows_column(r, "p_front");
    for (size_t i = 0; i < r->count; i++) {
        double p = rows_number(rows_cell(r, i, (size_t)column));
        const char *label = at(r, i, "label");
        if (!strcmp(label, "linear add_erase"))
            assert_true(p > 0.99);
        if (!strcmp(label, "token_summary erase"))
            assert_true(p < 0.01);
        if (!strcmp(label, "latent_cross erase"))
            assert_true(isnan(p)); /* nothing ran */
    }
    rows_free(r);
    r = table(s, (struct table_options){0}, NULL);
    assert_true(rows_column(r, "P(front)") > 0);
    assert_non_null(strstr(r->caption, "Pareto front of val/top1 and cost/macs"));
    rows_free(r);
    store_close(s);
}

static void write_text(const char *name, const char *text)
{
    OK(file_write(in_folder(name), text, strlen(text), &ok_err));
}

static struct rows *beside(struct store *s, int machine)
{
    struct error err = {0};
    struct table_options o = {.experiment = "quick", .machine = machine};
    struct rows *r = table_published(s, &o, &err);
    if (!r)
        fail_msg("%s", err.msg);
    return r;
}

/* The row's design is found by its keys, or by the map; published and measured stay two columns. */
static void test_published_beside_measured(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *s = grid("beside.db");
    struct table_options o = {.experiment = "quick"};
    assert_null(table_published(s, &o, &err));
    assert_non_null(strstr(err.msg, "names no published numbers"));

    write_text("paper.csv",
               "source,table,row,model.rw_head,model.fusion,metric,value,unit,note\n"
               "P,1,Linear / Add,linear,add,val/top1,76.26,percent,\n"
               "P,1,Linear / Add,linear,add,cost/params,1000000,,printed as 1.0 M; rounded\n"
               "P,1,Linear / Any,linear,,val/top1,70,percent,\n"
               "P,2,Other,dyna,add,val/top1,50,percent,rounded\n");
    write_text("map.csv", "cell,file,row,note\nlinear erase,paper.csv,Other,of our making\n"
                          "linear add,paper.csv,Linear / Add,\n");
    static const char *const axes[] = {"model.rw_head", "model.fusion"};
    struct store_experiment e = {
        .name = "quick", .published = "x/paper.csv", .axes = axes, .axis_count = 2};
    OK(store_put_experiment(s, &e, &ok_err));
    OK(store_published(s, in_folder("paper.csv"), &ok_err));
    OK(store_published(s, in_folder("map.csv"), &ok_err));
    struct rows *r = beside(s, 0);
    static const char *const want[][4] = {{"1: Linear / Add", "76.26", "73.00 ± 0.50 (n=3)", ""},
                                          {"1: Linear / Add", "1.0 M", "1.003 M", "[1]"},
                                          {"1: Linear / Any", "70.00", "—", ""},
                                          {"2: Other", "50.00", "—", "[1]"}};
    assert_int_equal(r->count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(at(r, i, "row"), want[i][0]);
        assert_string_equal(at(r, i, "published"), want[i][1]);
        assert_string_equal(at(r, i, "measured"), want[i][2]);
        if (*want[i][3])
            assert_string_equal(at(r, i, "note"), want[i][3]);
    }
    assert_non_null(strstr(r->caption, "[1] rounded."));
    rows_free(r);

    e.published = "x/map.csv";
    OK(store_put_experiment(s, &e, &ok_err));
    r = beside(s, 0);
    assert_int_equal(rows_column(r, "cell"), -1); /* no row is two cells' */
    rows_free(r);
    r = beside(s, 1);
    assert_int_equal(r->count, 3);
    assert_string_equal(at(r, 0, "label"), "linear erase");
    assert_true(rows_number(rows_cell(r, 0, (size_t)rows_column(r, "published"))) == 50);
    assert_true(rows_number(rows_cell(r, 0, (size_t)rows_column(r, "mean"))) == 72);
    assert_string_equal(at(r, 2, "note"), "printed as 1.0 M; rounded");
    rows_free(r);

    write_text("map.csv", "cell,file,row,note\nlinear erase,paper.csv,Other,\n"
                          "linear add,paper.csv,Other,\nlinear add,paper.csv,Linear / Any,\n");
    OK(store_published(s, in_folder("map.csv"), &ok_err));
    r = beside(s, 0);
    assert_string_equal(at(r, 0, "cell"), "linear erase");
    assert_string_equal(at(r, 1, "cell"), "linear add");
    assert_string_equal(at(r, 2, "cell"), "");
    rows_free(r);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pivot),
        cmocka_unit_test(test_cells_and_tests),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_ids_show_diff),
        cmocka_unit_test(test_queries_only_read),
        cmocka_unit_test(test_images_and_effects),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_published_beside_measured),
        cmocka_unit_test(test_front),
    };
    return cmocka_run_group_tests_name("results/table", tests, make_folder, drop_folder);
}
