/* Figures: the same bytes twice, hostile text stays text, scripts hold what they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "plots/canvas.h"
#include "plots/figure.h"
#include "plots/gnuplot.h"
#include "tests/plots/synthetic.h"

/* Payloads that would run a command, leave a string or break a file if they got through. CANARY is
 * a path. */
#define CANARY "build/tmp/plots-canary"
static const char *const hostile[] = {
    "`touch " CANARY "`",
    "'; system('touch " CANARY "'); '",
    "\"; system(\"touch " CANARY "\"); \"",
    "x\nsystem('touch " CANARY "')",
    "x\r!touch " CANARY,
    "$(touch " CANARY ")",
    "< touch " CANARY,
    "| touch " CANARY,
    "@ARG1 @GNUPLOT_LIB",
    "a'b''c'''d",
    "{/:Bold {/Symbol a}}",
    "}{/*100 x}",
    "back\\slash\\n\\'",
    "%s%n%d%%",
    "# comment",
    "<script>alert(1)</script>",
    "&lt;&amp;&#60;",
    "\x01\x02\x7f\x1b[31m",
    "\xff\xfe\xc0\xaf",
    "\xc2\x85\xc2\x9b",
    "naïve – “ViTTM” 🙂 中文",
    "",
    " ",
    "exit",
    "a,b;c d\te",
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static int has_gnuplot(void)
{
    return access("/usr/bin/gnuplot", X_OK) == 0 || access("/usr/local/bin/gnuplot", X_OK) == 0;
}

#define NEED_GNUPLOT()                                                                             \
    do {                                                                                           \
        if (!has_gnuplot()) {                                                                      \
            print_message("gnuplot is not installed\n");                                           \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static char folder[] = "build/tmp/figures.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    struct error err = {0};
    if (file_make_folder("build/tmp", &err) != 0 || mkdtemp(folder) == NULL)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static char *path_of(const char *name)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/%s", folder, name);
    return strbuf_detach(&s);
}

static void remove_file(const char *name)
{
    char *path = path_of(name);
    unlink(path);
    free(path);
}

static void remove_figure(const char *stem)
{
    static const char *const suffixes[] = {".svg", ".png", ".pdf"}, *const kept[] = {"", ".gp",
                                                                                     ".dat"};
    for (size_t i = 0; i < 9; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", stem, suffixes[i / 3], kept[i % 3]);
        remove_file(name);
    }
}

static char *read_name(const char *name, size_t *size)
{
    struct error err = {0};
    char *text = NULL, *path = path_of(name);
    if (file_read(path, 1 << 26, &text, size, &err) != 0)
        fail_msg("%s", err.msg);
    free(path);
    return text;
}

static void draw(const char *figure, struct plot_data *d, const char *name)
{
    struct error err = {0};
    struct figure_options none = {0};
    char *path = path_of(name), *summary = NULL;
    const struct figure *f = figure_find(figure, &err);
    if (f == NULL || figure_write(f, d, &none, path, &summary, &err) != 0)
        fail_msg("%s: %s", figure, err.msg);
    assert_true(strlen(summary) > 20);
    free(summary);
    free(path);
}

/* ---- text ---- */

static void quoted(const char *text, int bold, const char *expected)
{
    struct strbuf s = STRBUF_INIT;
    gnuplot_quote_as(&s, text, bold);
    assert_string_equal(s.text, expected);
    strbuf_release(&s);
}

static void test_quote(void **state)
{
    (void)state;
    quoted("plain", 0, "'plain'");
    quoted("it's", 0, "'it\u2019s'");
    quoted("'", 0, "'\u2019'");
    quoted("`id` @x", 0, "'id x'");
    quoted("a\nb\r\tc\x7f", 0, "'abc'");
    quoted("± é \xff\xc2\x85", 0, "'± é '");
    quoted("{a_b}^c&~\\", 1, "'{/:Bold abc}'");
    quoted("token_summary", 0, "'token_summary'");
    char lengthy[400];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = 0;
    struct strbuf s = STRBUF_INIT;
    gnuplot_quote(&s, lengthy);
    assert_int_equal(s.len, GNUPLOT_LABEL_MAX + 2 + strlen("…"));
    strbuf_release(&s);
}

/* Whatever is quoted, the string ends where we end it: quotes inside come in pairs, nothing else is
 * special in a single-quoted string. */
static void test_quote_hostile(void **state)
{
    (void)state;
    for (int i = 0; i < HOSTILE; i++)
        for (int bold = 0; bold < 2; bold++) {
            struct strbuf s = STRBUF_INIT;
            gnuplot_quote_as(&s, hostile[i], bold);
            assert_int_equal(s.text[0], '\'');
            assert_int_equal(s.text[s.len - 1], '\'');
            for (size_t k = 1; k + 1 < s.len; k++) {
                assert_true((unsigned char)s.text[k] >= 0x20 && s.text[k] != '`' &&
                            s.text[k] != '@');
                assert_true(s.text[k] != '\'');
            }
            strbuf_release(&s);
        }
}

static void test_paths(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(gnuplot_check_path("out/a b.svg", &err), 0);
    assert_int_equal(gnuplot_check_path("out's/é.PNG", &err), 0);
    static const char *const bad[] = {"fig",          "fig.jpg",  ".svg",    "a/.svg",
                                      "|touch x.svg", "<x.svg",   "a'b.svg", "a`b.svg",
                                      "a\nb.svg",     "a\"b.svg", "$x.svg",  "a\\b.svg"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(gnuplot_check_path(bad[i], &err), -1);
        assert_int_equal(err.code, EXIT_USAGE);
    }
}

/* ---- drawing ---- */

static void test_same_bytes(void **state)
{
    NEED_GNUPLOT();
    (void)state;
    static const char *const suffixes[] = {"svg", "png"};
    struct synthetic s = SYNTHETIC_INIT;
    for (int i = 0; figure_at(i) != NULL; i++)
        for (int k = 0; k < 2; k++) {
            char name[2][32], *bytes[2];
            size_t size[2];
            for (int pass = 0; pass < 2; pass++) {
                struct plot_data d;
                synthetic_arrange(&d, &s, 1);
                snprintf(name[pass], sizeof name[pass], "same.%s", suffixes[k]);
                draw(figure_at(i)->choice.name, &d, name[pass]);
                bytes[pass] = read_name(name[pass], &size[pass]);
                data_release(&d);
                if (pass == 0 && i == 0)
                    sleep(1); /* a date in the file would change now */
            }
            assert_true(size[0] > 2000);
            assert_int_equal(size[0], size[1]);
            assert_memory_equal(bytes[0], bytes[1], size[0]);
            free(bytes[0]);
            free(bytes[1]);
        }
    remove_figure("same");
}

static void test_script_beside(void **state)
{
    NEED_GNUPLOT();
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct plot_data d;
    size_t size;
    synthetic_arrange(&d, &s, 1);
    draw("pareto", &d, "beside.svg");
    char *script = read_name("beside.svg.gp", &size), *data = read_name("beside.svg.dat", &size);
    char *svg = read_name("beside.svg", &size);
    assert_non_null(strstr(script, "unset mouse"));
    assert_non_null(strstr(script, "set output './beside.svg'"));
    assert_non_null(strstr(script, "'top-1 accuracy (%)'"));
    assert_non_null(strstr(script, "'MACs (millions)'"));
    assert_non_null(strstr(script, "yerrorbars"));
    assert_non_null(strstr(script, "index 'front line'"));
    assert_non_null(strstr(script, "'published'"));
    assert_non_null(strstr(data, "# front line\n"));
    assert_non_null(strstr(data, "\"latent cross · add erase\""));
    assert_non_null(strstr(svg, "MACs (millions)"));
    assert_null(strstr(svg, "<script"));
    free(script);
    free(data);
    free(svg);
    data_release(&d);
    remove_figure("beside");
}

/* Figures of one stem keep a script and data each, and no file that is not theirs is touched. */
static void test_one_stem(void **state)
{
    NEED_GNUPLOT();
    (void)state;
    static const char *const figures[] = {"pareto", "effects"};
    static const char *const names[] = {"stem.svg", "stem.png"};
    struct synthetic s = SYNTHETIC_INIT;
    struct plot_data d;
    struct error err = {0};
    char *mine = path_of("stem.dat");
    size_t size;
    synthetic_arrange(&d, &s, 0);
    assert_int_equal(file_write(mine, "mine", 4, &err), 0);
    for (int i = 0; i < 2; i++)
        draw(figures[i], &d, names[i]);
    for (int i = 0; i < 2; i++) {
        char name[32], output[64];
        snprintf(name, sizeof name, "%s.gp", names[i]);
        snprintf(output, sizeof output, "set output './%s'\ndata = './%s.dat'\n", names[i],
                 names[i]);
        char *script = read_name(name, &size);
        assert_non_null(strstr(script, output));
        snprintf(name, sizeof name, "%s.dat", names[i]);
        char *data = read_name(name, &size);
        assert_int_equal(strstr(data, "# front line\n") != NULL, i == 0);
        free(script);
        free(data);
    }
    char *text = read_name("stem.dat", &size);
    assert_string_equal(text, "mine");
    free(text);
    unlink(mine);
    free(mine);
    data_release(&d);
    remove_figure("stem");
}

/* A published point is in the published block and nowhere else. */
static void test_published_apart(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct canvas with = CANVAS_INIT, without = CANVAS_INIT;
    struct figure_options none = {0};
    struct plot_data d;
    struct error err = {0};
    const struct figure *f = figure_find("pareto", &err);
    synthetic_arrange(&d, &s, 0);
    assert_int_equal(f->draw(&d, &none, &without, &err), 0);
    data_release(&d);
    synthetic_arrange(&d, &s, 1);
    assert_int_equal(f->draw(&d, &none, &with, &err), 0);
    data_release(&d);
    char *front = strstr(with.data.text, "# front\n"), *end = strstr(front, "\n\n");
    assert_non_null(front);
    assert_non_null(end);
    *end = 0;
    assert_non_null(strstr(without.data.text, front));
    assert_null(strstr(without.data.text, "ViT"));
    assert_memory_equal(with.summary.text, without.summary.text,
                        strcspn(without.summary.text, "."));
    canvas_release(&with);
    canvas_release(&without);
}

static void test_hostile_labels(void **state)
{
    NEED_GNUPLOT();
    (void)state;
    unlink(CANARY);
    for (int i = 0; i + 6 < HOSTILE; i += 6) {
        struct synthetic s = SYNTHETIC_INIT;
        struct plot_data d;
        for (int k = 0; k < SYNTHETIC_HEADS; k++)
            s.heads[k] = hostile[i + k];
        for (int k = 0; k < SYNTHETIC_FUSIONS; k++)
            s.fusions[k] = hostile[i + SYNTHETIC_HEADS + k - 1];
        s.fusions[0] = hostile[(i + 11) % HOSTILE];
        s.title = hostile[i];
        synthetic_arrange(&d, &s, 0);
        for (int f = 0; figure_at(f) != NULL; f++)
            draw(figure_at(f)->choice.name, &d, "hostile.svg");
        data_release(&d);
        size_t size;
        char *svg = read_name("hostile.svg", &size);
        assert_null(strstr(svg, "<script"));
        free(svg);
        assert_int_not_equal(access(CANARY, F_OK), 0);
    }
    remove_figure("hostile");
}

static void test_pdf(void **state)
{
    NEED_GNUPLOT();
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct plot_data d;
    size_t size;
    synthetic_arrange(&d, &s, 0);
    draw("effects", &d, "figure.pdf");
    char *pdf = read_name("figure.pdf", &size);
    assert_memory_equal(pdf, "%PDF-", 5);
    free(pdf);
    data_release(&d);
    remove_figure("figure");
}

/* Without gnuplot: exit code 3, the package's name, and no file left behind. */
static void test_missing_gnuplot(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct plot_data d;
    struct error err = {0};
    struct figure_options none = {0};
    char *path = path_of("none.svg"), *saved = mem_strdup(getenv("PATH"));
    synthetic_arrange(&d, &s, 0);
    setenv("PATH", folder, 1);
    int rc = figure_write(figure_find("pareto", &err), &d, &none, path, NULL, &err);
    setenv("PATH", saved, 1);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    assert_non_null(strstr(err.msg, "gnuplot-nox"));
    assert_false(file_exists(path));
    data_release(&d);
    free(path);
    free(saved);
}

static void test_nothing_to_draw(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct error err = {0};
    s.seeds = 0;
    for (int i = 0; figure_at(i) != NULL; i++) {
        struct canvas c = CANVAS_INIT;
        struct plot_data d;
        struct figure_options none = {0};
        synthetic_arrange(&d, &s, 0);
        assert_int_equal(figure_at(i)->draw(&d, &none, &c, &err), -1);
        assert_int_equal(err.code, EXIT_FAILED);
        canvas_release(&c);
        data_release(&d);
    }
    struct plot_data d;
    struct canvas c = CANVAS_INIT;
    struct figure_options typo = {.y = "val/topp1"};
    s.seeds = 3;
    synthetic_arrange(&d, &s, 0);
    assert_int_equal(figure_find("pareto", &err)->draw(&d, &typo, &c, &err), -1);
    assert_int_equal(err.code, EXIT_USAGE);
    assert_non_null(strstr(err.msg, "val/top1"));
    typo = (struct figure_options){.x = "params"}; /* the last part of a name */
    assert_int_equal(figure_find("pareto", &err)->draw(&d, &typo, &c, &err), -1);
    assert_int_equal(err.code, EXIT_USAGE);
    assert_string_equal(err.msg, "unknown metric params (did you mean cost/params?)");
    typo.x = "nothing like it";
    assert_int_equal(figure_find("pareto", &err)->draw(&d, &typo, &c, &err), -1);
    assert_non_null(strstr(err.msg, "`vittm list metrics` lists them"));
    typo = (struct figure_options){.y = "top1"};
    assert_int_equal(figure_find("curves", &err)->draw(&d, &typo, &c, &err), -1);
    assert_int_equal(err.code, EXIT_USAGE);
    assert_string_equal(err.msg, "no run has a curve of top1 (did you mean val/top1?)");
    typo.y = "cost/params"; /* which has none */
    assert_int_equal(figure_find("curves", &err)->draw(&d, &typo, &c, &err), -1);
    assert_int_equal(err.code, EXIT_FAILED);
    assert_null(figure_find("paretto", &err));
    assert_non_null(strstr(err.msg, "pareto"));
    canvas_release(&c);
    data_release(&d);
}

static void figure_says(const char *figure, const char *x, int seeds, const char *expected)
{
    struct synthetic s = SYNTHETIC_INIT;
    struct canvas out = CANVAS_INIT;
    struct figure_options options = {.x = x};
    struct plot_data d;
    struct error err = {0};
    s.seeds = seeds;
    synthetic_arrange(&d, &s, 0);
    assert_int_equal(figure_find(figure, &err)->draw(&d, &options, &out, &err), 0);
    if (strstr(out.summary.text, expected) == NULL && strstr(out.script.text, expected) == NULL)
        fail_msg("%s says: %s", figure, out.summary.text);
    canvas_release(&out);
    data_release(&d);
}

static void effects_say(int seeds, const char *expected)
{
    figure_says("effects", NULL, seeds, expected);
}

/* How many seeds and under what circumstances stands in the figure and below it. */
static void test_says_how_measured(void **state)
{
    (void)state;
    figure_says("effects", NULL, 3, "(%), mean and 95% interval over 3 seeds");
    figure_says("heatmap", NULL, 3, "± 1 std, n = 3");
    figure_says("heatmap", NULL, 3, "one standard deviation over seeds (n = 3)");
    figure_says("interaction", NULL, 3, "bars: ± 1 std, n = 3");
    figure_says("interaction", NULL, 3, "over seeds (n = 3).");
    figure_says("interaction", NULL, 1, "others interact.");
    figure_says("pareto", "latency/p50_ms", 3, "median latency (ms), batch 64, fp32, 1 thread'");
    figure_says("pareto", "latency/p50_ms", 3, "Timed with batch 64, fp32, 1 thread, cpu.");
    figure_says("curves", NULL, 3, "over seeds (n = 3).");
    figure_says("curves", NULL, 1, "for 12 cells, of one seed.");
    figure_says("memory", NULL, 3, "Peak memory of training of 12 cells;");
}

static void test_effects_caption(void **state)
{
    (void)state;
    effects_say(1, "each key, of one seed, so without intervals; the dashed");
    effects_say(3, "each key, with 95% intervals over 3 seeds; the dashed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_quote_hostile),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_script_beside),
        cmocka_unit_test(test_one_stem),
        cmocka_unit_test(test_published_apart),
        cmocka_unit_test(test_hostile_labels),
        cmocka_unit_test(test_pdf),
        cmocka_unit_test(test_missing_gnuplot),
        cmocka_unit_test(test_nothing_to_draw),
        cmocka_unit_test(test_effects_caption),
        cmocka_unit_test(test_says_how_measured),
    };
    return cmocka_run_group_tests_name("figures", tests, set_up, tear_down);
}
