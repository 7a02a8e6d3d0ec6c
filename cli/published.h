/* The files of published numbers: results/published of the folders that models_roots lists. */
#ifndef CLI_PUBLISHED_H
#define CLI_PUBLISHED_H

struct arena;
struct error;

/* What was typed, as a path in the arena: a file that exists, a name of results/published without
 * ".csv", or the part of one after a dash ("table8" for "vittm-table8"). Otherwise the error lists
 * the names. */
int cli_published_find(struct arena *a, const char *typed, const char **path, struct error *err);

#endif
