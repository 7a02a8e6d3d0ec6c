/* Live lines by ANSI cursor movement: go up over the lines drawn last, clear to the end, draw
 * again. */
#include "runner/progress.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct progress {
    int fd;
    int live, colour;
    int drawn; /* live lines on the screen now */
};

struct progress *progress_new(int fd)
{
    struct progress *p = mem_zalloc(1, sizeof *p);
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    p->fd = fd;
    p->live = isatty(fd) && term && strcmp(term, "dumb");
    p->colour = p->live && !(no_colour && *no_colour);
    return p;
}

static void put(struct progress *p, const struct strbuf *s)
{
    /* A terminal that is gone must not end the runs. */
    file_write_fd(p->fd, s->text, s->len, "stderr", NULL);
}

/* To the first column of the first live line, everything from there on cleared. */
static void take_off(struct progress *p, struct strbuf *s)
{
    if (p->drawn)
        strbuf_addf(s, "\r\x1b[%dA\x1b[J", p->drawn);
    p->drawn = 0;
}

void progress_free(struct progress *p)
{
    struct strbuf s = STRBUF_INIT;
    if (!p)
        return;
    take_off(p, &s);
    put(p, &s);
    strbuf_release(&s);
    free(p);
}

int progress_is_live(const struct progress *p)
{
    return p->live;
}

static void screen(const struct progress *p, int *columns, int *rows)
{
    struct winsize w;
    int known = !ioctl(p->fd, TIOCGWINSZ, &w);
    *columns = known && w.ws_col >= 20 ? w.ws_col : 80;
    *rows = known && w.ws_row >= 4 ? w.ws_row : 24;
}

void progress_folded_text(struct strbuf *out, const char *text, int columns)
{
    enum { LABELS = 8 };
    int indent = 0;
    for (;;) {
        size_t n = utf8_line(text, (size_t)(columns - indent));
        strbuf_add(out, text, n);
        text += n;
        text += strspn(text, " ");
        if (!*text)
            return;
        indent = LABELS;
        strbuf_addf(out, "\n%*s", indent, "");
    }
}

void progress_say(struct progress *p, enum progress_level level, const char *fmt, ...)
{
    static const char *const colours[] = {"", "\x1b[32m", "\x1b[31m"};
    struct strbuf s = STRBUF_INIT, text = STRBUF_INIT;
    int columns, rows;
    va_list ap;
    take_off(p, &s);
    if (p->colour)
        strbuf_adds(&s, colours[level]);
    va_start(ap, fmt);
    strbuf_vaddf(&text, fmt, ap);
    va_end(ap);
    screen(p, &columns, &rows);
    if (p->live)
        progress_folded_text(&s, text.text, columns - 1);
    else
        strbuf_adds(&s, text.text);
    if (p->colour && level != PROGRESS_PLAIN)
        strbuf_adds(&s, "\x1b[0m");
    strbuf_addc(&s, '\n');
    put(p, &s);
    strbuf_release(&s);
    strbuf_release(&text);
}

void progress_draw(struct progress *p, const struct progress_run *runs, int n,
                   const struct progress_total *total)
{
    if (!p->live)
        return;
    int columns, rows;
    struct strbuf s = STRBUF_INIT;
    screen(p, &columns, &rows);
    int shown = n <= rows - 2 ? n : rows - 3;
    take_off(p, &s);
    for (int i = 0; i < shown; i++) {
        progress_run_text(&s, &runs[i], columns - 1);
        strbuf_addc(&s, '\n');
    }
    if (shown < n)
        strbuf_addf(&s, "... and %d more\n", n - shown);
    if (p->colour)
        strbuf_adds(&s, "\x1b[1m");
    progress_total_text(&s, total, columns - 1);
    strbuf_adds(&s, p->colour ? "\x1b[0m\n" : "\n");
    p->drawn = shown + (shown < n) + 1;
    put(p, &s);
    strbuf_release(&s);
}

/* Cuts what was added since `from` to so many columns. */
static void cut(struct strbuf *s, size_t from, int columns)
{
    strbuf_truncate(s, from + utf8_fit(s->text + from, columns > 0 ? (size_t)columns : 0));
}

static int width_of(const char *text)
{
    return (int)utf8_columns(text, strlen(text));
}

void progress_score_note(struct progress_score *s, const char *metric, double value)
{
    static const struct {
        const char *metric, *word;
    } told[] = {{"val/top1", "top-1"}, {"val/miou", "mIoU"}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (!strcmp(metric, told[i].metric))
            *s = (struct progress_score){told[i].word, value};
}

void progress_score_text(struct strbuf *out, const struct progress_score *s)
{
    if (s->word)
        strbuf_addf(out, "  %s %.1f %%", s->word, s->percent);
}

static void run_numbers(struct strbuf *out, const struct progress_run *run, int with_speed)
{
    char left[32];
    strbuf_clear(out);
    if (run->epochs)
        strbuf_addf(out, "  epoch %d/%d", run->epoch, run->epochs);
    else
        strbuf_adds(out, "  starting");
    if (isfinite(run->loss))
        strbuf_addf(out, "  loss %.3f", run->loss);
    progress_score_text(out, &run->score);
    if (with_speed && isfinite(run->images_per_s) && run->images_per_s > 0)
        strbuf_addf(out, "  %.0f img/s", run->images_per_s);
    if (isfinite(run->left_s))
        strbuf_addf(out, "  %s left", clock_format_expected(run->left_s, left, sizeof left));
}

/* Adds label in at most room columns: what it loses stands before its seed, by which lines of the
 * same cell are told apart. */
static void add_label(struct strbuf *out, const char *label, int room)
{
    const char *seed = strstr(label, " seed ");
    int tail = seed ? width_of(seed) : 0;
    if (width_of(label) <= room || tail + 3 > room)
        tail = 0;
    size_t from = out->len;
    strbuf_adds(out, label);
    if (width_of(label) <= room)
        return;
    cut(out, from, room - 2 - tail);
    strbuf_adds(out, "..");
    if (tail)
        strbuf_adds(out, seed);
}

/* Where the line is too long the speed is left out, then the label gives way, down to ten columns:
 * its numbers are the news. */
void progress_run_text(struct strbuf *out, const struct progress_run *run, int columns)
{
    size_t from = out->len;
    struct strbuf numbers = STRBUF_INIT;
    run_numbers(&numbers, run, 1);
    if (2 + width_of(run->label) + width_of(numbers.text) > columns)
        run_numbers(&numbers, run, 0);
    int room = columns - 2 - width_of(numbers.text);
    strbuf_adds(out, "  ");
    add_label(out, run->label, room < 10 ? 10 : room);
    strbuf_adds(out, numbers.text);
    strbuf_release(&numbers);
    cut(out, from, columns);
}

void progress_total_text(struct strbuf *out, const struct progress_total *t, int columns)
{
    size_t from = out->len;
    char left[32];
    strbuf_addf(out, "%d of %d done", t->done, t->runs);
    if (t->running)
        strbuf_addf(out, ", %d running", t->running);
    if (t->elsewhere)
        strbuf_addf(out, ", %d in another runner", t->elsewhere);
    if (t->failed)
        strbuf_addf(out, ", %d failed", t->failed);
    if (t->stopping)
        strbuf_addf(out, "; %s", t->stopping);
    else if (isfinite(t->left_s) && t->done < t->runs)
        strbuf_addf(out, ", about %s left", clock_format(t->left_s, left, sizeof left));
    cut(out, from, columns);
}
