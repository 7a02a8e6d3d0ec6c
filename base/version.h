/* What this program was built from. Every run records it. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

const char *version_number(void);   /* "0.1.0" */
const char *version_commit(void);   /* full hash, or "unknown" outside a git checkout */
int version_dirty(void);            /* 1: sources differed from that commit */
const char *version_diff(void);     /* the differences, at most 256 KiB of `git diff`; may be "" */
const char *version_compiler(void); /* "gcc (Debian 12.2.0-14) 12.2.0" */
const char *version_flags(void);    /* of ordinary files */
const char *version_kernel_flags(void); /* of the CPU kernels, less the instruction set */

#endif
