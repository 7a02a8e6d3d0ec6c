#include "plots/html.h"

#include <math.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

void html_text(struct strbuf *out, const char *text)
{
    for (const char *s = text; *s != 0; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '&')
            strbuf_adds(out, "&amp;");
        else if (c == '<')
            strbuf_adds(out, "&lt;");
        else if (c == '>')
            strbuf_adds(out, "&gt;");
        else if (c == '"')
            strbuf_adds(out, "&quot;");
        else if (c == '\'')
            strbuf_adds(out, "&#39;");
        else if (c >= 0x20 ? c != 0x7f : c == '\n' || c == '\t')
            strbuf_addc(out, *s);
    }
}

void html_prose(struct strbuf *out, const char *text)
{
    int code = 0;
    for (const char *s = text;; s++) {
        size_t n = strcspn(s, "`");
        char *part = mem_alloc(n + 1);
        memcpy(part, s, n);
        part[n] = 0;
        html_text(out, part);
        free(part);
        s += n;
        if (!*s)
            break;
        strbuf_adds(out, code ? "</code>" : "<code>");
        code = !code;
    }
}

void html_textf(struct strbuf *out, const char *fmt, ...)
{
    struct strbuf s = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(&s, fmt, ap);
    va_end(ap);
    html_text(out, s.text);
    strbuf_release(&s);
}

void html_section(struct strbuf *out, const char *id, const char *title)
{
    strbuf_addf(out, "<section id=\"%s\"><h2>", id);
    html_text(out, title);
    strbuf_adds(out, "</h2>\n");
}

void html_section_end(struct strbuf *out)
{
    strbuf_adds(out, "</section>\n");
}

void html_table(struct strbuf *out, const char *caption, const char *classes)
{
    strbuf_adds(out, "<div class=\"scroll\"><table");
    if (classes != NULL)
        strbuf_addf(out, " class=\"%s\"", classes);
    strbuf_adds(out, ">\n");
    if (caption != NULL) {
        strbuf_adds(out, "<caption>");
        html_text(out, caption);
        strbuf_adds(out, "</caption>\n");
    }
    strbuf_adds(out, "<thead><tr>");
}

void html_head(struct strbuf *out, enum html_kind kind, const char *text)
{
    strbuf_addf(out, "<th scope=\"col\"%s>", kind == HTML_WORD ? "" : " class=\"n\"");
    html_text(out, text);
    strbuf_adds(out, "</th>");
}

void html_body(struct strbuf *out)
{
    strbuf_adds(out, "</tr></thead>\n<tbody>\n");
}

void html_row(struct strbuf *out)
{
    strbuf_adds(out, "<tr>");
}

void html_row_end(struct strbuf *out)
{
    strbuf_adds(out, "</tr>\n");
}

void html_row_name(struct strbuf *out, const char *text)
{
    strbuf_adds(out, "<th scope=\"row\">");
    html_text(out, text);
    strbuf_adds(out, "</th>");
}

void html_cell(struct strbuf *out, enum html_kind kind, const char *text)
{
    html_value(out, kind, NAN, text);
}

void html_value(struct strbuf *out, enum html_kind kind, double value, const char *text)
{
    char number[32];
    strbuf_addf(out, "<td%s",
                kind == HTML_WORD     ? ""
                : kind == HTML_NUMBER ? " class=\"n\""
                                      : " class=\"n best\"");
    if (isfinite(value))
        strbuf_addf(out, " data-v=\"%s\"", number_format(value, number));
    strbuf_addc(out, '>');
    if (kind != HTML_WORD && text[0] == '-') { /* a true minus is as wide as a plus */
        strbuf_adds(out, "\u2212");
        text++;
    }
    html_text(out, text);
    strbuf_adds(out, "</td>");
}

void html_number(struct strbuf *out, double value, int decimals)
{
    char text[64] = "—";
    if (isfinite(value) && decimals < 0)
        snprintf(text, sizeof text, "%.10g", value);
    else if (isfinite(value))
        snprintf(text, sizeof text, "%.*f", decimals, value);
    html_value(out, HTML_NUMBER, value, text);
}

void html_table_end(struct strbuf *out)
{
    strbuf_adds(out, "</tbody></table></div>\n");
}

static void add_base64(struct strbuf *out, const unsigned char *bytes, size_t size)
{
    unsigned char *text = mem_alloc(size / 3 * 4 + 8);
    int n = EVP_EncodeBlock(text, bytes, (int)size);
    strbuf_add(out, (const char *)text, (size_t)n);
    free(text);
}

static void add_image(struct strbuf *out, const char *type, const char *bytes, size_t size,
                      int width, int height, const char *alt)
{
    strbuf_addf(out, "<img width=\"%d\" height=\"%d\" alt=\"", width, height);
    html_text(out, alt);
    strbuf_addf(out, "\" src=\"data:image/%s;base64,", type);
    add_base64(out, (const unsigned char *)bytes, size);
    strbuf_adds(out, "\">\n");
}

void html_image(struct strbuf *out, const char *svg, size_t size, int width, int height,
                const char *alt)
{
    add_image(out, "svg+xml", svg, size, width, height, alt);
}

void html_png(struct strbuf *out, const char *png, size_t size, int width, int height,
              const char *alt)
{
    add_image(out, "png", png, size, width, height, alt);
}

void html_script_hash(struct strbuf *out, const char *script)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)script, strlen(script), digest);
    strbuf_adds(out, "'sha256-");
    add_base64(out, digest, sizeof digest);
    strbuf_addc(out, '\'');
}
