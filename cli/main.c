#include "cli/command.h"

#include <stdlib.h>
#include <unistd.h>

/* OpenMP's threads spin while they wait for each other, which is fine on a machine that has nothing
 * else to do. On one that has, a spinning thread holds the core that the awaited one needs: a
 * training step with two threads beside other work took 490 ms spinning and 77 ms sleeping. libgomp
 * reads the choice when it is loaded, before main, so the program starts itself once more with it;
 * whoever sets OMP_WAIT_POLICY keeps theirs. */
static void sleep_while_waiting(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || setenv("OMP_WAIT_POLICY", "passive", 1))
        return;
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    sleep_while_waiting(argv);
    return cli_main(argc, argv);
}
