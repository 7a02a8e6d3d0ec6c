#include "tests/support/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "train/run_config.h"

struct config *run_configure(const char *yaml, const char *const pairs[][2])
{
    struct error err = {0};
    struct config *c;
    if (run_config_parse(&c, "tiny", yaml, strlen(yaml), &err))
        fail_msg("%s", err.msg);
    for (; pairs && (*pairs)[0]; pairs++)
        if (config_set(c, (*pairs)[0], (*pairs)[1], (struct config_origin){"test", 0, 0}, &err))
            fail_msg("%s", err.msg);
    if (config_resolve(c, &err))
        fail_msg("%s", err.msg);
    return c;
}

struct device run_device(const char *name, int threads)
{
    struct device d;
    struct error err = {0};
    if (device_open(&d, name, threads, &err))
        fail_msg("%s", err.msg);
    return d;
}
