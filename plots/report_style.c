/* The style sheet and the one script of a report, which are plots/report.css and plots/report.js:
 * the assembler copies the files into the program. The script knows no data: it sorts the tables
 * that are there, and without it the page only does not sort. */
#include "plots/report_internal.h"

/* const char name[]: the bytes of a file, then a zero. Paths are from the root of the sources,
 * where make runs. */
#define EMBED(name, file)                                                                          \
    __asm__(".pushsection .rodata\n"                                                               \
            ".globl " #name "\n"                                                                   \
            ".hidden " #name "\n" #name ":\n"                                                      \
            ".incbin \"" file "\"\n"                                                               \
            ".byte 0\n"                                                                            \
            ".popsection\n")

EMBED(report_style, "plots/report.css");
EMBED(report_script, "plots/report.js");
