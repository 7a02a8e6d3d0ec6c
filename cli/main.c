#include "cli/command.h"

#include <stdlib.h>
#include <unistd.h>

/* OpenMP's threads spin while they wait for each other, which is fine on a machine that has nothing
 * else to do. On one that has, a spinning thread holds the core that the awaited one needs: a
 * training step with two threads beside other work took 490 ms spinning and 77 ms sleeping.
 * OpenBLAS starts its own threads when it is loaded, which then look for work for a while and never
 * get any: the cpu backend cuts products itself. Both read the choice before main, so the program
 * starts itself once more with it; whoever sets these variables keeps theirs. */
static void sleep_while_waiting(char **argv)
{
    static const char *const choices[][2] = {{"OMP_WAIT_POLICY", "passive"},
                                             {"OPENBLAS_NUM_THREADS", "1"}};
    int changed = 0;
    for (int i = 0; i < 2; i++)
        changed |= !getenv(choices[i][0]) && !setenv(choices[i][0], choices[i][1], 1);
    if (changed)
        execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    sleep_while_waiting(argv);
    return cli_main(argc, argv);
}
