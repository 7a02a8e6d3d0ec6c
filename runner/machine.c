/* Facts from /proc, statvfs and the scheduler. */
#include "runner/machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

/* First bytes of a small file of /proc; returns the length, 0 if it cannot be read. */
static size_t read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

/* State letter and start tick of a process from /proc/PID/stat, whose second field may hold
 * anything, parentheses and spaces too: fields are counted from its last ')'. */
static int read_stat(long pid, char *state, unsigned long long *start)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (!read_small(path, text, sizeof text))
        return -1;
    char *p = strrchr(text, ')');
    return p && sscanf(p + 1,
                       " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                       "%*d %*d %llu",
                       state, start) == 2
               ? 0
               : -1;
}

long machine_parent(long pid)
{
    char path[64], text[1024];
    long parent;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const char *p = read_small(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    return p && sscanf(p + 1, " %*c %ld", &parent) == 1 ? parent : -1;
}

static void read_boot(char boot[37])
{
    char text[64];
    read_small("/proc/sys/kernel/random/boot_id", text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    snprintf(boot, 37, "%.36s", text);
}

void machine_self(struct machine_process *p)
{
    char state;
    *p = (struct machine_process){.pid = (long)getpid()};
    if (gethostname(p->host, sizeof p->host - 1))
        snprintf(p->host, sizeof p->host, "unknown");
    read_boot(p->boot);
    if (read_stat(p->pid, &state, &p->start))
        p->start = 0;
}

enum machine_life machine_life(const struct machine_process *p)
{
    struct machine_process self;
    char state = 0;
    unsigned long long start = 0;
    machine_self(&self);
    /* The boot comes first: two containers of one machine share it and may differ in host name. */
    if (strcmp(self.boot, p->boot))
        return strcmp(self.host, p->host) ? MACHINE_UNKNOWN : MACHINE_DEAD;
    if (strcmp(self.host, p->host))
        return MACHINE_UNKNOWN;
    if (p->pid <= 0 || read_stat(p->pid, &state, &start))
        return MACHINE_DEAD;
    if (state == 'Z' || state == 'X')
        return MACHINE_DEAD;
    return start == p->start ? MACHINE_ALIVE : MACHINE_DEAD;
}

int machine_cores(int *cores, int max)
{
    cpu_set_t set;
    int n = 0;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set)) {
        /* More than 1,024 cores: fall back to a count without a mask. */
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        for (int i = 0; i < online && n < max; i++)
            cores[n++] = i;
        return n;
    }
    for (int i = 0; i < CPU_SETSIZE && n < max; i++)
        if (CPU_ISSET(i, &set))
            cores[n++] = i;
    return n;
}

int machine_take_core(int core)
{
    /* An abstract socket name is held by one process of the machine and is gone with it: no file to
     * clean up, no user's folder to agree on. */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "vittm.core.%d", core);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    if (!bind(fd, (struct sockaddr *)&name, size))
        return fd;
    close(fd);
    return -1;
}

long long machine_free_bytes(const char *path)
{
    struct statvfs v;
    if (statvfs(path, &v))
        return -1;
    return (long long)v.f_bavail * (long long)v.f_frsize;
}

long long machine_free_memory(void)
{
    char text[4096];
    long long kib;
    if (!read_small("/proc/meminfo", text, sizeof text))
        return -1;
    const char *p = strstr(text, "MemAvailable:");
    return p && sscanf(p, "MemAvailable: %lld", &kib) == 1 ? kib * 1024 : -1;
}
