#include "data/download.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "data/import.h"
#include "data/program.h"

int download_is_whole(const struct import_file *f, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && (uint64_t)st.st_size == f->bytes;
}

static int fetch(const char *url, const char *path, struct error *err)
{
    const char *meter = isatty(STDERR_FILENO) ? "--progress-bar" : "--no-progress-meter";
    const char *const curl[] = {"curl",          "--fail", "--location", meter, "--retry", "3",
                                "--continue-at", "-",      "--output",   path,  url,       NULL};
    const char *const wget[] = {"wget", "--no-verbose", "--continue", "--tries=3",
                                "-O",   path,           url,          NULL};
    const char *const *argv = program_exists("curl") ? curl : program_exists("wget") ? wget : NULL;
    if (!argv)
        return error_env(
            err,
            "downloading needs curl or wget (apt-get install curl); or bring %s some other way "
            "and name it with --from",
            url);
    int rc = program_run(argv, err);
    if (rc > 0)
        rc =
            error_env(err,
                      "%s: %s failed with exit code %d (the same command goes on where it stopped; "
                      "--from PATH takes a local copy)",
                      url, argv[0], rc);
    return rc;
}

/* What an attempt cannot go on from: there is more than the whole. */
static void drop_overlong(const struct import_file *f, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (uint64_t)st.st_size > f->bytes)
        unlink(path);
}

int download_file(const struct import_file *f, const char *path, struct error *err)
{
    char hex[65];
    drop_overlong(f, path);
    if (!download_is_whole(f, path) && fetch(f->url, path, err))
        return -1;
    if (file_sha256(path, hex, err))
        return -1;
    if (!strcmp(hex, f->sha256))
        return 0;
    unlink(path);
    return error_env(err, "%s: what came has SHA-256 %s, expected %s (removed: try again)", f->url,
                     hex, f->sha256);
}
