/* Scripts, terminals and the gnuplot process. */
#include "plots/gnuplot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "plots/style.h"

extern char **environ;

/* ---- text ---- */

static int dropped(const unsigned char *s, size_t n, int bold)
{
    if (n == 0 || s[0] < 0x20 || s[0] == 0x7f || s[0] == '`' || s[0] == '@')
        return 1;
    if (bold && strchr("{}^_&~\\", s[0]) != NULL) /* the marks of enhanced text */
        return 1;
    return n == 2 && s[0] == 0xc2 && s[1] < 0xa0; /* C1 controls */
}

void gnuplot_quote(struct strbuf *out, const char *text)
{
    gnuplot_quote_as(out, text, 0);
}

void gnuplot_quote_as(struct strbuf *out, const char *text, int bold)
{
    strbuf_adds(out, bold ? "'{/:Bold " : "'");
    int kept = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s != 0;) {
        size_t n = utf8_character((const char *)s, NULL);
        if (!dropped(s, n, bold)) {
            if (++kept > GNUPLOT_LABEL_MAX) {
                strbuf_adds(out, "…");
                break;
            }
            /* Doubling would be gnuplot's way, but it reads a doubled quote at the start of a
             * string as its end. */
            if (s[0] == '\'')
                strbuf_adds(out, "\u2019");
            else
                strbuf_add(out, (const char *)s, n);
        }
        s += n > 0 ? n : 1;
    }
    strbuf_adds(out, bold ? "}'" : "'");
}

double gnuplot_text_width(const char *text)
{
    double width = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s != 0; s++) {
        if ((*s & 0xc0) == 0x80)
            continue;
        if (strchr("iljtfI.,:;'|!()[] /-", *s) != NULL)
            width += 0.31;
        else if (*s == 'm' || *s == 'w' || *s == 'M' || *s == 'W' || *s == '%' || *s >= 0x80)
            width += 0.85;
        else
            width += isupper(*s) ? 0.69 : 0.555;
    }
    return width;
}

/* ---- formats ---- */

/* Sizes in CSS pixels become this terminal's units; every format shows the same picture. */
struct terminal {
    const char *suffix;
    double point_scale;
    void (*set)(struct strbuf *out, int width, int height);
};

static void set_svg(struct strbuf *out, int width, int height)
{
    strbuf_addf(out,
                "set terminal svg size %d,%d fixed name 'vittm' font '%s,%d' background '#ffffff' "
                "enhanced\n",
                width, height, STYLE_FONT, STYLE_FONT_SIZE);
}

static void set_png(struct strbuf *out, int width, int height)
{
    strbuf_addf(
        out,
        "set terminal pngcairo size %d,%d font '%s,%d' fontscale 1.5 linewidth 2 pointscale 2 "
        "background '#ffffff' enhanced\n",
        2 * width, 2 * height, STYLE_FONT, STYLE_FONT_SIZE);
}

static void set_pdf(struct strbuf *out, int width, int height)
{
    strbuf_addf(out,
                "set terminal pdfcairo size %.4fin,%.4fin font '%s,%d' fontscale 0.6 linewidth 1 "
                "pointscale 0.5 background '#ffffff' enhanced\n",
                width / 96.0, height / 96.0, STYLE_FONT, STYLE_FONT_SIZE);
}

static const struct terminal terminals[] = {
    {".svg", 0.78, set_svg},
    {".png", 1, set_png},
    {".pdf", 1.7, set_pdf},
};

static const char *file_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static const struct terminal *find_terminal(const char *path)
{
    const char *name = file_part(path);
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && dot != name && i < sizeof terminals / sizeof *terminals; i++)
        if (strcasecmp(dot, terminals[i].suffix) == 0)
            return &terminals[i];
    return NULL;
}

int gnuplot_check_path(const char *path, struct error *err)
{
    if (find_terminal(path) == NULL)
        return error_set(err, "%s: a figure's name ends in .svg, .png or .pdf", path);
    for (const unsigned char *s = (const unsigned char *)file_part(path); *s != 0; s++)
        if (*s < 0x20 || *s == 0x7f || strchr("'\"`\\$@|<>;&", *s) != NULL)
            return error_set(err, "%s: a figure's name may not hold the character %s", path,
                             *s < 0x20 || *s == 0x7f ? "of a control code" : (char[]){(char)*s, 0});
    return 0;
}

/* ---- the process ---- */

static int spawn(pid_t *pid, const char *folder, const char *script, const char *log)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 2, 1);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    /* --default-settings: no start-up files of the user or the machine. */
    char *argv[] = {(char[]){"gnuplot"}, (char[]){"-d"}, (char *)script, NULL};
    int rc = posix_spawnp(pid, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* The first line of gnuplot's own message that says something. */
static void explain(const char *log, struct strbuf *out)
{
    char *text = NULL;
    size_t size = 0;
    if (file_read(log, 1 << 16, &text, &size, NULL) != 0)
        return;
    for (char *line = text; line != NULL && *line != 0;) {
        char *end = strchr(line, '\n');
        if (strstr(line, "line ") != NULL) {
            strbuf_add(out, line, end != NULL ? (size_t)(end - line) : strlen(line));
            char *message = strstr(line, "line ");
            strbuf_clear(out);
            strbuf_add(out, message,
                       end != NULL && message < end ? (size_t)(end - message) : strlen(message));
        }
        line = end != NULL ? end + 1 : NULL;
    }
    free(text);
}

static int run(const char *folder, const char *script, const char *log, struct error *err)
{
    pid_t pid = 0;
    int rc = spawn(&pid, folder, script, log);
    if (rc == ENOENT)
        return error_env(
            err, "gnuplot is not installed; figures need it (Debian, Ubuntu: apt-get install "
                 "gnuplot-nox)");
    if (rc != 0)
        return error_env(err, "gnuplot cannot be started: %s", strerror(rc));
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_env(err, "gnuplot: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_env(
            err, "gnuplot is not installed; figures need it (Debian, Ubuntu: apt-get install "
                 "gnuplot-nox)");
    struct strbuf why = STRBUF_INIT;
    explain(log, &why);
    error_env(err, "gnuplot failed (%s %d)%s%s", WIFEXITED(status) ? "exit code" : "signal",
              WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), why.len > 0 ? ": " : "",
              why.text);
    strbuf_release(&why);
    return -1;
}

/* ---- files ---- */

/* Everything is made in a folder beside the figure and moved into place at the end. */
struct job {
    const char *path;
    char *folder; /* where the figure goes */
    char *work;   /* folder/.NAME.XXXXXX */
    char *name;   /* NAME; what is kept beside it is called NAME.gp and NAME.dat */
};

static const char *const kept[] = {"", ".gp", ".dat"}; /* behind the figure's name */

static char *join(const char *folder, const char *name, const char *suffix)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/%s%s", folder, name, suffix);
    return strbuf_detach(&s);
}

void gnuplot_remove(const char *path)
{
    struct strbuf s = STRBUF_INIT;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        strbuf_clear(&s);
        strbuf_addf(&s, "%s%s", path, kept[i]);
        unlink(s.text);
    }
    strbuf_release(&s);
}

static int job_open(struct job *j, const char *path, struct error *err)
{
    struct strbuf s = STRBUF_INIT;
    const char *name = file_part(path);
    strbuf_add(&s, path, (size_t)(name - path));
    if (s.len > 1)
        strbuf_truncate(&s, s.len - 1);
    j->path = path;
    j->folder = s.len > 0 ? strbuf_detach(&s) : mem_strdup(".");
    strbuf_release(&s);
    j->name = mem_strdup(name);
    j->work = NULL;
    if (file_make_folder(j->folder, err) != 0)
        return -1;
    strbuf_addf(&s, "%s/.figure.XXXXXX", j->folder);
    j->work = strbuf_detach(&s);
    if (mkdtemp(j->work) == NULL) {
        int rc = error_env(err, "%s: a folder for drawing cannot be made: %s", j->folder,
                           strerror(errno));
        free(j->work);
        j->work = NULL;
        return rc;
    }
    return 0;
}

static int job_put(const struct job *j, const char *suffix, const char *text, struct error *err)
{
    char *path = join(j->work, j->name, suffix);
    int rc = file_write(path, text, strlen(text), err);
    free(path);
    return rc;
}

static int job_publish(const struct job *j, const char *suffix, struct error *err)
{
    char *from = join(j->work, j->name, suffix), *to = join(j->folder, j->name, suffix);
    int rc = rename(from, to) == 0 ? 0 : error_env(err, "%s: %s", to, strerror(errno));
    free(from);
    free(to);
    return rc;
}

static void job_close(struct job *j)
{
    if (j->work != NULL) {
        char *figure = join(j->work, j->name, ""), *log = join(j->work, j->name, ".log");
        gnuplot_remove(figure);
        unlink(log);
        rmdir(j->work);
        free(figure);
        free(log);
    }
    free(j->work);
    free(j->folder);
    free(j->name);
}

static void header(struct strbuf *out, const struct job *j, const struct terminal *t, int width,
                   int height)
{
    strbuf_addf(out, "# Draws %s: run `gnuplot -d %s.gp` in this folder. Written by vittm plot.\n",
                j->name, j->name);
    strbuf_adds(out, "reset\nunset mouse\nset encoding utf8\n");
    t->set(out, width, height);
    strbuf_addf(out, "set output './%s'\ndata = './%s.dat'\nscale = %g\n", j->name, j->name,
                t->point_scale);
    style_preamble(out);
}

/* cairo writes the time into PDF files; a fixed one of the same length makes them comparable. */
static int make_pdf_timeless(const char *path, struct error *err)
{
    static const char key[] = "/CreationDate (D:";
    char *bytes = NULL;
    size_t size = 0;
    if (file_read(path, (size_t)1 << 28, &bytes, &size, err) != 0)
        return -1;
    char *date = memmem(bytes, size, key, sizeof key - 1);
    if (date != NULL) {
        date += sizeof key - 1;
        for (int i = 0; date + i < bytes + size && isdigit((unsigned char)date[i]); i++)
            date[i] = "20000101000000"[i < 14 ? i : 13];
    }
    int rc = date != NULL ? file_write(path, bytes, size, err) : 0;
    free(bytes);
    return rc;
}

static int draw(struct job *j, const struct terminal *t, int width, int height, const char *body,
                const char *data, struct error *err)
{
    struct strbuf script = STRBUF_INIT;
    header(&script, j, t, width, height);
    strbuf_adds(&script, body);
    strbuf_adds(&script, "unset output\n");
    char *name = join(".", j->name, ".gp"), *log = join(j->work, j->name, ".log");
    char *figure = join(j->work, j->name, "");
    int rc = job_put(j, ".gp", script.text, err);
    if (rc == 0)
        rc = job_put(j, ".dat", data, err);
    if (rc == 0)
        rc = run(j->work, name, log, err);
    if (rc == 0 && !file_exists(figure))
        rc = error_env(err, "gnuplot drew nothing into %s (is the disk full?)", j->path);
    if (rc == 0 && t->set == set_pdf)
        rc = make_pdf_timeless(figure, err);
    if (rc == 0 && (job_publish(j, ".dat", err) != 0 || job_publish(j, ".gp", err) != 0 ||
                    job_publish(j, "", err) != 0))
        rc = -1;
    free(name);
    free(log);
    free(figure);
    strbuf_release(&script);
    return rc;
}

int gnuplot_render(const char *path, int width, int height, const char *body, const char *data,
                   struct error *err)
{
    if (gnuplot_check_path(path, err) != 0)
        return -1;
    struct job j = {0};
    int rc = job_open(&j, path, err);
    if (rc == 0)
        rc = draw(&j, find_terminal(path), width, height, body, data, err);
    job_close(&j);
    return rc;
}
