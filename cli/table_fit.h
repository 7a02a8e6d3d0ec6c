/* An ablation table made to fit a terminal without cutting what names a cell. */
#ifndef CLI_TABLE_FIT_H
#define CLI_TABLE_FIT_H

#include <stddef.h>

struct rows;

/* Takes r over (NULL passes through). Where it is wider than width: first the n that all cells
 * share goes (the caption states it), then headers are shortened to their units, then columns are
 * left out from the right, at least two stay, and stderr says which. */
struct rows *table_fit(struct rows *r, size_t width);

#endif
