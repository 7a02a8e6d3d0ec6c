#include "backend/cpu/wait.h"
#include "cli/command.h"

int main(int argc, char **argv)
{
    cpu_wait_briefly(argv, 1);
    return cli_main(argc, argv);
}
