/* Folder trees, for imports and checks. */
#ifndef DATA_TREE_H
#define DATA_TREE_H

struct error;

/* Removes path and all below it; links are removed, not followed. What is not there is fine. */
int tree_remove(const char *path, struct error *err);

/* The first folder at or below path, at most `depth` levels down, that holds all of names (NULL
 * ends them), or NULL. The caller frees it. */
char *tree_find_new(const char *path, const char *const *names, int depth);

/* Calls visit for each file that is not a folder, in order of name. Stops where visit returns
 * non-zero and returns that; -1 and a message where path cannot be read. */
int tree_walk(const char *path, int (*visit)(void *ctx, const char *file), void *ctx,
              struct error *err);

/* Copies a file whole. */
int tree_copy(const char *from, const char *to, struct error *err);

#endif
