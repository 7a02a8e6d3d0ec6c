/* Renderers and the CSV reader. */
#include "tests/results/store_fixture.h"
#include "results/csv.h"
#include "results/rows.h"

#include <jansson.h>
#include <math.h>

static struct rows *sample(void)
{
    static const char *const names[] = {"name", "val/top1", "macs", "note"};
    struct rows *r = rows_new(4, names);
    struct rows_cell *c = rows_append(r);
    rows_set_text(r, &c[0], "cross & add_erase");
    rows_set_real(&c[1], 76.26);
    rows_set_integer(&c[2], 16867412736);
    rows_set_text(r, &c[3], "=1+1");
    c = rows_append(r);
    rows_set_text(r, &c[0], "say \"hi\", all\nof you");
    rows_set_real(&c[1], -0.1);
    rows_set_real(&c[2], 2147483648.0);
    c = rows_append(r);
    rows_set_format(r, &c[0], "%.2f ± %.2f", 1.0, 0.5);
    c[0].strong = 1;
    rows_set_real(&c[1], NAN);
    rows_set_real(&c[2], INFINITY);
    rows_set_text(r, &c[3], "a|b <i>\x1b[31m\xff");
    return r;
}

static char *print(const struct rows *r, enum rows_format format, int width)
{
    char *text;
    size_t size;
    struct error err = {0};
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(rows_print_width(r, format, width, f, &err), 0);
    fclose(f);
    return text;
}

static void expect(const struct rows *r, enum rows_format format, const char *want)
{
    char *text = print(r, format, 0);
    assert_string_equal(text, want);
    free(text);
}

static void test_formats(void **state)
{
    (void)state;
    struct rows *r = sample();
    expect(r, ROWS_CSV,
           "name,val/top1,macs,note\n"
           "cross & add_erase,76.26,16867412736,'=1+1\n"
           "\"say \"\"hi\"\", all\nof you\",-0.1,2147483648,\n"
           "1.00 ± 0.50,,inf,a|b <i>\x1b[31m\xef\xbf\xbd\n");
    expect(r, ROWS_JSONL,
           "{\"name\": \"cross & add_erase\", \"val/top1\": 76.26, \"macs\": 16867412736, "
           "\"note\": \"=1+1\"}\n"
           "{\"name\": \"say \\\"hi\\\", all\\nof you\", \"val/top1\": -0.1, \"macs\": 2147483648, "
           "\"note\": null}\n"
           "{\"name\": \"1.00 ± 0.50\", \"val/top1\": null, \"macs\": null, \"note\": \"a|b "
           "<i>\\u001B[31m\xef\xbf\xbd\"}\n");
    expect(r, ROWS_MD,
           "| name | val/top1 | macs | note |\n| --- | ---: | ---: | --- |\n"
           "| cross & add\\_erase | 76.26 | 16867412736 | =1+1 |\n"
           "| say \"hi\", all<br>of you | -0.1 | 2147483648 |  |\n"
           "| **1.00 ± 0.50** |  | inf | a\\|b &lt;i> [31m\xef\xbf\xbd |\n");
    expect(r, ROWS_LATEX,
           "% needs \\usepackage{booktabs}\n\\begin{tabular}{lrrl}\n\\toprule\n"
           "name & val/top1 & macs & note \\\\\n\\midrule\n"
           "cross \\& add\\_erase & 76.26 & 16867412736 & =1+1 \\\\\n"
           "say \"hi\", all of you & -0.1 & 2147483648 &  \\\\\n"
           "\\textbf{1.00 $\\pm$ 0.50} &  & inf & a|b \\textless{}i\\textgreater{} "
           "[31m\xef\xbf\xbd \\\\\n"
           "\\bottomrule\n\\end{tabular}\n");
    rows_free(r);
}

/* An independent reader agrees about every value of the JSON. */
static void test_json_reads_back(void **state)
{
    (void)state;
    static const char *const names[] = {"text", "real", "integer"};
    static const double reals[] = {0.1,     1e-300, 1.7976931348623157e308, -3.5,
                                   1.0 / 3, 5e-324, 123456789.125};
    struct rows *r = rows_new(3, names);
    for (int i = 0; i < 7; i++) {
        struct rows_cell *c = rows_append(r);
        rows_set_format(r, &c[0], "%c\"\\/\t\u00e9", 1 + i);
        rows_set_real(&c[1], reals[i]);
        rows_set_integer(&c[2], INT64_MAX - i);
    }
    char *text = print(r, ROWS_JSON, 0);
    json_t *array = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(array), 7);
    for (int i = 0; i < 7; i++) {
        json_t *object = json_array_get(array, (size_t)i);
        assert_string_equal(json_string_value(json_object_get(object, "text")),
                            rows_cell(r, (size_t)i, 0)->text);
        assert_true(json_number_value(json_object_get(object, "real")) == reals[i]);
        assert_true(json_integer_value(json_object_get(object, "integer")) == INT64_MAX - i);
    }
    json_decref(array);
    free(text);
    rows_free(r);
    r = rows_new(3, names);
    expect(r, ROWS_JSON, "[]\n");
    rows_free(r);
}

/* Forty numbers side by side fit no terminal. */
static void test_records(void **state)
{
    (void)state;
    const char *names[40];
    for (int i = 0; i < 40; i++)
        names[i] = i ? "number" : "label \u6f22\u5b57";
    struct rows *r = rows_new(40, names);
    for (int k = 0; k < 2; k++) {
        struct rows_cell *c = rows_append(r);
        rows_set_text(r, &c[0], k ? "second" : "first");
        rows_set_integer(&c[39], 1 + k);
    }
    char *text = print(r, ROWS_TABLE, 80);
    assert_string_equal(text, "label \u6f22\u5b57  first\nnumber      1\n\n"
                              "label \u6f22\u5b57  second\nnumber      2\n");
    free(text);
    text = print(r, ROWS_TABLE, 1000);
    assert_null(strstr(text, "\n\n"));
    free(text);
    rows_free(r);
}

static void test_table_fits(void **state)
{
    (void)state;
    static const char *const names[] = {"label", "n", "remark"};
    struct rows *r = rows_new(3, names);
    for (int i = 0; i < 3; i++) {
        struct rows_cell *c = rows_append(r);
        rows_set_text(
            r, &c[0],
            "ä long label that goes on and on for a good while, and then some more of it");
        rows_set_integer(&c[1], 7 + 1000 * i);
        rows_set_text(r, &c[2],
                      i ? "short"
                        : "another text\nthat is far too long to be shown beside the first one");
    }
    char *text = print(r, ROWS_TABLE, 80);
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        size_t width = 0;
        for (char *p = line; *p; p++)
            width += ((unsigned char)*p & 0xc0) != 0x80;
        assert_true(width <= 80);
    }
    assert_int_equal(lines, 4);
    free(text);
    text =
        print(r, ROWS_TABLE, 1000); /* room for all: nothing is cut, numbers stand to the right */
    assert_non_null(strstr(text, "some more of it     7  another text that is far"));
    assert_null(strstr(text, "…"));
    free(text);
    /* Where the texts are what is wanted they go on below. */
    static const char *const facts[] = {"key", "value"};
    struct rows *show = rows_new(2, facts);
    struct rows_cell *fact = rows_append(show);
    show->wraps = 1;
    rows_set_text(show, &fact[0], "message");
    rows_set_text(show, &fact[1],
                  "the loss is not finite: the run\tdiverged ä-very-long-word-in-it");
    text = print(show, ROWS_TABLE, 40);
    assert_string_equal(text, "key      value\n"
                              "message  the loss is not finite: the run\n"
                              "         diverged ä-very-long-word-in-it\n");
    free(text);
    text = print(show, ROWS_TABLE, 1000);
    assert_string_equal(text, "key      value\nmessage  the loss is not finite: the run diverged "
                              "ä-very-long-word-in-it\n");
    free(text);
    rows_free(show);
    /* Of identifiers alone the first stays whole: it is typed into other commands. */
    static const char *const both[] = {"run", "label", "seed"};
    struct rows *ls = rows_new(3, both);
    struct rows_cell *run = rows_append(ls);
    rows_set_text(ls, &run[0], "a9108ccfa4eebf99-s0-cpu");
    rows_set_text(ls, &run[1], "token_summary/add_erase/none/0.001");
    rows_set_integer(&run[2], 0);
    text = print(ls, ROWS_TABLE, 60);
    assert_non_null(strstr(text, "a9108ccfa4eebf99-s0-cpu  token_summary/add_erase/none…     0\n"));
    free(text);
    text = print(ls, ROWS_TABLE, 32); /* nothing else helps */
    assert_non_null(strstr(text, "a9108ccfa4eebf9…  token_s…     0\n"));
    free(text);
    rows_free(ls);
    /* Identifiers stay whole while a text can give way; a formatted number stands to the right. */
    static const char *const ids[] = {"run", "remark", "params (M)"};
    struct rows *two = rows_new(3, ids);
    struct rows_cell *cell = rows_append(two);
    rows_set_text(two, &cell[0], "a9108ccfa4eebf99-s0-cpu");
    rows_set_text(two, &cell[1], "it went well enough");
    rows_set_text(two, &cell[2], "+0.25");
    text = print(two, ROWS_TABLE, 50);
    assert_non_null(strstr(text, "a9108ccfa4eebf99-s0-cpu  it went well…       +0.25\n"));
    free(text);
    rows_free(two);
    r->caption = "What it shows";
    r->label = "tab:x";
    text = print(r, ROWS_LATEX, 0);
    assert_non_null(strstr(text, "\\caption{What it shows}\n\\label{tab:x}\n"));
    free(text);
    rows_free(r);
    struct error err = {0};
    assert_int_equal(rows_format_find("latex", &err), ROWS_LATEX);
    assert_int_equal(rows_format_find("pdf", &err), -1);
    assert_non_null(strstr(err.msg, "jsonl"));
}

static void test_write_errors(void **state)
{
    (void)state;
    struct rows *r = sample();
    struct error err = {0};
    FILE *full = fopen("/dev/full", "w");
    if (!full) {
        rows_free(r);
        skip();
    }
    assert_int_equal(rows_print(r, ROWS_CSV, full, &err), -1);
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    fclose(full);
    rows_free(r);
}

/* ---- csv ------------------------------------------------------------------------------------- */

static void refused(const char *text, size_t size, const char *part)
{
    struct csv csv = {0};
    struct error err = {0};
    assert_int_equal(csv_parse(&csv, "f.csv", text, size, &err), -1);
    if (!strstr(err.msg, part))
        fail_msg("'%s' lacks '%s'", err.msg, part);
}

#define REFUSED(text, part) refused(text, sizeof text - 1, part)

static void test_csv(void **state)
{
    (void)state;
    struct csv csv = {0};
    struct error err = {0};
    static const char text[] = "\xef\xbb\xbf"
                               "a,\"b,c\",d\r\n1,\"say \"\"x\"\"\ntwice\",\r\n,,last";
    if (csv_parse(&csv, "f.csv", text, sizeof text - 1, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(csv.columns, 3);
    assert_int_equal(csv.count, 2);
    assert_string_equal(csv.header[1], "b,c");
    assert_string_equal(csv_field(&csv, 0, csv_column(&csv, "b,c")), "say \"x\"\ntwice");
    assert_string_equal(csv_field(&csv, 1, 2), "last");
    assert_string_equal(csv_field(&csv, 1, csv_column(&csv, "none")), "");
    assert_int_equal(csv.lines[1], 4);
    csv_release(&csv);
    REFUSED("", "is empty");
    REFUSED("a,b\n1\n", "f.csv:2: 1 fields");
    REFUSED("a,b\n1,2,3\n", "f.csv:2: more than the 2 fields");
    REFUSED("a,a\n", "twice");
    REFUSED("a\n\"x\n\n", "f.csv:2: a quote is never closed");
    REFUSED("a\nx\"y\n", "a quote inside");
    REFUSED("a\n\"x\"y\n", "follows a closing quote");
    REFUSED("a\nx\ry\n", "carriage return");
    REFUSED("a\nx\0y\n", "zero byte");
    /* What the renderer writes the reader reads. */
    struct rows *r = sample();
    char *printed = print(r, ROWS_CSV, 0);
    if (csv_parse(&csv, "f.csv", printed, strlen(printed), &err))
        fail_msg("%s", err.msg);
    assert_string_equal(csv_field(&csv, 1, 0), "say \"hi\", all\nof you");
    csv_release(&csv);
    free(printed);
    rows_free(r);
}

/* Any bytes: an answer or an error, never more. */
static void test_csv_garbage(void **state)
{
    (void)state;
    static const char alphabet[] = "a,\"\n\r\xff";
    unsigned random = 99;
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t n = 0;
        do {
            random = random * 1664525 + 1013904223;
            text[n++] = alphabet[(random >> 20) % 6];
        } while (n < sizeof text && (random >> 28));
        struct csv csv = {0};
        struct error err = {0};
        if (csv_parse(&csv, "f", text, n, &err) == 0)
            csv_release(&csv);
        else
            assert_true(err.code == EXIT_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),      cmocka_unit_test(test_json_reads_back),
        cmocka_unit_test(test_table_fits),   cmocka_unit_test(test_records),
        cmocka_unit_test(test_write_errors), cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_garbage),
    };
    return cmocka_run_group_tests_name("results/rows", tests, NULL, NULL);
}
