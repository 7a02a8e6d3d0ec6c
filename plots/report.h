/* The report: one HTML page that holds everything, reads no network and runs nothing but a fixed
 * script that sorts tables. Every sentence in it is computed from the data. */
#ifndef PLOTS_REPORT_H
#define PLOTS_REPORT_H

#include <stddef.h>

struct error;
struct plot_data;
struct strbuf;

struct report_options {
    const char *command;  /* the command line that made it, or NULL */
    const char *database; /* path of the database, or NULL */
    const char *date; /* "2026-01-31 12:00 UTC", or NULL: then the same data give the same bytes */
    const char *version; /* "vittm 0.1.0 (abc123)", or NULL */
    int figures;         /* 0: leaves them out */
};

/* Adds the page to out. Without gnuplot the figures are left out, and the page says so. */
int report_page(struct plot_data *d, const struct report_options *o, struct strbuf *out,
                struct error *err);
/* The same into a file. */
int report_write(struct plot_data *d, const struct report_options *o, const char *path,
                 struct error *err);

#endif
