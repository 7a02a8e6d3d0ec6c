/* The report: what others wrote stays text, nothing points to a network, tags balance, sentences
 * are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "plots/html.h"
#include "plots/report.h"
#include "tests/plots/synthetic.h"

static const char *const hostile[] = {
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</td></table><iframe src=javascript:alert(1)>",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "javascript:alert(1)",
    "<a href=\"//example\">x</a>",
    "\x01\x08\x1b[31m<b>",
    "\xff\xfe<b>",
    "a\tb\nc<b>",
    "<meta http-equiv=refresh content=0>",
    "<base href=//x>",
    "<form action=//x><input>",
    "\"onmouseover=\"alert(1)",
    "'onmouseover='alert(1)",
    "${alert(1)}",
    "</pre><script>alert(1)</script>",
    "<details ontoggle=alert(1) open>",
    "🙂 naïve “quotes”",
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static void page_of(const struct synthetic *s, const struct report_options *o, int published,
                    struct strbuf *out)
{
    struct plot_data d;
    struct error err = {0};
    synthetic_arrange(&d, s, published);
    if (report_page(&d, o, out, &err) != 0)
        fail_msg("%s", err.msg);
    data_release(&d);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, what)) != NULL; s += strlen(what))
        n++;
    return n;
}

/* ---- well-formed: every tag that opens closes, in order ---- */

static int is_void(const char *name)
{
    static const char *const names[] = {"meta", "img", "br", "hr"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

/* Reads a tag at s ("<..."): its name, and whether it closes. Returns the byte after ">". */
static const char *read_tag(const char *s, char name[32], int *closes)
{
    size_t n = 0;
    *closes = *++s == '/';
    s += *closes;
    while (isalnum((unsigned char)*s) && n < 31)
        name[n++] = *s++;
    name[n] = 0;
    if (n == 0)
        fail_msg("a bare < before: %.40s", s);
    for (char quote = 0; *s != '>' || quote != 0; s++) {
        if (*s == 0)
            fail_msg("tag %s does not end", name);
        if (*s == '<')
            fail_msg("< inside tag %s: %.40s", name, s);
        if (quote != 0 ? *s == quote : *s == '"' || *s == '\'')
            quote = quote != 0 ? 0 : *s;
    }
    return s + 1;
}

static void check_tags(const char *page)
{
    char open[64][32], name[32];
    int depth = 0, closes;
    const char *s = strchr(page, '>') + 1; /* after the doctype */
    while ((s = strchr(s, '<')) != NULL) {
        s = read_tag(s, name, &closes);
        if (closes) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (!is_void(name)) {
            assert_true(depth < 64);
            memcpy(open[depth++], name, sizeof name);
            if (strcmp(name, "script") == 0 || strcmp(name, "style") == 0)
                s = strstr(s, "</");
        }
    }
    assert_int_equal(depth, 0);
}

/* Every attribute value is quoted and none is a handler; the only script is ours. */
static void check_inert(const char *page)
{
    assert_int_equal(count(page, "<script"), 1);
    assert_int_equal(count(page, "<style"), 1);
    static const char *const never[] = {"<iframe", "<form",  "<input", "<base",
                                        "<object", "<embed", "<link",  "<svg",
                                        "<a ",     "<a>",    "<b>",    "<details o"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(page, never[i]) != NULL)
            fail_msg("the page holds %s: %.60s", never[i], strstr(page, never[i]));
    for (const char *s = page; (s = strchr(s, '<')) != NULL; s++) {
        size_t n = strcspn(s, ">");
        char *tag = strndup(s, n < 200 ? n : 200);
        const char *src = strstr(tag, " src=");
        if (strstr(tag, "href") != NULL || strstr(tag, "url(") != NULL ||
            (src != NULL && strncmp(src, " src=\"data:image/svg+xml;base64,", 31) != 0))
            fail_msg("a reference: %s", tag);
        for (const char *k = tag; (k = strstr(k, " on")) != NULL; k++)
            fail_msg("a handler: %s", tag);
        free(tag);
        if (strncmp(s, "<script>", 8) == 0)
            s = strstr(s, "</script>") - 1;
    }
}

static void test_plain(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {.command = "vittm report quick -o r.html",
                               .database = "out/vittm.db"};
    struct strbuf page = STRBUF_INIT;
    page_of(&s, &o, 1, &page);
    check_tags(page.text);
    check_inert(page.text);
    assert_null(strstr(page.text, "http:"));
    assert_null(strstr(page.text, "https:"));
    assert_null(strstr(page.text, "url("));
    assert_null(strstr(page.text, "@import"));
    assert_non_null(strstr(page.text, "<h1>Read-write heads and fusion on CIFAR-10</h1>"));
    assert_non_null(strstr(
        page.text, "12 cells (4 read-write heads × 3 fusions) on cifar10, 3 seeds each: 36 of 36 "
                   "runs are done."));
    assert_non_null(strstr(page.text, "of linear · add erase, at 17.10 million MACs"));
    assert_non_null(strstr(page.text, "class=\"n best\""));
    assert_non_null(strstr(page.text, "never falls below p = 0.25"));
    assert_non_null(strstr(page.text, "vittm run experiments/quick.yaml"));
    assert_non_null(strstr(page.text, "vittm report quick -o r.html"));
    assert_null(strstr(page.text, "`")); /* code is marked up */
    static const char *const sections[] = {"ablation",  "effects-table", "cells",   "latency",
                                           "published", "configuration", "compute", "environment",
                                           "checklist", "reproduce"};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        char id[64];
        snprintf(id, sizeof id, "<section id=\"%s\">", sections[i]);
        if (count(page.text, id) != 1)
            fail_msg("section %s: %zu times", sections[i], count(page.text, id));
    }
    strbuf_release(&page);
}

/* Published and measured stand side by side where the design is the same, and nowhere else. */
static void test_published_beside_measured(void **state)
{
    (void)state;
    static const char *const names[] = {"source", "table",         "row",         "metric",
                                        "value",  "model.rw_head", "model.fusion"};
    static const char *const heads[] = {"linear", "dyna"};
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {0};
    struct strbuf page = STRBUF_INIT;
    for (int i = 0; i < 2; i++) {
        struct plot_data d;
        struct error err = {0};
        struct plot_source source = synthetic_source(&s, 0);
        source.published = rows_new(7, names);
        struct rows_cell *c = rows_append(source.published);
        rows_set_text(source.published, &c[2], "Linear / Add");
        rows_set_text(source.published, &c[3], "cost/macs");
        rows_set_real(&c[4], 2.62e9);
        rows_set_text(source.published, &c[5], heads[i]);
        rows_set_text(source.published, &c[6], "add");
        strbuf_clear(&page);
        if (data_arrange(&d, source, &err) != 0 || report_page(&d, &o, &page, &err) != 0)
            fail_msg("%s", err.msg);
        assert_int_equal(count(page.text, "measured here</th>"), i == 0);
        assert_int_equal(count(page.text, ">2620000000<"), 1);
        check_tags(page.text);
        data_release(&d);
    }
    strbuf_release(&page);
}

/* Lists are as people write them in tables of results, and whole where they are the configuration.
 */
static void test_lists(void **state)
{
    (void)state;
    static const char *const lists[] = {"[16]", "[8]", "[3, 6]", "[4, 8]"};
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {0};
    struct strbuf page = STRBUF_INIT;
    memcpy(s.heads, lists, sizeof lists);
    page_of(&s, &o, 0, &page);
    assert_non_null(strstr(page.text, ">[16], [8], [3, 6], [4, 8]</td>"));
    assert_non_null(strstr(page.text, ">3,6</th>"));
    assert_int_equal(count(page.text, "[3, 6]"), 1);
    strbuf_release(&page);
}

static void test_warnings(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {0};
    struct strbuf page = STRBUF_INIT;
    page_of(&s, &o, 0, &page);
    assert_null(strstr(page.text, "different commits"));
    assert_null(strstr(page.text, "runs failed"));
    strbuf_clear(&page);
    s.failed = 1;
    s.mixed_commits = 1;
    page_of(&s, &o, 0, &page);
    assert_non_null(strstr(page.text, "2 different commits"));
    assert_non_null(strstr(page.text, "1 of 36 runs failed"));
    assert_non_null(strstr(page.text, "loss is not finite at step 311"));
    assert_non_null(strstr(page.text, "(n = 2 of 3)"));
    strbuf_clear(&page);
    s = (struct synthetic)SYNTHETIC_INIT;
    s.seeds = 10; /* enough for 11 comparisons */
    page_of(&s, &o, 0, &page);
    assert_null(strstr(page.text, "cannot decide"));
    assert_null(strstr(page.text, "n too small"));
    strbuf_release(&page);
}

/* Cells that somebody named stand under their names; numbers in a table's head have their key. */
static void test_names(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {0};
    struct plot_data d;
    struct error err = {0};
    struct strbuf page = STRBUF_INIT;
    s.fusions[0] = "1";
    s.fusions[1] = "2";
    s.fusions[2] = "3";
    page_of(&s, &o, 0, &page);
    assert_non_null(strstr(page.text, ">fusion 2</th>"));
    strbuf_clear(&page);
    synthetic_arrange(&d, &s, 0);
    d.cells[1].label = "Our best";
    assert_int_equal(report_page(&d, &o, &page, &err), 0);
    assert_int_equal(count(page.text, ">Our best</th>"), 3); /* ablation, all cells, latency */
    assert_null(strstr(page.text, ">fusion 2</th>"));
    check_tags(page.text);
    data_release(&d);
    strbuf_release(&page);
}

static void test_hostile(void **state)
{
    (void)state;
    for (int i = 0; i < HOSTILE; i++) {
        struct synthetic s = SYNTHETIC_INIT;
        struct report_options o = {.command = hostile[i],
                                   .database = hostile[i],
                                   .version = hostile[i],
                                   .date = hostile[i]};
        struct strbuf page = STRBUF_INIT;
        for (int k = 0; k < SYNTHETIC_HEADS; k++)
            s.heads[k] = hostile[(i + k) % HOSTILE];
        for (int k = 0; k < SYNTHETIC_FUSIONS; k++)
            s.fusions[k] = hostile[(i + 5 + k) % HOSTILE];
        s.title = hostile[i];
        s.failed = 1;
        page_of(&s, &o, 0, &page);
        check_tags(page.text);
        check_inert(page.text);
        strbuf_release(&page);
    }
}

static void test_escape(void **state)
{
    (void)state;
    struct strbuf s = STRBUF_INIT;
    html_text(&s, "<&>\"'\x01\x7f\n±");
    assert_string_equal(s.text, "&lt;&amp;&gt;&quot;&#39;\n±");
    strbuf_clear(&s);
    html_value(&s, HTML_NUMBER, -1.5, "-1.5");
    assert_string_equal(s.text, "<td class=\"n\" data-v=\"-1.5\">\u22121.5</td>");
    strbuf_clear(&s);
    html_script_hash(&s, "alert('Hello, world.');"); /* the example of the specification of CSP 3 */
    assert_string_equal(s.text, "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='");
    strbuf_release(&s);
}

/* The policy names the hash of the script that is there. */
static void test_policy(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {0};
    struct strbuf page = STRBUF_INIT, hash = STRBUF_INIT;
    page_of(&s, &o, 0, &page);
    assert_non_null(strstr(
        page.text, "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src "));
    char *script = strstr(page.text, "<script>") + strlen("<script>"),
         *end = strstr(script, "</script>");
    char *copy = strndup(script, (size_t)(end - script));
    html_script_hash(&hash, copy);
    assert_non_null(strstr(page.text, hash.text));
    assert_true(strstr(page.text, hash.text) < script);
    free(copy);
    strbuf_release(&page);
    strbuf_release(&hash);
}

static void test_figures_inside(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {.figures = 1};
    struct strbuf page = STRBUF_INIT, again = STRBUF_INIT;
    if (access("/usr/bin/gnuplot", X_OK) != 0) {
        print_message("gnuplot is not installed\n");
        skip();
    }
    char folder[] = "build/tmp/report.XXXXXX", *saved = getenv("TMPDIR");
    saved = saved != NULL ? strdup(saved) : NULL;
    assert_non_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    page_of(&s, &o, 1, &page);
    check_tags(page.text);
    check_inert(page.text);
    assert_int_equal(count(page.text, "src=\"data:image/svg+xml;base64,"), 6);
    page_of(&s, &o, 1, &again);
    assert_string_equal(page.text, again.text);
    if (saved != NULL)
        setenv("TMPDIR", saved, 1);
    else
        unsetenv("TMPDIR");
    free(saved);
    assert_int_equal(rmdir(folder), 0); /* where it drew nothing is left */
    strbuf_release(&page);
    strbuf_release(&again);
}

/* A page without figures says why, and is a page. */
static void test_without_gnuplot(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {.figures = 1};
    struct strbuf page = STRBUF_INIT;
    char *saved = strdup(getenv("PATH"));
    setenv("PATH", "build/no-such-folder", 1);
    page_of(&s, &o, 0, &page);
    setenv("PATH", saved, 1);
    free(saved);
    assert_non_null(strstr(page.text, "gnuplot-nox"));
    assert_int_equal(count(page.text, "data:image"), 0);
    check_tags(page.text);
    strbuf_release(&page);
}

static void test_empty(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {.figures = 1};
    struct strbuf page = STRBUF_INIT;
    s.seeds = 0;
    page_of(&s, &o, 0, &page);
    check_tags(page.text);
    strbuf_clear(&page);
    s.seeds = 1;
    page_of(&s, &o, 0, &page);
    check_tags(page.text);
    strbuf_release(&page);
}

static void test_write(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct report_options o = {0};
    struct plot_data d;
    struct error err = {0};
    synthetic_arrange(&d, &s, 0);
    assert_int_equal(report_write(&d, &o, "build/no-such-folder/x/report.html", &err), -1);
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    data_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),           cmocka_unit_test(test_published_beside_measured),
        cmocka_unit_test(test_warnings),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_hostile),         cmocka_unit_test(test_escape),
        cmocka_unit_test(test_policy),          cmocka_unit_test(test_figures_inside),
        cmocka_unit_test(test_without_gnuplot), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_write),           cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
