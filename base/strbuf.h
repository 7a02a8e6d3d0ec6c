/* A growing string. STRBUF_INIT, add, read .text (always terminated), strbuf_release. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
    char *text; /* never NULL; terminated */
    size_t len, cap;
};

extern char strbuf_empty[];
#define STRBUF_INIT                                                                                \
    {                                                                                              \
        strbuf_empty, 0, 0                                                                         \
    }

void strbuf_add(struct strbuf *s, const char *text, size_t len);
void strbuf_adds(struct strbuf *s, const char *text);
void strbuf_addc(struct strbuf *s, char c);
void strbuf_addf(struct strbuf *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *s, const char *fmt, va_list ap);
void strbuf_clear(struct strbuf *s); /* length 0, memory kept */
void strbuf_truncate(struct strbuf *s, size_t len);
char *strbuf_detach(struct strbuf *s); /* the caller frees; s is empty again */
void strbuf_release(struct strbuf *s);

#endif
