/* How threads wait: those of OpenMP for each other, those of OpenBLAS for work. */
#ifndef BACKEND_CPU_WAIT_H
#define BACKEND_CPU_WAIT_H

/* Threads that wait for each other spin for some tens of microseconds, then sleep. First thing in
 * main: the libraries read such choices when they are loaded, before main, so the program starts
 * itself once more with them. Whoever sets OMP_WAIT_POLICY keeps theirs.
 *
 * no_blas_threads: OpenBLAS starts no threads of its own, which look for work for a while and never
 * get any, since the cpu backend cuts products itself; or as many as OPENBLAS_NUM_THREADS says. */
void cpu_wait_briefly(char **argv, int no_blas_threads);

#endif
