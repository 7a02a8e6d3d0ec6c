/* Loops that are worth further versions for wide registers: VECTOR_CLONES before a function
 * compiles it for AVX2 and AVX-512 too and picks when the program starts. Nothing is fused
 * (-ffp-contract=off), so all versions give the same bits. Sanitizers cannot look into such
 * functions: there it is nothing. */
#ifndef DATA_VECTOR_H
#define DATA_VECTOR_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(VITTM_SANITIZED)
#define VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTOR_CLONES
#endif

#endif
