/* Planted bugs, each of which the emulator must find, and right programs that look like them, of
 * which it must not complain. tests/sim/test_bugs.sh runs them:
 *
 *   bugs list     NAME|BUILD|ENVIRONMENT|WHAT IS SAID, a line each (struct planted)
 *   bugs NAME     runs one; exit code 7: the program saw a wrong value or an error code itself */
#include "tests/sim/bugs.h"

static const planted *const all[] = {kernel_bugs, copies_bugs, host_bugs, attention_bugs};

int main(int argc, char **argv)
{
    bool list = argc == 2 && !strcmp(argv[1], "list");
    for (const planted *p : all)
        for (; p->name; p++) {
            if (list)
                printf("%s|%s|%s|%s\n", p->name, p->build, p->environment, p->says);
            if (argc == 2 && !strcmp(argv[1], p->name)) {
                int code = p->run();
                if (code == NOTICED)
                    fputs("wrong value or error code seen\n", stderr);
                return code;
            }
        }
    return list ? 0 : 2;
}
