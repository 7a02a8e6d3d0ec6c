/* Growing strings. */
#include "base/strbuf.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char strbuf_empty[1];

static void reserve(struct strbuf *s, size_t extra)
{
    size_t need = s->len + extra + 1;
    if (need <= s->cap)
        return;
    size_t cap = s->cap ? s->cap : 64;
    while (cap < need)
        cap *= 2;
    s->text = mem_realloc(s->cap ? s->text : NULL, cap, 1);
    s->cap = cap;
}

void strbuf_add(struct strbuf *s, const char *text, size_t len)
{
    reserve(s, len);
    memcpy(s->text + s->len, text, len);
    s->len += len;
    s->text[s->len] = 0;
}

void strbuf_adds(struct strbuf *s, const char *text)
{
    strbuf_add(s, text, strlen(text));
}

void strbuf_addc(struct strbuf *s, char c)
{
    strbuf_add(s, &c, 1);
}

void strbuf_vaddf(struct strbuf *s, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    reserve(s, (size_t)n);
    vsnprintf(s->text + s->len, (size_t)n + 1, fmt, again);
    s->len += (size_t)n;
    va_end(again);
}

void strbuf_addf(struct strbuf *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(s, fmt, ap);
    va_end(ap);
}

void strbuf_truncate(struct strbuf *s, size_t len)
{
    if (len < s->len) {
        s->len = len;
        s->text[len] = 0;
    }
}

void strbuf_clear(struct strbuf *s)
{
    strbuf_truncate(s, 0);
}

char *strbuf_detach(struct strbuf *s)
{
    char *text = s->cap ? s->text : mem_strdup("");
    *s = (struct strbuf)STRBUF_INIT;
    return text;
}

void strbuf_release(struct strbuf *s)
{
    if (s->cap)
        free(s->text);
    *s = (struct strbuf)STRBUF_INIT;
}
