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

/* out: the descriptor that becomes the program's stdout. */
static int start(const char *const argv[], int out, pid_t *pid, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    int rc = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc ? error_env(err, "cannot run %s: %s", argv[0], strerror(rc)) : 0;
}

static int wait_for(pid_t pid, const char *name, struct error *err)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_env(err, "cannot wait for %s: %s", name, strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program_run(const char *const argv[], struct error *err)
{
    pid_t pid;
    return start(argv, STDERR_FILENO, &pid, err) ? -1 : wait_for(pid, argv[0], err);
}

int program_open(struct program_pipe *p, const char *const argv[], struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return error_env(err, "cannot run %s: %s", argv[0], strerror(errno));
    *p = (struct program_pipe){.name = argv[0]};
    int rc = start(argv, ends[1], &p->pid, err);
    close(ends[1]);
    if (rc == 0)
        p->out = fdopen(ends[0], "r");
    else
        close(ends[0]);
    return rc;
}

/* What is left unread makes the program stop at its next write. */
int program_close(struct program_pipe *p, struct error *err)
{
    fclose(p->out);
    return wait_for(p->pid, p->name, err);
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
