/* Lets a program that runs in qemu-user start programs of its own kind, which the kernel of this machine refuses: they
 * are started in qemu again. Loaded through LD_PRELOAD by scripts/cross, for programs of linux-aarch64 only. What is not
 * of that kind is started as it is, without the LD_PRELOAD that would only make it complain. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* As they were at the start: the environment of a new program may be put in place before it is started. */
static const char *qemu, *sysroot, *own;

__attribute__((constructor)) static void remember(void)
{
    const char *found;
    if ((found = getenv("PYDIST_QEMU")))
        qemu = strdup(found);
    if ((found = getenv("PYDIST_QEMU_SYSROOT")))
        sysroot = strdup(found);
    if ((found = getenv("LD_PRELOAD")))
        own = strdup(found);
}

static int is_of_this_kind(const char *path)
{
    unsigned char head[20];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t count = read(file, head, sizeof head);
    close(file);
    /* e_machine 183 is aarch64. */
    return count == sizeof head && memcmp(head, "\177ELF", 4) == 0 && head[18] == 183 && head[19] == 0;
}

static size_t length(char *const words[])
{
    size_t count = 0;
    while (words[count])
        count++;
    return count;
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
    if (qemu && sysroot && own && is_of_this_kind(path)) {
        /* The environment may be without these. */
        char for_qemu[PATH_MAX + 32], for_sysroot[PATH_MAX + 32], for_own[PATH_MAX + 32];
        snprintf(for_qemu, sizeof for_qemu, "PYDIST_QEMU=%s", qemu);
        snprintf(for_sysroot, sizeof for_sysroot, "PYDIST_QEMU_SYSROOT=%s", sysroot);
        snprintf(for_own, sizeof for_own, "LD_PRELOAD=%s", own);
        char *first = arguments[0] ? arguments[0] : (char *)path;
        char *before[] = {(char *)qemu, "-L", (char *)sysroot, "-E", for_qemu, "-E", for_sysroot, "-E", for_own,
                          "-0", first, (char *)path};
        size_t words = sizeof before / sizeof *before, others = arguments[0] ? length(arguments) - 1 : 0;
        char *all[words + others + 1];
        memcpy(all, before, sizeof before);
        if (others)
            memcpy(all + words, arguments + 1, others * sizeof *all);
        all[words + others] = NULL;
        return syscall(SYS_execve, qemu, all, environment);
    }
    size_t variables = length(environment), kept = 0;
    char *without[variables + 1];
    for (size_t index = 0; index < variables; index++)
        if (strncmp(environment[index], "LD_PRELOAD=", 11) != 0)
            without[kept++] = environment[index];
    without[kept] = NULL;
    return syscall(SYS_execve, path, arguments, without);
}

int execv(const char *path, char *const arguments[])
{
    return execve(path, arguments, environ);
}

int execvpe(const char *file, char *const arguments[], char *const environment[])
{
    if (strchr(file, '/'))
        return execve(file, arguments, environment);
    const char *folders = getenv("PATH");
    while (folders && *folders) {
        const char *end = strchrnul(folders, ':');
        char path[PATH_MAX];
        size_t size = end - folders, rest = strlen(file) + 2;
        if (size + rest <= sizeof path) {
            memcpy(path, folders, size);
            path[size] = '/';
            memcpy(path + size + 1, file, rest - 1);
            if (access(path, X_OK) == 0)
                return execve(path, arguments, environment);
        }
        folders = *end ? end + 1 : end;
    }
    errno = ENOENT;
    return -1;
}

int execvp(const char *file, char *const arguments[])
{
    return execvpe(file, arguments, environ);
}
