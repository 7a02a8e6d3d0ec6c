#include "base/version.h"

#include "build_facts.h"

const char *version_number(void)
{
    return BUILD_VERSION;
}

const char *version_commit(void)
{
    return BUILD_COMMIT;
}

int version_dirty(void)
{
    return BUILD_DIRTY;
}

const char *version_diff(void)
{
    return (const char *)build_diff;
}

const char *version_compiler(void)
{
    return BUILD_COMPILER;
}

const char *version_flags(void)
{
    return BUILD_FLAGS;
}

const char *version_kernel_flags(void)
{
    return BUILD_KERNEL_FLAGS;
}
