/* Reading a store with SQL. Whatever the statement, it can only read: it runs under query_only and
 * an authorizer that refuses writes, ATTACH, PRAGMA and transactions. */
#ifndef RESULTS_QUERY_H
#define RESULTS_QUERY_H

#include <stddef.h>

struct error;
struct rows;
struct store;

/* Runs one SELECT. types has a letter for each ? of the statement: 's' const char * (NULL is NULL),
 * 'i' int64_t, 'd' double; "" for none. Errors are one line and EXIT_USAGE (a mistake in the SQL),
 * naming the nearest column where one is unknown, or EXIT_ENVIRONMENT (the file). */
struct rows *store_query(struct store *s, struct error *err, const char *sql, const char *types,
                         ...);

/* The first column of the first row of such a statement. Returns 1, or 0 where there is no row or
 * it is NULL, or -1. */
int store_query_integer(struct store *s, struct error *err, long long *value, const char *sql,
                        const char *types, ...);

#endif
