#include "bench/peer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int ask(struct peer *p, char *line, size_t size)
{
    fflush(p->to);
    if (!fgets(line, (int)size, p->from)) {
        snprintf(line, size, "no answer");
        return -1;
    }
    line[strcspn(line, "\n")] = 0;
    return strncmp(line, "no ", 3) ? 0 : -1;
}

static void become_python(int in[2], int out[2])
{
    const char *python = getenv("PYTHON");
    dup2(in[0], 0);
    dup2(out[1], 1);
    if (!getenv("BENCH_VERBOSE") && !freopen("/dev/null", "w", stderr))
        _exit(1);
    unsetenv("OMP_WAIT_POLICY"); /* as it is on its own */
    unsetenv("GOMP_SPINCOUNT");
    python = python ? python : "python3";
    execlp(python, python, "tools/bench_torch.py", (char *)NULL);
    _exit(127);
}

int peer_open(struct peer *p)
{
    int in[2], out[2];
    *p = (struct peer){0};
    signal(SIGPIPE, SIG_IGN);
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) /* no other child may hold them open */
        return 0;
    p->pid = fork();
    if (!p->pid)
        become_python(in, out);
    close(in[0]);
    close(out[1]);
    p->to = fdopen(in[1], "w");
    p->from = fdopen(out[0], "r");
    fputs("about\n", p->to);
    if (!ask(p, p->about, sizeof p->about))
        return 1;
    peer_close(p);
    return 0;
}

void peer_close(struct peer *p)
{
    if (!p->pid)
        return;
    fclose(p->to);
    fclose(p->from);
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
}

/* "model.dim=96 …" as the script wants it: known keys without their prefix. */
static void send_keys(struct peer *p, const char *keys)
{
    static const char *const known[][2] = {
        {"model.family=", "family"},     {"model.image_size=", "image"},
        {"model.channels=", "channels"}, {"model.classes=", "classes"},
        {"model.dim=", "dim"},           {"model.depth=", "depth"},
        {"model.heads=", "heads"},       {"model.mlp_ratio=", "ratio"},
        {"model.patch=", "patch"},       {"model.memory_patch=", "memory_patch"},
        {"model.latent_dim=", "latent"}, {"model.process_patch=", "process_patch"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *at = strstr(keys, known[i][0]);
        if (at) {
            at += strlen(known[i][0]);
            fprintf(p->to, " %s=%.*s", known[i][1], (int)strcspn(at, " "), at);
        }
    }
}

int peer_load(struct peer *p, const char *id, const struct subject *s, const struct loaded *l,
              enum precision precision, int compiled)
{
    char line[400];
    fprintf(p->to, "open %s batch=%d training=%d precision=%s compiled=%d threads=%d", id, s->batch,
            s->training, precision_name(precision), compiled, s->threads);
    send_keys(p, s->keys);
    fputc('\n', p->to);
    if (ask(p, line, sizeof line)) {
        fprintf(stderr, "%s, PyTorch %s%s: %s\n", s->name, precision_name(precision),
                compiled ? ", compiled" : "", line);
        return -1;
    }
    long long params = strtoll(line + 3, NULL, 10);
    if (!l || params == l->params)
        return 0;
    fprintf(stderr, "%s: PyTorch's model has %lld parameters, ours %lld: not compared\n", s->name,
            params, (long long)l->params);
    return -1;
}

double peer_run(struct peer *p, const char *id, int calls)
{
    char line[400];
    fprintf(p->to, "run %s %d\n", id, calls);
    return ask(p, line, sizeof line) ? -1 : strtod(line, NULL);
}

double peer_resident(struct peer *p)
{
    char line[400];
    fputs("resident\n", p->to);
    return ask(p, line, sizeof line) ? 0 : strtod(line, NULL);
}
