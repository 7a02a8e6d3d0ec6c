/* What the renderers of result sets share. Inside results/ only. */
#ifndef RESULTS_RENDER_H
#define RESULTS_RENDER_H

#include "results/rows.h"

#include <stdio.h>

enum { RENDER_TEXT = 64 }; /* room for any number as text */

/* A cell for people: texts as they are, numbers in six digits, NULL empty. Valid as long as both
 * cell and text. */
const char *render_text(const struct rows_cell *cell, char text[RENDER_TEXT]);

/* Whether a text is printable ASCII without quotes and backslashes, as almost all are: what is a
 * column a byte wide and needs no escapes. */
int render_is_plain(const char *text);

/* right[c], one a column: whether it has numbers and no words, and so is aligned to the right.
 * Texts that read as a number are numbers, formatted by whoever made the rows. */
void render_sides(const struct rows *r, unsigned char *right);

/* The caption below a table, if there is one. */
void render_caption(const struct rows *r, FILE *out);

/* The format "table": aligned columns, at most width columns of a terminal (> 0) in all where
 * cutting texts can do that (results/rows.h: rows_print). */
void render_terminal(const struct rows *r, int width, FILE *out);

#endif
