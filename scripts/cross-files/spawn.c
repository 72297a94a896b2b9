/* Lets a program that runs in qemu-user start programs of its own kind, which the kernel of this machine refuses: they
 * are started in qemu again. Loaded through LD_PRELOAD by scripts/cross, for programs of linux-aarch64 only. What is not
 * of that kind is started as it is, without the LD_PRELOAD that would only make it complain. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
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

/* What is started in place of a program, in memory of its own. */
struct start {
    const char *path;
    char **arguments, **environment;
};

static char *variable(const char *name, const char *value)
{
    char *text = malloc(strlen(name) + strlen(value) + 2);
    sprintf(text, "%s=%s", name, value);
    return text;
}

static struct start in_place_of(const char *path, char *const arguments[], char *const environment[])
{
    struct start start = {path, (char **)arguments, (char **)environment};
    if (qemu && sysroot && own && is_of_this_kind(path)) {
        /* Its environment may be without these. */
        char *before[] = {(char *)qemu, "-L", (char *)sysroot, "-E", variable("PYDIST_QEMU", qemu), "-E",
                          variable("PYDIST_QEMU_SYSROOT", sysroot), "-E", variable("LD_PRELOAD", own), "-0",
                          arguments[0] ? arguments[0] : (char *)path, (char *)path};
        size_t words = sizeof before / sizeof *before, others = arguments[0] ? length(arguments) - 1 : 0;
        start.path = qemu;
        start.arguments = calloc(words + others + 1, sizeof *start.arguments);
        memcpy(start.arguments, before, sizeof before);
        if (others)
            memcpy(start.arguments + words, arguments + 1, others * sizeof *arguments);
        return start;
    }
    size_t variables = length(environment), kept = 0;
    start.environment = calloc(variables + 1, sizeof *start.environment);
    for (size_t index = 0; index < variables; index++)
        if (strncmp(environment[index], "LD_PRELOAD=", 11) != 0)
            start.environment[kept++] = environment[index];
    return start;
}

/* The file that `name` means on PATH; false where there is none. */
static int found(const char *name, char path[PATH_MAX])
{
    if (strchr(name, '/'))
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    for (const char *folders = getenv("PATH"); folders && *folders;) {
        const char *end = strchrnul(folders, ':');
        int size = snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - folders), folders, name);
        if (size < PATH_MAX && access(path, X_OK) == 0)
            return 1;
        folders = *end ? end + 1 : end;
    }
    return 0;
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
    struct start start = in_place_of(path, arguments, environment);
    return syscall(SYS_execve, start.path, start.arguments, start.environment);
}

int execv(const char *path, char *const arguments[])
{
    return execve(path, arguments, environ);
}

int execvpe(const char *name, char *const arguments[], char *const environment[])
{
    char path[PATH_MAX];
    if (found(name, path))
        return execve(path, arguments, environment);
    errno = ENOENT;
    return -1;
}

int execvp(const char *name, char *const arguments[])
{
    return execvpe(name, arguments, environ);
}

int posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
    static int (*next)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                       char *const[], char *const[]);
    if (!next)
        next = dlsym(RTLD_NEXT, "posix_spawn");
    struct start start = in_place_of(path, arguments, environment);
    return next(process, start.path, actions, attributes, start.arguments, start.environment);
}

int posix_spawnp(pid_t *process, const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
    char path[PATH_MAX];
    return found(name, path) ? posix_spawn(process, path, actions, attributes, arguments, environment) : ENOENT;
}
