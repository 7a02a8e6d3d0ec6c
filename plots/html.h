/* Writing HTML. Text of others enters a page only through html_text and html_attribute. */
#ifndef PLOTS_HTML_H
#define PLOTS_HTML_H

#include "base/strbuf.h"

/* Escapes & < > " ' and drops control characters but newline and tab. Good in text and in quoted
 * attributes. */
void html_text(struct strbuf *out, const char *text);
/* printf, then html_text. */
void html_textf(struct strbuf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same of our own words: what stands between two ` is code. */
void html_prose(struct strbuf *out, const char *text);

/* A part of the page under a heading of its own. */
void html_section(struct strbuf *out, const char *id, const char *title);
void html_section_end(struct strbuf *out);

/* Tables: html_table, html_head cells, html_body, then rows: html_row, cells, html_row_end;
 * html_table_end. */
enum html_kind {
    HTML_WORD,
    HTML_NUMBER, /* to the right, tabular digits, sorts by value */
    HTML_STRONG  /* the same, the best */
};
/* classes: "sortable" gets the sorting script; or NULL. */
void html_table(struct strbuf *out, const char *caption, const char *classes);
void html_head(struct strbuf *out, enum html_kind kind, const char *text);
void html_body(struct strbuf *out);
void html_row(struct strbuf *out);
void html_row_end(struct strbuf *out);
void html_cell(struct strbuf *out, enum html_kind kind, const char *text);
/* A cell that shows text and sorts by value. */
void html_value(struct strbuf *out, enum html_kind kind, double value, const char *text);
/* A cell of a number with so many decimals, -1: as many digits as it needs; "—" where it is not
 * finite. */
void html_number(struct strbuf *out, double value, int decimals);
void html_row_name(struct strbuf *out, const char *text); /* the first cell of a row, a header */
void html_table_end(struct strbuf *out);

/* "<img …>" of SVG bytes as a data URI, which isolates its names and runs nothing. */
void html_image(struct strbuf *out, const char *svg, size_t size, int width, int height,
                const char *alt);
/* The same of a PNG file's bytes. */
void html_png(struct strbuf *out, const char *png, size_t size, int width, int height,
              const char *alt);
/* "'sha256-…'" of a script's text, for a content security policy. */
void html_script_hash(struct strbuf *out, const char *script);

#endif
