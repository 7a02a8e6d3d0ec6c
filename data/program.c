#include "data/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strbuf.h"

extern char **environ;

int program_run(const char *const argv[], struct error *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    int rc = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc)
        return error_env(err, "cannot run %s: %s", argv[0], strerror(rc));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_env(err, "cannot wait for %s: %s", argv[0], strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program_exists(const char *name)
{
    const char *path = getenv("PATH");
    struct strbuf s = STRBUF_INIT;
    int found = 0;
    while (path && *path && !found) {
        size_t n = strcspn(path, ":");
        strbuf_clear(&s);
        strbuf_add(&s, path, n);
        strbuf_addf(&s, "/%s", name);
        found = n && access(s.text, X_OK) == 0;
        path += n + (path[n] == ':');
    }
    strbuf_release(&s);
    return found;
}
